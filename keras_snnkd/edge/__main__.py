"""Classify images: `python -m keras_snnkd.edge student.tflite image.png`."""

import argparse
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.edge.images import read_image
from keras_snnkd.edge.readout import likeliest, probabilities
from keras_snnkd.edge.runner import Answer, Runner
from keras_snnkd.edge.variants import Variants
from keras_snnkd.errors import FileFormatError, KDError
from keras_snnkd.files.output import unread_output
from keras_snnkd.files.pictures import SUFFIXES, Resize

SHOWN_CLASSES = 10

RUNS = 20
"""By which one image is timed."""

ENDINGS = (*SUFFIXES, ".npy")
"""Of the files that are taken from a folder."""

DIGITS = 9
"""Of the numbers of threads, runs and steps."""

STRETCH, KEEP_ASPECT = "stretch", "keep-aspect"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 1 after an error, which is one line. Wrong options exit with 2."""
    with unread_output():
        options = _parser().parse_args(arguments)
        try:
            print(classify(options))
        except (KDError, OSError) as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


def classify(options: argparse.Namespace) -> str:
    """What the command prints: of one image all scores, of several a line each."""
    card = read_card(options.model.parent / "card.json")
    runner = (
        Variants([options.model, *options.variants], options.threads).pick() if options.variants else Runner(options.model, options.threads)
    )
    resize = _resize(options, card, runner.image_shape)
    run = functools.partial(_answer, runner, options, _confidence(options, card))
    names = (card.get("dataset") or {}).get("class_names") or []
    by = [f"answered by: {runner.path}"] if options.variants else []
    if len(options.images) == 1 and not options.images[0].is_dir():
        return "\n".join(_scores(read_image(options.images[0], runner.image_shape, resize), run, runner.streaming, names, options, by))
    paths = [path for given in options.images for path in (_in_folder(given) if given.is_dir() else [given])]
    return "\n".join(
        [*_lines(paths, lambda path: read_image(path, runner.image_shape, resize), run, runner.streaming, names, options), *by]
    )


def _confidence(options: argparse.Namespace, card: dict[str, Any]) -> float:
    """At which a streaming file stops."""
    told = options.until_confidence
    if told is None:
        told = (card.get("anytime") or {}).get("threshold")
    return 0.9 if told is None else told


def _answer(runner: Runner, options: argparse.Namespace, confidence: float, image: Array) -> Answer:
    if runner.streaming or options.steps or options.until_confidence is not None:
        return runner.run(image, until_confidence=confidence, max_steps=options.steps)
    logits = runner.predict(image[np.newaxis])[0]
    return Answer(logits, int(likeliest(logits)), float(probabilities(logits).max()), 1)


def _scores(
    image: Array, run: Callable[[Array], Answer], streaming: bool, names: list[Any], options: argparse.Namespace, by: list[str]
) -> list[str]:
    """All about one image, which is run several times."""
    answer = run(image)  # also the warm-up
    seconds = [_timed(run, image)[1] for _ in range(options.runs or RUNS)]
    names = _named(names, answer)
    return [
        *(
            f"{names[number]:<16} {probability:7.2%}  output {answer.logits[number]:.3f}"
            for number, probability in sorted(enumerate(probabilities(answer.logits)), key=lambda pair: -pair[1])[:SHOWN_CLASSES]
        ),
        "",
        f"prediction: {names[answer.prediction]}",
        f"confidence: {answer.confidence:.2%}",
        *by,
        *([f"time steps: {answer.steps}"] if streaming else []),
        _latency(seconds, f"{len(seconds)} runs", options),
    ]


def _lines(
    paths: list[Path],
    read: Callable[[Path], Array],
    run: Callable[[Array], Answer],
    streaming: bool,
    names: list[Any],
    options: argparse.Namespace,
) -> list[str]:
    """A line for each image, in columns: file, class, confidence, and of a streaming file the steps that it took."""
    run(read(paths[0]))  # the warm-up
    rows, seconds = [], []
    for path in paths:
        image = read(path)
        for _ in range(options.runs or 1):
            answer, took = _timed(run, image)
            seconds.append(took)
        steps = [f"{answer.steps} steps"] if streaming else []
        rows.append([str(path), _named(names, answer)[answer.prediction], f"{answer.confidence:.2%}", *steps])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, "", _latency(seconds, f"{len(paths)} images", options)]


def _timed(run: Callable[[Array], Answer], image: Array) -> tuple[Answer, float]:
    start = time.perf_counter()
    answer = run(image)
    return answer, time.perf_counter() - start


def _named(names: list[Any], answer: Answer) -> list[str]:
    """The classes by name; by number where the card does not name as many."""
    return list(map(str, names if len(names) == len(answer.logits) else range(len(answer.logits))))


def _latency(seconds: list[float], of: str, options: argparse.Namespace) -> str:
    return f"latency:    {1e3 * statistics.median(seconds):.3f} ms (median of {of}, {options.threads} thread(s))"


def _in_folder(folder: Path) -> list[Path]:
    """The images in a folder, and in those within it, by name.

    Raises:
        FileFormatError: If there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not found:
        raise FileFormatError(f"{folder} holds no images ({', '.join(ENDINGS)})")
    return found


def read_card(path: Path) -> dict[str, Any]:
    """The card beside a model; empty if there is none.

    Raises:
        FileFormatError: If it is no card.
    """
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is not a JSON file: {error}") from error
    card = card if isinstance(card, dict) else {}
    parts = {part: card.get(part) or {} for part in ("dataset", "anytime")}
    if not all(isinstance(part, dict) for part in parts.values()):
        raise FileFormatError(f"{path} is not a card as keras_snnkd writes it")
    threshold, names = parts["anytime"].get("threshold"), parts["dataset"].get("class_names")
    _card_resize(card, path)
    if not _is_confidence(threshold) or not isinstance(names, (list, type(None))):
        raise FileFormatError(f"{path} is not a card as keras_snnkd writes it: threshold {threshold!r:.50}, class_names {names!r:.50}")
    return card


def _is_confidence(threshold: Any) -> bool:
    """Whether a card's threshold is missing, or a number above 0 and at most 1."""
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    return threshold is None or (number and 0 < threshold <= 1)


def _resize(options: argparse.Namespace, card: dict[str, Any], image_shape: tuple[int, ...]) -> Resize | None:
    """How pictures come to the model's size: as asked for, or as the card says that those of the training did."""
    if len(image_shape) != 3:
        return None
    height, width = image_shape[:2]
    if options.resize:
        return Resize(width, height, options.resize == KEEP_ASPECT)
    found = _card_resize(card, options.model.parent / "card.json")
    return None if found is None else Resize(width, height, found)


def _card_resize(card: dict[str, Any], path: Path) -> bool | None:
    """Whether the training's pictures kept their proportions when they were brought to one size; `None` if they were not."""
    found = (card.get("dataset") or {}).get("resize")
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("keep_aspect"), bool):
        raise FileFormatError(f"{path} is not a card as keras_snnkd writes it: resize {found!r:.50}")
    return found["keep_aspect"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m keras_snnkd.edge", description="Classify images with an exported student.")
    parser.add_argument("model", type=Path, help=".tflite file; class names are read from a card.json beside it")
    parser.add_argument(
        "images",
        type=Path,
        nargs="+",
        metavar="image",
        help="picture (with Pillow installed), or .npy array: an image, or frames for a streaming file; several, or folders of them, get a "
        "line each",
    )
    parser.add_argument(
        "--variant",
        dest="variants",
        type=Path,
        action="append",
        metavar="FILE",
        help="another .tflite file of this student; one of them is drawn at random to answer. May be given several times",
    )
    parser.add_argument(
        "--resize",
        choices=(STRETCH, KEEP_ASPECT),
        help="bring a picture to the model's size (default: as the card says that the training's were)",
    )
    parser.add_argument("--threads", type=_count, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--runs", type=_count, metavar="N", help=f"timed runs of an image, after a first one (default: {RUNS}; of several images 1)"
    )
    parser.add_argument(
        "--until-confidence",
        type=float,
        metavar="P",
        help="streaming files stop at this confidence (default: the card's, or 0.9)",
    )
    parser.add_argument("--steps", type=_count, metavar="T", help="streaming files: at most so many steps (default: the model's T)")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > DIGITS or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, of at most {DIGITS} digits, got {text:.30}")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
