"""What each way to compress costs a trained student, with and without its teacher: `python -m benchmarks.compression stds:sparsity=0.9`.

Each way starts from one trained student, and trains with several seeds: taught by that student, and by labels alone. Accuracy is that on
the test images, at the end. Rows are appended to a file, so that words can be measured one after the other; `--table` prints them.
"""

import argparse
import functools
import json
import tempfile
from pathlib import Path

import numpy as np

import keras_snnkd as kd
from keras_snnkd.cli.values import read_named
from keras_snnkd.distill.gradient import GRADIENTS
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.compressing.finetuning import calibration_images
from keras_snnkd.run.finished.evaluation import measure

LEARNING_RATE = 2.5e-3
"""Half of what students of digits train with."""


def measured(model, data) -> dict:
    """The row of a student: accuracy, operations, packed size, zeros and energy."""
    row, _ = measure(model, data)
    return {**row, **compression.costs(model, row)}


def compressed(student, data, entries, seed, epochs, taught) -> dict:
    """The row of what becomes of a student."""
    usual = {
        "epochs": epochs,
        "learning_rate": LEARNING_RATE,
        "weight_decay": 1e-4,
        "weight_bits": 8,
        "gradient": GRADIENTS[0],
        "seed": seed,
    }
    entries = compression.read([{**entry, "taught": taught} for entry in entries])
    stages = compression.stages(entries, student, calibration_images(data), usual)
    with tempfile.TemporaryDirectory() as folder:
        results = kd.Chain(stages, folder).run(data)
        return measured(results[stages[-1].name].model, data)


def summary(rows: list[dict]) -> list[str]:
    """The cells of one arm: mean and standard deviation of the accuracy, and the means of what it costs."""
    accuracy = [100 * row["accuracy"] for row in rows]
    mean = functools.partial(np.mean, dtype="float64")
    spread = f" ± {np.std(accuracy, ddof=1):.2f}" if len(rows) > 1 else ""
    operations = [row["synaptic_operations"]["effective_acs"] + row["synaptic_operations"]["effective_macs"] for row in rows]
    return [
        f"{mean(accuracy):.2f}{spread}",
        f"{100 * mean([row['connection_sparsity'] for row in rows]):.1f} %",
        f"{mean([row['compressed_bytes'] for row in rows]) / 1000:.2f} kB",
        f"{mean(operations):,.0f}",
        f"{mean([row['energy']['effective'] for row in rows]):.2f} nJ",
    ]


def table(rows: list[dict]) -> str:
    """All arms as Markdown, in the order in which they were measured."""
    arms: dict = {}
    for row in rows:
        arms.setdefault((row["words"], row["taught"]), []).append(row)
    header = ["", "taught by", "accuracy", "weights that are 0", "packed size", "operations an image", "energy an image"]
    lines = [header, ["---", "---", *["---:"] * (len(header) - 2)]]
    for (words, taught), found in arms.items():
        lines.append([words, {True: "the student before", False: "labels alone", None: ""}[taught], *summary(found)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main(arguments=None) -> None:
    """Measure one way, or print the table of all that were measured."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.compression", description=__doc__.splitlines()[0])
    p.add_argument("words", nargs="*", help="one or several, in order, as --compress takes them")
    p.add_argument("--student", default="saved_models/digits_student/model.keras", help="default: the digits student of this repository")
    p.add_argument("--dataset", default="digits")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--epochs", type=int, default=10, help="of each way (default: 10)")
    p.add_argument("--out", default="compression.jsonl", help="where rows are appended (default: compression.jsonl)")
    p.add_argument("--table", action="store_true", help="print all rows of --out as Markdown")
    o = p.parse_args(arguments)
    out = Path(o.out)
    if o.words:
        data, student = kd.data.load(o.dataset), kd.models.load(o.student)
        rows = [] if out.exists() else [{"words": "the student", "taught": None, **measured(student, data)}]
        entries = [read_named(word, compression.COMPRESS, "way to compress") for word in o.words]
        for taught in (True, False):
            for seed in range(o.seeds):
                found = compressed(student, data, entries, seed, o.epochs, taught)
                rows.append({"words": " ".join(o.words), "taught": taught, "seed": seed, **found})
        with out.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    if o.table:
        print(table([json.loads(line) for line in out.read_text().splitlines()]))


if __name__ == "__main__":
    main()
