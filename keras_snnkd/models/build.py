"""From a specification, which is data, to a model; and from one model's weights to another's."""

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_snnkd.errors import FileFormatError, ShapeError, did_you_mean, unknown_name
from keras_snnkd.files.keras_file import KERAS, meant_beside, other_format
from keras_snnkd.models.convnet import HEADS, ConvNet
from keras_snnkd.models.encoder_decoder import EncoderDecoder
from keras_snnkd.models.mlp import MLP
from keras_snnkd.models.network import check_counts, neuron_arguments
from keras_snnkd.models.presets import PRESETS
from keras_snnkd.models.resnet import ResNet
from keras_snnkd.models.sequence import SequenceNet
from keras_snnkd.models.transformer import SpikingTransformer

BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "ConvNet": ConvNet,
    "MLP": MLP,
    "ResNet": ResNet,
    "SequenceNet": SequenceNet,
    "SpikingTransformer": SpikingTransformer,
    "EncoderDecoder": EncoderDecoder,
}

OF_DATA = ("image_shape", "num_classes", "length", "outputs")
"""Arguments of builders that the data decides."""

SHORT = {"sequence": "SequenceNet", "transformer": "SpikingTransformer", "maps": "EncoderDecoder"}
"""Builders that have a shorter name in short forms."""


POOL = "pool"
"""Among widths, a pooling."""

FORMS = "convnet:16,pool,32,flatten or mlp:256 or resnet:64,128/2,2"
"""Examples of short forms."""


def specification(text: str | Mapping[str, Any]) -> dict[str, Any]:
    """The specification for a preset's name, a short form or a mapping.

    Args:
        text: A preset (`"cifar10_student"`), a short form (`"convnet:16,pool,32,flatten"` with the head last, `"mlp:256,128"`,
            `"sequence:64,64"`, `"resnet:64,128/2,2"` with the blocks of each stage behind the slash, `"transformer:64/2"` with the
            number of blocks behind it, `"maps:16,32"` for dense maps), or a mapping with `builder` and its arguments.

    Returns:
        `{"builder": ..., "widths": [...], ...}`; of a transformer `width` and `depth` in place of `widths`.

    Raises:
        UnknownNameError: For an unknown preset, builder or argument.
        FileFormatError: For the path of a model in another format than `.keras`.
        ValueError: For a short form that cannot be read.

    Example:
        >>> kd.models.specification("convnet:16,pool,32")  # {"builder": "ConvNet", "widths": [16, "pool", 32]}
    """
    if not isinstance(text, (str, Mapping)):
        raise ValueError(f"a model is a preset's name, a short form such as convnet:16,pool,32, or a mapping with a builder, got {text!r}")
    if isinstance(text, Mapping):
        spec = dict(text)
    elif ":" in text:
        spec = _read_short_form(text)
    elif text in PRESETS:
        spec = dict(PRESETS[text])
    elif text.lower() in _short_names():
        raise ValueError(f"the builder {text} needs its widths, such as {FORMS}")
    elif told := other_format(text):
        raise FileFormatError(told)
    elif Path(text).is_file():
        raise FileFormatError(_of_file(text))
    elif "/" in text or os.sep in text or text.endswith(KERAS):
        instead = f"give the path of a trained {KERAS} file, a preset, or a form such as {FORMS}"
        raise FileFormatError(f"there is no model {text}; {instead}{meant_beside(text)}")
    else:
        raise unknown_name("model preset", text, PRESETS)
    builder = spec.get("builder")
    if builder not in list(BUILDERS):
        raise unknown_name("model builder", builder, BUILDERS)
    known = [*_arguments(BUILDERS[builder]), *neuron_arguments("relu")]
    for name in spec:
        if name not in ("builder", *known):
            raise unknown_name(f"argument of {builder}", name, known)
    return spec


def naming_widths(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification that names its widths, those of the builder where it says none.

    Raises:
        ValueError: If they are no widths.
    """
    builder = inspect.signature(BUILDERS[spec["builder"]]).parameters["widths"].default
    spec = {**spec, "widths": spec.get("widths", list(builder))}
    check_counts("widths", spec["widths"], "pool")
    return spec


def _of_file(text: str) -> str:
    """What is said of a file that is there and stands for a model to be built."""
    if text.endswith(KERAS):
        return (
            f"{text} is a model in a file, and a preset or a form such as {FORMS} is expected here; load it by keras_snnkd.models.load, or "
            "give it as a teacher, an assistant or a student (--teacher, --assistant, --student)"
        )
    return f"{text} is a file, and no {KERAS} file, as model.save('name{KERAS}') writes a trained model{meant_beside(text)}"


def _short_names() -> dict[str, str]:
    """The builders by how they are called in short forms."""
    return {name.lower(): name for name in BUILDERS} | SHORT


def _arguments(builder: Callable[..., keras.Model]) -> list[str]:
    """What a specification may say of a builder."""
    parameters = inspect.signature(builder).parameters.values()
    return [one.name for one in parameters if one.name not in OF_DATA and one.kind is not one.VAR_KEYWORD]


def _read_short_form(text: str) -> dict[str, Any]:
    kind, _, shape = text.partition(":")
    builders = _short_names()
    if kind.lower() not in builders:
        raise unknown_name("model builder", kind, builders)
    widths, _, blocks = shape.partition("/")
    if builders[kind.lower()] == "SpikingTransformer":
        return _read_transformer(text, widths, blocks)
    parts = widths.replace(" ", "").split(",")
    head = {"head": parts.pop()} if parts[-1] in HEADS else {}
    try:
        spec = {
            "builder": builders[kind.lower()],
            "widths": [part if part == POOL else int(part) for part in parts],
            **head,
        }
        if blocks:
            spec["blocks"] = [int(part) for part in blocks.split(",")]
    except ValueError:
        raise ValueError(f"cannot read the model {text!r}; expected something like {FORMS}{_odd_word(parts)}") from None
    return spec


def _odd_word(parts: list[str]) -> str:
    """The first word of a short form that is neither a width nor a word that it may have, with the one that was meant."""
    odd = next((part for part in parts if part.isalpha() and part != POOL), None)
    return f". The word {odd!r} is unknown.{did_you_mean(odd, (POOL, *HEADS))}" if odd else ""


def _read_transformer(text: str, width: str, depth: str) -> dict[str, Any]:
    try:
        return {"builder": "SpikingTransformer", "width": int(width), **({"depth": int(depth)} if depth else {})}
    except ValueError:
        raise ValueError(f"cannot read the model {text!r}; expected something like transformer:64/2, 2 blocks of width 64") from None


def build(spec: str | Mapping[str, Any], image_shape: tuple[int, ...], num_classes: int, **overrides: Any) -> keras.Model:
    """A new model.

    Args:
        spec: See `specification`.
        image_shape: `(H, W, C)`, `(T, C)` of series, `(N, H, W, 2)` of frames of events, or `(L,)` of sentences.
        num_classes: Number of classes, or of numbers.
        **overrides: Arguments that go before those of the specification, such as `timesteps` or `neuron`; of a transformer the
            `vocabulary`.

    Returns:
        The model, with fresh weights.

    Raises:
        UnknownNameError, ShapeError, ValueError: If the specification does not fit; see `specification` and the builders.

    Example:
        >>> kd.models.build("convnet:16,pool,32", (28, 28, 1), 10, timesteps=4)
    """
    spec = specification({**specification(spec), **overrides})
    builder = spec.pop("builder")
    try:
        if builder == "SpikingTransformer":
            return SpikingTransformer(_length(image_shape), spec.pop("vocabulary", 0), num_classes, **spec)
        return BUILDERS[builder](image_shape, num_classes, **spec)
    except TypeError as error:  # of a list in place of a name, a text in place of a number
        raise ValueError(f"cannot build the {builder} of {spec!r:.200}: {error}") from error


def _length(shape: tuple[int, ...]) -> int:
    """L of sentences `(L,)`."""
    if len(shape) != 1:
        raise ShapeError(f"SpikingTransformer reads sentences of token ids, and these are samples {tuple(shape)}")
    return shape[0]
