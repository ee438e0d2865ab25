"""A spiking student and its ANN twin as files of 8-bit integers: what they do, what they cost, and which of them that speaks for."""

import statistics
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import export, metrics
from keras_snnkd._types import Array
from keras_snnkd.distill.chain import StageResult
from keras_snnkd.errors import ExportError
from keras_snnkd.export.bundle import why_one_step
from keras_snnkd.export.freeze import takes_padding, timesteps
from keras_snnkd.files.padding import lengths
from keras_snnkd.models import quantize_aware
from keras_snnkd.report.break_even import BREAK_EVEN, break_even_sentence
from keras_snnkd.run.compressing.finetuning import calibration_images, finetuned_int8
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES, PARITY_SAMPLES, test_images
from keras_snnkd.run.intervals import paired, wilson
from keras_snnkd.run.watching.attempt import attempt

CHECKED_IMAGES = 8
"""On which it is tried before training whether a student has a form of integers."""

INT8_EPOCHS = 2
"""For which both are trained on as the networks that their files compute."""


def check_integers(model: keras.Model, data: datasets.Data) -> None:
    """Raise a `ValueError` for a student with a layer that has no 8-bit form."""
    quantize_aware(model, calibration_images(data, CHECKED_IMAGES))


def as_integers(
    model: keras.Model, data: datasets.Data, folder: Path, name: str, seed: int, labels: float, notes: list[str]
) -> tuple[dict[str, Any], StageResult]:
    """Train a student on as the network of its int8 file, write the file, and measure it.

    Args:
        model: The trained student.
        data: Of the run.
        folder: Gets the stage `<name>_int8` and the file `<name>_int8.tflite`.
        name: Of the student.
        seed: With which it was trained.
        labels: The share of training images whose labels are known; the student itself answers for the others.
        notes: Gets what could not be measured.

    Returns:
        What `rival_rows` takes of one seed, and how the network of integers came about.

    Raises:
        ExportError: If the file does not do what the network does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, truth = test_images(data)
    tuned = finetuned_int8(model, data, folder / f"{name}_int8", INT8_EPOCHS, labels=labels)
    path = folder / f"{name}_int8.tflite"
    one_step = why_one_step(model, ["int8"]) is not None
    try:
        written = (export.streaming if one_step else export.litert)(tuned.model, path, "int8", samples=images[:PARITY_SAMPLES])
    except ExportError as error:
        raise ExportError(f"{name.replace('_', ' ')}: {error}") from error
    estimate = None
    with attempt(f"energy of {name} is not estimated", notes):
        operations = metrics.synaptic_operations(model, images[:MEASURED_IMAGES])
        estimate = metrics.energy(operations, metrics.twin_operations(model), arithmetic="int8")
    rate = None
    with attempt(f"spikes of {name} were not counted", notes):
        rate = metrics.activity(model, images[:MEASURED_IMAGES]).rate
    runs = _steps(model, images) if one_step else 1.0
    milliseconds = None
    with attempt(f"the file of {name} was not timed", notes):
        milliseconds = runs * export.latency(path, (1,))[0].p50_ms
    found = {
        "seed": seed,
        "accuracy": metrics.accuracy(export.LiteRT(path).predict(images), truth),
        "images": len(truth),
        "bytes": written.bytes,
        "milliseconds": milliseconds,
        "runs": runs,
        "energy": estimate and estimate.effective,
        "energy_dense": estimate and estimate.dense,
        "rate": rate,
        "parameters": model.count_params(),
    }
    return found, tuned


def _steps(model: keras.Model, images: Array) -> float:
    """How often a file of one step runs for an image or a series, on average; padding is not run."""
    return float(lengths(images).mean()) if takes_padding(model) else float(timesteps(model) or 1)


def compared(
    students: dict[str, keras.Model], data: datasets.Data, folder: Path, seed: int, labels: float, notes: list[str]
) -> dict[str, Any]:
    """The `rivals` and the `verdict` of a run with one seed.

    Args:
        students: The spiking student, then its ANN twin, by name.
        data, folder, seed, labels, notes: See `as_integers`.
    """
    rows = rival_rows({name: [as_integers(model, data, folder, name, seed, labels, notes)[0]] for name, model in students.items()})
    return {"rivals": rows, "verdict": verdict(rows)}


def rival_rows(measured: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row a rival: means over seeds, and the accuracy's interval of 95 %.

    The interval is Student's t over the seeds; of one seed it is Wilson's for the number of test images.

    Args:
        measured: For each rival, the spiking student first, what was measured of each seed.
    """
    rows: list[dict[str, Any]] = []
    for label, (name, found) in zip(("spiking student", "its ANN twin"), measured.items(), strict=True):
        accuracies = [one["accuracy"] for one in found]
        row: dict[str, Any] = {"name": name, "label": label, "seeds": [one["seed"] for one in found], "accuracies": accuracies}
        for key in ("accuracy", "bytes", "milliseconds", "runs", "energy", "energy_dense", "rate", "parameters"):
            values = [one[key] for one in found if one.get(key) is not None]
            row[key] = statistics.fmean(values) if values else None
        _, over_seeds = paired(accuracies, [0.0] * len(accuracies))
        row["interval"] = over_seeds or wilson(accuracies[0], found[0]["images"])
        rows.append(row)
    difference, interval = paired(rows[0]["accuracies"], rows[1]["accuracies"])
    rows[0].update(difference=difference, difference_interval=interval)
    return rows


def _computed(rows: list[dict[str, Any]]) -> str:
    """What a CPU computes for an image or a series, with whole files and with files of one step."""
    spiking, ann = (row["runs"] for row in rows)
    if spiking == 1:
        return "all T steps"
    if ann == 1:
        return f"{spiking:.1f} steps, a file of one step after the other, where its twin's file holds them all"
    return f"{spiking:.1f} steps on average, one after the other"


def verdict(rows: list[dict[str, Any]]) -> list[str]:
    """What the rows say, in sentences: accuracy, size, time, energy, and where the spiking student is worth it."""
    spiking, ann = rows
    points, interval = 100 * spiking["difference"], spiking["difference_interval"]
    if interval is None:
        apart = spiking["interval"][0] > ann["interval"][1] or ann["interval"][0] > spiking["interval"][1]
        sure = "their intervals do not overlap" if apart else "their intervals overlap, so that this shows no difference"
    else:
        sure = f"95 % interval {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}, {len(spiking['seeds'])} seeds"
        apart = interval[0] > 0 or interval[1] < 0
    said = [
        f"Accuracy: as int8 files the spiking student has {spiking['accuracy']:.2%} and its ANN twin {ann['accuracy']:.2%}, "
        f"{points:+.2f} points ({sure}).",
        f"Size: {spiking['bytes']:,.0f} and {ann['bytes']:,.0f} bytes.",
    ]
    times = [spiking["milliseconds"], ann["milliseconds"]]
    timed = None not in times
    if timed:
        said.append(f"Time here: {times[0]:.3f} and {times[1]:.3f} ms per image on one thread of a CPU, which computes {_computed(rows)}.")
    if spiking["energy"] is None or ann["energy"] is None:
        return [*said, "Energy is not estimated: operations of a layer are not counted."]
    ratio = ann["energy"] / spiking["energy"] if spiking["energy"] else float("inf")
    less = f"{ratio:.1f} times less than" if ratio >= 1 else f"{1 / ratio:.1f} times as much as" if ratio else "more than"
    said.append(
        f"Energy of arithmetic (int8, an estimate, zeros skipped by both): {spiking['energy']:.3g} nJ per image, {less} the twin's "
        f"{ann['energy']:.3g} nJ."
    )
    rate = spiking.get("rate")
    said += filter(None, [break_even_sentence(rate, "the spiking student")])
    accurate = "as accurate, as far as this shows"
    if apart:
        accurate = "more accurate" if points > 0 else "less accurate"
    worth = ratio > 1 and not (apart and points < 0)
    counted = ", if arithmetic alone counts" if worth and rate and rate > BREAK_EVEN[1] else ""
    faster = "" if not timed else "; on a CPU its twin is faster" if times[1] < times[0] else "; on a CPU it is not slower"
    said.append(
        f"So the spiking student is {accurate}, and {'worth it on' if worth else 'not worth it even on'} hardware that computes at spikes "
        f"only{counted}{faster}."
    )
    return said
