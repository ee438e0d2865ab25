"""Files of fewer bits that are no smaller."""

from collections.abc import Mapping
from typing import Any

from keras_snnkd.report import formats
from keras_snnkd.report.faults import of_plain_data

ROUNDED = {
    "LiteRT float16": "LiteRT float32",
    "LiteRT dynamic": "LiteRT float32",
    "LiteRT int8": "LiteRT float32",
    "LiteRT streaming dynamic": "LiteRT streaming float32",
    "LiteRT streaming int8": "LiteRT streaming float32",
}
"""By label, files of fewer bits, and the float32 file of the same network."""


@of_plain_data
def larger_sentences(sizes: Mapping[str, Any]) -> list[str]:
    """Which files of fewer bits are not smaller than the float32 file of the same network.

    Args:
        sizes: Bytes by label.

    Example:
        >>> larger_sentences({"LiteRT float32": 5000, "LiteRT int8": 6200})
    """
    found = []
    for name, plain in ROUNDED.items():
        size, limit = formats.number(sizes.get(name)), formats.number(sizes.get(plain))
        if size is not None and limit is not None and size >= limit:
            compared = "is no smaller" if size == limit else "is larger"
            found.append(
                f"{name} {compared} than {plain} ({size:,.0f} bytes, {limit:,.0f}): in a network this small, what rounding adds to a file "
                "(scales, conversions) outweighs what it saves in weights."
            )
    return found
