"""Whether a `.tflite` file holds what it must and nothing that a device could not run."""

from pathlib import Path

from keras_snnkd.edge.contents import Contents, read_contents
from keras_snnkd.errors import ExportError


def check_contents(path: str | Path, weights: int, final: str | Path, integers: bool = False) -> Contents:
    """Refuse a `.tflite` file that needs more than built-in operators or does not hold a model's weights.

    Args:
        path: The file.
        weights: Number of elements that its constants must have at least.
        final: The name under which it is known to the user.
        integers: Whether it has to compute in integers throughout.

    Raises:
        ExportError: With the operators' names or the numbers of weights.
    """
    contents = read_contents(path)
    if contents.custom:
        raise ExportError(
            f"{final} not written: it needs operators that LiteRT does not have built in: {', '.join(contents.custom)}. "
            "Replace the layers that make them."
        )
    variables = sorted({"VAR_HANDLE", "READ_VARIABLE"} & set(contents.operators))
    if variables or contents.constant_elements < weights:
        raise ExportError(
            f"{final} not written: the converter lost weights. The model's kernels have {weights:,} elements, the file's constants "
            f"{contents.constant_elements:,}{'; it reads variables that nothing fills' if variables else ''}. "
            "Try again with the TensorFlow version that keras_snnkd requires."
        )
    if integers and contents.float_operators:
        raise ExportError(
            f"{final} not written: it should compute in integers, but these operators are left in floating point: "
            f"{', '.join(contents.float_operators)}. Microcontrollers cannot run that; make the model quantization-aware "
            "(keras_snnkd.models.quantize_aware), or replace the layers that make them."
        )
    return contents
