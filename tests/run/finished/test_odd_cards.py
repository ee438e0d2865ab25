"""A `card.json` with values of other types, changed by hand or by another program, is refused in one line by whoever reads it."""

import json

import pytest

from keras_snnkd.edge.__main__ import read_card as read_on_device
from keras_snnkd.errors import FileFormatError
from keras_snnkd.run.finished.card import read_card
from keras_snnkd.run.finished.inspection import _beside_card, _dataset
from tests.report.test_odd_content import changed, every_place, refusal

CARD = {
    "schema": 2,
    "dataset": {"name": "digits", "source": "digits", "class_names": ["0", "1"], "test": 200, "resize": {"keep_aspect": True}},
    "model": {"label": "student", "accuracy": 0.9},
    "anytime": {"threshold": 0.9},
    "training": {"command": "python train.py", "versions": {}, "recipe": {"batch_size": 32, "augment": "none", "keep_aspect": False}},
}

ODD = [None, [], {}, "<b>[red]", 10**400, -1, float("nan"), float("inf"), True, [None], {"a": None}]


def write(folder, content):
    (folder / "card.json").write_text(json.dumps(content))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_is_in_a_card_it_is_read_or_refused(odd, tmp_path):
    for place in every_place(CARD):
        write(tmp_path, changed(CARD, place, odd))
        for read in (lambda: _beside_card(0.9, read_card(tmp_path / "model.keras"), 200), lambda: read_on_device(tmp_path / "card.json")):
            assert "\n" not in refusal(lambda _, read=read: read(), None)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("model", "accuracy"), float("nan"), "accuracy of model is nan"),
        (("model", "accuracy"), 10**400, "accuracy of model is no number of that size"),
        (("model", "accuracy"), True, "accuracy of model is True"),
        (("model",), ["student"], "model is ['student'], expected a mapping"),
        (("dataset", "name"), ["digits"], "name of dataset is ['digits']"),
        (("dataset", "test"), -3, "test of dataset is -3"),
        (("training", "versions"), "3", "versions of training is '3'"),
        (("training", "recipe", "batch_size"), "32", "recipe setting batch_size must be int | None, got '32'"),
    ],
)
def test_the_value_is_named(place, value, said, tmp_path):
    write(tmp_path, changed(CARD, place, value))
    with pytest.raises(FileFormatError, match=r"card\.json is not a card as this package writes it") as error:
        read_card(tmp_path / "model.keras")
    assert said in str(error.value)


@pytest.mark.parametrize("threshold", [0, 1.5, -1, True, float("nan"), 10**400, "0.9"])
def test_a_threshold_that_no_confidence_can_have_is_refused_on_the_device(threshold, tmp_path):
    write(tmp_path, changed(CARD, ("anytime", "threshold"), threshold))
    with pytest.raises(FileFormatError, match="is not a card as keras_snnkd writes it: threshold"):
        read_on_device(tmp_path / "card.json")


def test_a_card_that_names_no_data_set_does_not_stand_for_the_current_folder(tmp_path):
    class Options:
        dataset = None

    card = changed(CARD, ("dataset", "source"), "")
    write(tmp_path, card)
    with pytest.raises(FileFormatError, match="names no data set; give it with --dataset"):
        _dataset(Options, tmp_path / "model.keras", card)
