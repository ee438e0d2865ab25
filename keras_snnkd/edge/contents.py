"""What is in a `.tflite` file: its operators and constants, read without running it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.errors import FileFormatError


@dataclass(frozen=True)
class Contents:
    """What is in a `.tflite` file.

    Args:
        operators: How often each operator occurs, by its name in LiteRT's schema.
        custom: The names of those that are no built-in operators, such as `"FlexConv2D"`.
        constant_elements: Number of elements in all constant tensors.
        float_operators: The names of those that read or write floating-point numbers, but for the conversion of the file's inputs and
            outputs, and for the scaling of its image by constants before that.
    """

    operators: dict[str, int]
    custom: tuple[str, ...]
    constant_elements: int
    float_operators: tuple[str, ...] = ()


def read_contents(path: str | Path) -> Contents:
    """Read a file's operators and constants.

    Args:
        path: A `.tflite` file.

    Raises:
        FileFormatError: If it is missing, truncated or no `.tflite` file, or if LiteRT is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError:
        raise FileFormatError(f"reading {path} takes the LiteRT interpreter: pip install ai-edge-litert") from None

    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}; write it with keras_snnkd.export.litert(model, path, samples=...)")
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise FileFormatError(f"{path} is not a .tflite file: its identifier is {content[4:8]!r}, expected b'TFL3'")
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        floats = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}
        return _contents(model, {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}, floats)
    except Exception as error:  # the reader follows offsets wherever they lead: struct.error, TypeError, ValueError, IndexError
        raise FileFormatError(
            f"{path} is damaged or truncated ({len(content):,} bytes): {type(error).__name__}. Export it again."
        ) from error


SCALING = ("SUB", "MUL", "DIV", "ADD")
"""Operators that may scale an image in float before it becomes integers."""


def _contents(model: Any, builtin: Any, floats: Any) -> Contents:
    names, custom = [], set()
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = builtin[number]
        if name == "CUSTOM":
            name = code.customCode.decode()
            custom.add(name)
        names.append(name)
    operators: Counter[str] = Counter()
    elements, in_float = 0, set()
    states = {entry.name for one in model.signatureDefs or () for entry in one.outputs}  # of a file of one step: in and out
    images = {entry.tensorIndex for one in model.signatureDefs or () for entry in one.inputs if entry.name not in states}
    for graph in model.subgraphs:
        outside = {*graph.inputs, *graph.outputs}
        constants = {index for index, tensor in enumerate(graph.tensors) if _is_filled(model, tensor)}
        for operator in graph.operators or ():
            name = names[operator.opcodeIndex]
            operators[name] += 1
            if name in SCALING and set(operator.inputs) & images and set(operator.inputs) <= images | constants:
                images |= set(operator.outputs)
                outside |= set(operator.outputs)
                continue
            used = {index for index in (*operator.inputs, *operator.outputs) if index >= 0}
            used -= outside if name in ("QUANTIZE", "DEQUANTIZE") else set()
            in_float |= {name for index in used if graph.tensors[index].type in floats}
        for tensor in graph.tensors:
            if _is_filled(model, tensor):
                elements += int(np.prod(tensor.shape)) if tensor.shape is not None else 1
    return Contents(dict(sorted(operators.items())), tuple(sorted(custom)), elements, tuple(sorted(in_float)))


def _is_filled(model: Any, tensor: Any) -> bool:
    """Whether a tensor's values are in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
