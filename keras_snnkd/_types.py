"""Names for the types that signatures speak of."""

from typing import Any, TypeAlias

import numpy.typing

Tensor: TypeAlias = Any
"""A tensor of Keras' backend, symbolic or with numbers; the backends have no class in common that a checker could look for."""

Array: TypeAlias = numpy.typing.NDArray[Any]
"""An array of NumPy."""

Shape: TypeAlias = tuple[Any, ...]
"""The shape of a tensor: whole numbers, and `None` for a size that is open, most often that of the batch."""

Shapes: TypeAlias = Any
"""The shape of one tap, or a tuple of those of several; `None` of a teacher that is not there."""

Config: TypeAlias = dict[str, Any]
"""What `get_config` gives, and a `.keras` file or a recipe holds: names and plain values."""

Logs: TypeAlias = dict[str, Any] | None
"""What Keras tells a callback: metrics by their names."""
