"""ONNX files: what is in them, and running them."""

import math
from collections import Counter
from pathlib import Path

import numpy as np

from keras_snnkd.edge import Contents
from keras_snnkd.edge.images import Place, check_samples
from keras_snnkd.errors import ExportError, FileFormatError
from keras_snnkd.export.foreign import in_batches
from keras_snnkd.files.extras import extra
from keras_snnkd.files.logits import check_answers
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import check_seal, seal, seal_length

BUILT_IN = ("", "ai.onnx")
"""The domains of ONNX' own operators."""


class ONNX:
    """An `.onnx` file in onnxruntime, on the CPU; also one by others, with one output of any name, and of any or a fixed batch size.

    Args:
        path: The file.

    Raises:
        FileFormatError: If the file is missing, truncated, damaged, keeps weights in other files, or takes something else than images; when
            it runs, if it gives something else than logits.
        MissingPackageError: Without onnx or onnxruntime.

    Example:
        >>> accuracy = (ONNX("student.onnx").predict(images).argmax(-1) == labels).mean()
    """

    def __init__(self, path: str | Path) -> None:
        _, onnxruntime = extra("onnx", "onnx", "onnxruntime")
        self.path = Path(path)
        self.contents = read_onnx_contents(self.path)
        check_seal(self.path, required=False)
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common class but Exception
            raise FileFormatError(f"{self.path} does not run in onnxruntime: {str(error).strip()[:300]}") from error
        inputs = self._session.get_inputs()
        if not inputs or any(entry.type != "tensor(float)" or len(entry.shape) < 2 for entry in inputs):
            found = ", ".join(f"{entry.type} {entry.shape}" for entry in inputs)
            raise FileFormatError(f"{self.path} takes {found}; expected float32 images, as keras_snnkd.export.onnx writes it")
        sizes = {entry.name: [size if isinstance(size, int) and size > 0 else None for size in entry.shape] for entry in inputs}
        self._batch = next(iter(sizes.values()))[0]
        self._places: dict[str, Place] = {name: (tuple(shape), "float32") for name, (_, *shape) in sizes.items()}

    def predict(self, images: Samples, batch_size: int = 128) -> np.ndarray:
        """Logits, float32 `[N, C]`, of images `[N, ...]`, or of several inputs a mapping by name; raises ShapeError or UnknownNameError if
        they do not fit."""
        return check_answers(self.outputs(images, batch_size), self.path)

    def outputs(self, images: Samples, batch_size: int = 128) -> dict[str, np.ndarray]:
        """As `predict`, all outputs by name."""
        images = check_samples(images, self._places, str(self.path))
        names = [entry.name for entry in self._session.get_outputs()]

        def run(batch: Samples) -> dict[str, np.ndarray]:
            given = batch if isinstance(batch, dict) else {next(iter(self._places)): batch}
            return dict(zip(names, self._session.run(names, given), strict=True))

        return in_batches(run, images, batch_size, self._batch)


def seal_onnx(path: Path) -> None:
    """Append the SHA-256 of a file to it, in the form of a field of its message, which readers of ONNX pass over."""
    number, length = 2**28, seal_length()
    with open(path, "ab") as file:
        file.write(_varint(number << 3 | 2) + _varint(length))
    seal(path)


def _varint(number: int) -> bytes:
    """A whole number as protocol buffers have it: seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def read_onnx_contents(path: Path) -> Contents:
    """A file's operators and constants, read without running it.

    Raises:
        FileFormatError: If it is missing, damaged, no `.onnx` file, or keeps weights in other files.
    """
    (onnx,) = extra("onnx", "onnx")
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}; write it with keras_snnkd.export.onnx(model, path, samples=...)")
    try:
        model = onnx.load(path, load_external_data=False)
        outside = [tensor.name for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
        if not outside:
            onnx.checker.check_model(model)
    except Exception as error:  # of protobuf, onnx' checker, or the reading of strings
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        raise FileFormatError(f"{path} is not a whole .onnx file ({type(error).__name__}: {reason}). Export it again.") from error
    if outside:
        raise FileFormatError(f"{path} keeps weights in other files ({', '.join(outside[:3])}); export it into one file")
    operators = Counter(node.op_type for node in model.graph.node)
    foreign = {f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in BUILT_IN}
    constants = list(model.graph.initializer)
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants += [attribute.t for attribute in node.attribute]
    elements = sum(math.prod(tensor.dims) for tensor in constants)
    return Contents(dict(sorted(operators.items())), tuple(sorted(foreign)), elements)


def check_onnx_contents(path: Path, weights: int, final: Path) -> Contents:
    """Refuse a file that needs more than ONNX' own operators or does not hold a model's weights.

    Args:
        path: The file.
        weights: Number of elements that its constants must have at least.
        final: The name under which it is known to the user.

    Raises:
        ExportError: With the operators' names or the numbers of weights.
    """
    try:
        contents = read_onnx_contents(path)
    except FileFormatError as error:
        raise ExportError(f"{final} not written: the converter made a file that cannot be read: {error}") from error
    if contents.custom:
        raise ExportError(
            f"{final} not written: it needs operators that are not ONNX' own: {', '.join(contents.custom)}. Replace the layers that "
            "make them."
        )
    if contents.constant_elements < weights:
        raise ExportError(
            f"{final} not written: the converter lost weights. The model's kernels have {weights:,} elements, the file's constants "
            f"{contents.constant_elements:,}."
        )
    return contents
