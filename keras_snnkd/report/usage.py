"""How to run a finished student, in words and code: one text for its README, its card and the guide."""

from collections.abc import Mapping
from typing import Any

from keras_snnkd.report.targets import written

INSTALL = (
    "In an environment of its own, from a checkout of keras_snnkd: this brings NumPy, LiteRT and Pillow, and neither TensorFlow nor "
    "Keras. Where all of keras_snnkd is installed, the code below runs too, and importing it imports Keras and TensorFlow first, which "
    "takes seconds."
)

SCALE = "bytes / 256 as float32, as in training (not bytes / 255)"
"""How pictures are given to a model."""

USUAL = "model_dynamic.tflite"


def usage(card: Mapping[str, Any], folder: str = "") -> list[tuple[str, str, str]]:
    """How to install the runner, to classify a picture from Python, and to do so from the command line.

    Args:
        card: Its `dataset` and `targets`; see `keras_snnkd.run.finished.card`.
        folder: Where its files are, with a `/` at the end; by default whoever reads this is there.

    Returns:
        Pairs of words and code with the code's language between them; nothing where there is no `.tflite` file.

    Example:
        >>> for said, language, code in usage(card):
        ...     print(said, code, sep="\\n")
    """
    files = [str(target["path"]) for target in written(card.get("targets") or []) if str(target.get("path")).endswith(".tflite")]
    if not files:
        return []
    file = folder + (USUAL if USUAL in files else files[0])
    data = card.get("dataset") or {}
    shape = data.get("image_shape") or []
    pictures = len(shape) == 3 and shape[-1] in (1, 3)
    extra = '"./packaging/edge[pictures]"' if pictures else "./packaging/edge"
    steps = [(INSTALL, "bash", f"pip install {extra}")]
    if pictures and data.get("class_names") and data.get("task") is None:
        steps.append(
            (f"From Python. Pictures are {SCALE}:", "python", _snippet(file, f"{folder}card.json", shape, data.get("resize") or {}))
        )
    given = "picture.jpg" if pictures else "sample.npy"
    said = (
        "The same from the command line; several pictures, or a folder of them, get a line each:" if pictures else "From the command line:"
    )
    return [*steps, (said, "bash", f"python -m keras_snnkd.edge {file} {given}")]


def usage_markdown(card: Mapping[str, Any], folder: str = "") -> str:
    """`usage` in Markdown, with a line break at its end; empty where there is nothing to say."""
    return "".join(f"{said}\n\n```{language}\n{code}\n```\n\n" for said, language, code in usage(card, folder))


def _snippet(file: str, card: str, shape: list[int], resize: Mapping[str, Any]) -> str:
    """Python that names the class of a picture, which comes to its size as those of the training did."""
    height, width, channels = shape
    keeps = bool(resize.get("keep_aspect"))
    picture = f'Image.open("picture.jpg").convert("{"L" if channels == 1 else "RGB"}")'
    sized = (
        f"Resize({width}, {height}, keep_aspect=True).apply({picture})"
        if keeps
        else f"{picture}.resize(({width}, {height}), Image.Resampling.BILINEAR)"
    )
    return "\n".join(
        [
            "import json",
            "from pathlib import Path",
            "",
            "import numpy as np",
            "from PIL import Image",
            "",
            "from keras_snnkd.edge import Runner",
            *(["from keras_snnkd.files.pictures import Resize"] if keeps else []),
            "",
            f"picture = {sized}",
            f'images = np.asarray(picture, "float32").reshape(1, {height}, {width}, {channels}) / 256',
            f'logits = Runner("{file}").predict(images)',
            f'print(json.loads(Path("{card}").read_text("utf-8"))["dataset"]["class_names"][logits[0].argmax()])',
        ]
    )
