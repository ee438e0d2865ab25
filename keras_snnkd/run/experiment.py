"""From a recipe to finished models, measured and exported: the one place that turns names into objects."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_snnkd import data as datasets
from keras_snnkd import models, report
from keras_snnkd.data.series import statistics
from keras_snnkd.distill import methods, objectives, teachers
from keras_snnkd.distill.chain import Chain, StageResult
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import DifferentSizesError, ExportError, KDError, OutputError, ShapeError
from keras_snnkd.files.lock import taking_part
from keras_snnkd.files.manifest import RUN, Manifest, claimed
from keras_snnkd.files.padding import lengths
from keras_snnkd.files.staging import UNFINISHED, sha256, write_json
from keras_snnkd.run.attempt import attempt, reason
from keras_snnkd.run.card import read_card
from keras_snnkd.run.evaluation import describe_data, export_checked, machine, measure, raster, versions
from keras_snnkd.run.health import TrainingHealth
from keras_snnkd.run.modes import Mode
from keras_snnkd.run.outlook import outlook, warnings_of
from keras_snnkd.run.progress import Counter, Progress, Stopwatch, working
from keras_snnkd.run.recipe import ITSELF, Recipe, is_file, teacher_file
from keras_snnkd.run.terminal import make_console
from keras_snnkd.training import strategy
from keras_snnkd.training.determinism import make_deterministic

ALONE = "student_alone"
"""The stage of the student that learns from labels alone."""

ALONE_TWIN = "student_alone_twin"
"""The stage of the ANN twin that learns from labels."""

WATCHED_IMAGES = 64
"""Validation images on which the layers are looked at after each epoch."""

EXPORT_LATER = (
    "no files were exported, since TensorFlow writes them. Run the same command with KERAS_BACKEND=tensorflow and --resume: "
    "it keeps what is trained, and exports it"
)


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

    may_change: ClassVar[tuple[str, ...]] = ("strategy", "on_problem", "data_dir")
    """Settings that do not change what is trained, so that a run may go on with others."""

    def __init__(self, recipe: Recipe, folder: str | Path, console: Any = None, command: str = "", data: Any = None) -> None:
        self._in_memory = data
        if data is not None:
            recipe = dataclasses.replace(recipe, dataset=data.name if isinstance(data, datasets.Data) else datasets.IN_MEMORY)
        self.recipe = recipe.resolved()
        self.console = console or make_console()
        if self.recipe.batch_size is None or Path(self.recipe.dataset).is_dir():  # which is data of one's own
            batch_size = self.data.batch_size  # reading the data may set `resize`
            self.recipe = dataclasses.replace(self.recipe, batch_size=batch_size)
        self.folder = Path(folder)
        self.command = command
        self.outlook: list[str] = []  # what is said before the first student is distilled

    @functools.cached_property
    def data(self) -> datasets.Data:
        """The data set."""
        r = self.recipe
        if isinstance(self._in_memory, datasets.Data):
            size = self._in_memory.batch_size if r.batch_size is None else r.batch_size
            return dataclasses.replace(self._in_memory, batch_size=size, augment=r.augment, mixup=r.mixup, seed=r.seed)
        try:
            return self._load()
        except DifferentSizesError:
            resize = _size_for(r.teacher)
            if resize is None:
                raise
        self.console.print(f"the pictures differ in size; all are brought to {resize}, which the teacher takes", highlight=False)
        self.recipe = dataclasses.replace(r, resize=resize)
        return self._load()

    def _load(self) -> datasets.Data:
        r = self.recipe
        return datasets.load(
            r.dataset if self._in_memory is None else self._in_memory,
            batch_size=r.batch_size,
            augment=r.augment,
            mixup=r.mixup,
            seed=r.seed,
            data_dir=r.data_dir,
            limit=r.limit,
            resize=r.resize,
            keep_aspect=r.keep_aspect,
        )

    def stages(self) -> list[Stage]:
        """The stages of the recipe's mode, in order."""
        r = self.recipe
        alone = self._in_two_phases(ALONE)
        if r.mode == Mode.BASELINE:
            return alone
        method = methods.combine(r.objectives, r.label_weight)
        if r.mode == Mode.DISTILL and not method.needs_teacher and r.student_start != "shrunk":
            start, arguments = self._start(r.student_start, None)
            return [*alone, *start, *self._in_two_phases("student_distilled", method, **arguments)]
        teacher, stages = self._teacher()
        if r.mode == Mode.TEACHER:
            return stages
        start, arguments = self._start(r.student_start, teacher)
        distilled = functools.partial(self._in_two_phases, "student_distilled", method, **arguments)
        if r.mode == Mode.DISTILL:
            return [*stages, *alone, *start, *distilled(teacher=teacher)]
        above, assistants = self._assistants(method, teacher)
        direct = self._in_two_phases("student_direct", method, teacher=teacher, **arguments)
        return [*stages, *assistants, *alone, *start, *direct, *distilled(teacher=above)]

    def _in_two_phases(self, name: str, method: Any = None, **more: Any) -> list[Stage]:
        """The student's stage, alone or with a method, and before it that of its ANN twin, if the recipe asks for one."""
        r = self.recipe
        stage = functools.partial(self._student, name) if method is None else functools.partial(self._taught, name, method)
        if not r.twin_epochs or "start_from" in more:
            return [stage(**more)]
        twin = functools.partial(self._student, spec={**models.specification(r.student), "neuron": "relu"}, epochs=r.twin_epochs)
        if method is None:
            return [twin(ALONE_TWIN), stage(**more, start_from=ALONE_TWIN)]
        taught = [objective for objective in method.objectives if teaches_twin(objective)]
        if not taught or isinstance(more.get("teacher"), functools.partial):
            return [stage(**more, start_from=ALONE_TWIN)]  # nothing in the method can teach a network without time steps
        label_weight = method.label_weight or 1.0  # where labels of single steps take the place of the label loss, the twin has that
        first = twin(f"{name}_twin", objectives=taught, label_weight=label_weight, **more)
        return [first, stage(**more, start_from=first.name)]

    def _student(self, name: str, **more: Any) -> Stage:
        """The student, alone if `more` does not say more."""
        r = self.recipe
        return self._stage(name, **{"spec": r.student, "epochs": r.epochs, "rate": r.learning_rate, "cache_views": r.cache or None, **more})

    def _taught(self, name: str, method: Any, **more: Any) -> Stage:
        """The student, or another model in its place, trained by a method."""
        loss = {"objectives": method.objectives, "label_weight": method.label_weight}
        return self._student(name, gradient=method.gradient, **loss, **more)

    def _assistants(self, method: Any, teacher: Any, name: str = "assistant") -> tuple[Any, list[Stage]]:
        """The last assistant's name, and the stages of all of them."""
        stages: list[Stage] = []
        for number, spec in enumerate(self.recipe.assistants, start=1):
            mark = "" if len(self.recipe.assistants) == 1 else str(number)
            stages.append(self._taught(f"{name}{mark}", method, spec=spec, teacher=teacher))
            teacher = stages[-1].name
        return teacher, stages

    def _start(self, start: str, teacher: Any) -> tuple[list[Stage], dict[str, Any]]:
        """The stages that a student's start needs, and more arguments of its own stage."""
        if start == "ann_twin":
            twin = {**models.specification(self.recipe.student), "neuron": "relu"}
            return [self._student("student_ann", spec=twin)], {"start_from": "student_ann"}
        return [], ({"start_from": teacher, "transfer": models.shrink_weights} if start == "shrunk" else {})

    def _teacher(self) -> tuple[Any, list[Stage]]:
        """The teacher as a stage's name, a loaded model or a function of the student, and the stages that train it."""
        r = self.recipe
        if r.teacher == ITSELF:
            return functools.partial(models.with_timesteps, timesteps=r.teacher_timesteps), []
        if teacher_file(r):
            return self._trained_teacher, []
        stage = functools.partial(self._teacher_stage, neuron=r.teacher_neuron)
        if r.teacher_start == "scratch" or r.teacher_neuron == "relu":
            return "teacher", [stage("teacher", epochs=r.teacher_epochs, stop=r.teacher_stop)]
        twin = stage("teacher_ann", spec={**models.specification(r.teacher), "neuron": "relu"}, epochs=r.ann_epochs)
        return "teacher", [twin, stage("teacher", epochs=r.teacher_epochs, stop=r.teacher_stop, start_from="teacher_ann")]

    def _teacher_stage(self, name: str, **more: Any) -> Stage:
        """A teacher, or its twin."""
        r = self.recipe
        common = {"timesteps": r.teacher_timesteps, "rate": r.teacher_learning_rate, "label_smoothing": r.label_smoothing}
        return self._stage(name, **{"spec": r.teacher, **common, **more})

    @functools.cached_property
    def _trained_teacher(self) -> keras.Model:
        return load_teacher(teacher_file(self.recipe), self.data, self.recipe, self.console)

    def _stage(
        self,
        name: str,
        *,
        spec: Any,
        epochs: int,
        rate: float,
        neuron: str | None = None,
        timesteps: int | None = None,
        file: Any = None,
        gradient: str = "bptt",
        **more: Any,
    ) -> Stage:
        """A stage; `file` is where its teacher, a model, comes from, or will be once it is trained."""
        r = self.recipe
        spec = models.specification(spec)
        chosen = {"neuron": spec.get("neuron", neuron or r.neuron), "timesteps": spec.get("timesteps", timesteps or r.timesteps)}

        def make() -> keras.Model:
            with _policy(r.precision):
                return build_for(self.data, {**spec, **chosen}, name)

        settings: dict[str, Any] = {
            "model": {**spec, **chosen},
            "precision": r.precision,
            "augment": r.augment,
            "data": self.data.fingerprint,
        }
        if r.mixup:
            settings["mixup"] = r.mixup
        if isinstance(more.get("teacher"), keras.Model):
            file = file or teacher_file(r)
            settings["teacher_sha256"] = sha256(file) if file and file.exists() else None
            if (r.teacher_outputs, r.teacher_scale) != ("auto", "auto"):
                settings["teacher_form"] = [r.teacher_outputs, r.teacher_scale]
        if isinstance(more.get("teacher"), functools.partial):
            settings["teacher_timesteps"] = more["teacher"].keywords["timesteps"]
        course: dict[str, Any] = {"optimizer": r.optimizer, "schedule": r.schedule, "weight_decay": r.weight_decay}
        common = {
            **course,
            "gradient": r.gradient or gradient,
            "weight_bits": r.weight_bits,
            "labels": r.labels,
            "seed": r.seed,
            "settings": settings,
        }
        return Stage(name, make, epochs=epochs, learning_rate=rate, **common, **more)

    def check(self) -> dict[str, Distiller]:
        """Build everything, train nothing; the distillers by stage."""
        return Chain(self.stages(), self.folder).check(self.data.steps_per_epoch)

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
            chain.check(self.data.steps_per_epoch)
        with self._at_work(resume, chief, "results.json", "report.html", "export", "logs"):
            with strategy.scope(devices):
                results = self._train(chain, resume)
            if not chief:
                return {}
            trained = {name: (result.model, result.record, result.history) for name, result in results.items()}
            if devices:  # here each model runs on one device, by itself
                self.__dict__.pop("_trained_teacher", None)
                trained = {name: (models.load(results[name].folder / "model.keras"), *rest) for name, (_, *rest) in trained.items()}
            if any(isinstance(stage.teacher, keras.Model) for stage in stages):
                trained = {"teacher": (self._trained_teacher, {}, []), **trained}
            content = self._measure(trained)
            content["seconds"] = watch.total(results.values())
            self._write(content)
        refused = [note for note in content["notes"] if note.startswith(f"{content['models'][-1]['label']}: ")]
        if refused:  # of the models above the last student, exported for comparison, a note is enough
            self.console.print(report.table(content["models"]))
            raise ExportError(f"{refused[0]} Everything else is in {self.folder / 'report.html'}")
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

            results = chain.run(self.data, resume, callbacks, progress)
        if strategy.is_chief():
            self.recipe.save(written)
        return results

    def _prepare(self) -> None:
        """What holds for the whole process; and what came is said back."""
        for line in datasets.describe(self.data):
            self.console.print(line, highlight=False, markup=False)
        if self.recipe.deterministic:
            make_deterministic(self.recipe.seed)

    def _health(self) -> TrainingHealth:
        """Watches a stage on the first validation images."""
        return TrainingHealth(np.asarray(next(iter(self.data.validation))[0])[:WATCHED_IMAGES], self.recipe.on_problem)

    def _export(self, model: keras.Model, name: str, notes: list[str]) -> tuple[dict[str, Any], list[Any]]:
        """Export one model; without 8-bit weights, and with a note, where these change too many predictions. Nothing without TensorFlow."""
        if keras.backend.backend() != "tensorflow":
            if EXPORT_LATER not in notes:
                notes.append(EXPORT_LATER)
            return {}, []
        for quantizations in (("float32", "dynamic"), ("float32",)):
            try:
                return export_checked(model, self.data, self.folder, name, quantizations)
            except OutputError:
                raise
            except Exception as error:  # whatever converters and runtimes raise
                notes.append(f"{name.replace('_', ' ')}: {reason(error)}")
                if not isinstance(error, ExportError):
                    break
        return {}, []

    def _callbacks(self, stage: Stage, title: str, closing: contextlib.ExitStack) -> list[keras.callbacks.Callback]:
        if not strategy.is_chief():
            return []
        self._say_outlook(stage, self.folder)
        progress = Progress(title, self.console)
        closing.callback(progress.close)
        return [self._health(), progress, keras.callbacks.TensorBoard(str(self.folder / "logs" / stage.name), write_graph=False)]

    def _say_outlook(self, stage: Stage, folder: Path) -> None:
        """Before the first student is distilled, say how far its teacher is ahead of the student alone, and what that means."""
        alone = folder / ALONE
        if self.outlook or not stage.objectives or stage.teacher is None or stage.teaches_itself or not (alone / "stage.json").exists():
            return
        teacher = stage.teacher if isinstance(stage.teacher, keras.Model) else models.load(folder / str(stage.teacher) / "model.keras")
        student = models.load(alone / "model.keras")
        images, labels = self.data.labelled(self.recipe.labels).train_arrays
        shown = slice(0, len(self.data.validation_arrays[1]))
        training = dataclasses.replace(self.data, validation_arrays=(images[shown], labels[shown])).validation
        before = [_accuracy(teacher, self.data.validation), _accuracy(student, self.data.validation), _accuracy(student, training)]
        self.outlook.extend(outlook(*before))
        for line in self.outlook:
            self.console.print(line, style="yellow" if line.startswith("warning") else None, highlight=False, markup=False)

    def _about(self, what: str) -> dict[str, Any]:
        """What every page of results begins with."""
        return {
            "title": f"{self.data.name}: {what}",
            "dataset": describe_data(self.data),
            "command": self.command,
            "recipe": self.recipe.to_dict(),
            "machine": machine(),
            "versions": versions(),
        }

    def _measure(self, trained: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        rows, activity, exports = [], {}, []
        notes = warnings_of(self.outlook)
        last = list(trained)[-1]
        for name, (model, record, _) in trained.items():
            row = {"accuracy": None, "parameters": model.count_params(), "timesteps": None}
            with working(f"measuring {name}", self.console), attempt(f"{name.replace('_', ' ')} was not measured", notes):
                row, activity[name] = measure(model, self.data)
            with working(f"exporting {name}, and running its files on the test images", self.console):
                files, found = self._export(model, name, notes)
            notes += [f"{name.replace('_', ' ')}, {note}" for note in row.get("notes", ())]
            taught_by = record.get("teacher") or ("itself" if record.get("objectives") else None)
            rows.append(
                {
                    "name": name,
                    "role": name.split("_")[0].rstrip("0123456789"),
                    "label": name.replace("_", " "),
                    "taught_by": taught_by,
                    **row,
                    **files,
                }
            )
            if rows[-1]["role"] == "teacher":
                seen, found_accuracy = teachers.Samples(*self.data.test_arrays), teachers.Adapted(model, accuracy=row["accuracy"])
                notes += filter(None, [teachers.told_of_ignorance(name, found_accuracy, seen)])
            rows[-1].update(validation_accuracy=record.get("validation_accuracy"), seconds=record.get("seconds"))
            exports += [{"model": name, **entry} for entry in found]
        shown = None
        with attempt("no image is shown as spikes", notes):
            shown = raster(trained[last][0], self.data, last)
        return {
            **self._about(self.recipe.mode),
            "models": rows,
            "histories": {name: _columns(history) for name, (_, _, history) in trained.items() if history},
            "activity": activity,
            "raster": shown,
            "exports": exports,
            "notes": notes,
        }


def _accuracy(model: keras.Model, batches: Any) -> float:
    """The share of right answers."""
    hits = [ops.convert_to_numpy(ops.argmax(model.predict_on_batch(x), axis=-1)) == np.asarray(y) for x, y in batches]
    return float(np.mean(np.concatenate(hits)))


def teaches_twin(objective: Any) -> bool:
    """Whether an objective can teach the student's ANN twin, which has no time steps."""
    made = objectives.get(objective)
    return made.uses_teacher and not made.needs_time


def load_teacher(file: Path, data: datasets.Data, recipe: Recipe, console: Any, name: str = "teacher") -> keras.Model:
    """A trained teacher from its file, as a model from the data's images to logits (see `keras_snnkd.adapt_teacher`).

    Raises:
        KDError: If the card beside it names another data set than `data`, or the teacher knows no more of the data than guessing does.
        FileFormatError: If it cannot be read; see `keras_snnkd.models.load`.
    """
    trained_on = ((read_card(file) or {}).get("dataset") or {}).get("name")
    if trained_on not in (None, data.name):
        raise KDError(
            f"the teacher {file} was trained on {trained_on}, and the students on {data.name}; give a teacher of {data.name}, or train one "
            "(--teacher train)"
        )
    scale = recipe.teacher_scale if trained_on is None else None  # one with our card was trained on this data
    samples = teachers.samples_of_data(data)
    found = teachers.adapted(models.load(file), recipe.teacher_outputs, scale, data.image_shape, samples, data.num_classes)
    for change in found.changes:
        console.print(f"teacher {file}: {change}", highlight=False, markup=False, soft_wrap=True)
    teachers.judge(str(file), found, samples)
    found.model.name = name
    return found.model


def _size_for(teacher: Any) -> str | None:
    """The size of the pictures that a teacher's file takes, as `Recipe.resize` has it; `None` if the teacher is no file or takes any."""
    shape = teachers.taken_shape(models.load(teacher)) if is_file(teacher) else None
    if shape is None or len(shape) != 3 or None in shape:
        return None
    return f"{shape[1]}x{shape[0]}"


def build_for(data: datasets.Data, spec: dict[str, Any], name: str) -> keras.Model:
    """A new model for a data set. One for series takes the steps of the series for its own, and the scale of the training part.

    Raises:
        UnknownNameError, ShapeError, ValueError: If the specification does not fit; see `keras_snnkd.models.build`.
    """
    if spec["builder"] != "SequenceNet":
        if data.is_series:
            raise ShapeError(f"{data.name} holds series {data.image_shape}, and {spec['builder']} takes images; take sequence:64,64")
        return models.build(spec, data.image_shape, data.num_classes, name=name)
    spec = {setting: value for setting, value in spec.items() if setting != "timesteps"}
    padded = bool((lengths(data.train_arrays[0]) < data.image_shape[0]).any()) if data.is_series else False
    model = models.build({"padded": padded, **spec}, data.image_shape, data.num_classes, name=name)
    model.get_layer("standardize").set_statistics(*statistics(data.train_arrays))
    return model


def check_folder(folder: Path, option: str = "--out") -> None:
    """Raise an `OutputError` now if a folder that the user chose with `option` cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=UNFINISHED, dir=folder) as probe:
            probe.write(b"\0" * 65536)
            probe.flush()
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}. Choose another folder ({option}), or free some space"
        ) from error


def check_resume(recipe: Recipe, folder: Path, resume: bool, may_change: Sequence[str]) -> None:
    """Raise a `KDError` if a folder holds a run, and it is not to go on or has other settings; those in `may_change` may differ.

    All fields of a recipe are compared. One of an earlier version, which has fewer, is filled in as if it were run today.
    """
    written = folder / "recipe.json"
    if not written.exists():
        return
    if not resume:
        raise KDError(f"{folder} holds a run already; go on with it (--resume) or choose another folder (--out)")
    before, now = Recipe.load(written).resolved().to_dict(), recipe.to_dict()
    kept = [name for name in now if name not in may_change]
    other = [f"{name} was {before.get(name)!r} and is now {now[name]!r}" for name in kept if before.get(name) != now[name]]
    if other:
        raise KDError(f"{folder} was made with other settings: {'; '.join(other)}. Use those again, or another folder (--out)")


@contextlib.contextmanager
def _policy(precision: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _columns(history: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """`[{"loss": 1}, {"loss": 2}]` to `{"loss": [1, 2]}`."""
    return {name: [row.get(name) for row in history] for name in dict.fromkeys(name for row in history for name in row)}
