"""A run as plain data: everything that decides its result, to JSON and back."""

import dataclasses
import json
import math
import warnings
from pathlib import Path
from typing import Any

from keras_snnkd import data, graphs, models, neurons
from keras_snnkd.distill import methods, objectives, schedules, teachers
from keras_snnkd.distill.gradient import GRADIENTS
from keras_snnkd.distill.methods import Method
from keras_snnkd.distill.scales import check_scale
from keras_snnkd.errors import FileFormatError, unknown_name
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.layers.encoders import check_timesteps
from keras_snnkd.run.health import ON_PROBLEM
from keras_snnkd.run.modes import OF_RECIPES, Mode
from keras_snnkd.training import optimizers, strategy
from keras_snnkd.training.labels import check_smoothing
from keras_snnkd.weights import shipped

TUNERS = ("bayesian", "hyperband")
PRECISIONS = ("float32", "mixed_bfloat16")
TEACHER_STARTS = ("scratch", "ann")

SGD_RATE = 0.1
"""The learning rate of SGD by default."""

SHIPPED, TRAIN = "shipped", "train"
"""In place of a teacher: the one that comes with the package for this data set, and the preset of the data set, trained in the run."""

ITSELF = "self"
"""In place of a teacher: the student, run for `teacher_timesteps`."""

_SOFT_TARGETS = {"objective": "soft_targets", "temperature": 4.0, "weight": 0.9}
_OWN_DATA = {
    "teacher": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128], "head": "flatten"},
    "assistants": [{"builder": "ConvNet", "widths": [24, "pool", 48, "pool"], "head": "flatten"}],
    "student": {"builder": "ConvNet", "widths": [16, "pool", 32, "pool"], "head": "flatten"},
    "epochs": 30,  # one's own images are few as a rule, and an epoch is short
    "teacher_epochs": 20,
    "augment": "crop",
}
_OWN_SERIES = {
    "teacher": {"builder": "SequenceNet", "widths": [64, 64, 64], "kernel": 5, "dilation": 2, "neuron": "relu"},
    "assistants": [{"builder": "SequenceNet", "widths": [96, 96], "neuron": "adlif", "coupling": "symplectic"}],
    "student": {"builder": "SequenceNet", "widths": [64, 64], "neuron": "adlif", "coupling": "symplectic"},
}
_SERIES = {
    "teacher_neuron": "relu",
    "objectives": [  # the teacher is an ANN; outputs leave out the padding
        {"objective": "soft_targets", "temperature": 4.0, "weight": 0.9, "teacher_tap": "output", "student_tap": "output"}
    ],
    "learning_rate": 2e-2,
    "teacher_learning_rate": 2e-3,
}
"""Defaults of series, whatever they are."""
_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {"batch_size": 32, "epochs": 30, "teacher_epochs": 10, "learning_rate": 5e-3, "teacher_learning_rate": 2e-3},
    "mnist": {"epochs": 8, "teacher_epochs": 4, "augment": "shift"},
    "fashion_mnist": {"epochs": 10, "teacher_epochs": 5, "augment": "flip"},
    "japanese_vowels": {"epochs": 20, "teacher_epochs": 15, "teacher_learning_rate": 5e-3},
    "cifar10": {"epochs": 12, "teacher_epochs": 4, "ann_epochs": 10, "teacher_start": "ann", "augment": "flip+crop"},
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings of a run. Values are plain data; unset ones take the data set's defaults (see `resolved`).

    Args:
        mode: `"teacher"`, `"baseline"`, `"distill"`, `"multistage"`, `"compare"` or `"tune"`.
        dataset: A name of `keras_snnkd.data.names()`, or the path of images or series that `load` reads.
        data_dir: Where prepared data sets are; TFDS_DATA_DIR or the home folder by default.
        limit: Use only so many training and test images.
        resize: Bring the pictures of a folder to this size in pixels, `"32"` or `"48x32"`, width and height.
        keep_aspect: Whether they keep their proportions then; else they are stretched (see `keras_snnkd.files.pictures.Resize`).
        teacher: Preset, short form (`"convnet:32,pool,64"`), specification, or the path of a trained `.keras` file; `"shipped"` for the
            trained one that comes with the package for a data set, the default where there is one; `"train"` for the data set's preset,
            trained in the run; `"self"` for the student itself, run for `teacher_timesteps`.
        assistants: The intermediate networks of a multi-stage run, largest first; as `teacher`, but trained here.
        student: As an assistant.
        timesteps: T of the student and of the assistants.
        teacher_timesteps: T of the teacher; the student's by default.
        neuron: `"lif"`, `"if"`, `"plif"`, `"alif"`, or `"relu"` for an ANN student.
        teacher_neuron: Likewise, for the teacher; `"relu"` for an ANN teacher. By default that of the methods' papers, and for objectives
            by themselves the student's. In mode `"compare"` a given one holds for all methods that it can teach.
        teacher_outputs: What a teacher from a file gives: `"logits"`, `"probabilities"`, or `"auto"`, which looks (see `adapt_teacher`).
        teacher_scale: Of the images that it was trained on: `"0..1"`, `"0..255"`, `"-1..1"`, `"torch"`, `"standardized"`, two numbers, or
            `"auto"`, which tries them.
        objectives: Names or mappings of objectives, or names of published methods (`keras_snnkd.methods`), which `resolved` replaces by
            their objectives; soft targets and spike trains by default. A weight may be a schedule (`keras_snnkd.distill.schedules`). In
            mode `"compare"`, what is compared, each by itself: methods, objectives, or `"all"` methods, the default. In mode `"tune"`,
            those that a candidate may have in its loss.
        label_weight: Factor of the label loss while distilling, or a schedule; that of the method by default, else 1. In modes
            `"compare"` and `"tune"` a given one holds for all.
        student_start: `"scratch"`, `"ann_twin"`: from the weights of the student's ANN twin, trained first, or `"shrunk"`: from the
            teacher's weights, shrunk to the student's widths (`keras_snnkd.models.shrink_weights`); that of the method by default.
        gradient: `"bptt"`, `"rate"`: rate-based backpropagation, half the time, or `"auto"` (see `keras_snnkd.Distiller`), for all stages;
            that of the method by default, else `"bptt"`.
        rivals: In mode `"compare"`, compare the student with its ANN twin, both distilled alike and as int8 files, in place of methods.
        seeds: In mode `"compare"`, how many seeds each arm is trained with: `seed`, `seed + 1`, ...
        epochs: Of students and assistants.
        teacher_epochs: Of the teacher.
        teacher_start: `"scratch"`, or `"ann"`: from the weights of its ANN twin, trained first for `ann_epochs` (level 1 of SAKD, Qiu
            et al., Neural Networks 178, 2024).
        ann_epochs: Of that twin.
        batch_size: Images in a step; by default that of `keras_snnkd.data.load`, by the number of training images. A run writes the number
            into its recipe.
        optimizer: `"adamw"`, or `"sgd"` with Nesterov's momentum; of all models (see `keras_snnkd.training.optimizers`).
        schedule: How the learning rate goes from step to step: `"cosine"`, `"warmup_cosine"` or `"one_cycle"`.
        learning_rate: The highest one, for students and assistants.
        teacher_learning_rate: For teachers.
        weight_decay: Of the optimizer, decoupled from the gradient: SGD wants ten times the number of an L2 penalty.
        label_smoothing: Of the teachers' labels, from 0 to less than 1.
        teacher_stop: End the teacher's training after so many of its epochs, before its learning rate has fallen to 0 (Cho and
            Hariharan, ICCV 2019, arXiv:1910.01348).
        weight_bits: 8 rounds the trained kernels to what an 8-bit file can hold, so that all files compute the same; 32 leaves them.
        augment: Names of `keras_snnkd.data.AUGMENTATIONS`, joined by `+`.
        labels: The share of training images whose labels are known, above 0 and at most 1: teachers that are trained here and the student
            alone see these images alone, taught students learn from the teacher's answers on the others.
        twin_epochs: Train the student's ANN twin first for so many epochs, and start the student from it: the twin of the student alone
            by labels, that of a taught student by its method, as far as that needs no time steps. 0 for no such phase.
        mixup: Strength of mixup, 0 for none: training images, and their labels, are mixtures of two (see `keras_snnkd.data.Data`).
        cache: Train students and assistants on so many augmented views of each image, and compute the teacher's outputs on them once
            (see `keras_snnkd.TeacherCache`); 0 for new views in each epoch, and a teacher that runs in each step. By default 1 without
            augmentation, where it changes nothing but the time, else 0.
        precision: `"float32"` or `"mixed_bfloat16"`.
        strategy: `"none"`, `"mirrored"` for all devices of this machine, or `"multiworker"` for the machines in TF_CONFIG (see
            `keras_snnkd.strategy`). `batch_size` is that of all devices together.
        seed: Of initial weights, order of images and augmentation.
        deterministic: Have every operation add up in the same order each time, so that two runs are equal to the last bit (see
            `keras_snnkd.determinism`).
        on_problem: `"warn"` or `"stop"` when the loss explodes, or a layer is silent or saturated (see `keras_snnkd.health`).
        tuner: In mode `"tune"`, how candidates are chosen: `"bayesian"` or `"hyperband"`.
        trials: In mode `"tune"`, how many candidates are trained at most.
        search: In mode `"tune"`, values of settings in place of the usual ones (see `keras_snnkd.tuning.Space`), such as
            `{"timesteps": [1, 2], "tau": {"low": 1.5, "high": 3.0}}`.
        max_params, max_synops, max_bytes, max_latency_ms: In mode `"tune"`, the most that a student may cost (see
            `keras_snnkd.tuning.Budget`).

    Raises:
        UnknownNameError, ValueError: For a value that cannot be.

    Example:
        >>> kd.Recipe(dataset="digits", objectives=["soft_targets"]).resolved().save("recipe.json")
    """

    mode: str = Mode.DISTILL.value
    dataset: str = "digits"
    data_dir: str | None = None
    limit: int | None = None
    resize: str | None = None
    keep_aspect: bool = False
    teacher: str | dict | None = None
    assistants: list | None = None
    student: str | dict | None = None
    timesteps: int = 4
    teacher_timesteps: int | None = None
    neuron: str = "lif"
    teacher_neuron: str | None = None
    teacher_outputs: str = "auto"
    teacher_scale: str | list = "auto"
    objectives: list | None = None
    label_weight: float | dict | None = None
    student_start: str | None = None
    gradient: str | None = None
    rivals: bool = False
    seeds: int = 5
    epochs: int | None = None
    teacher_epochs: int | None = None
    teacher_start: str | None = None
    ann_epochs: int | None = None
    batch_size: int | None = None
    optimizer: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float | None = None
    teacher_learning_rate: float | None = None
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    teacher_stop: int | None = None
    weight_bits: int = 8
    augment: str | None = None
    labels: float = 1.0
    twin_epochs: int = 0
    mixup: float = 0.0
    cache: int | None = None
    precision: str = "float32"
    strategy: str = "none"
    seed: int = 0
    deterministic: bool = False
    on_problem: str = "warn"
    tuner: str = "bayesian"
    trials: int = 20
    search: dict | None = None
    max_params: int | None = None
    max_synops: float | None = None
    max_bytes: int | None = None
    max_latency_ms: float | None = None

    def resolved(self) -> "Recipe":
        """This recipe with methods replaced by what they are, every unset value filled in, and checked."""
        self._check_types()
        return self._taught_by_what_there_is()._fitted()._expanded()._filled()

    def _taught_by_what_there_is(self) -> "Recipe":
        """Without a word on loss and teacher, an ANN teaches where the package has one for the data set, and no spiking one."""
        unsaid = (self.objectives, self.teacher, self.teacher_neuron) == (None, None, None)
        teaches = self.mode in (Mode.DISTILL, Mode.MULTISTAGE) and shipped.has(self.dataset, spiking=False)
        if unsaid and teaches and not shipped.has(self.dataset, spiking=True):
            return dataclasses.replace(self, teacher_neuron="relu")
        return self

    def _fitted(self) -> "Recipe":
        """With the default objectives of an ANN teacher, if that is what the file holds."""
        fits = self.objectives is None and self.teacher_neuron is None and self.mode in ("distill", "multistage", "tune")
        if not fits or not is_file(self.teacher) or not Path(str(self.teacher)).is_file():
            return self
        if any(graphs.fires(layer) for layer in all_layers(models.load(str(self.teacher)))):
            return self
        warnings.warn(
            f"{self.teacher} has no spiking neurons: its student learns from its logits, and from no spike trains; other objectives are "
            "given by --objective",
            stacklevel=3,
        )
        return dataclasses.replace(self, teacher_neuron="relu")

    def _expanded(self) -> "Recipe":
        """With what methods are in place of their names; compared ones stay names."""
        for objective in self.objectives or ():
            if not isinstance(objective, (str, dict)):
                raise ValueError(f"an objective is a name or a mapping with the key 'objective', got {objective!r}")
        if self.mode == Mode.COMPARE and self.rivals:
            return self if self.objectives else dataclasses.replace(self, objectives=[{**_SOFT_TARGETS}])
        if self.mode == Mode.COMPARE:
            every = [entry for given in self.objectives or ["all"] for entry in (methods.compared() if given == "all" else [given])]
            return dataclasses.replace(self, objectives=every)
        if self.objectives is None:
            return self
        if self.mode == Mode.TUNE:
            return dataclasses.replace(self, objectives=[part for entry in self.objectives for part in _searched(entry)])
        method = methods.combine(self.objectives, self.label_weight)
        if method.chain and self.mode == Mode.DISTILL:
            raise ValueError(f"{method.name} goes through assistants; use --mode multistage")
        implied = {"label_weight": method.label_weight, "student_start": method.start, "gradient": method.gradient}
        if method.taught_by_ann:
            implied["teacher_neuron"] = "relu"
        if method.longer:
            implied["teacher_timesteps"] = method.longer * self.timesteps
        unset: dict[str, Any] = {field: value for field, value in implied.items() if getattr(self, field) is None}
        if method.longer and self.teacher not in (None, ITSELF):
            raise ValueError(
                f"in {method.name} the student teaches itself, and there is a teacher, {self.teacher!r}; leave out one of them"
            )
        teacher = ITSELF if method.longer else self.teacher
        return dataclasses.replace(self, objectives=list(method.objectives), teacher=teacher, **unset)

    def _filled(self) -> "Recipe":
        """With the defaults in place of unset values, and checked."""
        name = Path(self.dataset).stem
        presets = {"assistants": [f"{name}_assistant"], "student": f"{name}_student"}
        general: dict[str, Any] = {
            "teacher_timesteps": self.timesteps,
            "teacher_neuron": self.neuron,
            "objectives": [
                {**_SOFT_TARGETS},
                {"objective": "spike_train", "window": max(1, self.timesteps // 2), "weight": 1.0},
            ],
            "epochs": 15,
            "teacher_epochs": 10,
            "teacher_start": "scratch",
            "ann_epochs": 10,
            "learning_rate": 2e-3,
            "teacher_learning_rate": 1e-3,
            "augment": "none",
        }
        if "relu" in (self.teacher_neuron, self.neuron):
            general["objectives"] = general["objectives"][:1]  # an ANN has no spike trains
        series = data.holds_series(self.dataset)
        known = presets["student"] in models.PRESETS
        own = _OWN_SERIES if series else _OWN_DATA
        trained_here: dict[str, Any] = {"teacher": f"{name}_teacher" if known else own["teacher"]}
        kind = {**(_SERIES if series else {}), **(presets if known else own)}
        defaults = {**general, **kind, **_DEFAULTS.get(name, {}), **trained_here}
        if self.optimizer == "sgd":
            defaults.update(learning_rate=SGD_RATE, teacher_learning_rate=SGD_RATE)
        if self.limit is not None:
            defaults.pop("batch_size", None)  # it follows the number of images
        if self.mode == Mode.COMPARE:
            del defaults["teacher_neuron"]  # each method has its own
        if self._taught_by_shipped():
            defaults["teacher"] = SHIPPED
        if self.mode in (Mode.COMPARE, Mode.TUNE):  # many students are trained
            defaults["epochs"] = max(1, defaults["epochs"] // 3)
        else:
            defaults.update(label_weight=1.0, student_start=methods.STARTS[0], gradient=GRADIENTS[0])
        unset: dict[str, Any] = {field: value for field, value in defaults.items() if getattr(self, field) is None}
        recipe = dataclasses.replace(self, **unset)
        if recipe.teacher == TRAIN:
            recipe = dataclasses.replace(recipe, **trained_here)
        if recipe.cache is None:
            recipe = dataclasses.replace(recipe, cache=1 if recipe.augment == "none" and not recipe.mixup else 0)
        recipe._check()
        return recipe

    def _taught_by_shipped(self) -> bool:
        """Whether a teacher that comes with the package can teach, by what is known before defaults are filled in."""
        if self.dataset not in data.names() or self.mode in (Mode.TEACHER, Mode.BASELINE) or self.student_start == "shrunk":
            return False  # weights can be shrunk to a student's widths only from a network of its depth
        kinds = (True, False) if self.mode == Mode.COMPARE else ((self.teacher_neuron or self.neuron) != "relu",)
        return any(shipped.has(self.dataset, spiking) for spiking in kinds)

    def _check_types(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kind: Any = field.type
            allowed = kind | int if isinstance(0.0, kind) else kind
            if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
                raise ValueError(f"recipe setting {field.name} must be {getattr(kind, '__name__', kind)}, got {value!r}")
            if isinstance(value, (dict, list)) and not _is_json(value):
                raise ValueError(f"recipe setting {field.name} must hold finite numbers, texts, lists and mappings, got {value!r}")

    def _check(self) -> None:
        from keras_snnkd.data.augment import augmentation
        from keras_snnkd.data.data import check_share
        from keras_snnkd.data.mixup import check_mixup

        neuron_names = ["relu", *neurons.names()]
        for kind, value, known in [
            ("mode", self.mode, OF_RECIPES),
            ("neuron", self.neuron, neuron_names),
            ("neuron", self.teacher_neuron or self.neuron, neuron_names),
            ("precision", self.precision, PRECISIONS),
            ("kind of teacher outputs", self.teacher_outputs, teachers.OUTPUTS),
            ("strategy", self.strategy, strategy.NAMES),
            ("tuner", self.tuner, TUNERS),
            ("teacher start", self.teacher_start, TEACHER_STARTS),
            ("on_problem", self.on_problem, ON_PROBLEM),
            ("student start", self.student_start or methods.STARTS[0], methods.STARTS),
            ("gradient", self.gradient or GRADIENTS[0], GRADIENTS),
        ]:
            if value not in known:
                raise unknown_name(kind, value, known)
        augmentation(self.augment)
        data.check_resize(self.dataset, self.resize, self.keep_aspect)
        check_mixup(self.mixup)
        check_share(self.labels)
        self._check_twin()
        optimizers.check(self.optimizer, self.schedule)
        check_smoothing(self.label_smoothing)
        if self.teacher_stop is not None and not 1 <= self.teacher_stop <= self.teacher_epochs:
            raise ValueError(f"teacher_stop must be one of the {self.teacher_epochs} epochs of the teacher, got {self.teacher_stop!r}")
        check_scale(self.teacher_scale)
        check_timesteps(self.timesteps)
        check_timesteps(self.teacher_timesteps)
        if self.teacher == SHIPPED and self.mode not in (Mode.TEACHER, Mode.BASELINE, Mode.COMPARE):
            teacher_file(self)
        given = is_file(self.teacher) or self.teacher in (ITSELF, SHIPPED)
        for spec in (self.student, *self.assistants, *([] if given else [self.teacher])):
            models.specification(spec)
        for objective in self.objectives:
            method = methods.combine([objective])
            if self.mixup:
                _check_mixup(method)
            if self.labels != 1:
                _check_few_labels(method)
        if self.label_weight is not None:
            schedules.get(self.label_weight, "label_weight")
        for name in ("epochs", "teacher_epochs", "ann_epochs", "batch_size", "seeds", "trials"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number above 0, got {getattr(self, name)!r}")
        if self.cache < 0:
            raise ValueError(f"cache must be a number of views of at least 0, got {self.cache!r}")
        for name in ("learning_rate", "teacher_learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be greater than 0, got {getattr(self, name)!r}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be a number of at least 0, got {self.weight_decay!r}")
        for name in ("max_params", "max_synops", "max_bytes", "max_latency_ms"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be greater than 0, got {getattr(self, name)!r}")
        if self.weight_bits not in (8, 32):
            raise ValueError(f"weight_bits must be 8 or 32, got {self.weight_bits!r}")
        if self.mode == Mode.TEACHER and (is_file(self.teacher) or self.teacher == SHIPPED):
            raise ValueError(f"--mode teacher trains a teacher, and {self.teacher} is trained already; see it with --mode evaluate")
        if self.mode == Mode.COMPARE and self.strategy != "none":
            raise ValueError(f"--mode compare runs on one device, got --strategy {self.strategy}; run its arms as --mode distill instead")
        if self.mode == Mode.MULTISTAGE and not self.assistants:
            raise ValueError("a multistage run needs at least one assistant (--assistant)")
        if self.mode == Mode.TUNE and self.student_start not in (None, methods.STARTS[0]):
            raise ValueError(f"--mode tune trains every candidate from scratch, got student_start {self.student_start!r}")
        if self.teacher == ITSELF and self.mode != Mode.DISTILL:
            raise ValueError(f"a student that teaches itself (--teacher {ITSELF}) needs --mode distill, got --mode {self.mode}")
        if self.mode == Mode.MULTISTAGE and not methods.combine(self.objectives).needs_teacher:
            raise ValueError("a multistage run needs an objective with a teacher; self-distillation runs in --mode distill")

    def _check_twin(self) -> None:
        """Refuse a phase of the student's ANN twin where it has none, or where something else says where the student starts."""
        if self.twin_epochs < 0:
            raise ValueError(f"twin_epochs must be a number of epochs of at least 0, got {self.twin_epochs!r}")
        neuron = models.specification(self.student or {}).get("neuron", self.neuron)
        if self.twin_epochs and neuron == "relu":
            raise ValueError("twin_epochs trains the student's ANN twin first, and this student is an ANN itself; leave out --twin-epochs")
        if self.twin_epochs and self.student_start not in (None, methods.STARTS[0]):
            raise ValueError(
                f"twin_epochs and student_start={self.student_start!r} both say where the student starts; leave out --twin-epochs, or give "
                "--student-start scratch"
            )

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Recipe":
        """The inverse of `to_dict`.

        Raises:
            UnknownNameError: For a key that is no setting; the nearest is offered.
            FileFormatError: If it is no mapping.
        """
        if not isinstance(content, dict):
            raise FileFormatError(f"a recipe is a JSON object of settings, got {type(content).__name__}")
        known = [field.name for field in dataclasses.fields(cls)]
        for key in content:
            if key not in known:
                raise unknown_name("recipe setting", key, known)
        return cls(**content)

    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "Recipe":
        """Read from JSON.

        Raises:
            FileFormatError: If the file is missing, no JSON, or no recipe.
        """
        content = read_json(path)
        try:
            return cls.from_dict(content)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None


def _is_json(value: Any) -> bool:
    """Whether JSON can hold a value, which it cannot NaN and infinities."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _searched(entry: str | dict) -> tuple:
    """The objectives of one entry, of which a search makes its losses."""
    method = methods.combine([entry])
    if method.chain or method.longer or method.start != methods.STARTS[0]:
        raise ValueError(
            f"--mode tune makes losses of objectives; {method.name} is more than its objectives. Name those, or take --mode compare"
        )
    return method.objectives


def _check_mixup(method: Method) -> None:
    """Raise a `ValueError` if a method asks for the one class of an image, while mixup shows mixtures of two."""
    for objective in map(objectives.get, method.objectives):
        if getattr(objective, "one_label", False):
            raise ValueError(
                f"{objective.name} asks which steps give the right class, and with mixup an image has two; "
                "leave out --mixup, or take an objective without labels, such as soft_targets"
            )


def _check_few_labels(method: Any) -> None:
    """Raise a `ValueError` if a method has nothing to say of images without labels."""
    for objective in map(objectives.get, method.objectives):
        if objective.one_label or objective.needs_labels:
            raise ValueError(
                f"{objective.name} asks for the label of every image, and --labels leaves most of them without; take an objective without "
                "labels, such as soft_targets"
            )


def teacher_file(recipe: Recipe) -> Path | None:
    """The file of a resolved recipe's teacher; `None` for one that is trained in the run, or that is the student.

    Raises:
        KDError, FileFormatError: If none of the wanted kind comes with the package for the data set, or its file is missing.
    """
    if recipe.teacher == SHIPPED:
        return shipped.path(shipped.name_of(recipe.dataset, spiking=recipe.teacher_neuron != "relu"))
    return Path(str(recipe.teacher)) if is_file(recipe.teacher) else None


def is_file(model: Any) -> bool:
    """Whether a recipe's model is the path of a trained one."""
    return isinstance(model, str) and model.endswith(".keras")
