"""From a recipe to finished models, measured and exported: the one place that turns names into objects."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from keras_snnkd import data as datasets
from keras_snnkd import graphs, models, report
from keras_snnkd.compress import ParetoFront
from keras_snnkd.distill.chain import Chain, Failed, StageResult
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import DifferentSizesError, ExportError, NothingToGainError, OutputError
from keras_snnkd.files.keras_file import check_model_file
from keras_snnkd.files.lock import taking_part
from keras_snnkd.files.manifest import RUN, Manifest, claimed
from keras_snnkd.files.samples import Samples, of_each
from keras_snnkd.files.staging import write_json
from keras_snnkd.layers.synapses import synapses
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.estimate import beyond_memory
from keras_snnkd.run.finished.evaluation import describe_data, machine, versions
from keras_snnkd.run.finished.measuring import Measuring, Trained
from keras_snnkd.run.given_teacher import load_teacher, lost_by_augmentation, size_for
from keras_snnkd.run.integers import check_integers, compared
from keras_snnkd.run.plan import ALONE, ALONE_TWIN, DISTILLED, RIVAL, Plan
from keras_snnkd.run.recipes.checks import has_teacher
from keras_snnkd.run.recipes.folder import check_folder, check_resume
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.recipes.recipe import Recipe, is_file, teacher_file
from keras_snnkd.run.watching.attempt import attempt
from keras_snnkd.run.watching.board import EpochBoard
from keras_snnkd.run.watching.health import TrainingHealth
from keras_snnkd.run.watching.outlook import measured, warnings_of
from keras_snnkd.run.watching.progress import Counter, Progress, Stopwatch, working
from keras_snnkd.run.watching.terminal import make_console
from keras_snnkd.training import strategy
from keras_snnkd.training.determinism import make_deterministic

OF_DATA = (
    "batch_size",
    "augment",
    "mixup",
    "seed",
    "data_dir",
    "limit",
    "resize",
    "keep_aspect",
    "window",
    "hop",
    "fold",
    "frames",
    "frames_by",
    "task",
    "tokens",
    "vocabulary",
    "unlabelled",
)
"""The settings of a recipe that `keras_snnkd.data.load` takes."""

FRONTS = "pareto"
"""Folder of the best epochs of each student."""

INTEGERS = "int8"
"""In a run's folder: the student and its ANN twin as files of integers, and how they came about."""

WATCHED_IMAGES = 64
"""Validation images on which the layers are looked at after each epoch."""


class Experiment:
    """One run of a recipe in one folder.

    The folder gets `recipe.json`, a folder for each stage, `logs/` for TensorBoard, `export/`, `results.json` and `report.html`. It is the
    run's own: it has to be new, empty, or that of the run to go on with, as its `manifest.json` tells.

    Args:
        recipe: What to do.
        folder: Where.
        console: A `rich.console.Console` for progress.
        command: The command line, for the report.
        data: Images in memory in place of the recipe's data set, as `keras_snnkd.data.load` takes them, or what that returned.

    Raises:
        KDError, ValueError: For a recipe that cannot be run.

    Example:
        >>> results = kd.experiment.Experiment(kd.Recipe(dataset="digits"), "runs/mine").run()
    """

    may_change: ClassVar[tuple[str, ...]] = ("strategy", "on_problem", "data_dir", "compress")
    """Settings that do not change what was trained, so that a run may go on with others."""

    def __init__(self, recipe: Recipe, folder: str | Path, console: Any = None, command: str = "", data: Any = None) -> None:
        self._in_memory = data
        if data is not None:
            recipe = dataclasses.replace(recipe, dataset=datasets.name_in_memory(data))
            if isinstance(data, datasets.Data):
                task = datasets.REGRESSION if data.gives_numbers else recipe.task
                recipe = dataclasses.replace(recipe, task=task)
        self.recipe = recipe.resolved()
        if is_file(self.recipe.teacher):  # before any data are read
            check_model_file(Path(str(self.recipe.teacher)))
        self.console = console or make_console()
        if self.recipe.batch_size is None or Path(self.recipe.dataset).is_dir():  # which is data of one's own
            batch_size = self.data.batch_size  # reading the data may set `resize`
            self.recipe = dataclasses.replace(self.recipe, batch_size=batch_size)
        self.folder = Path(folder)
        self.command = command
        self.outlook: dict[str, list[str]] = {}  # what is said before the first student is distilled, by teacher
        self.refused: dict[str, str] = {}  # by model, why not all of its files were written
        self.warned: list[str] = []  # what was said before anything was trained, and stands in the report too
        self.epochs: dict[str, int] = {}  # of the stages that were checked
        self.left_out: list[str] = []  # words that had nothing to gain when their turn came
        if is_file(self.recipe.teacher) and self.recipe.augment != "none" and has_teacher(self.recipe):
            self._spare_the_teacher(recipe)

    @functools.cached_property
    def data(self) -> datasets.Data:
        """The data set."""
        recipe = self.recipe
        if isinstance(self._in_memory, datasets.Data):
            size = self._in_memory.batch_size if recipe.batch_size is None else recipe.batch_size
            return dataclasses.replace(self._in_memory, batch_size=size, augment=recipe.augment, mixup=recipe.mixup, seed=recipe.seed)
        try:
            return self._load()
        except DifferentSizesError:
            resize = size_for(recipe.teacher)
            if resize is None:
                raise
        self.console.print(f"the pictures differ in size; all are brought to {resize}, which the teacher takes", highlight=False)
        self.recipe = dataclasses.replace(recipe, resize=resize)
        return self._load()

    def _load(self) -> datasets.Data:
        source = self.recipe.dataset if self._in_memory is None else self._in_memory
        return datasets.load(source, **{name: getattr(self.recipe, name) for name in OF_DATA})

    @property
    def plan(self) -> Plan:
        """What the stages of the recipe are, as the recipe is now."""
        return Plan(self.recipe, self.data, lambda: self._trained_teacher)

    def stages(self) -> list[Stage]:
        """The stages of the recipe's mode, in order."""
        return self.plan.stages()

    @functools.cached_property
    def _trained_teacher(self) -> keras.Model:
        file = teacher_file(self.recipe)
        assert file, "the plan asks for a trained teacher only where there is one"
        return load_teacher(file, self.data, self.recipe, self.console)

    def _spare_the_teacher(self, given: Recipe) -> None:
        """Leave out an augmentation that nobody asked for and that a given teacher cannot answer; warn of one that was asked for."""
        loss = lost_by_augmentation(self._trained_teacher, self.data)
        if self.recipe.strategy != "none":
            del self._trained_teacher  # which is built anew for the devices
        if not loss:
            return
        if given.augment is None:
            loss += f". So images are not augmented; --augment {self.recipe.augment} does it all the same"
            plain = dataclasses.replace(given, augment="none").resolved()
            self.recipe = dataclasses.replace(self.recipe, augment="none", cache=plain.cache)
            del self.data
        else:
            loss += ". Try --augment none, or a teacher that was trained with it"
        self.warned.append(loss)
        self.console.print(f"warning: {loss}", style="yellow", highlight=False, markup=False)

    def check(self) -> dict[str, Distiller]:
        """Build everything, train nothing; the distillers by stage.

        Raises:
            KDError, ValueError: If something does not fit, or a student that is to become integers has a layer without an 8-bit form.
        """
        return self._checked(Chain(self.stages(), self.folder))

    @property
    def _has_rivals(self) -> bool:
        """Whether the student's ANN twin is trained beside it, to be compared."""
        return self.recipe.rivals and self.recipe.mode == Mode.DISTILL

    def _built(self, chain: Chain, failed: Failed | None = None) -> dict[str, Distiller]:
        """What `Chain.check` builds; how long each stage trains is kept."""
        self.epochs.update({stage.name: stage.stop or stage.epochs for stage in chain.stages})
        return chain.check(self.data.steps_per_epoch, failed)

    def _checked(self, chain: Chain) -> dict[str, Distiller]:
        found = self._built(chain)
        for stage in filter(self._has_front, chain.stages):
            synapses(graphs.flat(found[stage.name].student))  # whose operations are counted after each epoch
        for name in (DISTILLED, RIVAL) if self._has_rivals else ():
            check_integers(found[name].student, self.data)
        return found

    def run(self, resume: bool = False) -> dict[str, Any]:
        """Train, measure, export and report.

        Args:
            resume: Whether to go on with what the folder holds.

        Returns:
            What `report.html` shows, as plain data; also in `results.json`. Of several workers only the chief has it, the others have `{}`.

        Raises:
            KDError: For bad input, before training; for a loss that diverges; for an export that does not do what the model does.
        """
        watch = Stopwatch()
        self._prepare()
        devices = strategy.get(self.recipe.strategy)
        chief = strategy.is_chief(devices)
        if chief:
            self._refuse(resume)
        with strategy.scope(devices):
            stages = self.stages()
            chain = Chain(stages, self.folder)
            built = self._checked(chain)
        if told := beyond_memory(built, self.data.batch_size):
            self.console.print(f"warning: {told}", style="yellow", highlight=False, markup=False)
        folders = [*([FRONTS] if self.recipe.pareto else []), *([INTEGERS] if self._has_rivals else [])]
        with self._at_work(resume, chief, "results.json", "report.html", "export", "logs", *folders):
            with strategy.scope(devices):
                results = self._train(chain, resume)
            if not chief:
                return {}
            finished = {stage.name for stage in stages if stage.trained_for.monitor is not None}  # others have learned no answers yet
            every, results = list(results.values()), {name: result for name, result in results.items() if name in finished}
            trained = {name: (result.model, result.record, result.history) for name, result in results.items()}
            if devices:  # here each model runs on one device, by itself
                self.__dict__.pop("_trained_teacher", None)
                trained = {name: (models.load(results[name].folder / "model.keras"), *rest) for name, (_, *rest) in trained.items()}
            if teacher_file(self.recipe) and any(isinstance(stage.teacher, keras.Model) for stage in stages):
                trained = {"teacher": (self._trained_teacher, {}, []), **trained}
            content = self._measure(trained)
            content.update(self._rivals(trained, content["notes"]))
            content["seconds"] = watch.total(every)
            self._write(content)
        refused = self.refused.get(content["models"][-1]["name"])
        if refused:  # of the models above the last student, exported for comparison, a note is enough
            self.console.print(report.table(content["models"]))
            raise ExportError(f"{refused} Everything else is in {self.folder / 'report.html'}")
        return content

    def _refuse(self, resume: bool) -> None:
        """Raise for a folder in which this run cannot be; nothing is written."""
        Manifest.of(self.folder, RUN)
        check_resume(self.recipe, self.folder, resume, self.may_change)

    @contextlib.contextmanager
    def _at_work(self, resume: bool, chief: bool, *names: str) -> Iterator[None]:
        """The run's folder, which is locked and gets these names; workers write to it under their chief's lock."""
        if not chief:
            with taking_part(self.folder):
                yield
            return
        with claimed(self.folder, RUN, self.command) as manifest:
            check_folder(self.folder)
            check_resume(self.recipe, self.folder, resume, self.may_change)  # again: another process may have begun meanwhile
            manifest.take("recipe.json", *names)
            manifest.clear_up()
            yield

    def _write(self, content: dict[str, Any]) -> None:
        """Write `results.json` and the page."""
        with working(f"writing {self.folder / 'report.html'}", self.console):
            try:
                page = self.folder / "report.html"
                notes: list[str] = []
                write_json(self.folder / "results.json", content)
                with attempt(f"{page} was not drawn; all figures are in results.json", notes):
                    report.write_report(page, content)
                if notes:
                    page.unlink(missing_ok=True)  # one of before would not belong to these results
                    content["notes"] += notes
            except OutputError:
                if content["models"]:
                    self.console.print(report.table(content["models"]))
                raise

    def _train(self, chain: Chain, resume: bool) -> dict[str, StageResult]:
        """The results of all stages."""
        written = self.folder / "recipe.json"
        if strategy.is_chief() and not written.exists():  # the recipe of a run that is there stays until the chain has accepted this one
            self.recipe.save(written)
        total = len(chain.stages)
        numbers = {stage.name: f"[{index}/{total}] {stage.name}" for index, stage in enumerate(chain.stages, start=1)}
        with contextlib.ExitStack() as closing:
            counter = Counter("{}: teacher's outputs, {:,} of {:,} images", self.console)
            closing.callback(counter.close)

            def callbacks(stage: Stage) -> list[keras.callbacks.Callback]:
                counter.close()
                return self._callbacks(stage, numbers[stage.name], closing)

            def progress(stage: Stage, done: int, total: int) -> None:
                counter(numbers[stage.name], done, total)

            results = chain.run(self.data, resume, callbacks, progress, failed=self._word_left_out)
        if strategy.is_chief():
            self.recipe.save(written)
        return results

    def _word_left_out(self, stage: Stage, error: Exception) -> None:
        """Tell of a word that has nothing to gain of what the words before it left, and of those behind it; any other error is raised."""
        behind = compression.stage_names(self.recipe.compress or [])[1:]
        if stage.name not in behind or not (self.left_out or isinstance(error, NothingToGainError)):
            raise error
        self.left_out.append(f"{stage.name.replace('_', ' ')} is left out: {error}. --resume goes on with other words of --compress")
        self.console.print(f"warning: {self.left_out[-1]}", style="yellow", highlight=False, markup=False)

    def _prepare(self) -> None:
        """What holds for the whole process; and what came is said back."""
        for line in datasets.describe(self.data):
            self.console.print(line, highlight=False, markup=False)
        if self.recipe.deterministic:
            make_deterministic(self.recipe.seed)

    def _health(self) -> TrainingHealth:
        """Watches a stage on the first validation images."""
        return TrainingHealth(self._watched(), self.recipe.on_problem)

    def _callbacks(self, stage: Stage, title: str, closing: contextlib.ExitStack) -> list[keras.callbacks.Callback]:
        if not strategy.is_chief():
            return []
        self._say_outlook(stage, self.folder)
        progress = Progress(title, self.console)
        closing.callback(progress.close)
        return [
            *self._front(stage),
            self._health(),
            progress,
            EpochBoard(str(self.folder / "logs" / stage.name)),
        ]

    def _has_front(self, stage: Stage) -> bool:
        """Whether the best epochs of a stage are kept: of students, where the recipe asks for that, and there are accuracies."""
        return self.recipe.pareto and stage.name.split("_")[0] == compression.STUDENT and stage.trained_for.monitor == "accuracy"

    def _front(self, stage: Stage) -> list[keras.callbacks.Callback]:
        """What keeps the best epochs of a student, if the recipe asks for that."""
        if not self._has_front(stage):
            return []
        return [ParetoFront(self.folder / FRONTS / stage.name, self._watched(), finish=stage.finished)]

    def _watched(self) -> Samples:
        """The validation images on which a student is looked at after each epoch."""
        return of_each(lambda values: np.asarray(values)[:WATCHED_IMAGES], next(iter(self.data.validation))[0])

    def _say_outlook(self, stage: Stage, folder: Path) -> None:
        """Before a teacher's first student is distilled, say how far it is ahead of the student alone, and what that means."""
        alone = folder / ALONE
        if self.data.gives_numbers or not (alone / "stage.json").exists():  # it is about accuracies
            return
        if not stage.objectives or stage.teacher is None or stage.teaches_itself:
            return
        name = stage.teacher.name if isinstance(stage.teacher, keras.Model) else str(stage.teacher)
        if name not in ("teacher", "teacher_ann") or name in self.outlook:  # assistants and twins are students themselves
            return
        teacher = stage.teacher if isinstance(stage.teacher, keras.Model) else models.load(folder / name / "model.keras")
        student = models.load(alone / "model.keras")
        twin = models.load(folder / ALONE_TWIN / "model.keras") if (folder / ALONE_TWIN / "stage.json").exists() else None
        given = is_file(self.recipe.teacher)
        self.outlook[name] = measured(teacher, student, twin, self.data, self.recipe.labels, given, self._called(teacher))
        for line in self.outlook[name]:
            self.console.print(line, style="yellow" if line.startswith("warning") else None, highlight=False, markup=False)

    def _called(self, teacher: keras.Model) -> str:
        """A teacher in words."""
        return "the teacher"

    @property
    def _warnings(self) -> list[str]:
        """What was said of teachers that have little to give."""
        return list(dict.fromkeys(line for lines in self.outlook.values() for line in warnings_of(lines)))

    def _about(self, what: str) -> dict[str, Any]:
        """What every page of results begins with."""
        return {
            "title": f"{self.data.name}: {what}",
            "dataset": describe_data(self.data),
            "command": self.command,
            "folder": self.folder.as_posix(),
            "recipe": self.recipe.to_dict(),
            "machine": machine(),
            "versions": versions(),
        }

    def _rivals(self, trained: Mapping[str, Trained], notes: list[str]) -> dict[str, Any]:
        """The student and its ANN twin as files of integers, and what they say, if the recipe asks for it; what fails is noted."""
        if not self._has_rivals:
            return {}
        students = {name: trained[name][0] for name in (DISTILLED, RIVAL)}
        with working("int8 files of the student and its ANN twin", self.console), attempt("the rival was not measured", notes):
            return compared(students, self.data, self.folder / INTEGERS, self.recipe.seed, self.recipe.labels, notes)
        return {}

    def _measure(self, trained: Mapping[str, Trained]) -> dict[str, Any]:
        notes = [*self.warned, *self._warnings, *self.left_out]
        measuring = Measuring(self.recipe, self.data, self.folder, self.console, notes)
        found = measuring.all_of(trained)
        self.refused = measuring.refused
        return {**self._about(self.recipe.mode), **found}
