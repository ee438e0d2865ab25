"""How numbers are written for people; what is missing or not finite becomes a dash."""

import math
from typing import Any

NOTHING = "\N{EN DASH}"


def number(value: Any) -> float | None:
    """`value` if it is a finite number, else `None`."""
    try:
        return value if isinstance(value, (int, float)) and math.isfinite(value) else None
    except OverflowError:  # a whole number of more digits than a float has
        return None


def percent(value: Any) -> str:
    """0.9722 -> 97.22 %."""
    return NOTHING if number(value) is None else f"{100 * value:.2f} %"


def points(value: Any) -> str:
    """0.0083 -> +0.83."""
    return NOTHING if number(value) is None else f"{100 * value:+.2f}"


def count(value: Any) -> str:
    """5034.4 -> 5,034."""
    return NOTHING if number(value) is None else f"{value:,.0f}"


def large(value: Any) -> str:
    """1234567 -> 1.23 M."""
    if number(value) is None:
        return NOTHING
    for size, unit in [(1e9, "G"), (1e6, "M"), (1e3, "k")]:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def small(value: Any) -> str:
    """0.0000012345 -> 1.2e-06."""
    return NOTHING if number(value) is None else f"{value:.2g}"


def figures(value: Any) -> str:
    """12.3456 -> 12.35; four figures."""
    return NOTHING if number(value) is None else f"{value:.4g}"


def nanojoules(value: Any) -> str:
    """12.345 -> 12.3 nJ, and 1300 -> 1.3 \N{GREEK SMALL LETTER MU}J."""
    if number(value) is None:
        return NOTHING
    shown = f"{value:.3g} nJ", f"{value / 1e3:.3g} \N{GREEK SMALL LETTER MU}J"
    return next((text for text in shown if "e+" not in text and float(text.split()[0]) < 1000), f"{value / 1e6:.3g} mJ")


def weight(value: Any) -> str:
    """0.9 -> 0.9; a schedule is said to be one."""
    return f"{value:.3g}" if number(value) is not None else "(schedule)"


def size(value: Any) -> str:
    """23412 bytes -> 23.4 kB, which is 23.4 times 1000 bytes."""
    if number(value) is None:
        return NOTHING
    if value < 1000:
        return f"{value:.0f} B"
    return f"{value / 1e3:.1f} kB" if value < 1e6 else f"{value / 1e6:.2f} MB"


def duration(value: Any) -> str:
    """192.3 seconds -> 3 min 12 s."""
    if number(value) is None:
        return NOTHING
    if value < 60:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
