"""Export to C: a `.tflite` file as an array in a header, for LiteRT for Microcontrollers (TensorFlow Lite Micro)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._version import __version__
from keras_snnkd.edge import read_contents
from keras_snnkd.errors import ExportError, FileFormatError, UnsupportedError
from keras_snnkd.files.staging import as_path, sha256, staged

ALIGNMENT = 16
"""Bytes; what the interpreter asks of a model's address."""

PER_LINE = 12

KEYWORDS = re.findall(
    r"\w+",
    """alignas alignof and asm auto bool break case catch char class const constexpr continue default delete do double else enum explicit
    export extern false float for friend goto if inline int long mutable namespace new not nullptr operator or private protected public
    register restrict return short signed sizeof static struct switch template this throw true try typedef typeid typename typeof union
    unsigned using virtual void volatile while xor""",
)
"""Words of C and C++ that nothing else may be called."""


def c_array(path: str | Path, header: str | Path, name: str | None = None) -> str:
    """Write a `.tflite` file as a C header, for C11 and C++11.

    It defines ``static const unsigned char NAME[]``, aligned to 16 bytes, and ``static const unsigned int NAME_len``. A comment tells the
    shape, dtype and scale of each input and output. Include it in one source file, since each gets its own copy.

    Args:
        path: The `.tflite` file: float32, or all in int8. Files of the `"dynamic"` kind are not run on microcontrollers.
        header: The header; one that exists is replaced.
        name: Of the array; made of the header's name by default.

    Returns:
        The name.

    Raises:
        FileFormatError: If the file is missing, truncated or no `.tflite` file.
        UnsupportedError: If its weights are int8 and its activations float.
        ExportError: If the header does not hold the file's bytes.
        ValueError: If `name` is no identifier in C.
        OutputError: If the header cannot be written.

    Example:
        >>> kd.export.c_array("student.tflite", "student.h")  # "student"
    """
    path, header = as_path(path, "the .tflite file"), as_path(header, "the header to be written")
    called = identifier(header.stem) if name is None else name
    if name is not None and identifier(name) != name:
        raise ValueError(f"name must be an identifier in C, such as {identifier(name)!r}, got {name!r}")
    read_contents(path)  # refuses what is no whole file
    content = path.read_bytes()
    description, hybrid = _read(path, content)
    if hybrid:
        raise UnsupportedError(
            f"{header} not written: {path} has int8 weights and float activations ({hybrid}), which LiteRT for Microcontrollers does not "
            "run; use a float32 file, or one that is int8 throughout."
        )
    about = f"{_plain(path.name)}, {len(content):,} bytes, sha256 {sha256(path)}", f"Written by keras_snnkd {__version__}."
    text = _header(called, content, [*about, *description])
    if read_c_array(text) != content:
        raise ExportError(f"{header} not written: the array in it is not the content of {path}")
    with staged(header) as (file,):
        file.write_text(text, "ascii")
    return called


def hybrid_weights(path: str | Path) -> str:
    """Names of int8 weights that a file's operators multiply by floats, or an empty text. No microcontroller runs such a file.

    Raises:
        FileFormatError: If the file is missing, truncated or no `.tflite` file.
    """
    path = Path(path)
    read_contents(path)  # refuses what is no whole file
    return _read(path, path.read_bytes())[1]


def read_c_array(text: str) -> bytes:
    """The bytes of the array in a header by `c_array`.

    Example:
        >>> read_c_array(Path("student.h").read_text()) == Path("student.tflite").read_bytes()
    """
    array = text[text.index("[] = {") : text.rindex("};")]
    return bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})\b", array))


def _read(path: str | Path, content: bytes) -> tuple[list[str], str]:
    """Lines on inputs and outputs, and what `_hybrid` finds."""
    from ai_edge_litert.schema_py_generated import ModelT

    try:
        model = ModelT.InitFromPackedBuf(content, 0)
        return _description(model), _hybrid(model)
    except (AttributeError, IndexError, StopIteration, TypeError, ValueError) as error:  # indices that lead nowhere
        raise FileFormatError(f"{path} is damaged: {type(error).__name__} at its inputs or outputs. Export it again.") from error


def _header(name: str, content: bytes, comment: Sequence[str]) -> str:
    upper = name.upper()
    codes = [f"0x{byte:02x}" for byte in content]
    rows = [f"    {', '.join(codes[start : start + PER_LINE])}," for start in range(0, len(codes), PER_LINE)]
    return "\n".join(
        [
            *(f"// {line}" for line in comment),
            "",
            f"#ifndef {upper}_H_",
            f"#define {upper}_H_",
            "",
            "#ifdef __cplusplus",
            f"#define {upper}_ALIGNED alignas({ALIGNMENT})",
            "#else",
            f"#define {upper}_ALIGNED _Alignas({ALIGNMENT})",
            "#endif",
            "",
            f"{upper}_ALIGNED static const unsigned char {name}[] = {{",
            *rows,
            "};",
            f"static const unsigned int {name}_len = {len(content)};",
            "",
            f"#endif  // {upper}_H_",
            "",
        ]
    )


def identifier(text: str) -> str:
    """A name that C and C++ allow, of any text.

    Example:
        >>> identifier("my model-1")  # "my_model_1"
    """
    word = re.sub(r"[^A-Za-z0-9_]", "_", text)
    if not word or word[0].isdigit() or word.startswith("_"):  # a leading underscore is the compiler's
        word = f"model_{word.lstrip('_')}"
    return f"{word}_model" if word in KEYWORDS else word


def _plain(text: str) -> str:
    """A name from a file, as a comment in C can have it: a backslash would continue it."""
    return re.sub(r"[^A-Za-z0-9_.:/; -]", "?", text)


def _description(model: Any) -> list[str]:
    """Lines on the inputs and outputs, with the names of the signature where there is one."""
    graph = model.subgraphs[0]
    signature = model.signatureDefs[0] if model.signatureDefs else None
    lines = []
    for kind in ("inputs", "outputs"):
        named = {entry.tensorIndex: entry.name.decode() for entry in getattr(signature, kind, None) or []}
        for index in getattr(graph, kind):
            tensor = graph.tensors[index]
            name = named.get(index, tensor.name.decode(errors="replace"))
            shape = ", ".join(map(str, tensor.shape if tensor.shape is not None else []))
            lines.append(f"{kind[:-1]} {_plain(name)}: {_dtype(tensor)} [{shape}]{_scale(tensor)}")
    return lines


def _dtype(tensor: Any) -> str:
    from ai_edge_litert.schema_py_generated import TensorType

    return next(name.lower() for name, code in vars(TensorType).items() if code == tensor.type and not name.startswith("_"))


def _scale(tensor: Any) -> str:
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return ""
    return f", value = {float(np.float32(quantization.scale[0])):.9g} (q - {int(quantization.zeroPoint[0])})".replace("- -", "+ ")


def _hybrid(model: Any) -> str:
    """The tensors with which an operator multiplies int8 constants by floats, or an empty text."""
    from ai_edge_litert.schema_py_generated import TensorType

    found = []
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            read = [graph.tensors[index] for index in operator.inputs if index >= 0]
            constant = [t for t in read if t.type == TensorType.INT8 and model.buffers[t.buffer].data is not None]
            if constant and any(t.type == TensorType.FLOAT32 and model.buffers[t.buffer].data is None for t in read):
                found += [_plain(t.name.decode(errors="replace")) for t in constant]
    return ", ".join(found[:2])
