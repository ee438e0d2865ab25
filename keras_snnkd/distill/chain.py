"""Chains of stages: teacher -> assistant -> student, and longer."""

import contextlib
import dataclasses
import functools
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd._types import Config
from keras_snnkd._version import __version__
from keras_snnkd.distill import schedules, teachers
from keras_snnkd.distill.cache import TeacherCache, remove_cache
from keras_snnkd.distill.callbacks import WeightSchedule
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.distill.distiller import LABEL, Distiller
from keras_snnkd.distill.divergence import Divergence
from keras_snnkd.distill.label_loss import gives_logits
from keras_snnkd.distill.moments import FreshMoments
from keras_snnkd.distill.objective import Objective
from keras_snnkd.errors import FileFormatError, KDError, OutputError, UnhealthyTrainingError, unknown_name
from keras_snnkd.files.lock import taking_part
from keras_snnkd.files.manifest import RUN, claimed
from keras_snnkd.files.staging import check_space, read_json, sha256, write_json
from keras_snnkd.training import optimizers, strategy
from keras_snnkd.training.feed import feed
from keras_snnkd.training.labels import LabelCrossEntropy, check_smoothing, label_accuracy
from keras_snnkd.weights.rounding import round_weights
from keras_snnkd.weights.transfer import copy_weights, load, restart_random_layers

CACHES = ".cache"
"""Folder of a run for teachers' outputs; no stage can have this name."""

FILES = "files"
"""In a finished stage's record: the SHA-256 of its files."""

_NOT_IN_EARLIER_RECORDS = {
    "transfer": copy_weights.__name__,
    "optimizer": "adamw",
    "schedule": "cosine",
    "label_smoothing": 0.0,
    "stop": None,
    "labels": 1.0,
    "teacher_outputs": "auto",
    "teacher_scale": "auto",
    "gradient": "bptt",
}
"""Settings that a stage's record leaves out at these values, as the records of earlier versions did."""

Failed = Callable[["Stage", Exception], None]
"""Told of a stage and its error."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One model to train, alone or with a teacher.

    Args:
        name: Of the stage and its folder; letters, digits, `_` and `-`.
        student: Makes the model to train, a functional model compiled or not. Called for the
            check before training, and again once the seed is set. With `transfer=None`, it makes it from the model of `start_from`.
        teacher: The name of an earlier stage, a model, or `None` to train by labels, and objectives that need no teacher. A function makes
            the teacher from the student, for self-distillation, such as `lambda student: with_timesteps(student, 8)`; it is not cached.
        objectives: Names or mappings for `keras_snnkd.objectives.get`, or objectives. A mapping's `weight` may be a schedule.
        label_weight: Factor of the label loss: a number, or a schedule such as `{"schedule": "ramp", "start": 1.0, "end": 0.3}` (see
            `keras_snnkd.distill.schedules`).
        epochs: Passes over the training data.
        learning_rate: The highest one; it falls to 0 over all epochs.
        optimizer: `"adamw"`, or `"sgd"` with Nesterov's momentum (see `keras_snnkd.training.optimizers`).
        schedule: How the learning rate goes: `"cosine"`, `"warmup_cosine"` or `"one_cycle"`.
        weight_decay: Of the optimizer, decoupled from the gradient.
        label_smoothing: Of the label loss, from 0 to less than 1; for teachers (see `keras_snnkd.training.labels`).
        stop: End after so many of the `epochs`, while the learning rate has not yet fallen to 0: a teacher that is stopped early often
            teaches better (Cho and Hariharan, ICCV 2019, arXiv:1910.01348). `None` for all epochs.
        weight_bits: 8 to round the trained weights to what an 8-bit file can hold (see `keras_snnkd.models.round_weights`); 32 to keep
            them as they are.
        start_from: An earlier stage's name, or a model, whose weights the student starts with, layer by layer of the same name.
        transfer: How these weights go over, a function of source and student; `keras_snnkd.models.copy_weights` by default. `None` for a
            student that is made from its source, such as by `keras_snnkd.models.quantize_aware`.
        cache_views: Train on so many augmented views of each image over and over, and compute the teacher's outputs on them once (see
            `TeacherCache`). `None` for new views in each epoch, and a teacher that runs in each step.
        gradient: `"bptt"`, `"rate"` or `"auto"`; see `Distiller`.
        labels: The share of training images whose labels are known, above 0 and at most 1. Without objectives a stage trains on these
            alone, as often as makes its epochs as long as the others'; with objectives on all of them.
        seed: Of initial weights.
        teacher_outputs, teacher_scale: Of a teacher that is a model: what it gives, and which images it takes; see `adapt_teacher`.
        settings: What else should be the same when the stage is resumed, as JSON: the student's specification, the data.

    Raises:
        ValueError: For an unusable name, epochs or cache_views below 1, a learning rate that is not above 0, weight_bits other than
            8 and 32, or `transfer=None` without `start_from`; for a label_smoothing or a stop that cannot be.
        UnknownNameError: For an unknown optimizer or schedule.
    """

    name: str
    student: Callable[..., keras.Model]
    teacher: str | keras.Model | Callable[[keras.Model], keras.Model] | None = None
    objectives: Sequence[Any] = ()
    label_weight: float | Mapping[str, Any] = 1.0
    epochs: int = 20
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    schedule: str = "cosine"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    stop: int | None = None
    weight_bits: int = 32
    start_from: str | keras.Model | None = None
    transfer: Callable[[keras.Model, keras.Model], Any] | None = copy_weights
    cache_views: int | None = None
    gradient: str = "bptt"
    labels: float = 1.0
    seed: int = 0
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    teacher_outputs: str = "auto"
    teacher_scale: str | Sequence[float] = "auto"

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"a stage's name is made of letters, digits, _ and -, got {self.name!r}")
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise ValueError(f"stage {self.name}: epochs must be a whole number above 0, got {self.epochs!r}")
        if not self.learning_rate > 0:
            raise ValueError(f"stage {self.name}: learning_rate must be greater than 0, got {self.learning_rate!r}")
        optimizers.check(self.optimizer, self.schedule)
        check_smoothing(self.label_smoothing)
        if self.stop is not None and (isinstance(self.stop, bool) or not isinstance(self.stop, int) or not 1 <= self.stop <= self.epochs):
            raise ValueError(f"stage {self.name}: stop must be one of its {self.epochs} epochs, or None for all, got {self.stop!r}")
        if self.weight_bits not in (8, 32):
            raise ValueError(f"stage {self.name}: weight_bits must be 8 or 32, got {self.weight_bits!r}")
        if self.transfer is None and self.start_from is None:
            raise ValueError(f"stage {self.name}: transfer=None makes the student from another model; name that in start_from")
        views = self.cache_views
        if views is not None and (isinstance(views, bool) or not isinstance(views, int) or views < 1):
            raise ValueError(f"stage {self.name}: cache_views must be a whole number above 0, or None for no cache, got {views!r}")

    def distiller(self, student: keras.Model, teacher: keras.Model | None, steps_per_epoch: int) -> Distiller:
        """The compiled distiller that trains this stage."""
        rate = optimizers.schedule(self.schedule, self.learning_rate, self.epochs * steps_per_epoch)
        objectives = [_fresh(o) if isinstance(o, Objective) else o for o in self.objectives]
        with warnings.catch_warnings():
            if self.teaches_itself:
                warnings.filterwarnings("ignore", "the student .* is not smaller than its teacher")
            given = isinstance(self.teacher, keras.Model)  # others were trained here, on this data
            form: dict[str, Any] = {"teacher_outputs": self.teacher_outputs, "teacher_scale": self.teacher_scale if given else None}
            distiller = Distiller(student, teacher, objectives, schedules.first(self.label_weight), gradient=self.gradient, **form)
        distiller.compile(
            optimizers.optimizer(self.optimizer, rate, self.weight_decay),
            LabelCrossEntropy(self.label_smoothing, from_logits=gives_logits(student)),
            metrics=[label_accuracy()],
        )
        return distiller

    @property
    def teaches_itself(self) -> bool:
        """Whether the teacher is made from the student."""
        return callable(self.teacher) and not isinstance(self.teacher, keras.Model)

    def find(self, role: str, models: Mapping[str, keras.Model], student: keras.Model | None) -> keras.Model | None:
        """The model in the role `"teacher"` or `"start_from"`; `models` are those of earlier stages."""
        model = getattr(self, role)
        if isinstance(model, str):
            return models[model]
        return model(student) if role == "teacher" and self.teaches_itself else model

    def start(self, models: Mapping[str, keras.Model]) -> keras.Model:
        """The student, with the weights that it starts with."""
        if self.transfer is None:
            return self.student(self.find("start_from", models, None))
        student = self.student()
        source = self.find("start_from", models, student)
        if source is not None:
            self.transfer(source, student)
        return student

    def shown(self, data: Any) -> Any:
        """What the stage sees of the data: so many views, and the labels that are known."""
        if self.labels != 1:
            data = data.partly_labelled(self.labels) if self.objectives else data.labelled(self.labels)
        return dataclasses.replace(data, views=self.cache_views) if self.cache_views else data

    @property
    def last_epoch(self) -> int:
        """How many epochs are trained."""
        return self.stop or self.epochs

    def weights_callback(self, distiller: Distiller) -> WeightSchedule:
        """The callback that moves the weights which are schedules."""
        moving = {o.name: o.weight_schedule for o in distiller.objectives if getattr(o, "weight_schedule", None)}
        return WeightSchedule({**moving, **({LABEL: self.label_weight} if isinstance(self.label_weight, Mapping) else {})})

    def record(self) -> dict[str, Any]:
        """The settings as plain data; two stages with equal records train alike."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("student", "objectives")}
        for role in ("teacher", "start_from"):
            fields[role] = fields[role].name if isinstance(fields[role], keras.Model) else fields[role]
        fields["teacher"] = "itself" if self.teaches_itself else fields["teacher"]
        fields["objectives"] = [o if isinstance(o, (str, dict)) else _described(o) for o in self.objectives]
        fields["transfer"] = self.transfer and self.transfer.__name__
        for name, default in _NOT_IN_EARLIER_RECORDS.items():
            if fields[name] == default:
                del fields[name]
        return json.loads(json.dumps(fields))


@dataclasses.dataclass(frozen=True)
class StageResult:
    """A finished stage: its model with the weights of the best validation epoch, and how it came about."""

    name: str
    model: keras.Model
    folder: Path
    history: list[dict[str, float]]
    record: dict[str, Any]
    seconds: float = 0.0
    """Of the training in this process; `record["seconds"]` counts those before an interruption too."""


class Chain:
    """Trains stages one after the other; later ones may learn from, or start from, earlier ones.

    Everything is built and checked before the first step of training. Each stage's folder `<folder>/<stage>` gets `model.keras`,
    `history.json` and `stage.json` (settings, versions, time, the teacher's sha256). Where an epoch has few steps, batch norms get their
    moments anew before each validation (see `FreshMoments`). On `resume`, finished stages are loaded and an
    interrupted one goes on after its last full epoch. Stages with the same teacher and `cache_views` share one `TeacherCache`, in
    `<folder>/.cache` until the chain has finished. Holds no training code of its own: every stage is a `Distiller`'s `fit`.

    The folder is the chain's own: a new or empty one, or one with the `manifest.json` of a run. While a process trains in it, another one
    is refused.

    In the scope of a `tf.distribute` strategy every stage trains on all its devices (see `keras_snnkd.strategy`). Of several workers all
    run the same chain in one folder that all of them see, and the chief writes to it; the models of the results belong to the strategy.

    Args:
        stages: In order.
        folder: Of the run.
        cache_taps: More of the teachers' taps for the `TeacherCache`, so that other chains in this folder can use it too.

    Raises:
        ValueError: If two stages share a name, or one refers to a stage that does not come before it.

    Example:
        >>> chain = kd.Chain(
        ...     [kd.Stage("teacher", make_teacher), kd.Stage("student", make_student, teacher="teacher", objectives=["soft_targets"])],
        ...     "runs/mine",
        ... )
        >>> results = chain.run(kd.data.load("digits"))
    """

    def __init__(self, stages: Iterable[Stage], folder: str | Path, cache_taps: Iterable[str] = ()) -> None:
        self.stages = list(stages)
        self.folder = Path(folder)
        self.cache_taps = set(cache_taps)
        if not self.stages:
            raise ValueError("a chain needs at least one stage")
        known: list[str] = []
        for stage in self.stages:
            for role in (stage.teacher, stage.start_from):
                if isinstance(role, str) and role not in known:
                    raise unknown_name(f"earlier stage, named by stage {stage.name!r}", role, known)
            if stage.name in known:
                raise ValueError(f"two stages are named {stage.name!r}")
            known.append(stage.name)
        self._teacher_taps: dict[str, list[str]] = {}

    def check(self, steps_per_epoch: int = 1, failed: Failed | None = None) -> dict[str, Distiller]:
        """Build every model and distiller with fresh weights, and throw whatever does not fit.

        Args:
            steps_per_epoch: Batches in an epoch.
            failed: Told of a stage that does not fit, which is left out then, with those that need it. By default its error is raised.

        Returns:
            The compiled distillers by stage, untrained; what `--dry-run` shows.

        Raises:
            KDError, ValueError: Whatever is wrong with a stage.
        """
        distillers: dict[str, Distiller] = {}
        for stage in self.stages:
            students = {name: distiller.student for name, distiller in distillers.items()}
            with _left_out(stage, failed):
                student = stage.start(students)
                distillers[stage.name] = stage.distiller(student, stage.find("teacher", students, student), steps_per_epoch)
        self._teacher_taps = {name: distiller.teacher_taps for name, distiller in distillers.items()}
        return distillers

    def run(
        self,
        data: Any,
        resume: bool = False,
        callbacks: Callable[[Stage], list[keras.callbacks.Callback]] = lambda stage: [],
        progress: Callable[[Stage, int, int], None] = lambda stage, done, total: None,
        keep_cache: bool = False,
        failed: Failed | None = None,
    ) -> dict[str, StageResult]:
        """Train all stages.

        Args:
            data: Has `training(initial_epoch)`, `steps_per_epoch` and `validation`, as `keras_snnkd.data.load` returns; for
                `cache_views` it must be such a `keras_snnkd.data.Data`. Also arrays `(x, y)`, or two `tf.data.Dataset`s
                `(train, validation)`; see `keras_snnkd.training.feed`.
            resume: Whether to go on with what the folder holds. Without it, the folder must hold no stage.
            callbacks: Makes more Keras callbacks for a stage, such as a `keras_snnkd.health.TrainingHealth`.
            progress: Told how many images, of how many, have the teacher's outputs for a stage, while these are computed.
            keep_cache: Whether the teachers' outputs stay when all stages have finished.
            failed: Told of a stage that fails; the others go on, without those that need it. By default its error is raised. A disk
                that cannot be written is the end in any case.

        Returns:
            The results by stage name.

        Raises:
            KDError: Before training, for what `check` finds, and for a folder that holds something else or in which another process is at
                work; during training, for a loss that diverges (what is finished stays).
        """
        data = feed(data, seed=self.stages[0].seed)
        if not self._teacher_taps:
            self.check(failed=failed)
        cached = [stage.name for stage in self.stages if stage.cache_views]
        if cached and not hasattr(data, "views"):
            raise KDError(f"cache_views of stage {cached[0]} needs data with views, as keras_snnkd.data.load returns, got {data!r}")
        with self._claimed(resume):
            results = self._run(data, resume, callbacks, progress, failed)
            if not keep_cache and strategy.is_chief():
                self._remove_caches()
        return results

    @contextlib.contextmanager
    def _claimed(self, resume: bool) -> Iterator[None]:
        """The folder, for the chief; the other workers write to it under the chief's lock."""
        if not strategy.is_chief():
            with taking_part(self.folder):
                yield
            return
        with claimed(self.folder, RUN) as manifest:
            manifest.take(*(stage.name for stage in self.stages), CACHES)
            if resume:
                manifest.clear_up()
            yield

    def _run(
        self,
        data: Any,
        resume: bool,
        callbacks: Callable[[Stage], list[Any]],
        progress: Callable[[Stage, int, int], None],
        failed: Failed | None,
    ) -> dict[str, StageResult]:
        if strategy.from_chief(not resume and any((self.folder / stage.name).exists() for stage in self.stages)):
            raise KDError(f"{self.folder} holds a run already; go on with it (--resume) or choose another folder (--out)")
        self._samples = teachers.samples_of_data(data)
        for stage in self.stages:
            with _left_out(stage, failed):
                self._judge_given(stage)
        results: dict[str, StageResult] = {}
        for stage in self.stages:
            if failed and stage.name not in self._teacher_taps:
                continue  # told by the check
            shown = stage.shown(data)
            with _left_out(stage, failed):
                results[stage.name] = self._train(stage, results, shown, resume, callbacks, functools.partial(progress, stage))
        return results

    def _judge_given(self, stage: Stage) -> None:
        """Raise a `TeacherError` now for a teacher that is given and knows nothing of this data."""
        if isinstance(stage.teacher, keras.Model) and stage.teacher is not stage.start_from and self._samples is not None:
            found = teachers.adapted(stage.teacher, stage.teacher_outputs, stage.teacher_scale, samples=self._samples)
            teachers.judge(stage.teacher.name, found, self._samples)

    def _remove_caches(self) -> None:
        """Remove the caches of these stages; whatever else is beside them stays."""
        for place in {self._cache_folder(stage) for stage in self.stages if stage.cache_views and stage.teacher}:
            remove_cache(place)
        with contextlib.suppress(OSError):
            (self.folder / CACHES).rmdir()

    def _cache_folder(self, stage: Stage) -> Path:
        teacher = getattr(stage.teacher, "name", stage.teacher)
        return self.folder / CACHES / f"{teacher}-{stage.cache_views}"

    def _train(
        self,
        stage: Stage,
        results: dict[str, StageResult],
        data: Any,
        resume: bool,
        callbacks: Any,
        progress: Callable[[int, int], None],
    ) -> StageResult:
        folder = self.folder / stage.name
        record = {**stage.record(), "steps_per_epoch": data.steps_per_epoch, "batch_size": getattr(data, "batch_size", None)}
        for role in ("teacher", "start_from"):
            if isinstance(getattr(stage, role), str):
                record[f"{role}_sha256"] = sha256(results[getattr(stage, role)].folder / "model.keras")
        if resume and (folder / "stage.json").exists():
            return _finished(stage, folder, record)
        settings = folder / "settings.json"
        with strategy.chief_first():
            if settings.exists() or not strategy.is_chief():
                _same(settings, record)
            else:
                write_json(settings, record, signed=True)
        keras.utils.set_random_seed(stage.seed)
        models = {name: result.model for name, result in results.items()}
        student = stage.start(models)
        distiller = stage.distiller(student, stage.find("teacher", models, student), data.steps_per_epoch)
        if self._samples is not None and stage.teacher is not stage.start_from:
            distiller.meet(self._samples.images, self._samples.labels, trained_here=not isinstance(stage.teacher, keras.Model))
        checkpoints = Checkpoints(folder)
        epoch = checkpoints.resume(distiller)
        started = time.monotonic()
        cache = None
        if epoch < stage.last_epoch:
            cache = self._cache(stage, distiller, data, progress)
            more = callbacks(stage)
            watch = [] if any(isinstance(callback, Divergence) for callback in more) else [Divergence()]
            try:
                distiller.fit(
                    strategy.batches(cache or data, epoch),
                    steps_per_epoch=data.steps_per_epoch,
                    initial_epoch=epoch,
                    epochs=stage.last_epoch,
                    validation_data=data.validation,
                    callbacks=[FreshMoments(data), stage.weights_callback(distiller), *watch, *more, checkpoints],
                    verbose=0,
                    shuffle=False,
                )
            except UnhealthyTrainingError as error:
                raise type(error)(f"{error} {checkpoints.kept()}") from error
            finally:
                if cache:
                    cache.close()
        best = checkpoints.load_best(distiller)
        accuracy = checkpoints.history[best - 1].get("val_accuracy")
        if stage.weight_bits == 8:
            round_weights(student)
            restart_random_layers(student, stage.last_epoch)
            accuracy = distiller.evaluate(data.validation, verbose=0, return_dict=True).get("accuracy")
        seconds = time.monotonic() - started
        outcome = {
            **record,
            "loss": distiller.describe(),
            "trained_by": distiller.gradient,
            "best_epoch": best,
            "validation_accuracy": accuracy,
            "seconds": round(checkpoints.seconds_before + seconds, 1),
            "resumed_at_epoch": epoch,
            "teacher_cached": cache is not None,
            "parameters": student.count_params(),
            "versions": {"keras_snnkd": __version__, "keras": keras.__version__, keras.backend.backend(): _backend_version()},
        }
        strategy.barrier()  # all have read the best weights
        with strategy.saved(folder / "model.keras") as file:
            check_space(file.parent, 4 * student.count_params())
            student.save(file)
        with strategy.chief_first():
            if strategy.is_chief():
                outcome[FILES] = {name: sha256(folder / name) for name in ("model.keras", "history.json")}
                write_json(folder / "stage.json", outcome, signed=True)
                checkpoints.clear()
        return StageResult(stage.name, student, folder, checkpoints.history, outcome, seconds)

    def _cache(self, stage: Stage, distiller: Distiller, data: Any, progress: Callable[[int, int], None]) -> TeacherCache | None:
        """What the teacher does on `data`, computed; `None` if that is not wanted, or with a warning if it is not possible."""
        if not stage.cache_views or not distiller.teacher_taps or stage.teaches_itself:
            return None
        alike = [other.name for other in self.stages if (other.teacher, other.cache_views) == (stage.teacher, stage.cache_views)]
        taps = {tap for name in alike for tap in self._teacher_taps.get(name, ())} | self.cache_taps
        cache = TeacherCache(distiller.teacher, data, taps, self._cache_folder(stage))
        built = True
        try:
            if strategy.is_chief():
                cache.build(progress)
        except KDError as error:
            cache.remove()
            warnings.warn(f"stage {stage.name} runs its teacher in every step: {error}", stacklevel=2)
            built = False
        if not strategy.from_chief(built):
            return None
        if not strategy.is_chief():
            cache.build()  # finds what the chief has written
        return cache


def _fresh(objective: Any) -> Any:
    """The same objective, not yet built: its helpers belong to one distiller."""
    again = type(objective).from_config(objective.get_config())
    again.weight_schedule = getattr(objective, "weight_schedule", None)
    return again


def _described(objective: Any) -> Config:
    """An objective as plain data, with its schedule if it has one."""
    schedule = getattr(objective, "weight_schedule", None)
    return {**keras.saving.serialize_keras_object(objective), **({"weight_schedule": schedule} if schedule else {})}


@contextlib.contextmanager
def _left_out(stage: Stage, failed: Failed | None) -> Iterator[None]:
    """Tell `failed` of an error in the block, if it wants to know."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        if failed is None:
            raise
        missing = isinstance(error, KeyError) and error.args[0] in (stage.teacher, stage.start_from)
        failed(stage, KDError(f"the stage {error.args[0]} that it needs has failed") if missing else error)


def _finished(stage: Stage, folder: Path, record: Config) -> StageResult:
    found = _same(folder / "stage.json", record)
    for name, digest in found[FILES].items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise FileFormatError(
                f"{folder / name} is missing or is not as it was written (its SHA-256 differs); delete {folder} to train this stage anew"
            )
    if strategy.is_chief():
        Checkpoints(folder).clear()  # a process that was killed before it did
    return StageResult(stage.name, load(folder / "model.keras"), folder, read_json(folder / "history.json"), found)


def _same(path: Path, record: Config) -> Any:
    """What the file holds; raises if its settings are not those of `record`."""
    found = read_json(path, signed=True)
    known = {name: value for name, value in record.items() if name in found or name != "batch_size"}  # earlier versions did not keep it
    other = [f"{name} was {found.get(name)!r} and is now {value!r}" for name, value in known.items() if found.get(name) != value]
    if other:
        raise KDError(f"{path.parent} was made with other settings: {'; '.join(other)}. Use those again, or another folder (--out)")
    return found


def _backend_version() -> str:
    return __import__(keras.backend.backend()).__version__
