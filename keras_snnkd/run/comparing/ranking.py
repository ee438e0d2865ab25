"""The arms of a comparison as rows: means over seeds, and differences with intervals."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.run.plan import ALONE

CONFIDENCE = 0.95


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


def paired(values: Sequence[float], others: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, list[float] | None]:
    """The mean difference of pairs, and its interval by Student's t distribution.

    With ``d_i = values_i - others_i``, their mean ``m`` and standard deviation ``s``, and n pairs::

        interval = m -+ t(n - 1) s / sqrt(n),   t the quantile (1 + confidence) / 2 of n - 1 degrees of freedom

    Args:
        values: n numbers.
        others: As many.
        confidence: Of the interval.

    Returns:
        The mean, and `[low, high]`, or `None` for a single pair.

    Example:
        >>> paired([0.92, 0.93, 0.94], [0.90, 0.92, 0.94])  # 0.01, [-0.0148, 0.0348]
    """
    from scipy.stats import t  # scikit-learn brings scipy

    differences = [value - other for value, other in zip(values, others, strict=True)]
    mean = statistics.fmean(differences)
    if len(differences) < 2:
        return mean, None
    half = float(t.ppf((1 + confidence) / 2, len(differences) - 1)) * statistics.stdev(differences) / len(differences) ** 0.5
    return mean, [mean - half, mean + half]
