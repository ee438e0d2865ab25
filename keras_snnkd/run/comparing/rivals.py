"""Is the spiking student worth it? The student and its ANN twin, distilled alike, both as files of 8-bit integers."""

import contextlib
import copy
import dataclasses
import functools
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import export, metrics
from keras_snnkd.distill import methods, teachers
from keras_snnkd.distill.chain import Chain, StageResult
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import ExportError
from keras_snnkd.models import quantize_aware
from keras_snnkd.run.comparing.ranking import paired
from keras_snnkd.run.compressing.finetuning import calibration_images, finetuned_int8
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES, PARITY_SAMPLES, measure, test_images
from keras_snnkd.run.plan import twin_of
from keras_snnkd.run.watching.attempt import attempt
from keras_snnkd.run.watching.progress import Stopwatch

SPIKING, ANN = "student", "student_ann"
"""The rivals, and their stages."""

CHECKED_IMAGES = 8
"""On which it is tried before training whether a student has a form of integers."""

INT8_EPOCHS = 2
"""For which both are trained on as the networks that their files compute."""


class Rivals(Experiment):
    """A spiking student and its ANN twin: the same teacher, objectives, epochs and seeds, and each as a file of 8-bit integers.

    The folder gets the teacher's stage, for each seed a folder `seed<n>` with the stages `student` and `student_ann`, what these became
    when they were trained on for integers, and `<name>_int8.tflite`; `results.json` and `report.html`.

    Args:
        recipe: With mode `"compare"` and `rivals`.
        folder, console, command: See `Experiment`.

    Example:
        >>> Rivals(kd.Recipe(mode="compare", rivals=True, seeds=3), "runs/rivals").run()["verdict"]
    """

    may_change = (*Experiment.may_change, "seeds")

    @functools.cached_property
    def results(self) -> list[StageResult]:
        """Of all stages so far, without their models."""
        return []

    @functools.cached_property
    def notes(self) -> list[str]:
        """What could not be measured."""
        return []

    def rivals(self, teacher: Any) -> list[Stage]:
        """The stages of both students of one seed."""
        method = methods.combine(self.recipe.objectives, self.recipe.label_weight)
        twin = twin_of(self.recipe.student)
        given = {"file": self.folder / "teacher" / "model.keras"} if isinstance(teacher, keras.Model) else {}
        return [
            self.plan.taught(SPIKING, method, teacher=teacher, **given),
            self.plan.taught(ANN, method, spec=twin, teacher=teacher, **given),
        ]

    def stages(self) -> list[Stage]:
        """The teacher's stages, and both students."""
        teacher, stages = self.plan.teacher()
        return [*stages, *self.rivals(teacher)]

    def check(self) -> dict[str, Distiller]:
        """Build everything, train nothing; the distillers by stage.

        Raises:
            KDError, ValueError: If something does not fit, or a student has a layer without an 8-bit form.
        """
        found = Chain(self.stages(), self.folder).check(self.data.steps_per_epoch)
        for name in (SPIKING, ANN):
            quantize_aware(found[name].student, calibration_images(self.data, CHECKED_IMAGES))
        return found

    def run(self, resume: bool = False) -> dict[str, Any]:
        """Train both students with every seed, write and measure their files, and report.

        Args:
            resume: Whether to go on with what the folder holds. There may be more seeds than before.

        Returns:
            What `report.html` shows, as plain data; also in `results.json`. `rivals` are the rows, and `verdict` says what they mean.

        Raises:
            KDError: For bad input, before training; for a loss that diverges; for a file that does not do what its model does.
        """
        watch = Stopwatch()
        self._prepare()
        self._refuse(resume)
        self.check()
        seeds = range(self.recipe.seed, self.recipe.seed + self.recipe.seeds)
        with self._at_work(
            resume, True, "results.json", "report.html", "logs", "teacher", "teacher_ann", *(f"seed{seed}" for seed in seeds)
        ):
            self.recipe.save(self.folder / "recipe.json")
            self.results.clear()
            self.notes.clear()
            with contextlib.ExitStack() as closing:
                teacher = self._trained(resume, closing)
            row, _ = measure(teacher, self.data)
            measured: dict[str, list[dict[str, Any]]] = {SPIKING: [], ANN: []}
            for seed in seeds:
                for name, found in self._with_seed(seed)._run_seed(teacher).items():
                    measured[name].append(found)
            rows = rival_rows(measured)
            content = {
                **self._about("the spiking student and its ANN twin"),
                "models": [{"name": "teacher", "role": "teacher", "label": "teacher", "taught_by": None, **row}],
                "rivals": rows,
                "verdict": verdict(rows),
                "notes": self.notes,
                "exports": [],
                "seconds": watch.total(self.results),
            }
            self._write(content)
        return content

    def _trained(self, resume: bool, closing: contextlib.ExitStack) -> keras.Model:
        """The teacher, trained here or from its file."""
        teacher, stages = self.plan.teacher()
        if isinstance(teacher, keras.Model):
            return teacher
        results = Chain(stages, self.folder).run(self.data, resume, lambda stage: self._callbacks(stage, f"[{stage.name}]", closing))
        self._keep(results.values())
        teachers.judge_trained(results[teacher].model, self.data.validation)
        return results[teacher].model

    def _keep(self, results: Iterable[StageResult]) -> None:
        """Remember how stages came about."""
        self.results.extend(dataclasses.replace(result, model=None) for result in results)

    def _with_seed(self, seed: int) -> "Rivals":
        """The same run with the recipe and the data of one seed."""
        one = copy.copy(self)
        one.recipe = dataclasses.replace(self.recipe, seed=seed)
        vars(one)["data"] = dataclasses.replace(self.data, seed=seed)
        return one

    def _run_seed(self, teacher: keras.Model) -> dict[str, dict[str, Any]]:
        """Train and measure both with the recipe's seed."""
        folder = self.folder / f"seed{self.recipe.seed}"
        with contextlib.ExitStack() as closing:
            tell = lambda stage: self._callbacks(stage, f"[seed {self.recipe.seed}] {stage.name}", closing)  # noqa: E731
            results = Chain(self.rivals(teacher), folder).run(self.data, True, tell)
        self._keep(results.values())
        return {name: self._as_file(result.model, folder, name) for name, result in results.items()}

    def _as_file(self, model: keras.Model, folder: Path, name: str) -> dict[str, Any]:
        """A student as a file of integers: what it does, and what it costs."""
        images, labels = test_images(self.data)
        self.console.print(f"[seed {self.recipe.seed}] {name}: int8 file", highlight=False, markup=False)
        tuned = finetuned_int8(model, self.data, folder / f"{name}_int8", INT8_EPOCHS)
        self._keep([tuned])
        path = folder / f"{name}_int8.tflite"
        try:
            written = export.litert(tuned.model, path, "int8", samples=images[:PARITY_SAMPLES])
        except ExportError as error:
            raise ExportError(f"{name.replace('_', ' ')}: {error}") from error
        estimate = None
        with attempt(f"energy of {name} is not estimated", self.notes):
            operations = metrics.synaptic_operations(model, images[:MEASURED_IMAGES])
            estimate = metrics.energy(operations, metrics.twin_operations(model), arithmetic="int8")
        milliseconds = None
        with attempt(f"the file of {name} was not timed", self.notes):
            milliseconds = export.latency(path, (1,))[0].to_dict()["p50_ms"]
        return {
            "seed": self.recipe.seed,
            "accuracy": metrics.accuracy(export.LiteRT(path).predict(images), labels),
            "images": len(labels),
            "bytes": written.bytes,
            "milliseconds": milliseconds,
            "energy": estimate and estimate.effective,
            "energy_dense": estimate and estimate.dense,
            "parameters": model.count_params(),
        }


def rival_rows(measured: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row a rival: means over seeds, and the accuracy's interval of 95 %.

    The interval is Student's t over the seeds; of one seed it is Wilson's for the number of test images.

    Args:
        measured: For each rival, what was measured of each seed.
    """
    labels = {SPIKING: "spiking student", ANN: "its ANN twin"}
    rows = []
    for name, found in measured.items():
        accuracies = [one["accuracy"] for one in found]
        row: dict[str, Any] = {"name": name, "label": labels[name], "seeds": [one["seed"] for one in found], "accuracies": accuracies}
        for key in ("accuracy", "bytes", "milliseconds", "energy", "energy_dense", "parameters"):
            values = [one[key] for one in found if one[key] is not None]
            row[key] = statistics.fmean(values) if values else None
        _, over_seeds = paired(accuracies, [0.0] * len(accuracies))
        row["interval"] = over_seeds or wilson(accuracies[0], found[0]["images"])
        rows.append(row)
    difference, interval = paired(rows[0]["accuracies"], rows[1]["accuracies"])
    rows[0].update(difference=difference, difference_interval=interval)
    return rows


def wilson(accuracy: float, count: int) -> list[float]:
    """Wilson's interval of 95 % for a share of `count` images.

    Example:
        >>> wilson(0.9, 100)  # [0.8256, 0.9448]
    """
    z = 1.959964
    centre = accuracy + z * z / (2 * count)
    half = z * float(np.sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count)))
    return [(centre - half) / (1 + z * z / count), (centre + half) / (1 + z * z / count)]


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
        said.append(f"Time here: {times[0]:.3f} and {times[1]:.3f} ms per image on one thread of a CPU, which computes all T steps.")
    if spiking["energy"] is None or ann["energy"] is None:
        return [*said, "Energy is not estimated: operations of a layer are not counted."]
    ratio = ann["energy"] / spiking["energy"] if spiking["energy"] else float("inf")
    less = f"{ratio:.1f} times less than" if ratio >= 1 else f"{1 / ratio:.1f} times as much as" if ratio else "more than"
    said.append(
        f"Energy of arithmetic (int8, an estimate, zeros skipped by both): {spiking['energy']:.3g} nJ per image, {less} the twin's "
        f"{ann['energy']:.3g} nJ."
    )
    accurate = "as accurate, as far as this shows"
    if apart:
        accurate = "more accurate" if points > 0 else "less accurate"
    worth = ratio > 1 and not (apart and points < 0)
    faster = "" if not timed else "; on a CPU its twin is faster" if times[1] < times[0] else "; on a CPU it is not slower"
    said.append(
        f"So the spiking student is {accurate}, and {'worth it on' if worth else 'not worth it even on'} hardware that computes at spikes "
        f"only{faster}."
    )
    return said
