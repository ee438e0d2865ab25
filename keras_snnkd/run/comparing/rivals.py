"""Is the spiking student worth it? The student and its ANN twin, distilled alike, both as files of 8-bit integers."""

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from keras_snnkd.distill import methods, teachers
from keras_snnkd.distill.chain import Chain, StageResult
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.stage import Stage
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.evaluation import measure
from keras_snnkd.run.integers import as_integers, check_integers, rival_rows, verdict
from keras_snnkd.run.plan import twin_of
from keras_snnkd.run.watching.progress import Stopwatch

SPIKING, ANN = "student", "student_ann"
"""The rivals, and their stages."""


class Rivals(Experiment):
    """A spiking student and its ANN twin: the same teacher, objectives, epochs and seeds, and each as a file of 8-bit integers.

    With `twin_epochs` the spiking student starts from a twin that learned for so many; its rival learns for as long as both phases take.

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
        twin, epochs = twin_of(self.recipe.student), self.recipe.epochs + self.recipe.twin_epochs
        trained_here = isinstance(teacher, keras.Model) and self.plan.teacher()[1]
        given: dict[str, Any] = {"file": self.folder / "teacher" / "model.keras"} if trained_here else {}
        both = [
            *self.plan.in_two_phases(SPIKING, method, teacher=teacher, **given),
            self.plan.taught(ANN, method, in_budget=False, spec=twin, teacher=teacher, epochs=epochs, **given),
        ]
        return self.plan.with_twin_alone(both)

    def stages(self) -> list[Stage]:
        """The teacher's stages, and both students."""
        teacher, stages = self.plan.teacher()
        return [*stages, *self.rivals(teacher)]

    def check(self) -> dict[str, Distiller]:
        """Build everything, train nothing; the distillers by stage.

        Raises:
            KDError, ValueError: If something does not fit, or a student has a layer without an 8-bit form.
        """
        found = self._built(Chain(self.stages(), self.folder))
        for name in (SPIKING, ANN):
            check_integers(found[name].student, self.data)
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
        vars(one)["data"] = self.data.with_seed(seed, same_labels=bool(self.plan.teacher()[1]))
        return one

    def _run_seed(self, teacher: keras.Model) -> dict[str, dict[str, Any]]:
        """Train and measure both with the recipe's seed."""
        folder = self.folder / f"seed{self.recipe.seed}"
        with contextlib.ExitStack() as closing:
            tell = lambda stage: self._callbacks(stage, f"[seed {self.recipe.seed}] {stage.name}", closing)  # noqa: E731
            results = Chain(self.rivals(teacher), folder).run(self.data, True, tell)
        self._keep(results.values())
        return {name: self._as_integers(results[name].model, folder, name) for name in (SPIKING, ANN)}

    def _as_integers(self, model: keras.Model, folder: Path, name: str) -> dict[str, Any]:
        """A student as a file of integers: what it does, and what it costs."""
        self.console.print(f"[seed {self.recipe.seed}] {name}: int8 file", highlight=False, markup=False)
        found, tuned = as_integers(model, self.data, folder, name, self.recipe.seed, self.recipe.labels, self.notes)
        self._keep([tuned])
        return found
