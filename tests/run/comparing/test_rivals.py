"""What the comparison of a spiking student and its ANN twin says, in numbers and in words."""

import pytest

from keras_snnkd.run.comparing.rivals import ANN, SPIKING
from keras_snnkd.run.integers import rival_rows, verdict
from keras_snnkd.run.intervals import wilson


def one(seed, accuracy, milliseconds=1.0, energy=1.0, runs=1.0):
    costs = {"bytes": 1000, "energy": energy, "energy_dense": 4.0, "parameters": 10, "runs": runs}
    return {"seed": seed, "accuracy": accuracy, "images": 1000, "milliseconds": milliseconds, **costs}


def test_wilson_interval():
    assert wilson(0.9, 100) == pytest.approx([0.8256, 0.9448], abs=1e-4)


def test_seeds_are_paired():
    rows = rival_rows({SPIKING: [one(0, 0.92), one(1, 0.93), one(2, 0.94)], ANN: [one(0, 0.90), one(1, 0.92), one(2, 0.94)]})
    assert rows[0]["difference"] == pytest.approx(0.01)
    assert rows[0]["difference_interval"] == pytest.approx([-0.0148, 0.0348], abs=1e-4)
    assert rows[0]["accuracy"] == pytest.approx(0.93)


@pytest.mark.parametrize(
    ("spiking", "ann", "words"),
    [
        (one(0, 0.9, 2.0, 0.5), one(0, 0.9, 1.0, 1.0), "worth it on hardware that computes at spikes only; on a CPU its twin is faster"),
        (one(0, 0.5, 0.5, 0.5), one(0, 0.9, 1.0, 1.0), "less accurate, and not worth it even on"),
        (one(0, 0.9, 1.0, 2.0), one(0, 0.9, 1.0, 1.0), "2.0 times as much as"),
        (one(0, 0.9, 1.0, 0.5), one(0, 0.9, 1.0, 1.0), "computes at spikes only; on a CPU it is not slower."),
        (one(0, 0.9, 1.0, 1.0), one(0, 0.9, 1.0, 0.0), "1 nJ per image, more than the twin's 0 nJ"),
        (one(0, 0.9, None, 0.5), one(0, 0.9, 1.0, 1.0), "computes at spikes only."),
        (one(0, 0.9, 1.0, None), one(0, 0.9, 1.0, None), "Energy is not estimated"),
    ],
)
def test_the_verdict_says_where_it_is_worth_it(spiking, ann, words):
    assert words in " ".join(verdict(rival_rows({SPIKING: [spiking], ANN: [ann]})))


@pytest.mark.parametrize(
    ("rate", "stands", "worth"),
    [
        (0.12, "12.0 % of the neurons of the spiking student fire", "at spikes only, if arithmetic alone counts; on a CPU"),
        (0.12, "above it: there its twin needs less.", "at spikes only, if arithmetic alone counts; on a CPU"),
        (0.06, "it is at it.", "at spikes only; on a CPU"),
        (0.02, "it is below it.", "at spikes only; on a CPU"),
    ],
)
def test_the_verdict_counts_memory_by_the_break_even_of_spikes(rate, stands, worth):
    said = " ".join(verdict(rival_rows({SPIKING: [{**one(0, 0.9, 2.0, 0.5), "rate": rate}], ANN: [{**one(0, 0.9), "rate": None}]})))
    assert stands in said
    assert worth in said


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ((1.0, 1.0), "on one thread of a CPU, which computes all T steps."),
        ((15.25, 15.25), "which computes 15.2 steps on average, one after the other."),
        ((100.0, 1.0), "which computes 100.0 steps, a file of one step after the other, where its twin's file holds them all."),
    ],
)
def test_the_time_says_how_often_a_file_ran(runs, words):
    spiking, ann = (one(0, 0.9, runs=often) for often in runs)
    assert words in " ".join(verdict(rival_rows({SPIKING: [spiking], ANN: [ann]})))


def test_a_file_that_was_not_timed_has_no_time_in_words():
    assert "Time here" not in " ".join(verdict(rival_rows({SPIKING: [one(0, 0.9, None)], ANN: [one(0, 0.9)]})))
