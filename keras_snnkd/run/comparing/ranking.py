"""The arms of a comparison as rows: means over seeds, and differences with intervals."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.run.intervals import paired
from keras_snnkd.run.plan import ALONE


def ranked(measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of the table, the most accurate first.

    Args:
        measured: By arm, for each seed `seed`, `accuracy` and more. `"student_alone"` has to be among them.

    Returns:
        For each arm with results: means over seeds, `accuracy_sd`, `seeds`, and for all but the student alone `difference`, the mean over
        seeds of its accuracy minus that of the student alone with the same seed, and its `interval` (see `paired`).

    Example:
        >>> ranked({"student_alone": [{"seed": 0, "accuracy": 0.9}], "hinton": [{"seed": 0, "accuracy": 0.91}]})
    """
    alone = {row["seed"]: row["accuracy"] for row in measured[ALONE]}
    rows = []
    for name, results in measured.items():
        if not results:
            continue
        accuracies = [row["accuracy"] for row in results]
        row = {
            "name": name,
            "label": name.replace("_", " ") if name == ALONE else name,
            "loss": results[0].get("loss"),
            "seeds": [result["seed"] for result in results],
            "accuracies": accuracies,
            "accuracy": statistics.fmean(accuracies),
            "accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
            "difference": None,
            "interval": None,
        }
        for key in ("validation_accuracy", "spikes_per_image", "seconds", "parameters"):
            values = [result[key] for result in results if result.get(key) is not None]
            row[key] = statistics.fmean(values) if values else None
        pairs = [(result["accuracy"], alone[result["seed"]]) for result in results if result["seed"] in alone]
        if name != ALONE and pairs:
            ours, theirs = zip(*pairs, strict=True)
            row["difference"], row["interval"] = paired(ours, theirs)
        rows.append(row)
    return sorted(rows, key=lambda row: -row["accuracy"])
