"""Networks of a user's own, from `.keras` files, as students and assistants; and what data of several inputs need of a recipe."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from keras_snnkd import data, graphs, models
from keras_snnkd.distill import methods, objectives
from keras_snnkd.export.freeze import spiking_layers, timesteps
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.recipes.recipe import IMITATION, TWIN, Recipe, is_file

TRAINS_INPUTS = (Mode.BASELINE, Mode.DISTILL, Mode.MULTISTAGE)
"""Modes that train on samples of several inputs."""


def neuron_of(recipe: Recipe) -> Any:
    """The neuron of a recipe's student; of one from a file the recipe's, which `fitted` has taken from the file."""
    if recipe.student is None or is_file(recipe.student):
        return recipe.neuron
    return models.specification(recipe.student).get("neuron", recipe.neuron)


def has_own_steps(recipe: Recipe) -> bool:
    """Whether the data are series, whose steps are those of the networks."""
    return data.holds_series(recipe.dataset)


def fitted(recipe: Recipe) -> Recipe:
    """With the time steps of the student's file, and no neuron where it has none."""
    if not is_file(recipe.student):
        return recipe
    student = models.load(str(recipe.student))
    if not graphs.is_graph(student):
        return recipe  # refused when it is built
    steps = timesteps(student)
    neuron = recipe.neuron if spiking_layers(student) else "relu"
    return dataclasses.replace(recipe, timesteps=recipe.timesteps if steps is None else steps, neuron=neuron)


def check_own(recipe: Recipe) -> None:
    """Refuse what a student or assistant from a file cannot be asked for: another form of itself, other widths, or other time steps.

    Raises:
        ValueError: With what to leave out.
    """
    files = [model for model in (recipe.student, *(recipe.assistants or ())) if is_file(model)]
    if not files:
        return
    for option, given in _of_builders(recipe):
        if given:
            raise ValueError(
                f"{option} makes another form of a network that is built by its name, and {files[0]} is a network of your own, taken as it "
                f"is in the file; leave {option} out, or give a form such as convnet:16,pool,32"
            )


def _of_builders(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """What asks for another form of a network, as options, and whether it is asked for."""
    yield f"--mode {recipe.mode}", recipe.mode in (Mode.COMPARE, Mode.TUNE)
    yield "--rivals", recipe.rivals
    yield "--twin-epochs", recipe.twin_epochs
    yield f"--teacher {TWIN}", recipe.teacher == TWIN
    yield f"--student-start {recipe.student_start}", recipe.student_start not in (None, methods.STARTS[0], IMITATION)
    yield f"--precision {recipe.precision}", recipe.precision != "float32"


def check_inputs(recipe: Recipe) -> None:
    """Refuse what is about single images, for data whose samples have several inputs; and networks that are built by their names.

    Raises:
        ValueError: With what to give instead, or to leave out.
    """
    if not data.holds_inputs(recipe.dataset):
        return
    said = f"{recipe.dataset} has samples of several inputs"
    if recipe.mode not in TRAINS_INPUTS:
        raise ValueError(f"{said}, on which --mode {', '.join(TRAINS_INPUTS)} train; got --mode {recipe.mode}")
    of_images = {
        "--augment": recipe.augment not in (None, "none"),
        "--mixup": recipe.mixup,
        "--resize": recipe.resize,
        "--compress": recipe.compress,
        "--rivals": recipe.rivals,
    }
    for option, given in of_images.items():
        if given:
            raise ValueError(f"{said}, and {option} is for single images; leave it out")
    networks = {"--student": [recipe.student]}
    if recipe.mode != Mode.BASELINE:
        networks["--teacher"] = [recipe.teacher]
    if recipe.mode == Mode.MULTISTAGE:
        networks["--assistant"] = recipe.assistants or [None]
    for option, given in networks.items():
        for model in given:
            if not is_file(model):
                raise ValueError(
                    f"{said}, for which networks come from files: {option} FILE.keras, a Keras model whose input layers are called as the "
                    f"inputs; got {'none' if model is None else repr(model)}"
                )


def check_views(recipe: Recipe) -> None:
    """Refuse objectives that turn images, for data of several inputs.

    Raises:
        ValueError: With the objective.
    """
    if not data.holds_inputs(recipe.dataset):
        return
    for objective in recipe.objectives or ():
        if (found := objectives.get(objective)).reads_views:
            raise ValueError(f"{found.name} turns single images, and {recipe.dataset} has samples of several inputs; take soft_targets")
