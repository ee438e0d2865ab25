"""Chains of stages: teacher -> assistant -> student, and longer."""

import contextlib
import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd._types import Config
from keras_snnkd._version import __version__
from keras_snnkd.distill import teachers
from keras_snnkd.distill.cache import TeacherCache, remove_cache
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.diverged import Divergence
from keras_snnkd.distill.moments import FreshMoments
from keras_snnkd.distill.samples import samples_of_data
from keras_snnkd.distill.stage import NOT_IN_EARLIER_RECORDS, Stage
from keras_snnkd.errors import FileFormatError, KDError, OutputError, UnhealthyTrainingError, unknown_name, wrong_kind
from keras_snnkd.files.lock import taking_part
from keras_snnkd.files.manifest import RUN, claimed
from keras_snnkd.files.staging import as_path, check_space, read_json, sha256, write_json
from keras_snnkd.training import strategy
from keras_snnkd.training.ctrl_c import CtrlC, raise_if_heard
from keras_snnkd.training.feed import check_classes, feed
from keras_snnkd.weights.rounding import round_weights
from keras_snnkd.weights.transfer import load, restart_random_layers

CACHES = ".cache"
"""Folder of a run for teachers' outputs; no stage can have this name."""

FILES = "files"
"""In a finished stage's record: the SHA-256 of its files."""

Failed = Callable[[Stage, Exception], None]
"""Told of a stage and its error."""


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
        KindError: For what is no list of stages, or no folder.
        ValueError: If two stages share a name, or one refers to a stage that does not come before it.

    Example:
        >>> chain = kd.Chain(
        ...     [kd.Stage("teacher", make_teacher), kd.Stage("student", make_student, teacher="teacher", objectives=["soft_targets"])],
        ...     "runs/mine",
        ... )
        >>> results = chain.run(kd.data.load("digits"))
    """

    def __init__(self, stages: Iterable[Stage], folder: str | Path, cache_taps: Iterable[str] = ()) -> None:
        self.stages = list(stages) if isinstance(stages, Iterable) else []
        if not isinstance(stages, Iterable) or not all(isinstance(stage, Stage) for stage in self.stages):
            raise wrong_kind("the stages of a Chain", stages, "a list of kd.Stage")
        self.folder = as_path(folder, "the folder of a Chain")
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
        self._outputs: dict[str, int] = {}

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
        students: dict[str, keras.Model] = {}
        for stage in self.stages:
            with _left_out(stage, failed):
                stage.check_source(students)
                student = stage.start(students)
                distillers[stage.name] = stage.distiller(student, stage.find("teacher", students, student), steps_per_epoch)
                students[stage.name] = stage.finished(student)
        self._teacher_taps = {name: distiller.teacher_taps for name, distiller in distillers.items()}
        judged = [stage.name for stage in self.stages if stage.trained_for.classes and stage.trained_for.monitor is not None]
        self._outputs = {name: students[name].output_shape[-1] for name in judged if name in students}
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
        few = [stage.name for stage in self.stages if stage.labels != 1]
        if few and not hasattr(data, "partly_labelled"):
            raise KDError(f"labels of stage {few[0]} needs data that know them, as keras_snnkd.data.load returns, got {data!r}")
        for name, outputs in self._outputs.items():
            check_classes(data, outputs, name)
        self._samples = samples_of_data(data)
        refused = self._judge_given(failed)  # before anything is written
        with self._claimed(resume):
            results = self._run([stage for stage in self.stages if stage.name not in refused], data, resume, callbacks, progress, failed)
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
        stages: Sequence[Stage],
        data: Any,
        resume: bool,
        callbacks: Callable[[Stage], list[Any]],
        progress: Callable[[Stage, int, int], None],
        failed: Failed | None,
    ) -> dict[str, StageResult]:
        if strategy.from_chief(not resume and any((self.folder / stage.name).exists() for stage in self.stages)):
            raise KDError(f"{self.folder} holds a run already; go on with it (--resume) or choose another folder (--out)")
        results: dict[str, StageResult] = {}
        for stage in stages:
            if failed and stage.name not in self._teacher_taps:
                continue  # told by the check
            shown = stage.shown(data)
            with _left_out(stage, failed):
                result = self._train(stage, results, shown, resume, callbacks, functools.partial(progress, stage))
                if stage.trained_for.monitor is not None and self._will_teach(stage):
                    teachers.judge_trained(result.model, data.validation)
                results[stage.name] = result
        return results

    def _judge_given(self, failed: Failed | None) -> set[str]:
        """The stages that are left out since their teacher, a model, knows nothing of this data; raises a `TeacherError` by default."""
        refused, passed = set(), set()
        for stage in self.stages:
            teacher = stage.teacher
            if not isinstance(teacher, keras.Model) or teacher is stage.start_from or self._samples is None:
                continue
            if stage.trained_for.monitor is None:
                continue  # its labels say nothing
            form = (id(teacher), stage.outputs_of_teacher, str(stage.teacher_scale))
            if form in passed:
                continue
            refused.add(stage.name)
            with _left_out(stage, failed):
                found = teachers.adapted(teacher, stage.outputs_of_teacher, stage.teacher_scale, samples=self._samples)
                teachers.judge(teacher.name, found, self._samples)
                refused.remove(stage.name)
                passed.add(form)
        return refused

    def _will_teach(self, stage: Stage) -> bool:
        """Whether a later stage, which has not finished yet, has this one for its teacher."""
        return any(later.teacher == stage.name and not (self.folder / later.name / "stage.json").exists() for later in self.stages)

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
        stage = stage.with_weights(data)
        folder = self.folder / stage.name
        record = {**stage.record(), "steps_per_epoch": data.steps_per_epoch, "batch_size": getattr(data, "batch_size", None)}
        for role in ("teacher", "start_from"):
            if isinstance(getattr(stage, role), str):
                record[f"{role}_sha256"] = sha256(results[getattr(stage, role)].folder / "model.keras")
        if resume and (folder / "stage.json").exists():
            return _finished(stage, folder, record)
        models = {name: result.model for name, result in results.items()}
        source = stage.find("start_from", models, None)
        if stage.demands is not None and source is not None:
            stage.demands(source)
        settings = folder / "settings.json"
        with strategy.chief_first():
            if settings.exists() or not strategy.is_chief():
                _same(settings, record)
            else:
                write_json(settings, record, signed=True)
        keras.utils.set_random_seed(stage.seed)
        student = stage.start(models)
        distiller = stage.distiller(student, stage.find("teacher", models, student), data.steps_per_epoch)
        if self._samples is not None:
            itself = isinstance(stage.teacher, keras.Model) and stage.teacher is stage.start_from  # of which it is another form
            labels = None if itself or stage.trained_for.monitor is None else self._samples.labels
            distiller.meet(self._samples.images, labels, trained_here=not isinstance(stage.teacher, keras.Model))
        task = stage.trained_for
        checkpoints = Checkpoints(folder, f"val_{task.monitor}", task.mode, stage.judged_from)
        epoch = checkpoints.resume(distiller)
        started = time.monotonic()
        cache = None
        if epoch < stage.last_epoch:
            cache = self._cache(stage, distiller, data, progress)
            more = callbacks(stage)
            own = [CtrlC(), *(stage.during() if stage.during is not None else [])]
            watch = [] if any(isinstance(callback, Divergence) for callback in more) else [Divergence()]
            try:
                with stage.quiet():
                    distiller.fit(
                        strategy.batches(cache or data, epoch),
                        steps_per_epoch=data.steps_per_epoch,
                        initial_epoch=epoch,
                        epochs=stage.last_epoch,
                        validation_data=data.validation,
                        callbacks=[*own, FreshMoments(data), *stage.moving(distiller, checkpoints.history), *watch, *more, checkpoints],
                        verbose=0,
                        shuffle=False,
                    )
            except UnhealthyTrainingError as error:
                raise type(error)(f"{error} {checkpoints.kept()}") from error
            finally:
                if cache:
                    cache.close()
        best = checkpoints.load_best(distiller)
        reached = trained = checkpoints.history[best - 1].get(f"val_{task.monitor}")
        student = stage.finished(student)
        if stage.weight_bits == 8:
            round_weights(student)
            restart_random_layers(student, stage.last_epoch)
            judge = distiller if student is distiller.student else dataclasses.replace(stage, objectives=()).distiller(student, None, 1)
            reached = judge.evaluate(data.validation, verbose=0, return_dict=True).get(task.monitor)
        seconds = time.monotonic() - started
        outcome = {
            **record,
            "loss": distiller.describe(),
            "trained_by": distiller.gradient,
            "best_epoch": best,
            **({f"validation_{task.monitor}": reached, "before_rounding": trained} if task.monitor else {}),
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
        if not stage.cache_views or not distiller.teacher_taps or stage.teaches_itself or distiller.reads_views:
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


@contextlib.contextmanager
def _left_out(stage: Stage, failed: Failed | None) -> Iterator[None]:
    """Tell `failed` of an error in the block, if it wants to know."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        raise_if_heard(error)
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
    default = NOT_IN_EARLIER_RECORDS
    known |= {name: default[name] for name in default if name in found and name not in record}  # which a record leaves out
    before = {name: found.get(name, default.get(name)) for name in known}
    other = [f"{name} was {before[name]!r} and is now {value!r}" for name, value in known.items() if before[name] != value]
    if other:
        raise KDError(f"{path.parent} was made with other settings: {'; '.join(other)}. Use those again, or another folder (--out)")
    return found


def _backend_version() -> str:
    return __import__(keras.backend.backend()).__version__
