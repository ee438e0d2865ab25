"""What a run would do, without doing it."""

import json
from typing import Any

from keras_snnkd import data as datasets
from keras_snnkd import models
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.taps import TapModel, tap_names
from keras_snnkd.report import formats
from keras_snnkd.run.estimate import Estimate, beyond_memory, estimate, total
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.recipes.recipe import ITSELF, RELU, SHIPPED, TWIN, ResolvedRecipe, is_file, teacher_file
from keras_snnkd.run.watching.json_log import tell

SHORT, FULL = "short", "full"


def dry_run(experiment: Experiment, console: Any, how: str = SHORT) -> int:
    """Build everything a run would train, and print what it is and about what it takes.

    Args:
        experiment: The run.
        console: A `rich.console.Console`, or `keras_snnkd.run.watching.json_log.Lines`.
        how: `"short"`: data, models, stages, time and memory; `"full"`: taps with their shapes and the resolved recipe too.

    Returns:
        The exit status, 0.
    """

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    for line in datasets.describe(experiment.data):
        say(line)
    say("")
    distillers = experiment.check()
    taught = "teacher" in distillers or any(distiller.teacher is not None for distiller in distillers.values())
    for line in _models(experiment.recipe, taught):
        say(line)
    say("")
    stages = estimate(distillers, experiment.epochs, experiment.recipe, experiment.data.steps_per_epoch)
    for name, distiller in distillers.items():
        text = f"stage {name}: {distiller.student.count_params():,} parameters, loss = {distiller.describe()}; {_about(stages[name])}"
        values = {"stage": name, "parameters": distiller.student.count_params(), "loss": distiller.describe()}
        tell(console, "stage", text, **values, seconds=stages[name].seconds, memory_bytes=stages[name].memory_bytes)
        _details(distiller, say, full=how == FULL)
    everything = total(stages, experiment.recipe)
    text = f"\nin all {_about(everything)}, by counted operations and the speed that this machine has now"
    tell(console, "estimate", text, seconds=everything.seconds, memory_bytes=everything.memory_bytes)
    if told := beyond_memory(distillers, experiment.data.batch_size):
        say(f"warning: {told}")
    if how == FULL:
        say("\nrecipe:")
        say(json.dumps(experiment.recipe.to_dict(), indent=2))
    else:
        say("taps, shapes and the resolved recipe: --dry-run full")
    return 0


def _models(recipe: ResolvedRecipe, taught: bool) -> list[str]:
    """What teacher, assistants and student are and how they are trained, a line each."""
    trained = f"batches of {recipe.batch_size}, augmentation {recipe.augment}"
    lines = [f"teacher: {_teacher(recipe)}"] if taught else []
    if recipe.mode == Mode.TEACHER:
        return [*lines, trained]
    steps = "" if _data_has_steps(recipe) else f", T = {recipe.timesteps}"
    length = f"{recipe.epochs} epochs, learning rate {recipe.learning_rate:g}"
    specified = {"assistant": recipe.assistants} if recipe.mode == Mode.MULTISTAGE else {}
    if recipe.mode != Mode.TUNE:  # whose candidates are told by the search
        specified["student"] = [recipe.student]
    lines += [f"{role}: {_layers(spec, recipe.neuron)}{steps}; {length}" for role, specs in specified.items() for spec in specs]
    return [*lines, trained]


def _data_has_steps(recipe: ResolvedRecipe) -> bool:
    """Whether the steps of the student are those of the data."""
    return datasets.holds_series(recipe.dataset)


def _teacher(recipe: ResolvedRecipe) -> str:
    if file := teacher_file(recipe):
        return f"{file.parent.name if recipe.teacher == SHIPPED else file}, trained already"
    if recipe.teacher == ITSELF:
        return f"the student itself, with T = {recipe.teacher_timesteps}"
    if recipe.teacher == TWIN:
        return "the student's ANN twin, trained as the student is"
    neuron = recipe.teacher_neuron or recipe.neuron
    steps = "" if neuron == RELU or _data_has_steps(recipe) else f", T = {recipe.teacher_timesteps}"
    length = f"{recipe.teacher_epochs} epochs, learning rate {recipe.teacher_learning_rate:g}"
    start = "" if recipe.teacher_start == "scratch" or neuron == RELU else f", from an ANN (--teacher-start {recipe.teacher_start})"
    return f"{_layers(recipe.teacher, neuron)}{steps}; {length}{start}"


def _layers(model: Any, neuron: str) -> str:
    """A model's specification in words, with the preset's name where it has one; of a file its path."""
    if is_file(model):
        return f"the network of {model}"
    spec = {"neuron": neuron, **models.specification(model)}
    builder, widths = spec.pop("builder"), spec.pop("widths", None)
    layers = "" if widths is None else f" {'-'.join(map(str, widths))}"
    more = ", ".join(f"{name} {value}" for name, value in spec.items())
    return f"{f'{model}, ' if isinstance(model, str) and ':' not in model else ''}{builder}{layers}, {more}"


def _about(found: Estimate) -> str:
    time = f"about {formats.duration(_rounded(found.seconds))}" if found.seconds is not None else "a time that cannot be told"
    return f"{time}, {formats.size(found.memory_bytes)} of memory beside TensorFlow's own"


def _rounded(seconds: float) -> float:
    """Two figures: more would promise too much."""
    return float(f"{seconds:.2g}")


def _details(distiller: Distiller, say: Any, full: bool) -> None:
    if distiller.gradient != "bptt" or distiller.gradient_reason:
        reason = f": {distiller.gradient_reason}" if distiller.gradient_reason else ""
        say(f"  gradient {distiller.gradient}{reason}")
    if distiller.teacher is not None:
        say(f"  taught by {distiller.teacher.name} ({distiller.teacher.count_params():,} parameters)")
    if not full:
        return
    names = tap_names(distiller.student)
    for tap, shape in sorted(TapModel(distiller.student, names).shapes.items(), key=lambda item: names.index(item[0])):
        say(f"  {tap:<26} [{', '.join('B' if size is None else str(size) for size in shape)}]")
