"""The Pareto front."""

import numpy as np

from keras_snnkd.tuning import front


def row(accuracy, parameters, operations):
    return {"accuracy": accuracy, "parameters": parameters, "synaptic_operations": operations}


def test_a_front_by_hand():
    best, small, quiet = row(0.9, 100, 50), row(0.8, 10, 40), row(0.7, 90, 5)
    beaten = [row(0.85, 100, 50), row(0.8, 11, 40), row(0.69, 90, 5)]
    assert front([*beaten, quiet, small, best]) == [best, small, quiet]


def test_of_equal_rows_the_first_stays():
    first, second = {**row(0.9, 1, 1), "name": "first"}, {**row(0.9, 1, 1), "name": "second"}
    assert front([first, second]) == [first]
    assert front([]) == []


def test_no_row_on_the_front_is_beaten_and_every_other_one_is():
    draws = np.random.default_rng(0)
    for size in range(1, 40):
        rows = [row(*map(int, draws.integers(0, 6, 3))) for _ in range(size)]
        kept = front(rows)

        def beats(other, one):
            at_least = other["accuracy"] >= one["accuracy"] and all(other[c] <= one[c] for c in ("parameters", "synaptic_operations"))
            return at_least and other != one

        assert not any(beats(other, one) for one in kept for other in rows)
        assert all(one in kept or any(beats(other, one) for other in kept) for one in rows)
