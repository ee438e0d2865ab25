"""Federations without a network between their parts: splits, packets, rounds of both kinds, and lost members."""

import dataclasses

import numpy as np
import pytest

from keras_snnkd.errors import FileFormatError, KDError, ShapeError, UnknownNameError
from keras_snnkd.federated import (
    OutputMember,
    OutputRounds,
    Setting,
    WeightMember,
    WeightRounds,
    dirichlet_split,
    packed_logits,
    packed_spikes,
    unpacked,
)  # fmt: skip
from keras_snnkd.federated.rounds import RECORD

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 10, 400)
SETTING = Setting(members=2, public=40, student="mlp:8", timesteps=2, epochs=1, public_epochs=1, batch_size=256)


def test_a_split_gives_every_sample_to_one_member_and_is_the_same_for_a_seed():
    parts = dirichlet_split(LABELS, 5, 0.5, seed=3)
    assert sorted(np.concatenate(parts)) == list(range(400))
    for part, again in zip(parts, dirichlet_split(LABELS, 5, 0.5, seed=3), strict=True):
        np.testing.assert_array_equal(part, again)


def test_a_small_alpha_makes_members_differ_and_a_large_one_makes_them_alike():
    def largest_share(alpha):
        counts = np.array([np.bincount(LABELS[part], minlength=10) for part in dirichlet_split(LABELS, 4, alpha)])
        return (counts.max(0) / counts.sum(0)).mean()

    assert largest_share(0.1) > 0.7
    assert largest_share(1e4) < 0.3


def test_spikes_take_a_bit_each_and_come_back_as_counts():
    spikes = RANDOM.integers(0, 2, (7, 5, 3))
    packet = packed_spikes(spikes)
    assert len(packet) - packet.index(b"\n") - 1 == -(-7 * 5 * 3 // 8)
    np.testing.assert_array_equal(unpacked(packet), spikes.sum(1))


def test_logits_take_two_bytes_each():
    logits = RANDOM.normal(size=(4, 3))
    packet = packed_logits(logits)
    assert len(packet) - packet.index(b"\n") - 1 == 2 * 12
    np.testing.assert_allclose(unpacked(packet), logits, rtol=1e-3)


@pytest.mark.parametrize(
    "packet", [b"", b"hello", packed_logits(np.ones((2, 3)))[:-1], b'["spikes", [1000000000, 1000, 1000]]\nx', b'["spikes", [-1, 2, 4]]\n1']
)
def test_other_bytes_are_refused(packet):
    with pytest.raises(FileFormatError, match="no outputs"):
        unpacked(packet)


def test_numbers_that_are_no_spikes_are_not_packed():
    with pytest.raises(ShapeError, match="of 0 and 1"):
        packed_spikes(np.full((2, 2, 2), 0.5))


@pytest.mark.merge
def test_outputs_are_exchanged_and_a_later_process_goes_on(tmp_path):
    rounds = OutputRounds(SETTING, tmp_path)
    assert rounds.message() is None
    packets = [OutputMember(SETTING, member, tmp_path / f"{member}").round(1, None) for member in range(2)]
    rounds.put_together(packets)
    row = rounds.finish([0, 0], [len(packet) for packet in packets], lost=0)
    assert row["bytes_received"] == sum(map(len, packets))
    again = OutputRounds(SETTING, tmp_path)
    assert again.next == 2
    np.testing.assert_allclose(unpacked(again.message()), np.mean([unpacked(p) for p in packets], axis=0), rtol=1e-3)
    np.testing.assert_array_equal(again.model.get_weights()[0], rounds.model.get_weights()[0])
    home = tmp_path / "0"
    before = (home / "round_1.weights.h5").read_bytes()
    answer = OutputMember(SETTING, 0, home).round(2, again.message())
    (kept,) = home.iterdir()
    after = kept.read_bytes()
    assert (kept.name, after != before) == ("round_2.weights.h5", True)
    assert OutputMember(SETTING, 0, home).round(2, again.message()) == answer  # asked once more: not learned twice
    assert kept.read_bytes() == after
    assert OutputMember(SETTING, 0, home).round(1, None) == packets[0]  # a new federation in the same folder
    with pytest.raises(KDError, match=r"a federation with temperature=0\.5, and this one has temperature=1\.0"):
        OutputRounds(dataclasses.replace(SETTING, temperature=1.0), tmp_path)
    assert OutputRounds(dataclasses.replace(SETTING, rounds=99), tmp_path).next == 2


@pytest.mark.slow
def test_a_lost_member_does_not_end_the_run_and_a_round_without_any_does(tmp_path):
    rounds = OutputRounds(SETTING, tmp_path)
    packet = packed_spikes(RANDOM.integers(0, 2, (40, 2, 10)))
    rounds.put_together([packet])
    assert rounds.finish([0], [len(packet)], lost=1)["lost"] == 1
    rounds.put_together([])
    with pytest.raises(KDError, match="no member answered in round 2"):
        rounds.finish([], [], lost=2)
    assert '"round": 2' not in (tmp_path / RECORD).read_text()


def test_weights_are_averaged_by_how_much_each_owns(tmp_path):
    rounds = WeightRounds(SETTING, tmp_path)
    ones = [np.ones_like(weight) for weight in rounds.message()]
    rounds.put_together([(ones, 1), ([4 * weight for weight in ones], 2)])
    for weight in rounds.message():
        np.testing.assert_allclose(weight, 3, rtol=1e-6)
    member = WeightMember(SETTING, 0, tmp_path)
    weights, count = member.round(1, WeightRounds(SETTING, tmp_path / "new").message())
    assert count == len(SETTING.own(0)[1])
    assert any(np.any(weight != one) for weight, one in zip(weights, ones, strict=True))


def test_a_setting_that_is_none_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'outputs'"):
        Setting(exchange="output")
    with pytest.raises(UnknownNameError, match="Did you mean 'members'"):
        Setting.from_config({"member": 3})


@pytest.mark.slow
def test_rounds_may_be_about_some_of_the_images_in_turn_and_the_server_keeps_what_was_said(tmp_path):
    setting = dataclasses.replace(SETTING, public=50, asked=20)
    assert [list(setting.places(number)[[0, -1]]) for number in (1, 2, 3)] == [[0, 19], [20, 39], [40, 9]]
    rounds = OutputRounds(setting, tmp_path)
    packet = packed_spikes(RANDOM.integers(0, 2, (20, 2, 10)))
    for _ in range(2):
        rounds.put_together([packet])
        rounds.finish([0], [len(packet)], lost=1)
    said = np.load(tmp_path / "said.npy")
    assert np.isfinite(said[:40]).all()
    assert np.isnan(said[40:]).all()
    assert len(dataclasses.replace(setting, asked=60).places(2)) == 50  # all of them
    with pytest.raises(ValueError, match="asked must be"):
        Setting(asked=-1)


def test_bytes_that_are_no_outputs_of_the_round_count_as_a_lost_member(tmp_path):
    rounds = OutputRounds(SETTING, tmp_path)
    good, other = (packed_spikes(RANDOM.integers(0, 2, (count, 2, 10))) for count in (40, 39))
    assert rounds.put_together([good, other, b"nothing"]) == 1
    assert rounds.put_together([other]) == 0
