"""The benchmark's arithmetic, its table of targets and its output. Nothing is timed here."""

import argparse
import json
import subprocess
import sys
import time

import pytest

from benchmarks import arithmetic, network, output
from benchmarks.__main__ import select
from benchmarks.bench import Bench, Row
from benchmarks.contenders import CLOCK, clock, peers, recipe
from benchmarks.machine import machine, vector_width
from benchmarks.rows import QUICK, ROOT, ROWS
from benchmarks.targets import AT_LEAST, TARGETS, Target
from benchmarks.worker import environment, take_turns

ROUNDS = [{"ours": 1.0, "a": 2.0, "b": 9.0}, {"ours": 2.0, "a": 6.0, "b": 5.0}, {"ours": 1.0, "a": 8.0, "b": 5.0}]


def filled():
    row = Row(values={name: [times[name] for times in ROUNDS] for name in ROUNDS[0]}, facts={"ours": {"parameters": 964170}})
    row.skipped["absent"] = "absent is not installed"
    return row


def test_conv4_is_the_yardstick_network():
    weights = sum(9 * before * after + 2 * after for _, before, after in network.convolutions(network.CONV4))
    assert weights + 256 * network.CLASSES + network.CLASSES == network.PARAMETERS
    assert [size for size, _, _ in network.convolutions(network.CONV4)] == [32, 32, 16, 8]
    assert network.pooled(network.CONV4) == [False, True, True, False]


def test_the_teacher_has_eight_times_the_operations_of_the_student():
    assert network.operations(network.CONV4) >= 8 * network.operations(network.STUDENT)


def test_the_first_convolution_runs_once():
    once, four = (network.operations(network.CONV4, timesteps) for timesteps in (1, 4))
    first = 32 * 32 * 9 * 3 * 64
    assert four - first == 4 * (once - first)


def test_summary_gives_the_quartiles():
    assert arithmetic.summary([4.0, 1.0, 2.0, 3.0, 5.0]) == {"q1": 2.0, "median": 3.0, "q3": 4.0}
    assert arithmetic.summary([7.0]) == {"q1": 7.0, "median": 7.0, "q3": 7.0}


def test_a_ratio_is_taken_in_each_round():
    assert arithmetic.ratios(ROUNDS, ["a", "b"], ["ours"]) == [11.0, 5.5, 13.0]


def test_the_fastest_has_the_lowest_median():
    assert arithmetic.fastest(ROUNDS, ["a", "b"]) == "b"


def test_no_peers_leaves_out_whoever_uses_their_libraries():
    contenders = {
        "images": (recipe.peer, {"library": "spikingjelly", "folder": "none"}),
        "conv4": (peers.training, {"library": "snntorch"}),
    }
    row = Bench(peers=False).compare(contenders)
    assert row.skipped == dict.fromkeys(contenders, "left out (--no-peers)")
    assert row.values == {}


def test_line_through_points():
    assert arithmetic.line([1, 2, 4], [5.0, 7.0, 11.0]) == pytest.approx({"slope": 2.0, "intercept": 3.0, "r2": 1.0})
    assert arithmetic.line([1, 2, 3], [1.0, 3.0, 2.0])["r2"] == pytest.approx(0.25)


def test_turns_begin_with_another_one_in_each_round():
    class Worker:
        def __init__(self, name):
            self.name = name

        def seconds(self, at_least):
            order.append(self.name)
            return at_least

    order = []
    rounds = take_turns({name: Worker(name) for name in "abc"}, rounds=2, at_least=0.5)
    assert order == [*"abc", *"bca"]
    assert [list(times) for times in rounds] == [["a", "b", "c"]] * 2


def test_targets_are_judged_by_their_comparison():
    assert TARGETS["training_fp32_floor"].met(1.1)
    assert not TARGETS["training_fp32_floor"].met(1.2)
    assert TARGETS["edge_peers"].met(4.0)
    assert not TARGETS["edge_peers"].met(3.9)
    assert Target("without a limit", AT_LEAST).met(1.0) is None


def test_who_did_not_take_part_is_not_judged():
    row = filled()
    row.ratio("distillation_peers", ["absent"], ["ours"])
    row.best_of("training_fp32_peers", ["absent", "a", "b"], "ours")
    assert row.measures == {"training_fp32_peers": [9.0, 2.5, 5.0]}


def test_a_row_as_json_has_medians_targets_and_verdicts():
    row = filled()
    row.ratio("training_fp32_floor", ["ours"], ["a"])
    found = json.loads(json.dumps(row.to_dict()))
    assert found["values"]["a"] == {"q1": 4.0, "median": 6.0, "q3": 7.0, "all": [2.0, 6.0, 8.0]}
    measure = found["measures"]["training_fp32_floor"]
    assert measure["median"] == pytest.approx(1 / 3)
    assert (measure["limit"], measure["comparison"], measure["unit"], measure["met"]) == (1.12, "at most", "x", True)


def test_output_is_one_json_one_table_and_one_picture(tmp_path):
    row = filled()
    row.ratio("training_fp32_floor", ["b"], ["ours"])
    row.best_of("training_fp32_peers", ["a", "b"], "ours")
    result = {
        "date": "2026-01-01",
        "machine": {"processor": "CPU", "instructions": ["avx2"], "cores": 2, "memory GB": 24},
        "versions": {"python": "3.11"},
        "settings": {"threads": 2, "rounds": 3},
        "rows": {"training_fp32": row.to_dict()},
    }
    text = output.write(result, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text("utf-8")) == result
    assert "| training step, fp32 / its convolutions alone | 5 x | 3.75 to 7 | at most 1.12 x | **no** |" in text
    assert text.startswith("CPU with AVX2, 2 cores")
    assert "left out: absent is not installed" in text
    assert "training step, fp32" in (tmp_path / "results.svg").read_text("utf-8")


def test_rows_are_chosen_by_the_beginning_of_their_names():
    assert select("training,edge") == ["training_fp32", "training_bf16", "edge", "edge_student"]
    assert set(QUICK) <= set(ROWS)
    with pytest.raises(argparse.ArgumentTypeError, match="there is no row 'speed'"):
        select("training,speed")


def test_no_framework_is_imported_before_a_worker_has_set_its_threads():
    program = "import sys, benchmarks.__main__; print({'numpy', 'tensorflow', 'keras', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("library", ["spikingjelly", "snntorch"])
def test_the_peers_networks_compute_what_ours_does(library):
    pytest.importorskip(library)
    from benchmarks.check import equality

    facts = equality(library, batch=2).facts
    assert facts["parameters"] == [network.PARAMETERS] * 2
    assert max(facts["loss differences"]) < 0.01
    assert facts["logits difference"] < 0.05


def test_a_worker_reads_the_clock_that_is_asked_for(monkeypatch):
    monkeypatch.setenv(CLOCK, environment(2, "processor")[CLOCK])
    before = clock()
    time.sleep(0.05)
    assert clock() - before < 0.04  # nothing was worked
    monkeypatch.setenv(CLOCK, environment(2)[CLOCK])
    before = clock()
    time.sleep(0.05)
    assert clock() - before >= 0.05


def test_a_machine_that_acts_as_one_with_avx2_says_so(monkeypatch):
    monkeypatch.setattr("benchmarks.machine._listed", lambda path: {"flags": "avx2 avx512f amx_bf16"})
    assert vector_width() == "AVX-512"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert machine()["instructions"] == ["avx2"]
    assert vector_width() == "AVX2"
