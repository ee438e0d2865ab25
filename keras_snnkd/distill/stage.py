"""One stage of a chain: a model to train, with its settings, and how it is trained."""

import contextlib
import dataclasses
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np

from keras_snnkd._types import Config
from keras_snnkd.distill import schedules
from keras_snnkd.distill.callbacks import Pace, WeightSchedule
from keras_snnkd.distill.distiller import LABEL, Distiller
from keras_snnkd.distill.label_loss import gives_logits
from keras_snnkd.distill.objective import Objective
from keras_snnkd.errors import unknown_name, wrong_kind
from keras_snnkd.layers import with_numbers
from keras_snnkd.training import optimizers
from keras_snnkd.training import task as tasks
from keras_snnkd.training.feed import training_labels
from keras_snnkd.training.labels import BALANCED, balanced, check_smoothing
from keras_snnkd.training.task import Task
from keras_snnkd.weights.transfer import copy_weights

NOT_IN_EARLIER_RECORDS = {
    "task": "classes",
    "class_weights": None,
    "inputs": "shared",
    "transfer": copy_weights.__name__,
    "optimizer": "adamw",
    "schedule": "cosine",
    "label_smoothing": 0.0,
    "stop": None,
    "labels": 1.0,
    "teacher_outputs": "auto",
    "teacher_scale": "auto",
    "gradient": "bptt",
    "judged_from": 0,
}
"""Settings that a stage's record leaves out at these values, as the records of earlier versions did."""


_FUNCTIONS = ("student", "objectives", "demands", "requires", "during", "finish")
"""What a stage's record does not hold as it is."""


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
        task: What is trained: `"classes"`, `"regression"`, `"unlabelled"` (by the teacher alone, whatever the labels say, and also on the
            samples without labels that the data may have), or a `keras_snnkd.Task` with a loss and metrics of your own.
        class_weights: Factors of the label loss for each class, or `"balanced"` for those by which all classes of the training labels weigh
            alike; `None` for 1 each.
        inputs: `"shared"`; `"named"` for batches of named inputs, of which each network takes its own; or `"own"` for batches of one input
            of the student's and one of the teacher's; see `Distiller`.
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
        teacher_outputs, teacher_scale: Of a teacher that is a model: what it gives, and which images it takes; see `adapt_teacher`. The
            scale is `None` for a teacher that takes the data's images, or was made to.
        settings: What else should be the same when the stage is resumed, as JSON: the student's specification, the data.
        demands: Looks at the trained model of `start_from` before anything is trained, and raises if there is nothing to do with it.
        requires: Looks at the untrained model of `start_from`, and raises for what no training changes: too few layers, too few steps.
        during: Makes more callbacks, such as one that prunes the student.
        finish: What the trained student becomes: another model that computes the same, such as one without masks. It is what is saved.
        judged_from: The first epoch, from 0 on, that may be the best: earlier ones of a network that gets smaller do not count.

    Raises:
        ValueError: For an unusable name, epochs or cache_views below 1, a learning rate that is not above 0, weight_bits other than
            8 and 32, or `transfer=None` without `start_from`; for a label_smoothing or a stop that cannot be.
        UnknownNameError: For an unknown optimizer or schedule.
        KindError: For a student that is no function, such as a model.
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
    task: str | Task = "classes"
    class_weights: str | Sequence[float] | None = None
    inputs: str = "shared"
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
    teacher_scale: str | Sequence[float] | None = "auto"
    demands: Callable[[keras.Model], Any] | None = None
    requires: Callable[[keras.Model], Any] | None = None
    during: Callable[[], Sequence[keras.callbacks.Callback]] | None = None
    finish: Callable[[keras.Model], keras.Model] | None = None
    judged_from: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or not self.name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"a stage's name is made of letters, digits, _ and -, got {self.name!r}")
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise ValueError(f"stage {self.name}: epochs must be a whole number above 0, got {self.epochs!r}")
        if isinstance(self.student, keras.Model) or not callable(self.student):
            expected = "a function that makes the model, such as lambda: kd.models.build('mlp:64', (8, 8, 1), 10)"
            raise wrong_kind(f"the student of stage {self.name}", self.student, expected)
        if not _is_number(self.learning_rate) or not self.learning_rate > 0:
            raise ValueError(f"stage {self.name}: learning_rate must be greater than 0, got {self.learning_rate!r}")
        if not _is_number(self.weight_decay) or not self.weight_decay >= 0:
            raise ValueError(f"stage {self.name}: weight_decay must be a number of at least 0, got {self.weight_decay!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise ValueError(f"stage {self.name}: seed must be a whole number from 0 to 2**32 - 1, got {self.seed!r}")
        optimizers.check(self.optimizer, self.schedule)
        self._check_task()
        check_smoothing(self.label_smoothing)
        if self.stop is not None and (isinstance(self.stop, bool) or not isinstance(self.stop, int) or not 1 <= self.stop <= self.epochs):
            raise ValueError(f"stage {self.name}: stop must be one of its {self.epochs} epochs, or None for all, got {self.stop!r}")
        if not 0 <= self.judged_from < self.last_epoch:
            raise ValueError(
                f"stage {self.name}: judged_from must be one of its epochs, 0 to {self.last_epoch - 1}, got {self.judged_from!r}"
            )
        if self.weight_bits not in (8, 32):
            raise ValueError(f"stage {self.name}: weight_bits must be 8 or 32, got {self.weight_bits!r}")
        if self.transfer is None and self.start_from is None:
            raise ValueError(f"stage {self.name}: transfer=None makes the student from another model; name that in start_from")
        views = self.cache_views
        if views is not None and (isinstance(views, bool) or not isinstance(views, int) or views < 1):
            raise ValueError(f"stage {self.name}: cache_views must be a whole number above 0, or None for no cache, got {views!r}")

    def _check_task(self) -> None:
        task = self.trained_for
        if not task.classes and self.labels != 1:
            raise ValueError(f"stage {self.name}: labels={self.labels} leaves out class labels, and the task {task.name!r} has none")
        if isinstance(self.class_weights, str) and self.class_weights != BALANCED:
            raise unknown_name("choice of class_weights", self.class_weights, [BALANCED])
        if not isinstance(self.class_weights, str):
            task.label_loss(self.label_smoothing, True, self.class_weights)

    def with_weights(self, data: Any) -> "Stage":
        """The stage with class weights in numbers, where they are to be balanced by the training labels."""
        if self.class_weights != BALANCED:
            return self
        labels = training_labels(data)
        return dataclasses.replace(self, class_weights=balanced(labels, int(np.max(labels)) + 1))

    @property
    def trained_for(self) -> Task:
        """The task itself."""
        return tasks.get(self.task)

    @property
    def outputs_of_teacher(self) -> str:
        """What the teacher's outputs are; numbers where nothing else is said and the task has no classes."""
        numbers = self.teacher_outputs == "auto" and not self.trained_for.classes
        return "numbers" if numbers else self.teacher_outputs

    def distiller(self, student: keras.Model, teacher: keras.Model | None, steps_per_epoch: int) -> Distiller:
        """The compiled distiller that trains this stage."""
        rate = optimizers.schedule(self.schedule, self.learning_rate, self.epochs * steps_per_epoch)
        objectives = [_fresh(o) if isinstance(o, Objective) else o for o in self.objectives]
        with warnings.catch_warnings():
            if self.teaches_itself or self.transfer is None or (self.teacher is not None and self.teacher is self.start_from):
                warnings.filterwarnings("ignore", "the student .* is not smaller than its teacher")
            given = isinstance(self.teacher, keras.Model)  # others were trained here, on this data
            form: dict[str, Any] = {"teacher_outputs": self.outputs_of_teacher, "teacher_scale": self.teacher_scale if given else None}
            form |= {"gradient": self.gradient, "inputs": self.inputs}
            distiller = Distiller(student, teacher, objectives, schedules.first(self.label_weight), **form)
        task = self.trained_for
        weights = None if isinstance(self.class_weights, str) else self.class_weights  # balanced ones are known with the data
        distiller.compile(
            optimizers.optimizer(self.optimizer, rate, self.weight_decay),
            task.label_loss(self.label_smoothing, gives_logits(student), weights),
            metrics=task.fresh_metrics(),
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

    def check_source(self, models: Mapping[str, keras.Model]) -> None:
        """Raise if nothing can come of the model that the student starts from; `models` are those of earlier stages, not yet trained."""
        source = self.find("start_from", models, None)
        if source is None:
            return
        if self.requires is not None:
            self.requires(source)
        if self.demands is not None and source is self.start_from:  # which is trained already
            self.demands(source)

    def start(self, models: Mapping[str, keras.Model]) -> keras.Model:
        """The student, with the weights that it starts with."""
        if self.transfer is None:
            return self._of_task(self.student(self.find("start_from", models, None)))
        student = self._of_task(self.student())
        source = self.find("start_from", models, student)
        if source is not None:
            self.transfer(source, student)
        return student

    def _of_task(self, student: keras.Model) -> keras.Model:
        """The student, as one that says that its outputs are numbers where they are."""
        return student if self.trained_for.classes else with_numbers(student)

    def finished(self, student: keras.Model) -> keras.Model:
        """What a trained student becomes."""
        return student if self.finish is None else self.finish(student)

    def shown(self, data: Any) -> Any:
        """What the stage sees of the data: so many views, and the labels that are known."""
        if self.trained_for is tasks.UNLABELLED:
            data = data.with_unlabelled() if hasattr(data, "with_unlabelled") else data
        elif self.labels != 1:
            data = data.partly_labelled(self.labels) if self.objectives else data.labelled(self.labels)
        return dataclasses.replace(data, views=self.cache_views) if self.cache_views else data

    @property
    def last_epoch(self) -> int:
        """How many epochs are trained."""
        return self.stop or self.epochs

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Without Keras' warning of weights without a gradient, where nobody asks for the student's answers yet."""
        with warnings.catch_warnings():
            if self.trained_for.monitor is None:
                warnings.filterwarnings("ignore", "Gradients do not exist for variables")
            yield

    def moving(self, distiller: Distiller, history: Sequence[Mapping[str, float]] = ()) -> list[keras.callbacks.Callback]:
        """The callbacks that move weights and paces from epoch to epoch; `history` are the epochs before."""
        task = self.trained_for
        return [self.weights_callback(distiller), Pace(f"val_{task.monitor}", task.mode, history)]

    def weights_callback(self, distiller: Distiller) -> WeightSchedule:
        """The callback that moves the weights which are schedules."""
        moving = {o.name: o.weight_schedule for o in distiller.objectives if getattr(o, "weight_schedule", None)}
        return WeightSchedule({**moving, **({LABEL: self.label_weight} if isinstance(self.label_weight, Mapping) else {})})

    def record(self) -> dict[str, Any]:
        """The settings as plain data; two stages with equal records train alike."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in _FUNCTIONS}
        for role in ("teacher", "start_from"):
            fields[role] = fields[role].name if isinstance(fields[role], keras.Model) else fields[role]
        fields["teacher"] = "itself" if self.teaches_itself else fields["teacher"]
        fields["objectives"] = [o if isinstance(o, (str, dict)) else _described(o) for o in self.objectives]
        fields["task"] = self.trained_for.record()
        fields["transfer"] = self.transfer and self.transfer.__name__
        fields["teacher_scale"] = fields["teacher_scale"] or "auto"  # earlier records have no other word for a teacher that was made to fit
        for name, default in NOT_IN_EARLIER_RECORDS.items():
            if fields[name] == default:
                del fields[name]
        return json.loads(json.dumps(fields))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _fresh(objective: Any) -> Any:
    """The same objective, not yet built: its helpers belong to one distiller."""
    again = type(objective).from_config(objective.get_config())
    again.weight_schedule = getattr(objective, "weight_schedule", None)
    return again


def _described(objective: Any) -> Config:
    """An objective as plain data, with its schedule if it has one."""
    schedule = getattr(objective, "weight_schedule", None)
    return {**keras.saving.serialize_keras_object(objective), **({"weight_schedule": schedule} if schedule else {})}
