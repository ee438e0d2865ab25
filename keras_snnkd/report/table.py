"""The tables of a run, for the terminal and in Markdown."""

from typing import Any

from keras_snnkd.report.columns import Rows, comparison_columns, model_columns, ranked_columns, rivals_columns
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.fitting import Fitting, in_markdown


@of_plain_data
def table(rows: Rows) -> Any:
    """The final table for the terminal.

    Args:
        rows: The `models` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `Fitting`.

    Example:
        >>> rich.print(kd.report.table(run["models"]))
    """
    return Fitting(model_columns(rows))


@of_plain_data
def comparison_table(rows: Rows) -> Any:
    """The table of compared methods for the terminal.

    Args:
        rows: The `comparison` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `Fitting`.

    Example:
        >>> rich.print(kd.report.comparison_table(run["comparison"]))
    """
    return Fitting(ranked_columns(rows))


@of_plain_data
def rivals_table(rows: Rows) -> Any:
    """The table of a spiking student and its ANN twin for the terminal.

    Args:
        rows: The `rivals` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `Fitting`.

    Example:
        >>> rich.print(kd.report.rivals_table(run["rivals"]))
    """
    return Fitting(rivals_columns(rows))


@of_plain_data
def markdown(rows: Rows) -> str:
    """The final table in Markdown.

    Args:
        rows: The `models` of a run; see `keras_snnkd.report`.

    Returns:
        The table, ending in a line break.

    Example:
        >>> print(kd.report.markdown(run["models"]))
    """
    return in_markdown(model_columns(rows))


@of_plain_data
def comparison_markdown(rows: Rows) -> str:
    """The table of compared methods in Markdown.

    Args:
        rows: The `comparison` of a run; see `keras_snnkd.report`.

    Returns:
        The table, ending in a line break.

    Example:
        >>> print(kd.report.comparison_markdown(run["comparison"]))
    """
    return in_markdown(comparison_columns(rows))
