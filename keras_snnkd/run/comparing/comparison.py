"""Many methods, one student: each trained with the same seeds, and ranked against the student alone."""

import collections
import contextlib
import copy
import dataclasses
import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import models
from keras_snnkd.distill import methods
from keras_snnkd.distill.chain import Chain, Failed, StageResult
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.methods import Method
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import KDError
from keras_snnkd.files.staging import sha256, write_json
from keras_snnkd.report.quoted import write_quoted
from keras_snnkd.run.comparing.choosing import Setting, best_of, edge_of, first_trials, more_trials, weighted
from keras_snnkd.run.comparing.gauge import Gauge, measured_before
from keras_snnkd.run.comparing.naming import NAMES, keep, names_of
from keras_snnkd.run.comparing.ranking import ranked
from keras_snnkd.run.comparing.teachers import IN_PAPERS, ComparedTeachers, kind_of
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.evaluation import measure, test_images
from keras_snnkd.run.given_teacher import load_teacher
from keras_snnkd.run.plan import ALONE, STUDENTS_TWIN
from keras_snnkd.run.recipes.recipe import ITSELF, TWIN
from keras_snnkd.run.watching.attempt import attempt, reason
from keras_snnkd.run.watching.progress import Counter, Finished, Stopwatch, working
from keras_snnkd.training.ctrl_c import raise_if_heard

MEASURED = "measured.json"
"""In each seed's folder: what was measured of each arm, so that nothing is measured twice."""


class Comparison(Experiment):
    """The student alone and under each of several methods, all with the same seeds, in one folder.

    Teachers are trained once. Every arm starts from the same initial weights as the student alone of that seed (unless its method says
    where to start; then the student alone with that start is an arm too) and sees the same batches. The folder gets `recipe.json`, the
    teachers' stages, for each seed a folder `seed<n>` with a stage for each arm, `results.json`, `report.html`, and the table as
    `comparison.csv` and `comparison.tex`. An arm that fails is told in the notes, and the others go on.

    Each method has a teacher of its paper's kind: `teacher_ann` is an ordinary network, for those that have one or take any, `teacher` a
    spiking one, for those that need spikes and for objectives by themselves. They come with the package where they can, and are trained
    otherwise. With `teacher_neuron` one kind is asked for, and a file is what it is; the table says which methods have another than
    in their papers.

    With `rates` and `weights` every arm first tries these learning rates with the first seed, then these factors of its objectives'
    weights; the student alone, which has none, tries as many rates more. What does best on validation images is taken for all seeds, and
    the arms stand in folders of their settings, `seed<n>/rate<r>_weight<w>`.

    With `compress` every arm's student goes through these ways to become cheaper too, and what it is after each of them is an arm of its
    own, such as `hinton_stds`: which method's student loses least.

    Args:
        recipe: With mode `"compare"`.
        folder, console, command: See `Experiment`.

    Example:
        >>> recipe = kd.Recipe(mode="compare", objectives=["hinton", "tks"], seeds=3)
        >>> results = kd.comparison.Comparison(recipe, "runs/compared").run()
    """

    may_change = (*Experiment.may_change, "objectives", "seeds", "rates", "weights")

    setting: Setting | None = None
    """What the arms are trained with, where they choose for themselves."""

    @functools.cached_property
    def problems(self) -> dict[str, str]:
        """Why stages are left out, by name."""
        return {}

    @functools.cached_property
    def results(self) -> dict[Path, StageResult]:
        """Of all stages so far, by their folders."""
        return {}

    @functools.cached_property
    def tried(self) -> dict[str, dict[Setting, float]]:
        """Validation accuracies of the settings that each arm has tried, by arm."""
        return {}

    @functools.cached_property
    def _entries(self) -> dict[str, Any]:
        """What the recipe says of the arms, by their names."""
        return names_of(self.recipe.objectives, self.folder)

    @functools.cached_property
    def arms(self) -> dict[str, Method]:
        """The methods by the names of their arms."""
        found: dict[str, Method] = {}
        for name, entry in self._entries.items():
            method = methods.combine([entry], self.recipe.label_weight)
            first = method.first or tuple(self.recipe.first_objectives or ())
            found[name] = dataclasses.replace(method, start=self.recipe.student_start or method.start, first=first)
        return found

    @functools.cached_property
    def controls(self) -> dict[str, tuple[str, str]]:
        """Arms that start as a method does, without its objectives, by name: what of a gain is the start alone."""
        starts = dict.fromkeys(map(_start_of, self.arms.values()))
        seen: collections.Counter[str] = collections.Counter()
        found = {}
        for kind, first in starts:
            if kind != methods.STARTS[0]:
                seen[kind] += 1
                found[f"alone_{kind}" if seen[kind] == 1 else f"alone_{kind}_{seen[kind]}"] = kind, first
        return found

    @property
    def seeds(self) -> range:
        """The seeds of every arm."""
        return range(self.recipe.seed, self.recipe.seed + self.recipe.seeds)

    @functools.cached_property
    def teachers(self) -> ComparedTeachers:
        """Which teacher each method has."""
        return ComparedTeachers(self.recipe, self.arms.values())

    def stages(self) -> list[Stage]:
        """The stages of teachers that are trained here."""
        return self.teachers.stages(self.plan)

    @property
    def _names(self) -> list[str]:
        """Of all arms, the student alone first."""
        return [ALONE, *self.controls, *self.arms]

    def _and_cheaper(self, names: Collection[str]) -> list[str]:
        """Arms, each with those that its student becomes behind it."""
        return [one for name in names for one in (name, *compression.stage_names((self.recipe.compress or []), name))]

    def _cheaper_stages(self, names: Collection[str]) -> list[Stage]:
        """What the students of some arms go through."""
        return [stage for name in names for stage in self.plan.compressed(name, (self.recipe.compress or []), prefix=name)]

    def _arm_stages(self, teachers: Mapping[str, keras.Model], wanted: Collection[str] | None = None) -> list[Stage]:
        """Of one seed, that of the recipe: the student alone, then each arm with what it needs; or those of some arms."""
        wanted = self._names if wanted is None else wanted
        stages = {stage.name: stage for stage in self.plan.in_two_phases(ALONE) if ALONE in wanted}
        for name, method in self.arms.items():
            taught_by = self.teachers.name_for(method)
            teacher: Any = teachers.get(taught_by or "")
            file = {"file": self.teachers.files.get(taught_by, self.folder / taught_by / "model.keras")} if taught_by else {}
            if method.longer:
                teacher = functools.partial(models.with_timesteps, timesteps=method.longer * self.recipe.timesteps)
            start, arguments = self.plan.start(method.start, teacher, method.first, **(file if method.first else {}))
            control = next((name for name, start_of in self.controls.items() if start_of == _start_of(method)), None)
            if control and control in wanted:
                stages.update({stage.name: stage for stage in (*start, self.plan.student(control, **arguments))})
            if name not in wanted:
                continue
            assistants: list[Stage] = []
            if method.chain:
                teacher, assistants = self.plan.assistants(method, teacher, f"{name}_assistant")
            arm = self.plan.in_two_phases(name, method, teacher=teacher if method.needs_teacher else None, **arguments, **file)
            stages.update({stage.name: stage for stage in (*start, *assistants, *arm)})
        return self.plan.with_twin_alone(list(stages.values()))

    def _with(self, seed: int, setting: Setting | None = None) -> "Comparison":
        """The same comparison with the recipe and the data of one seed, and the setting of some arms."""
        one = copy.copy(self)
        one.recipe = dataclasses.replace(self.recipe, seed=seed)
        vars(one)["data"] = self.data.with_seed(seed, same_labels=bool(self.stages()))
        if setting:
            one.setting = setting
            one.recipe = dataclasses.replace(one.recipe, learning_rate=setting.rate)
            vars(one)["arms"] = {name: weighted(method, setting.weight) for name, method in self.arms.items()}
        return one

    def check(self) -> dict[str, Distiller]:
        """Build everything, train nothing; the distillers by stage, without those of methods that do not fit, which are told.

        Raises:
            KDError, ValueError: If a teacher or the student alone cannot be, or no method fits.
        """
        stages = self.stages()
        found = self._built(Chain(stages, self.folder)) if stages else {}
        teachers = {**{name: distiller.student for name, distiller in found.items()}, **self._from_file}
        arms = [*self._arm_stages(teachers), *self._cheaper_stages(self._names)]
        found.update(self._built(Chain(arms, self.folder), self._left_out))
        self._check_left()
        return found

    def _left_out(self, stage: Stage | StageResult, error: Exception) -> None:
        """Tell of a stage that is left out."""
        self._failed(stage.name, error)

    def _failed(self, name: str, error: Exception) -> None:
        if name in self.problems:
            return
        self.problems[name] = reason(error)
        self.console.print(f"{name} is left out: {self.problems[name]}", style="yellow", highlight=False, markup=False)

    def _check_left(self) -> None:
        """Raise if there is nothing left to compare."""
        if ALONE in self.problems:
            raise KDError(f"the student alone cannot be trained: {self.problems[ALONE]}")
        if set(self.arms) <= set(self.problems):
            raise KDError(f"no method is left to compare: {'; '.join(f'{name}: {self.problems[name]}' for name in self.arms)}")
        cheaper = [name for name in self._and_cheaper(self._names) if name not in self._names]
        if cheaper and set(cheaper) <= set(self.problems):
            raise KDError(f"no student can be made cheaper: {self.problems[cheaper[0]]}")

    @functools.cached_property
    def _from_file(self) -> dict[str, keras.Model]:
        """The trained teachers that are wanted, by name."""
        return {
            name: load_teacher(file, self.data, self.recipe, self.console, name)
            for name, file in self.teachers.files.items()
            if name in self.teachers.wanted
        }

    def run(self, resume: bool = False) -> dict[str, Any]:
        """Train every arm with every seed, measure and report.

        Args:
            resume: Whether to go on with what the folder holds; finished arms are not repeated. There may be other methods and more seeds
                than before, everything else has to be the same.

        Returns:
            What `report.html` shows, as plain data; also in `results.json`.

        Raises:
            KDError: For bad input, before training; if a teacher or the student alone cannot be trained; if every arm fails.
        """
        watch = Stopwatch()
        self._prepare()
        self._refuse(resume)
        self.check()
        folders = [f"seed{seed}" for seed in self.seeds]
        with self._at_work(resume, True, "results.json", "report.html", "comparison.csv", "comparison.tex", "logs", NAMES, *folders):
            self.recipe.save(self.folder / "recipe.json")
            keep(self._entries, self.folder)
            self.results.clear()
            with contextlib.ExitStack() as closing:
                teachers = self._train_teachers(resume, closing)
            chosen = self._choose(teachers)
            measured: dict[str, list[dict[str, Any]]] = {name: [] for name in self._and_cheaper(self._names)}
            gauge = Gauge(self.data)
            for number, seed in enumerate(self.seeds, start=1):
                for name, row in self._run_seed(number, seed, teachers, chosen, gauge).items():
                    measured[name].append({"seed": seed, **row})
                if ALONE in self.problems or not any(measured[name] for name in self.arms):
                    self._check_left()
            content = self._content(measured, teachers, chosen)
            content["seconds"] = watch.total(self.results.values())
            self._write(content)
            write_quoted(self.folder, content["comparison"])
        return content

    def _stages_trained_once(self) -> list[Stage]:
        """Those of teachers that are trained before the arms."""
        return self.stages()

    def _train_teachers(self, resume: bool, closing: contextlib.ExitStack) -> dict[str, keras.Model]:
        stages = self._stages_trained_once()
        if not stages:
            return self._from_file
        titles = {stage.name: f"[teacher {index}/{len(stages)}] {stage.name}" for index, stage in enumerate(stages, start=1)}
        results = Chain(stages, self.folder).run(self.data, resume, lambda stage: self._callbacks(stage, titles[stage.name], closing))
        self._keep(results)
        return {**{name: result.model for name, result in results.items()}, **self._from_file}

    def _keep(self, results: Mapping[str, StageResult]) -> None:
        """Remember how stages came about; those that have been trained in this process stay as they are."""
        for result in results.values():
            self.results.setdefault(result.folder, dataclasses.replace(result, model=None))

    def _choose(self, teachers: Mapping[str, keras.Model]) -> dict[str, Setting]:
        """The settings with which each arm does best on validation images with the first seed; nothing if the recipe does not ask."""
        rates, weights = self.recipe.rates or [], self.recipe.weights or []
        if not rates and not weights:
            return {}
        names = [name for name in self._names if name not in self.problems]
        self.tried.update({name: {} for name in names})
        for setting in first_trials(rates or [self.recipe.learning_rate]):
            self._try(setting, names, teachers)
        further = collections.defaultdict(list)
        for name in filter(self.tried.get, names):
            tried = [setting.rate for setting in self.tried[name]]
            for setting in more_trials(best_of(self.tried[name]), weights, name in self.arms, tried):
                further[setting].append(name)
        for setting, some in further.items():
            self._try(setting, some, teachers)
        for name in names:
            if not self.tried[name]:
                self._failed(name, KDError("it could be trained at none of the learning rates"))
        self._check_left()
        return {name: best_of(found) for name, found in self.tried.items() if found}

    def _try(self, setting: Setting, names: list[str], teachers: Mapping[str, keras.Model]) -> None:
        """Train some arms with a setting and the first seed, and keep what they have on validation images."""

        def failed(stage: Stage | StageResult, error: Exception) -> None:
            self.console.print(f"{stage.name}, {setting.name}: {reason(error)}", style="yellow", highlight=False, markup=False)

        results = self._with(self.recipe.seed, setting)._train_arms(names, f"[{setting.name}] {{}}", teachers, failed)
        for name in names:
            if name in results:
                self.tried[name][setting] = results[name].record["validation_accuracy"]

    def _run_seed(
        self, number: int, seed: int, teachers: Mapping[str, keras.Model], chosen: Mapping[str, Setting], gauge: Gauge
    ) -> dict[str, dict[str, Any]]:
        """Train all arms with one seed, each as it has chosen; what was measured, by arm."""
        names = [name for name in self._names if name not in self.problems]
        together = collections.defaultdict(list)  # a chain of arms for each setting
        for name in names:
            together[chosen.get(name)].append(name)
        results: dict[str, StageResult] = {}
        for setting, some in together.items():
            title = f"[seed {number}/{self.recipe.seeds}] {{}}"
            results.update(self._with(seed, setting)._train_arms(some, title, teachers, self._left_out, cheaper=True))
        names = [name for name in self._and_cheaper(names) if name in results]
        return self._measured(self.folder / f"seed{seed}", {name: results[name] for name in names}, gauge)

    def _train_arms(
        self, names: Collection[str], title: str, teachers: Mapping[str, keras.Model], failed: Failed, cheaper: bool = False
    ) -> dict[str, StageResult]:
        """Train some arms with the recipe's seed, and perhaps make their students cheaper; the results of all their stages."""
        folder = self.folder / f"seed{self.recipe.seed}"
        if self.setting:
            folder /= self.setting.name
        stages = [*self._arm_stages(teachers, names), *(self._cheaper_stages(names) if cheaper else [])]
        stages = [stage for stage in stages if stage.name not in self.problems]
        counter = Counter("{}: teacher's outputs, {:,} of {:,} images", self.console)

        def callbacks(stage: Stage) -> list[keras.callbacks.Callback]:
            counter.close()
            self._say_outlook(stage, folder)
            index = stages.index(stage) + 1
            return [self._health(), Finished(f"{title.format(stage.name)} ({index} of {len(stages)})", self.console)]

        def tell(stage: Stage, done: int, total: int) -> None:
            counter(title.format(stage.name), done, total)

        try:
            results = Chain(stages, folder).run(self.data, True, callbacks, tell, failed=failed)
        finally:
            counter.close()
        self._keep(results)
        return results

    def _called(self, teacher: keras.Model) -> str:
        return f"the {kind_of(teacher)} teacher"

    @property
    def _title(self) -> str:
        return f"{len(self.arms)} method{'s' if len(self.arms) > 1 else ''} compared"

    def _measured(self, folder: Path, trained: Mapping[str, StageResult], gauge: Gauge) -> dict[str, dict[str, Any]]:
        """What was measured of the arms of one seed, now or before, by arm."""
        path = folder / MEASURED
        before = measured_before(path)
        for name, result in trained.items():
            digest = sha256(result.folder / "model.keras")
            if before.get(name, {}).get("sha256") != digest:
                record = {field: result.record[field] for field in ("validation_accuracy", "seconds", "parameters", "loss")}
                try:
                    before[name] = {"sha256": digest, **self._gauged(name, result.model, gauge), **record}
                except Exception as error:  # the others are measured all the same
                    raise_if_heard(error)
                    self._left_out(result, error)
        write_json(path, before, signed=True)
        return {name: before[name] for name in trained if name not in self.problems}

    def _gauged(self, name: str, model: keras.Model, gauge: Gauge) -> dict[str, Any]:
        """What one arm does on the test set; of a student that was made cheaper also what it costs."""
        if name in self._names:
            return gauge(model)
        row, _ = measure(model, self.data)
        on_device = compression.on_device(model, *test_images(self.data), self.recipe.compress or [])
        return {**row, **compression.costs(model, row), **on_device}

    def _content(self, measured: Any, teachers: dict[str, keras.Model], chosen: Mapping[str, Setting]) -> dict[str, Any]:
        rows = []
        notes = [f"{name} is left out, or has fewer seeds: {why}" for name, why in self.problems.items()]
        for name, model in teachers.items():
            label = IN_PAPERS[TWIN] if name == STUDENTS_TWIN else f"{kind_of(model)} teacher"
            row = {"accuracy": None, "parameters": model.count_params(), "timesteps": None}
            with working(f"measuring {name}", self.console), attempt(f"{label} was not measured", notes):
                row, _ = measure(model, self.data)
            notes += [f"{label}, {note}" for note in row.get("notes", ())]
            rows.append({"name": name, "role": "teacher", "label": label, "taught_by": None, **row})
        notes += self._warnings
        notes += filter(None, (self.teachers.note(method, teachers) for method in self.arms.values()))
        for name, setting in chosen.items():
            if edge := edge_of(self.tried[name]):
                why = f"{setting.rate:g}; one beyond it may be better (--rates, with --resume)"
                notes.append(f"{name} does best at the {edge} of its learning rates, {why}")
        facts: dict[str, dict[str, Any]] = {}
        for name, method in self.arms.items():
            teacher = self.teachers.name_for(method) if method.needs_teacher else None
            taught_by = ITSELF if not teacher else "ANN twin" if teacher == STUDENTS_TWIN else kind_of(teachers[teacher])
            facts[name] = {"taught_by": taught_by, "trust": method.trust if method.source else None, "source": method.source or None}
        for name in self._names:
            for stage in self._cheaper_stages([name]):
                facts[stage.name] = {"taught_by": stage.teacher}
        for name, setting in chosen.items():
            weight = setting.weight if name in self.arms else None
            for one in self._and_cheaper([name]):
                facts.setdefault(one, {}).update(learning_rate=setting.rate, weight=weight)
        compared = [{**row, **facts.get(row["name"], {})} for row in ranked(measured)]
        trials = [
            {"arm": name, **setting._asdict(), "validation_accuracy": accuracy, "chosen": setting == chosen.get(name)}
            for name, tried in self.tried.items()
            for setting, accuracy in tried.items()
        ]
        return {
            **self._about(self._title),
            "models": rows,
            "comparison": compared,
            **({"trials": trials} if trials else {}),
            "notes": notes,
        }


def _start_of(method: Method) -> tuple[str, str]:
    """How a method's student starts, and in words what it learns before there are labels."""
    return method.start, repr(method.first)
