"""From what a recipe says to all of its settings: methods become their objectives, and unset values get their defaults."""

import dataclasses
from pathlib import Path
from typing import Any, cast

from keras_snnkd import data, graphs, models
from keras_snnkd.distill import methods
from keras_snnkd.distill.gradient import GRADIENTS
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.recipes import defaults
from keras_snnkd.run.recipes.checks import check, check_task, check_types
from keras_snnkd.run.recipes.modes import WITH_STUDENTS, Mode
from keras_snnkd.run.recipes.own_networks import check_inputs, fitted, neuron_of
from keras_snnkd.run.recipes.recipe import FROM_SHIPPED, IMITATION, ITSELF, LONGER, SHIPPED, TRAIN, TWIN, Recipe, ResolvedRecipe, is_file
from keras_snnkd.teachers import shipped


def resolve(recipe: Recipe) -> ResolvedRecipe:
    """A recipe with methods replaced by what they are and every unset value filled in, checked."""
    check_types(recipe)
    check_task(recipe)
    check_inputs(recipe)
    resolved = cast(ResolvedRecipe, _filled(_expanded(_fitted(_taught_by_what_there_is(fitted(recipe))))))
    if resolved.compress:
        compressed = resolved.mode in WITH_STUDENTS and not (resolved.mode == Mode.COMPARE and (resolved.rivals or resolved.sizes))
        entries = compression.read(resolved.compress)
        resolved = dataclasses.replace(resolved, compress=entries if compressed else None)
    check(resolved)
    return resolved


def _taught_by_what_there_is(recipe: Recipe) -> Recipe:
    """Without a word on loss and teacher, an ANN teaches where the package has one for the data set, unless spikes are to teach there."""
    unsaid = (recipe.objectives, recipe.teacher_neuron) == (None, None) and recipe.teacher in (None, SHIPPED)
    teaches = (recipe.mode in (Mode.DISTILL, Mode.MULTISTAGE) or _compares_rivals(recipe)) and shipped.has(recipe.dataset, spiking=False)
    if unsaid and teaches and not _wants_to_train(recipe) and recipe.dataset not in defaults.TAUGHT_BY_SPIKES:
        return dataclasses.replace(recipe, teacher_neuron="relu")
    return recipe


def _compares_rivals(recipe: Recipe) -> bool:
    """Whether one method teaches the student and its ANN twin, and no methods are compared."""
    return recipe.mode == Mode.COMPARE and recipe.rivals


def _fitted(recipe: Recipe) -> Recipe:
    """With the default objectives of an ANN teacher, if that is what the file holds."""
    unsaid = recipe.objectives is None and recipe.teacher_neuron is None
    if not unsaid or recipe.mode not in (Mode.DISTILL, Mode.MULTISTAGE, Mode.TUNE):
        return recipe
    if not is_file(recipe.teacher) or not Path(str(recipe.teacher)).is_file():
        return recipe
    if any(graphs.fires(layer) for layer in all_layers(models.load(str(recipe.teacher)))):
        return recipe
    return dataclasses.replace(recipe, teacher_neuron="relu")


def _expanded(recipe: Recipe) -> Recipe:
    """With what methods are in place of their names; compared ones stay names."""
    for objective in (*(recipe.objectives or ()), *(recipe.first_objectives or ())):
        if not isinstance(objective, (str, dict)):
            raise ValueError(f"an objective is a name or a mapping with the key 'objective', got {objective!r}")
    if recipe.first_objectives:
        first = [part for entry in recipe.first_objectives for part in methods.combine([entry]).objectives]
        recipe = dataclasses.replace(recipe, first_objectives=first, student_start=recipe.student_start or IMITATION)
    if _compares_rivals(recipe):
        return _by_its_method(recipe, recipe.objectives or [{**defaults.SOFT_TARGETS}])
    if recipe.mode == Mode.COMPARE:
        return dataclasses.replace(recipe, objectives=_compared(recipe))
    if recipe.objectives is None and data.holds_text(recipe.dataset) and not _gives_numbers(recipe) and recipe.mode != Mode.TUNE:
        recipe = dataclasses.replace(recipe, objectives=defaults.OWN_TEXT["objectives"])  # which is a method
    if recipe.objectives is None:
        return recipe
    if recipe.mode == Mode.TUNE:
        parts = [part for entry in recipe.objectives for part in _searched(entry)]
        return dataclasses.replace(recipe, objectives=parts)
    return _by_its_method(recipe, recipe.objectives)


def _compared(recipe: Recipe) -> list[Any]:
    """What `--mode compare` compares."""
    entries: list[Any] = []
    all_methods = defaults.TEXT_METHODS if data.holds_text(recipe.dataset) else methods.compared()
    for given in recipe.objectives or ["all"]:
        entries += all_methods if given == "all" else [given]
    for entry in entries:
        if methods.combine([entry]).start == LONGER:
            raise ValueError(f"{entry} trains several students one after the other; take --mode distill")
    return entries


def _searched(entry: str | dict[str, Any]) -> tuple[Any, ...]:
    """The objectives of one entry, of which a search makes its losses."""
    method = methods.combine([entry])
    if method.chain or method.longer or method.teacher == TWIN or method.start != methods.STARTS[0]:
        raise ValueError(
            f"--mode tune makes losses of objectives; {method.name} is more than its objectives. Name those, or take --mode compare"
        )
    return method.objectives


def _by_its_method(recipe: Recipe, objectives: list[Any]) -> Recipe:
    """With the objectives of its methods, and with what these methods say of the teacher, the start and the gradient."""
    method = methods.combine(objectives, recipe.label_weight)
    if method.chain and recipe.mode == Mode.DISTILL:
        raise ValueError(f"{method.name} goes through assistants; use --mode multistage")
    if method.longer and recipe.teacher not in (None, ITSELF):
        raise ValueError(f"in {method.name} the student teaches itself, and there is a teacher, {recipe.teacher!r}; leave out one of them")
    implied: dict[str, Any] = {"label_weight": method.label_weight, "student_start": method.start, "gradient": method.gradient}
    if method.first and recipe.student_start in (None, IMITATION):
        implied["first_objectives"] = list(method.first)
    if method.taught_by_ann:
        implied["teacher_neuron"] = "relu"
    times = method.longer or method.frames
    if times > 1:
        implied["teacher_timesteps"] = times * recipe.timesteps
    teacher = ITSELF if method.longer else TWIN if method.teacher == TWIN and recipe.teacher is None else recipe.teacher
    return dataclasses.replace(_with(recipe, implied), objectives=list(method.objectives), teacher=teacher)


def _filled(recipe: Recipe) -> Recipe:
    """With the defaults in place of unset values."""
    trained_here = _trained_here(recipe)
    if recipe.teacher_start in FROM_SHIPPED:
        trained_here = shipped.specification(shipped.name_of(recipe.dataset, spiking=False))
    filled = _with(recipe, {**_defaults(recipe), "teacher": SHIPPED if _taught_by_shipped(recipe) else trained_here})
    if filled.teacher == TRAIN:
        filled = dataclasses.replace(filled, teacher=trained_here)
    unchanging = filled.augment == "none" and not filled.mixup
    return _with(filled, {"cache": 1 if unchanging else 0, "twin_epochs": 0})


def _with(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """A recipe with these values where it has none of its own."""
    unset: dict[str, Any] = {field: value for field, value in values.items() if getattr(recipe, field) is None}
    return dataclasses.replace(recipe, **unset)


def _has_presets(recipe: Recipe) -> bool:
    """Whether there are models for the data set by name."""
    return f"{Path(recipe.dataset).stem}_student" in models.PRESETS and not data.holds_inputs(recipe.dataset)


def _of_own_data(recipe: Recipe) -> dict[str, Any]:
    """The defaults of data without presets."""
    if data.holds_inputs(recipe.dataset):
        return defaults.OWN_INPUTS
    if data.holds_series(recipe.dataset):
        return defaults.OWN_SERIES
    if data.holds_text(recipe.dataset):
        return defaults.OWN_TEXT
    return defaults.OWN_MAPS if _gives_numbers(recipe) and data.holds_maps(recipe.dataset) else defaults.OWN_DATA


def _gives_numbers(recipe: Recipe) -> bool:
    """Whether labels are numbers."""
    return recipe.task == data.REGRESSION


def _trained_here(recipe: Recipe) -> Any:
    """The teacher that is trained in the run where none is given."""
    if data.holds_inputs(recipe.dataset):
        return recipe.student  # there is none that could be built, and no stage of it
    if _has_presets(recipe):
        return f"{Path(recipe.dataset).stem}_teacher"
    return _of_own_data(recipe)["teacher"]


def _defaults(recipe: Recipe) -> dict[str, Any]:
    """The values of settings that may be unset, for this recipe's data, mode and optimizer; all but the teacher's."""
    name = Path(recipe.dataset).stem
    values = {
        **_general(recipe),
        **(defaults.SERIES if data.holds_series(recipe.dataset) else {}),
        **({"assistants": [f"{name}_assistant"], "student": f"{name}_student"} if _has_presets(recipe) else _of_own_data(recipe)),
        **_of_data_set(recipe, name),
        **(defaults.NUMBERS if _gives_numbers(recipe) else {}),
    }
    if recipe.optimizer == "sgd":
        values.update(learning_rate=defaults.SGD_RATE, teacher_learning_rate=defaults.SGD_RATE)
    if recipe.limit is not None:
        values.pop("batch_size", None)  # it follows the number of images
    if recipe.objectives is not None or recipe.augment == "none" or recipe.mixup:
        values.pop("cache", None)  # of features of many views there would be gigabytes, and views that are alike need one
    if data.holds_text(recipe.dataset):
        values["cache"] = defaults.OWN_TEXT["cache"]
    twin_epochs = values.get("twin_epochs", 0)
    if not _may_start_from_twin(recipe):
        values.pop("twin_epochs", None)
    has_twin = values.get("twin_epochs") if recipe.twin_epochs is None else recipe.twin_epochs
    if not has_twin:  # of which an epoch is worth half a spiking student's
        values["epochs"] += twin_epochs if neuron_of(recipe) == "relu" else twin_epochs // 2
    if recipe.mode == Mode.COMPARE:
        del values["teacher_neuron"]  # each method has its own
    if recipe.mode in (Mode.COMPARE, Mode.TUNE):  # many students are trained
        values["epochs"] = max(1, values["epochs"] // 3)
    else:
        values.update(label_weight=1.0, student_start=methods.STARTS[0], gradient=GRADIENTS[0])
    return values


def _of_data_set(recipe: Recipe, name: str) -> dict[str, Any]:
    """The defaults of a data set that is known by name; without those of its optimizer, where another is asked for."""
    values = defaults.BY_DATA_SET.get(name, {})
    if recipe.optimizer in (None, values.get("optimizer", ADAMW)):
        return values
    return {key: value for key, value in values.items() if key not in defaults.OF_OPTIMIZER}


def _may_start_from_twin(recipe: Recipe) -> bool:
    """Whether the student's ANN twin may be trained first without being asked for."""
    spiking = neuron_of(recipe) != "relu" and not is_file(recipe.student)
    modes = (Mode.BASELINE, Mode.DISTILL, Mode.MULTISTAGE)
    return spiking and recipe.mode in modes and recipe.student_start in (None, methods.STARTS[0])


def _general(recipe: Recipe) -> dict[str, Any]:
    """The defaults that hold for all data."""
    objectives: list[dict[str, Any]] = [{**defaults.SOFT_TARGETS}]
    if recipe.teacher in (None, SHIPPED) and recipe.teacher_neuron == "relu" and recipe.dataset in defaults.TEMPERATURES:
        objectives[0]["temperature"] = defaults.TEMPERATURES[recipe.dataset]
    if "relu" not in (recipe.teacher_neuron, recipe.neuron):  # an ANN has no spike trains
        objectives.append({"objective": "spike_train", "window": max(1, recipe.timesteps // 2), "weight": 1.0})
    return {
        "teacher_timesteps": recipe.timesteps,
        "teacher_neuron": recipe.neuron,
        "objectives": objectives,
        "epochs": 15,
        "teacher_epochs": 10,
        "teacher_start": "scratch",
        "ann_epochs": 10,
        "optimizer": ADAMW,
        "schedule": "cosine",
        "learning_rate": 2e-3,
        "teacher_learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "augment": "none",
    }


ADAMW = "adamw"

_OF_ITS_TRAINING = ("teacher_epochs", "teacher_stop", "teacher_learning_rate", "teacher_start", "ann_epochs")
"""Settings of a teacher that is trained in the run: whoever gives one of them wants to train one."""


def _wants_to_train(recipe: Recipe) -> bool:
    return any(getattr(recipe, name) is not None for name in _OF_ITS_TRAINING)


def _taught_by_shipped(recipe: Recipe) -> bool:
    """Whether a teacher that comes with the package can teach, by what is known before defaults are filled in."""
    if recipe.dataset not in data.names() or recipe.mode in (Mode.TEACHER, Mode.BASELINE) or _wants_to_train(recipe):
        return False
    if recipe.student_start == "shrunk":
        return False  # weights can be shrunk to a student's widths only from a network of its depth
    if recipe.mode == Mode.COMPARE and not recipe.rivals:
        return any(shipped.has(recipe.dataset, spiking) for spiking in (True, False))
    if (recipe.teacher_neuron or recipe.neuron) == "relu":
        return shipped.has(recipe.dataset, spiking=False)
    steps = recipe.teacher_timesteps or recipe.timesteps
    return shipped.has(recipe.dataset, spiking=True) and shipped.timesteps(shipped.name_of(recipe.dataset, spiking=True)) == steps
