"""What stands in the cells of tables of evidence."""

import statistics
from collections.abc import Mapping, Sequence

from keras_snnkd.report import formats
from keras_snnkd.report.columns import verdict


def accuracy(values: Sequence[float]) -> str:
    """The mean of accuracies in percent, one a seed, and their standard deviation.

    Example:
        >>> accuracy([90.0, 92.0])  # "91.00 % ± 1.41"
    """
    mean = f"{statistics.fmean(values):.2f} %"
    return mean if len(values) < 2 else f"{mean} \N{PLUS-MINUS SIGN} {statistics.stdev(values):.2f}"


def difference(found: Mapping[str, float] | None) -> str:
    """A difference in points with its interval, and what that says.

    Example:
        >>> difference({"mean": 1.0, "low": 0.5, "high": 1.5})  # "+1.00 (+0.50 to +1.50), better"
    """
    if found is None:
        return formats.NOTHING
    if found["low"] is None:
        return f"{found['mean']:+.2f}, one seed"
    said = verdict({"interval": (found["low"], found["high"])})
    return f"{found['mean']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f}), {said}"


def steps(used: Sequence[float | None] | None, accuracies: Sequence[float | None] | None) -> str:
    """The mean number of steps until an answer is sure, and the accuracy in percent of answers given then.

    Example:
        >>> steps([12.0, 14.0], [90.0, 92.0])  # "13.0, 91.00 %"
    """
    known, right = ([value for value in values or () if value is not None] for values in (used, accuracies))
    return f"{statistics.fmean(known):.1f}, {accuracy([statistics.fmean(right)])}" if known and right else formats.NOTHING
