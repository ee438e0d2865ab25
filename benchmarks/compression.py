"""What each way to compress costs a trained student, with and without its teacher: `python -m benchmarks.compression stds:sparsity=0.9`.

Each way starts from one trained student, and trains with several seeds, which decide the order of the images: taught by that student, and
by labels alone. Accuracy is that on the test images, at the end. Rows are appended to a file as they are found, and what stands there
already is not measured again; `python -m benchmarks.evidence ways` makes the page's data of it.
"""

import argparse
import dataclasses
import gc
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

import keras_snnkd as kd
from keras_snnkd.cli.values import read_named
from keras_snnkd.data import Data
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.finished.evaluation import measure, predict, test_images
from keras_snnkd.run.plan import Plan

Row = dict[str, Any]

STUDENT = "the student"

WAYS = (
    "stds:sparsity=0.9",
    "unstructured:sparsity=0.9",
    "magnitude:sparsity=0.9",
    "channels:share=0.9",
    "steps:timesteps=2 steps:timesteps=1",
    "anytime",
    "int8",
    "int4",
    "ternary",
    "device:noise=0.05",
    "device:noise=0.1",
    "device:noise=0.2",
    "stds:sparsity=0.97",
    "unstructured:sparsity=0.97",
)
"""What `--all` measures of every student."""

OWN_WAYS = {
    "digits": ("spikes:rate=0.12", "spikes:rate=0.057,per=neuron", "tt:rank=8", "tt:rank=5", "tt:rank=3"),
    "fashion_mnist": ("spikes:rate=0.07", "tt:rank=16", "tt:rank=10", "tt:rank=6"),
    "cifar10": ("spikes:synops=1750000", "tt:rank=48", "tt:rank=31", "tt:rank=20"),
}
"""And of the student of a data set, before these: a budget at which it has 40 % fewer operations, that of the break-even of 5.7 % where
this is less, and the ranks at which its largest convolution has about 2, 4 and 8 times fewer weights."""

SOME_IMAGES = 1000
"""Test images on which the accuracy over draws of a device, and that after each step, are measured."""


SETTINGS = ("dataset", "student", "limit", "batch_size", "augment", "epochs")
"""What all rows of a file have in common."""


def measured(model: keras.Model, data: Data, word: str = "") -> Row:
    """The row of a student: accuracy, operations, packed size, zeros and energy.

    Args:
        model: The student.
        data: Its data.
        word: What it went through last: `device` for the accuracy on that device too, `anytime` for that after each step.
    """
    row, _ = measure(model, data)
    return {**row, **compression.costs(model, row), **_accuracies(model, data, word)}


def _accuracies(model: keras.Model, data: Data, word: str) -> Row:
    images, labels = data.sample(SOME_IMAGES)
    if word == "anytime":
        return {"by_step": kd.metrics.anytime(model, images, labels, (images, labels)).accuracy}
    entries = compression.read([read_named(word, compression.COMPRESS, "way to compress")]) if word else []
    return compression.on_device(model, images, labels, entries)


def accuracy_alone(model: keras.Model, data: Data, word: str = "") -> Row:
    """The same without what a student costs: of further seeds, which cost about the same."""
    images, labels = test_images(data)
    return {"accuracy": kd.metrics.accuracy(predict(model, images), labels), **_accuracies(model, data, word)}


def compressed(student: keras.Model, data: Data, words: Sequence[str], epochs: int, taught: bool) -> Iterator[tuple[str, Row]]:
    """The words so far and the row of what a student has become, after each of the words."""
    recipe = kd.Recipe(dataset=data.name, mode="distill", epochs=2 * epochs, augment=data.augment, seed=data.seed, twin_epochs=0).resolved()
    entries = compression.read({**read_named(word, compression.COMPRESS, "way to compress"), "taught": taught} for word in words)
    stages = Plan(recipe, data, lambda: student).compressed(student, entries)
    with tempfile.TemporaryDirectory() as folder:
        results = kd.Chain(stages, folder).run(data)
        told = list(range(1, len(words) + 1)) if len(entries) == len(words) else [len(words)]  # a word may stand for two stages
        for count, stage in zip(told, stages[-len(told) :], strict=True):
            result = results[stage.name]
            row = measured if data.seed == 0 else accuracy_alone
            found = {"validation_accuracy": result.record["validation_accuracy"], "seconds": result.record["seconds"]}
            yield " ".join(words[:count]), {**row(result.model, data, words[count - 1]), **found}


def missing(rows: Sequence[Row], ways: Sequence[str], seeds: int) -> list[tuple[str, bool, int]]:
    """The ways, whether they are taught, and the seeds that no row tells of; all ways with one seed before the next one."""
    every = itertools.product(range(seeds), ways, (True, False))
    return [(way, taught, seed) for seed, way, taught in every if (way, taught, seed) not in known(rows)]


def known(rows: Sequence[Row]) -> set[tuple[str, bool | None, int | None]]:
    """What rows tell of."""
    return {(row["words"], row["taught"], row.get("seed")) for row in rows}


def run(options: argparse.Namespace) -> None:
    """Measure what the file does not tell of yet."""
    out = Path(options.out)
    rows = read(out)
    settings = {name: getattr(options, name) for name in SETTINGS}
    if rows and (other := {name: value for name, value in rows[0]["settings"].items() if value != settings[name]}):
        raise SystemExit(f"{out} has rows of other settings, {other}; use those again, or another file (--out)")
    data = kd.data.load(options.dataset, limit=options.limit, augment=options.augment, batch_size=options.batch_size)
    student = kd.models.load(options.student)
    if not rows:
        rows += _append(out, [{"words": STUDENT, "taught": None, "settings": settings, **measured(student, data, "anytime")}])
    for word in dict.fromkeys(word for way in options.ways for word in way.split() if word.startswith("device")):
        found = {"words": f"{STUDENT} on {word}", "taught": None}
        if all(row["words"] != found["words"] for row in rows):
            rows += _append(out, [{**found, **accuracy_alone(student, data, word)}])
    while left := missing(rows, options.ways, options.seeds):  # a way of several words tells of others too
        way, taught, seed = left[0]
        seeded = dataclasses.replace(data, seed=seed)
        found = [
            {"words": words, "taught": taught, "seed": seed, "epochs": options.epochs, **row}
            for words, row in compressed(student, seeded, way.split(), options.epochs, taught)
        ]
        rows += _append(out, [row for row in found if (row["words"], taught, seed) not in known(rows)])
        print(f"{way}, {'taught' if taught else 'labels alone'}, seed {seed}: {found[-1]['accuracy']:.2%}", flush=True)
        keras.backend.clear_session()
        gc.collect()


def read(out: Path) -> list[Row]:
    """The rows of a file; none if it is not there."""
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()] if out.is_file() else []


def _append(out: Path, rows: list[Row]) -> list[Row]:
    with out.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return rows


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.compression", description=__doc__.splitlines()[0])
    p.add_argument("ways", nargs="*", help="words as --compress takes them; those of a way with several have blanks between them")
    p.add_argument("--all", action="store_true", help="all that docs/results/compression.md tells of")
    p.add_argument("--student", default="saved_models/digits_student/model.keras", help="default: the digits student of this repository")
    p.add_argument("--dataset", default="digits")
    p.add_argument("--limit", type=int, help="images of the training part, and of the test set")
    p.add_argument("--batch-size", type=int, help="default: so many that an epoch has 16 steps or more, at most 128")
    p.add_argument("--augment", default="none")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--epochs", type=int, default=10, help="of each word that does not tell its own (default: 10)")
    p.add_argument("--out", default="compression.jsonl", help="where rows are appended (default: compression.jsonl)")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure some ways, or all."""
    options = parser().parse_args(arguments)
    every = (*OWN_WAYS.get(options.dataset, ()), *WAYS) if options.all else ()
    options.ways = [" ".join(way.split()) for way in (*options.ways, *every)]
    run(options)


if __name__ == "__main__":
    main()
