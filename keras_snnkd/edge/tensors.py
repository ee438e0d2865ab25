"""The inputs and outputs of a `.tflite` file: numbers, or whole numbers that stand for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

STEP_SIGNATURE = "{readout}_of_{timesteps}_steps"
"""Name of the signature of a file that computes one time step: how the logits of its steps become one, and T of the model."""

PADDED_STEP_SIGNATURE = "{readout}_of_up_to_{timesteps}_steps"
"""The same, where series may be shorter than T and zeros at their end do not count."""

_STEP_SIGNATURE = re.compile(r"(mean|sum|last)_of_(up_to_)?(\d+)_steps")


@dataclass(frozen=True)
class Tensor:
    """An input or output of a file.

    A quantized one holds whole numbers ``q`` in place of real ones, ``real = scale (q - zero_point)``.

    Args:
        index: Where the interpreter keeps it.
        shape: With the batch, 1.
        dtype: Of what is stored.
        scale: See above; 0 if it is not quantized.
        zero_point: See above.
        open_sizes: Whether the file leaves another size than that of the batch open.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int
    open_sizes: bool = False

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> "Tensor":
        """From what the interpreter tells."""
        scale, zero_point = details["quantization"]
        shape, said = tuple(map(int, details["shape"])), [int(size) for size in details.get("shape_signature", ())]
        dtype = np.dtype(details["dtype"])
        return cls(details["index"], shape, dtype, float(scale), int(zero_point), any(size < 0 for size in said[1:]))

    @property
    def takes_bytes(self) -> bool:
        """Whether it holds plain bytes, 0..255: what other converters leave of an image that the model itself scales."""
        return self.dtype == np.uint8 and not self.scale

    @property
    def takes_ids(self) -> bool:
        """Whether it holds whole numbers that stand for themselves, such as token ids."""
        return self.dtype == np.int32 and not self.scale

    @property
    def largest(self) -> float:
        """The largest number that it can hold."""
        return np.inf if not self.scale else self.scale * (np.iinfo(self.dtype).max - self.zero_point)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Real numbers as they are stored; those out of range become the nearest in range. Plain bytes stand for multiples of 1/256."""
        if self.takes_bytes:
            return np.clip(np.rint(np.asarray(values, "float32") * 256), 0, 255).astype(self.dtype)
        if not self.scale:
            return np.ascontiguousarray(values, self.dtype)
        steps = np.asarray(values, "float32") / np.float32(self.scale)
        whole = np.trunc(steps + np.copysign(np.float32(0.5), steps))  # halves away from zero, as LiteRT's own QUANTIZE has it
        limits = np.iinfo(self.dtype)
        return np.clip(whole + self.zero_point, limits.min, limits.max).astype(self.dtype)

    def decode(self, stored: np.ndarray) -> np.ndarray:
        """What is stored, as real numbers."""
        return (stored.astype("float32") - self.zero_point) * np.float32(self.scale) if self.scale else stored

    def same_numbers(self, other: "Tensor") -> bool:
        """Whether both store numbers alike."""
        return (self.dtype, self.scale, self.zero_point) == (other.dtype, other.scale, other.zero_point)


@dataclass(frozen=True)
class Signature:
    """The named inputs and outputs of a file.

    Args:
        inputs: By name.
        outputs: By name.
        readout: Of a file that computes one time step: `"mean"`, `"sum"` or `"last"`; else `None`.
        timesteps: Of such a file: T of the model that it was made from; else `None`.
        padded: Of such a file: whether zeros at the end of a series are padding.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    readout: str | None
    timesteps: int | None
    padded: bool = False


def signature(interpreter: Any) -> Signature:
    """The signature of a file with its tensors allocated; without one in the file, the names are those of the tensors."""
    for key in interpreter.get_signature_list() or {}:
        runner = interpreter.get_signature_runner(key)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        step = _STEP_SIGNATURE.fullmatch(key)
        break
    else:
        inputs = {details["name"]: details for details in interpreter.get_input_details()}
        outputs = {details["name"]: details for details in interpreter.get_output_details()}
        step = None
    return Signature(
        {name: Tensor.of(details) for name, details in inputs.items()},
        {name: Tensor.of(details) for name, details in outputs.items()},
        step and step[1],
        step and int(step[3]),
        bool(step and step[2]),
    )
