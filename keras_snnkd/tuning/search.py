"""A search for the most accurate student that a budget allows, with the teacher trained once."""

import contextlib
import copy
import dataclasses
import functools
import itertools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import metrics, models
from keras_snnkd.distill import methods, teachers
from keras_snnkd.distill.cache import TeacherCache
from keras_snnkd.distill.chain import CACHES, Chain, StageResult
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import KDError, OutputError
from keras_snnkd.files.staging import write_json
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES, PARITY_SAMPLES
from keras_snnkd.run.recipes.folder import check_resume
from keras_snnkd.run.recipes.recipe import Recipe, ResolvedRecipe, teacher_file
from keras_snnkd.run.watching.progress import Counter, Stopwatch
from keras_snnkd.tuning import cluster
from keras_snnkd.tuning.budget import Budget, Footprints
from keras_snnkd.tuning.outcome import CANDIDATE, CHOSEN, FRONT, TRIALS, Outcome, line, widths
from keras_snnkd.tuning.space import Space

TUNER = "tuner"
"""Folder of keras-tuner's own files."""


class Search(Experiment):
    """Trains many small students and finds those that are worth having.

    keras-tuner proposes candidates (see `Space`); one that costs too much by what is known before training (see `Footprints`) is not
    trained. Every other one is trained as `train.py --recipe` would: a stage of its own, the best epoch by validation images, weights
    rounded as the recipe says; then its operations are counted, on validation images too. What it scores::

        score = validation accuracy - min(1, max over limits of max(0, cost / limit - 1))

    The folder gets `recipe.json`, the teacher's stage, `trials/` with a stage for each candidate, `tuner/` with keras-tuner's state,
    `export/` with the files of the Pareto front, `chosen.json`, `front.svg`, `results.json` and `report.html`. The test set is not
    touched: it belongs to the chosen recipe's own run.

    With `compress` every candidate goes through these ways to become cheaper, and what it is then is what counts: its accuracy, its costs,
    its file. What it costs is known only then, so that no candidate is left out before. For a `device` its accuracy is the mean over
    draws of that.

    With KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT set, this is the chief of a search on many machines, or one
    of its workers; all share the folder.

    Args:
        recipe: With mode `"tune"`.
        folder, console, command: See `Experiment`.

    Raises:
        UnknownNameError, ValueError: For a setting that cannot be searched.

    Example:
        >>> recipe = kd.Recipe(mode="tune", trials=12, max_params=4000)
        >>> results = kd.tuning.Search(recipe, "runs/searched").run()
    """

    may_change = (*(name for name in Experiment.may_change if name != "compress"), "trials")

    def __init__(self, recipe: Recipe, folder: str | Path, console: Any = None, command: str = "") -> None:
        super().__init__(recipe, folder, console, command)
        self.space = Space(self.recipe)
        self.budget = Budget.of(self.recipe)
        self.role = cluster.role()

    @functools.cached_property
    def _measured_on(self) -> tuple[np.ndarray, np.ndarray]:
        """Validation images and their labels."""
        batches = itertools.islice(self.data.validation, -(-MEASURED_IMAGES // self.data.batch_size))
        images, labels = ([np.asarray(part) for part in parts] for parts in zip(*batches, strict=True))
        return np.concatenate(images)[:MEASURED_IMAGES], np.concatenate(labels)[:MEASURED_IMAGES]

    @property
    def images(self) -> np.ndarray:
        """The validation images on which candidates are measured."""
        return self._measured_on[0]

    @functools.cached_property
    def footprints(self) -> Footprints:
        """What candidates cost before they are trained."""
        return Footprints(self.budget, self.images, lambda recipe: self._with(recipe).plan.student("candidate").student())

    def stages(self) -> list[Stage]:
        """The teacher's stages; none if it is trained, or no objective needs one."""
        needed = methods.combine(self.recipe.objectives, self.recipe.label_weight).needs_teacher
        return self.plan.teacher()[1] if needed and not teacher_file(self.recipe) else []

    @functools.cached_property
    def teacher_file(self) -> Path | None:
        """Where the trained teacher is, or will be."""
        if teacher_file(self.recipe):
            return teacher_file(self.recipe)
        return self.folder / "teacher" / "model.keras" if self.stages() else None

    def _with(self, recipe: ResolvedRecipe) -> "Search":
        """The same search with the recipe of one candidate."""
        one = copy.copy(self)
        one.recipe = recipe
        return one

    def _candidate(self, name: str, recipe: ResolvedRecipe, teacher: keras.Model | None) -> Stage:
        """The stage that trains a candidate."""
        plan = self._with(recipe).plan
        method = methods.combine(recipe.objectives, recipe.label_weight)
        if not recipe.objectives:
            return plan.student(name)
        if not method.needs_teacher:
            return plan.taught(name, method)
        return plan.taught(name, method, teacher=teacher, file=self.teacher_file)

    def _of_candidate(self, name: str, recipe: ResolvedRecipe, teacher: keras.Model | None) -> list[Stage]:
        """The stages of a candidate: what trains it, and what makes it cheaper, without a cache of outputs that no other one reads."""
        cheaper = self._with(recipe).plan.compressed(name, recipe.compress or [], prefix=name)
        return [self._candidate(name, recipe, teacher), *(dataclasses.replace(stage, cache_views=None) for stage in cheaper)]

    def check(self) -> dict[str, Distiller]:
        """Build the teacher, the smallest and the largest candidate; train nothing.

        Raises:
            KDError, ValueError: If one of them cannot be, or even the smallest costs too much.
        """
        for name, allowed in self.space.allowed.items():
            text = f"{allowed['low']:g} to {allowed['high']:g}" if isinstance(allowed, dict) else ", ".join(map(str, allowed))
            self.console.print(f"  {name}: {text}", highlight=False, markup=False)
        self._check_budget()
        stages = self.stages()
        found = self._built(Chain(stages, self.folder)) if stages else {}
        teacher = found["teacher"].student if found else self._teacher_model()
        for name, which in (("smallest", min), ("largest", max)):
            recipe = self.space.recipe(self.space.corner(which), self.recipe.epochs)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "the student .* is not smaller than its teacher")  # told where one is trained
                found.update(self._built(Chain(self._of_candidate(name, recipe, teacher), self.folder)))
        return found

    def _check_budget(self) -> None:
        if self.recipe.compress:
            return
        smallest = self.space.recipe(self.space.corner(min), self.recipe.epochs)
        exceeded = self.budget.exceeded(self.footprints(smallest))
        if exceeded:
            settings = f"widths {widths(smallest)}, T={smallest.timesteps}"
            raise KDError(
                f"no candidate can keep the budget: the smallest one ({settings}) has {'; '.join(exceeded)}. Allow more "
                f"({self.budget.options()}), or smaller candidates (--search width1=...)"
            )

    def _teacher_model(self) -> keras.Model | None:
        """The teacher, if there is one: from its file and made to fit the data, or as it was trained here."""
        if teacher_file(self.recipe):
            return self._trained_teacher
        if self.teacher_file is None:
            return None
        model = models.load(self.teacher_file)
        model.name = "teacher"
        return model

    def run(self, resume: bool = False) -> dict[str, Any]:
        """Train the teacher, then the candidates; choose, export the front and report.

        Args:
            resume: Whether to go on with what the folder holds. Finished candidates are not trained again; there may be more trials than
                before, everything else has to be the same.

        Returns:
            What `report.html` shows, as plain data; also in `results.json`. `{}` for a worker.

        Raises:
            KDError: For bad input or a budget that cannot be kept, before training; if no candidate keeps it in the end.
        """
        self.watch = Stopwatch()
        chief = self.role != "worker"
        self._prepare()
        if chief:
            self._refuse(resume)
        else:
            files = [self.folder / "recipe.json"]
            if self.teacher_file and self.stages():
                files.append(self.teacher_file.with_name("stage.json"))
            cluster.wait_for(files, self.console)
            check_resume(self.recipe, self.folder, True, self.may_change)
        self._taps = self.check()["largest"].teacher_taps
        names = ("results.json", "report.html", "export", "logs", TRIALS, TUNER, CHOSEN, FRONT)
        with self._at_work(resume, chief, *names):
            return self._run(resume, chief)

    def _run(self, resume: bool, chief: bool) -> dict[str, Any]:
        self.results: list[StageResult] = []
        if chief:
            self.recipe.save(self.folder / "recipe.json")
            if self.stages():
                self._train_teacher(resume)
        self._trained = self._teacher_model()
        if chief and self.recipe.cache and self._taps:
            self._fill_cache()  # before there is a trial for any worker
        trials = self._search()
        if not chief:
            return {}
        outcome = Outcome(self.folder, trials, self.budget)
        found, notes = outcome.measured(self.images[:PARITY_SAMPLES], self.console)
        search = {"tuner": self.recipe.tuner, "space": self.space.allowed, "limits": self.budget.limits, **found}
        content = {**self._about(f"{len(trials)} candidates searched"), "models": [], "search": search, "notes": notes}
        content["seconds"] = round(self.watch.total(self.results) + outcome.seconds_before(self.results), 1)
        self._write(content)
        if search["chosen"] is None:
            raise KDError(
                f"no candidate of {len(trials)} keeps the budget: {outcome.closest()}. More trials (--trials) go on with --resume; see "
                f"{self.folder / 'report.html'}"
            )
        return content

    def _train_teacher(self, resume: bool) -> None:
        stages = self.stages()
        with contextlib.ExitStack() as closing:
            results = Chain(stages, self.folder).run(self.data, resume, lambda stage: self._callbacks(stage, stage.name, closing))
        self.results.extend(results.values())
        teachers.judge_trained(results["teacher"].model, self.data.validation)

    def _fill_cache(self) -> None:
        """What the teacher does on the training images, for all candidates and workers."""
        data = dataclasses.replace(self.data, views=self.recipe.cache)
        cache = TeacherCache(self._trained, data, self._taps, self.folder / TRIALS / CACHES / f"teacher-{self.recipe.cache}")
        counter = Counter("{}: teacher's outputs, {:,} of {:,} images", self.console)
        try:
            cache.build(lambda done, total: counter("all candidates", done, total))
        finally:
            counter.close()

    def _search(self) -> list[str]:
        """Run keras-tuner; the names of the trials in order."""
        import grpc
        import keras_tuner

        from keras_snnkd.tuning.tuner import Tuner

        recipe, state = self.recipe, self.folder / TUNER
        tuner = Tuner(recipe.tuner, self.space, recipe.trials, recipe.epochs, recipe.seed, state, self._fits, self._train_candidate)
        if self.role == "chief":
            self.console.print(f"chief at {cluster.address()}, waiting for workers", highlight=False)
        try:
            tuner.search()
        except keras_tuner.errors.FatalError as error:
            raise error.__cause__ from None
        except grpc.RpcError as error:
            raise KDError(f"the chief does not answer: {error.details()}. Start it again with --resume, then the workers") from error
        return sorted(tuner.trials, key=int)

    def _fits(self, values: Mapping[str, Any]) -> bool:
        """Whether a candidate keeps the budget by what is known before it is trained: nothing of one that is made cheaper then."""
        if self.recipe.compress:
            return True
        return not self.budget.exceeded(self.footprints(self.space.recipe(values, self.recipe.epochs)))

    def _train_candidate(self, name: str, values: Mapping[str, Any], epochs: int) -> float:
        """Train and measure one candidate; its score."""
        recipe = self.space.recipe(values, epochs)
        stages = self._of_candidate(f"trial_{name}", recipe, self._trained)
        row: dict[str, Any] = {"name": name, "recipe": self._runnable(recipe).to_dict(), "epochs": epochs, "stage": stages[-1].name}
        path = self.folder / TRIALS / stages[0].name / CANDIDATE
        try:
            results = Chain(stages, self.folder / TRIALS, self._taps).run(self.data, True, keep_cache=True)
        except OutputError:
            raise
        except KDError as error:
            write_json(path, {**row, "failed": str(error)})
            self.console.print(f"[trial {name}] failed: {error}", highlight=False, markup=False, soft_wrap=True)
            raise
        self.results += [dataclasses.replace(result, model=None) for result in results.values()]
        result = results[stages[-1].name]
        seconds = sum(one.record["seconds"] for one in results.values())
        row.update(self._measured(result.model), loss=results[stages[0].name].record["loss"], seconds=seconds)
        row["accuracy"] = result.record["validation_accuracy"]
        if on_device := compression.on_device(result.model, *self._measured_on, recipe.compress or []):
            row.update(on_device, accuracy=on_device["on_device"]["mean"])
        row["exceeded"] = self.budget.exceeded(row)
        write_json(path, row)
        self.console.print(line(row, recipe, self.recipe.trials), highlight=False, markup=False, soft_wrap=True)
        return row["accuracy"] - self.budget.penalty(row)

    def _measured(self, model: keras.Model) -> dict[str, Any]:
        operations = metrics.synaptic_operations(model, self.images)
        activity = metrics.activity(model, self.images)
        return {
            "parameters": model.count_params(),
            "synaptic_operations": operations.effective_macs + operations.effective_acs,
            "spikes_per_image": activity.spikes_per_image if activity.rates else None,
        }

    def _runnable(self, recipe: ResolvedRecipe) -> ResolvedRecipe:
        """A candidate's recipe with the trained teacher in it."""
        if self.teacher_file is None or not recipe.objectives:
            return recipe
        return dataclasses.replace(recipe, teacher=self.teacher_file.as_posix())
