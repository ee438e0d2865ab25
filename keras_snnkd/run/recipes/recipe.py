"""A run as plain data: everything that decides its result, to JSON and back."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_snnkd.distill import objectives
from keras_snnkd.errors import FileFormatError, UnknownNameError, nearest, unknown_name
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.teachers import shipped

SHIPPED, TRAIN = "shipped", "train"
"""In place of a teacher: the one that comes with the package for this data set, and the preset of the data set, trained in the run."""

RATES, RELU = "rates", "relu"
"""Activations of an ANN twin: the firing rates of the spiking network's neurons, and ReLU."""

TAUGHT = "taught"
"""As a spiking teacher's start: as `SHIPPED`, and that ANN teaches it all along."""

FROM_SHIPPED = (SHIPPED, TAUGHT)
"""Starts of a spiking teacher from the ANN that comes with the package."""

IMITATION = "imitation"
"""As a student's start: itself, after a stage without labels."""

CONVERTED = "converted"
"""As a student's start: its ANN twin with clip-floor activations, converted."""

LONGER = "longer"
"""As a student's start: itself, trained before for `teacher_timesteps`, then for half as many, and so on."""

ITSELF = "self"
"""In place of a teacher: the student, run for `teacher_timesteps`."""

TWIN = "twin"
"""In place of a teacher: the student's ANN twin, trained in the run as the student is, by labels."""


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
        window, hop: Of series: steps of the windows into which longer ones are cut, and from one to the next.
        fold: Of series and events: which part of the people, or of each class, is test (see `keras_snnkd.data.load`).
        frames, frames_by: Of lists of events: how many frames are made of each, of equal `"time"` or `"count"`.
        task: What there is to learn: `"classes"`, or `"regression"`: the numbers, or maps of numbers, that the labels are.
        tokens, vocabulary: Of sentences: tokens of each one, and how many ids.
        unlabelled: A file of more sentences, for a first stage without labels.
        teacher: Preset, short form (`"convnet:32,pool,64"`), specification, or the path of a trained `.keras` file; `"shipped"` for the
            trained one that comes with the package for a data set, the default where there is one; `"train"` for the data set's preset,
            trained in the run; `"twin"` for the student's ANN twin, trained in the run as the student is; `"self"` for the student itself,
            run for `teacher_timesteps`.
        assistants: The intermediate networks of a multi-stage run, largest first; as `teacher`, but trained here.
        student: As an assistant. Both may be the path of a `.keras` file too: the network in it, which starts from the weights in it, and
            whose time steps and neurons are its own.
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
            teacher's weights, shrunk to the student's widths (`keras_snnkd.models.shrink_weights`), or `"imitation"`: after a stage in
            which it learns `first_objectives` without labels; that of the method by default.
        first_objectives: Of the stage before, as `objectives`; those of the method by default, such as the teacher's hidden states for
            `spikebert`.
        first_epochs: Of that stage; as many as `epochs` by default.
        gradient: `"bptt"`, `"rate"`: rate-based backpropagation, half the time, or `"auto"` (see `keras_snnkd.Distiller`), for all stages;
            that of the method by default, else `"bptt"`.
        rivals: Compare the student with its ANN twin, both distilled alike and as int8 files: in mode `"distill"` beside everything else,
            in mode `"compare"` in place of methods and with several seeds.
        rates: In mode `"compare"`, learning rates of which each arm takes the one that does best on validation images, with the first seed.
        weights: Likewise, factors of the weights of each method's objectives; the student alone tries as many more rates instead.
        sizes: In mode `"compare"`, factors of the student's widths, each compared by itself (see `keras_snnkd.run.comparing.sizes`).
        seeds: In mode `"compare"`, how many seeds each arm is trained with: `seed`, `seed + 1`, ...
        epochs: Of students and assistants.
        teacher_epochs: Of the teacher.
        teacher_start: `"scratch"`; `"shipped"`: from the weights of the ANN that comes with the package for the data set, trained on for
            `ann_epochs` with the firing rates of the neurons as activations (see `keras_snnkd.models.with_rates`); `"taught"`: likewise,
            and that ANN teaches it all along, by the method `hinton`; or `"ann"`: from the weights of its ANN twin, trained first for
            `ann_epochs` (level 1 of SAKD, Qiu et al., Neural Networks 178, 2024).
        ann_epochs: Of that network.
        batch_size: Images in a step; by default that of `keras_snnkd.data.load`, by the number of training images. A run writes the number
            into its recipe.
        optimizer: `"adamw"`, or `"sgd"` with Nesterov's momentum; of all models (see `keras_snnkd.training.optimizers`).
        schedule: How the learning rate goes from step to step: `"cosine"`, `"warmup_cosine"` or `"one_cycle"`.
        learning_rate: The highest one, for students and assistants.
        teacher_learning_rate: For teachers.
        weight_decay: Of the optimizer, decoupled from the gradient: SGD wants ten times the number of an L2 penalty.
        label_smoothing: Of the teachers' labels, from 0 to less than 1.
        class_weights: Factors of the label loss for each class, or `"balanced"`: those by which all classes of the training labels weigh
            alike; of all models.
        teacher_stop: End the teacher's training after so many of its epochs, before its learning rate has fallen to 0 (Cho and
            Hariharan, ICCV 2019, arXiv:1910.01348).
        weight_bits: 8 rounds the trained kernels to what an 8-bit file can hold, so that all files compute the same; 32 leaves them.
        augment: Names of `keras_snnkd.data.AUGMENTATIONS`, joined by `+`.
        labels: The share of training images whose labels are known, above 0 and at most 1: teachers that are trained here and the student
            alone see these images alone, taught students learn from the teacher's answers on the others.
        twin_epochs: Train the student's ANN twin first for so many epochs, and start the student from it: the twin of the student alone
            by labels, that of a taught student by its method, as far as that needs no time steps. 0 for no such phase, the default but of
            some data sets by name, where the student is a spiking one that starts from nothing else.
        twin_activation: Of that twin: `"rates"`, the firing rates of the student's neurons (see `keras_snnkd.models.with_rates`), or
            `"relu"`, which it always is for signals, whose time steps are their own.
        mixup: Strength of mixup, 0 for none: training images, and their labels, are mixtures of two (see `keras_snnkd.data.Data`).
        cache: Train students and assistants on so many augmented views of each image, and compute the teacher's outputs on them once
            (see `keras_snnkd.TeacherCache`); 0 for new views in each epoch, and a teacher that runs in each step. By default 1 without
            augmentation, where it changes nothing but the time; else 0, but 2 for some data sets by name whose students learn by the
            default objectives.
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
        max_spikes: The mean share of neurons that may fire in a step of the distilled student, above 0 and below 1; `max_synops_target`:
            the operations a sample that its spikes may cause. Objectives of its training (see `keras_snnkd.objectives.SpikeBudget`).
        compress: What the last student goes through, one after the other: words or mappings such as
            `{"compress": "stds", "sparsity": 0.9, "epochs": 10}` (see `keras_snnkd.run.compressing.stages`).
        pareto: Keep, of each student, the epochs that no other one beats in both validation accuracy and operations, as files in `pareto/`
            (see `keras_snnkd.compress.ParetoFront`); operations stand in the history then.
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
    window: int | None = None
    hop: int | None = None
    fold: int = 0
    frames: int | None = None
    frames_by: str = "time"
    task: str = "classes"
    tokens: int | None = None
    vocabulary: int | None = None
    unlabelled: str | None = None
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
    first_objectives: list | None = None
    first_epochs: int | None = None
    gradient: str | None = None
    rivals: bool = False
    rates: list | None = None
    weights: list | None = None
    sizes: list | None = None
    seeds: int = 5
    max_spikes: float | None = None
    max_synops_target: float | None = None
    compress: list | None = None
    pareto: bool = False
    epochs: int | None = None
    teacher_epochs: int | None = None
    teacher_start: str | None = None
    ann_epochs: int | None = None
    batch_size: int | None = None
    optimizer: str | None = None
    schedule: str | None = None
    learning_rate: float | None = None
    teacher_learning_rate: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    class_weights: str | list | None = None
    teacher_stop: int | None = None
    weight_bits: int = 8
    augment: str | None = None
    labels: float = 1.0
    twin_epochs: int | None = None
    twin_activation: str = RATES
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

    def resolved(self) -> "ResolvedRecipe":
        """This recipe with methods replaced by what they are, every unset value filled in, and checked."""
        from keras_snnkd.run.recipes.resolution import resolve  # which makes recipes itself

        return resolve(self)

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
                of_objectives = objectives.arguments("soft_targets")
                if (found := nearest(key, [*known, *of_objectives])) in of_objectives:
                    example = f"{{'objective': 'soft_targets', {found!r}: ...}}"
                    raise UnknownNameError(f"unknown recipe setting {key!r}; did you mean an objective's, such as {example}?")
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


if TYPE_CHECKING:

    class ResolvedRecipe(Recipe):
        """A recipe as `Recipe.resolved` gives it, in which what a run needs is set."""

        teacher: str | dict
        assistants: list
        student: str | dict
        teacher_timesteps: int
        objectives: list
        epochs: int
        twin_epochs: int
        teacher_epochs: int
        teacher_start: str
        ann_epochs: int
        optimizer: str
        schedule: str
        learning_rate: float
        teacher_learning_rate: float
        weight_decay: float
        augment: str
        cache: int

else:
    ResolvedRecipe = Recipe


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
