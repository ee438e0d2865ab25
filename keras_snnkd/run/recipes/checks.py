"""What a recipe must be before anything is trained: types, names, numbers, and settings that go together."""

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_snnkd import data, models, neurons
from keras_snnkd.data.augment import augmentation
from keras_snnkd.data.events import check_frames
from keras_snnkd.data.few_labels import check_share
from keras_snnkd.data.mixup import check_mixup
from keras_snnkd.data.series import Cut
from keras_snnkd.distill import methods, objectives, schedules, teachers
from keras_snnkd.distill.gradient import GRADIENTS
from keras_snnkd.distill.methods import Method
from keras_snnkd.distill.objectives import Coached
from keras_snnkd.distill.objectives.logits import LogitObjective
from keras_snnkd.distill.scales import check_scale
from keras_snnkd.errors import unknown_name
from keras_snnkd.layers.encoders import check_timesteps
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.recipes.modes import OF_RECIPES, Mode
from keras_snnkd.run.recipes.own_networks import check_own, check_views, has_own_steps, neuron_of
from keras_snnkd.run.recipes.recipe import (
    FROM_SHIPPED,
    IMITATION,
    ITSELF,
    LONGER,
    RATES,
    RELU,
    SHIPPED,
    TWIN,
    Recipe,
    ResolvedRecipe,
    is_file,
    teacher_file,
)
from keras_snnkd.run.watching.health import ON_PROBLEM
from keras_snnkd.training import optimizers, strategy
from keras_snnkd.training.labels import BALANCED, check_class_weights, check_smoothing

TUNERS = ("bayesian", "hyperband")
PRECISIONS = ("float32", "mixed_bfloat16")
TEACHER_STARTS = ("scratch", "ann", *FROM_SHIPPED)

LARGEST = 2**63
"""No whole number above it becomes one of a tensor, or a float."""


def check_types(recipe: Recipe) -> None:
    """Raise a `ValueError` for a setting of another type than its annotation says, or one that JSON cannot hold."""
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        kind: Any = field.type
        allowed = kind | int if isinstance(0.0, kind) else kind
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"recipe setting {field.name} must be {getattr(kind, '__name__', kind)}, got {value!r}")
        if any(abs(number) > LARGEST for number in _whole_numbers(value)):
            raise ValueError(f"recipe setting {field.name} holds a whole number of too many digits; the largest is 2^63")
        if isinstance(value, (dict, list)) and not _is_json(value):
            raise ValueError(f"recipe setting {field.name} must hold finite numbers, texts, lists and mappings, got {value!r}")


def check_task(recipe: Recipe) -> None:
    """Raise for a task that there is not, or that does not go with the data and the other settings.

    Raises:
        UnknownNameError: For another task.
        ValueError: For everything else.
    """
    if data.check_task(recipe.task) != data.REGRESSION:
        return
    from_disk = recipe.dataset in data.names() or Path(recipe.dataset).exists()
    if from_disk and not data.takes_numbers(recipe.dataset):
        raise ValueError(
            f"--task {recipe.task} is for .npz files of images with numbers as y_train and y_test, and for rated sentences (.tsv, .csv); "
            f"got {recipe.dataset}"
        )
    if recipe.mode in (Mode.COMPARE, Mode.TUNE):
        raise ValueError(f"--mode {recipe.mode} ranks students by accuracy, which numbers have none of; run --mode distill for each seed")
    of_classes = {
        "labels": recipe.labels != 1,
        "mixup": recipe.mixup,
        "label-smoothing": recipe.label_smoothing,
        "class-weights": recipe.class_weights,
        "compress": recipe.compress,
        "pareto": recipe.pareto,
    }
    for option, given in of_classes.items():
        if given:
            raise ValueError(f"--{option} is for classes, and the labels of --task {recipe.task} are numbers; leave it out")


def _whole_numbers(value: Any) -> Iterator[int]:
    """All whole numbers in a value and in what it holds."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _whole_numbers(part)


def _is_json(value: Any) -> bool:
    """Whether JSON can hold a value, which it cannot NaN and infinities."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def check(recipe: ResolvedRecipe) -> None:
    """Raise for a setting of a resolved recipe that cannot be, or that does not go with another.

    Raises:
        UnknownNameError: For an unknown name; the nearest is offered.
        KDError, ValueError: For everything else.
    """
    _check_names(recipe)
    check_own(recipe)
    check_views(recipe)
    _check_data(recipe)
    _check_twin(recipe)
    _check_training(recipe)
    _check_models(recipe)
    _check_loss(recipe)
    _check_numbers(recipe)
    _check_mode(recipe)


def _check_names(recipe: ResolvedRecipe) -> None:
    neuron_names = ["relu", *neurons.names()]
    for kind, value, known in [
        ("mode", recipe.mode, OF_RECIPES),
        ("neuron", recipe.neuron, neuron_names),
        ("neuron", recipe.teacher_neuron or recipe.neuron, neuron_names),
        ("precision", recipe.precision, PRECISIONS),
        ("kind of teacher outputs", recipe.teacher_outputs, teachers.OUTPUTS),
        ("strategy", recipe.strategy, strategy.NAMES),
        ("tuner", recipe.tuner, TUNERS),
        ("teacher start", recipe.teacher_start, TEACHER_STARTS),
        ("on_problem", recipe.on_problem, ON_PROBLEM),
        ("activation of the twin", recipe.twin_activation, (RATES, RELU)),
        ("student start", recipe.student_start or methods.STARTS[0], methods.STARTS),
        ("gradient", recipe.gradient or GRADIENTS[0], GRADIENTS),
    ]:
        if value not in known:
            raise unknown_name(kind, value, known)


def _check_data(recipe: ResolvedRecipe) -> None:
    augmentation(recipe.augment)
    data.check_resize(recipe.dataset, recipe.resize, recipe.keep_aspect)
    Cut(recipe.window, recipe.hop, recipe.fold).checked()
    check_frames(recipe.frames, recipe.frames_by)
    check_mixup(recipe.mixup)
    check_share(recipe.labels)
    if recipe.timesteps != Recipe.timesteps and has_own_steps(recipe):
        raise ValueError(
            f"timesteps={recipe.timesteps} (--timesteps): the steps of a network for series are those of the series of {recipe.dataset}; "
            "leave it out. Windows make long series shorter (window, --window), and frames put several steps into one, such as "
            '{"builder": "SequenceNet", "widths": [64, 64], "frames": 25} as the student of a recipe'
        )


def _check_twin(recipe: ResolvedRecipe) -> None:
    """Refuse a phase of the student's ANN twin where it has none, or where something else says where the student starts."""
    if recipe.twin_epochs < 0:
        raise ValueError(f"twin_epochs must be a number of epochs of at least 0, got {recipe.twin_epochs!r}")
    if not recipe.twin_epochs:
        return
    if neuron_of(recipe) == "relu":
        raise ValueError("twin_epochs trains the student's ANN twin first, and this student is an ANN itself; leave out --twin-epochs")
    if recipe.student_start not in (None, methods.STARTS[0]):
        raise ValueError(
            f"twin_epochs and student_start={recipe.student_start!r} both say where the student starts; leave out --twin-epochs, or give "
            "--student-start scratch"
        )


def _check_training(recipe: ResolvedRecipe) -> None:
    optimizers.check(recipe.optimizer, recipe.schedule)
    check_smoothing(recipe.label_smoothing)
    if isinstance(recipe.class_weights, str) and recipe.class_weights != BALANCED:
        raise unknown_name("choice of class_weights", recipe.class_weights, [BALANCED])
    if isinstance(recipe.class_weights, list):
        check_class_weights(recipe.class_weights)
    if recipe.teacher_stop is not None and not 1 <= recipe.teacher_stop <= recipe.teacher_epochs:
        raise ValueError(f"teacher_stop must be one of the {recipe.teacher_epochs} epochs of the teacher, got {recipe.teacher_stop!r}")


def _check_models(recipe: ResolvedRecipe) -> None:
    check_scale(recipe.teacher_scale)
    check_timesteps(recipe.timesteps)
    check_timesteps(recipe.teacher_timesteps)
    if recipe.teacher == SHIPPED and recipe.mode not in (Mode.TEACHER, Mode.BASELINE, Mode.COMPARE):
        teacher_file(recipe)
    if recipe.teacher_start in FROM_SHIPPED and recipe.teacher_neuron == "relu":
        raise ValueError(
            f"teacher_start={recipe.teacher_start!r} starts a spiking teacher from the ANN that comes with the package, and this "
            "teacher is an ANN itself; leave out --teacher-start, which takes that one as it is, or name --teacher-neuron lif"
        )
    specified = [recipe.student, *recipe.assistants]
    if not is_file(recipe.teacher) and recipe.teacher not in (ITSELF, SHIPPED, TWIN):
        specified.append(recipe.teacher)
    for spec in specified:
        if not is_file(spec):
            models.specification(spec)


def _check_loss(recipe: ResolvedRecipe) -> None:
    for objective in recipe.objectives:
        method = methods.combine([objective])
        _check_labels(recipe, method.objectives)
        if recipe.task == data.REGRESSION:
            _check_numbers_taught(method)
    for entry in recipe.compress or ():
        try:
            _check_labels(recipe, compression.step_of(entry, None).objectives)
        except ValueError as error:
            raise ValueError(f"--compress {entry[compression.COMPRESS]}: {error}") from error
    known = recipe.mode == Mode.COMPARE and all(methods.combine([objective]).first for objective in recipe.objectives)
    if recipe.student_start == IMITATION and not recipe.first_objectives and not known:
        raise ValueError(
            "--student-start imitation begins with a stage without labels; say what is learned there, such as --first-objective "
            "hidden_states"
        )
    if recipe.first_objectives:
        _check_first(methods.combine(recipe.first_objectives))
    for budget in budget_of(recipe):
        objectives.get(budget)
    if recipe.label_weight is not None:
        schedules.get(recipe.label_weight, "label_weight")


def _check_labels(recipe: ResolvedRecipe, asked: Sequence[Any]) -> None:
    """Raise a `ValueError` if objectives ask for labels that the images of a recipe do not have."""
    if recipe.mixup:
        _check_mixed(asked)
    if recipe.labels != 1:
        _check_few_labels(asked)


def _check_mixed(asked: Sequence[Any]) -> None:
    """Raise a `ValueError` if one of them asks for the one class of an image, while mixup shows mixtures of two."""
    for objective in map(objectives.get, asked):
        if getattr(objective, "one_label", False):
            raise ValueError(
                f"{objective.name} asks which steps give the right class, and with mixup an image has two; "
                "leave out --mixup, or take an objective without labels, such as soft_targets"
            )


def _check_numbers_taught(method: Method) -> None:
    """Raise a `ValueError` if a method compares what a regression has none of."""
    for objective in map(objectives.get, method.objectives):
        inner = objective.of if isinstance(objective, Coached) else objective
        if isinstance(inner, LogitObjective) or inner.one_label or inner.needs_labels:
            raise ValueError(
                f"{objective.name} compares classes, and the outputs of --task regression are numbers; take "
                "feature_map:teacher_tap=readout,student_tap=readout for these, or other taps for what is before them"
            )


def _check_first(method: Method) -> None:
    """Raise a `ValueError` if a stage without labels would have nothing to learn."""
    for objective in map(objectives.get, method.objectives):
        if not objective.uses_teacher or objective.one_label or objective.needs_labels:
            raise ValueError(
                f"{objective.name} asks for labels or for no teacher, and in the first stage (--first-objective) the teacher alone "
                "teaches; take hidden_states, feature_map or another objective with a teacher"
            )


def has_teacher(recipe: ResolvedRecipe) -> bool:
    """Whether a recipe's run asks a teacher for anything."""
    if recipe.mode == Mode.BASELINE:
        return False
    if recipe.mode != Mode.DISTILL or recipe.student_start == "shrunk":
        return True
    return bool(recipe.first_objectives) or methods.combine(recipe.objectives, recipe.label_weight).needs_teacher


def budget_of(recipe: Recipe) -> list[dict[str, Any]]:
    """The objectives that hold a student's spikes below what the recipe allows."""
    found: list[dict[str, Any]] = []
    if recipe.max_spikes is not None:
        found.append({"objective": "spike_budget", "rate": recipe.max_spikes, "per": "neuron"})
    if recipe.max_synops_target is not None:
        found.append({"objective": "spike_budget", "synops": recipe.max_synops_target})
    return found


def _check_few_labels(asked: Sequence[Any]) -> None:
    """Raise a `ValueError` if one of them has nothing to say of images without labels."""
    for objective in map(objectives.get, asked):
        if objective.one_label or objective.needs_labels:
            raise ValueError(
                f"{objective.name} asks for the label of every image, and --labels leaves most of them without; take an objective without "
                "labels, such as soft_targets"
            )


def _check_numbers(recipe: ResolvedRecipe) -> None:
    for name in ("epochs", "first_epochs", "teacher_epochs", "ann_epochs", "batch_size", "seeds", "trials"):
        value = getattr(recipe, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
    if recipe.cache < 0:
        raise ValueError(f"cache must be a number of views of at least 0, got {recipe.cache!r}")
    for name in ("learning_rate", "teacher_learning_rate", "max_params", "max_synops", "max_bytes", "max_latency_ms"):
        value = getattr(recipe, name)
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be greater than 0, got {value!r}")
    for name in ("rates", "weights", "sizes"):
        for value in getattr(recipe, name) or ():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ValueError(f"{name} must be numbers greater than 0, got {value!r}")
    if not 0 <= recipe.weight_decay < math.inf:
        raise ValueError(f"weight_decay must be a number of at least 0, got {recipe.weight_decay!r}")
    if recipe.weight_bits not in (8, 32):
        raise ValueError(f"weight_bits must be 8 or 32, got {recipe.weight_bits!r}")


def _check_mode(recipe: ResolvedRecipe) -> None:
    """Refuse settings that the mode cannot do."""
    with_rivals = recipe.rivals and recipe.mode in (Mode.COMPARE, Mode.DISTILL)
    if with_rivals and neuron_of(recipe) == "relu":
        raise ValueError("--rivals sets a spiking student beside its ANN twin, and this student is an ANN itself; leave out --neuron relu")
    if recipe.teacher == TWIN and neuron_of(recipe) == "relu":
        raise ValueError(f"--teacher {TWIN} is the student's ANN twin, and this student is an ANN itself; give another teacher")
    if recipe.teacher == TWIN and recipe.mode not in (Mode.DISTILL, Mode.MULTISTAGE):
        raise ValueError(f"--teacher {TWIN} needs --mode {Mode.DISTILL} or {Mode.MULTISTAGE}, got --mode {recipe.mode}")
    if recipe.mode == Mode.TEACHER and (is_file(recipe.teacher) or recipe.teacher == SHIPPED):
        raise ValueError(f"--mode teacher trains a teacher, and {recipe.teacher} is trained already; see it with --mode evaluate")
    if recipe.mode == Mode.COMPARE and recipe.strategy != "none":
        raise ValueError(f"--mode compare runs on one device, got --strategy {recipe.strategy}; run its arms as --mode distill instead")
    if recipe.mode == Mode.TUNE and models.specification(recipe.student)["builder"] == "SpikingTransformer":
        raise ValueError("--mode tune searches among widths of layers, and a transformer has one; compare sizes by --mode compare --sizes")
    if with_rivals and recipe.student_start in (LONGER, "kept_frames"):
        raise ValueError(
            f"--rivals trains the student and its ANN twin alike, and a student that starts by {recipe.student_start} has none"
        )
    if with_rivals and recipe.strategy != "none":
        raise ValueError(f"--rivals writes int8 files and runs on one device, got --strategy {recipe.strategy}")
    if recipe.mode == Mode.MULTISTAGE and not recipe.assistants:
        raise ValueError("a multistage run needs at least one assistant (--assistant)")
    if recipe.mode == Mode.TUNE and recipe.strategy != "none":
        raise ValueError(
            f"--mode tune trains candidates one by one, got --strategy {recipe.strategy}; workers share them, see docs/tuning.md"
        )
    if recipe.mode == Mode.TUNE and recipe.twin_epochs:
        raise ValueError("--mode tune trains every candidate as a spiking network at once; leave out --twin-epochs")
    if recipe.mode == Mode.TUNE and recipe.student_start not in (None, methods.STARTS[0]):
        raise ValueError(f"--mode tune trains every candidate from scratch, got student_start {recipe.student_start!r}")
    if recipe.student_start == LONGER and recipe.teacher != ITSELF:
        raise ValueError(
            f"a student that starts from itself for more steps (--student-start {LONGER}) is its own teacher, and there is "
            f"another, {recipe.teacher}; take --objective long_to_short, or --teacher self with --teacher-timesteps"
        )
    if recipe.teacher == ITSELF and recipe.mode != Mode.DISTILL:
        raise ValueError(f"a student that teaches itself (--teacher {ITSELF}) needs --mode distill, got --mode {recipe.mode}")
    if recipe.mode == Mode.MULTISTAGE and not methods.combine(recipe.objectives).needs_teacher:
        raise ValueError("a multistage run needs an objective with a teacher; self-distillation runs in --mode distill")
