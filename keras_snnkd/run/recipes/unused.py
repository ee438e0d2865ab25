"""Settings that somebody gave and a run does not look at."""

from collections.abc import Collection

from keras_snnkd.run.recipes.checks import has_teacher
from keras_snnkd.run.recipes.modes import WITHOUT_TRAINING, Mode
from keras_snnkd.run.recipes.own_networks import has_own_steps
from keras_snnkd.run.recipes.recipe import ITSELF, SHIPPED, TWIN, ResolvedRecipe, is_file

_BUDGET = {"max_spikes", "max_synops_target"}
_TEACHERS = {
    "teacher_timesteps",
    "teacher_neuron",
    "teacher_epochs",
    "teacher_stop",
    "teacher_learning_rate",
    "teacher_start",
    "ann_epochs",
    "label_smoothing",
}
_DISTILLATION = {"assistants", "objectives", "label_weight", "student_start", "first_objectives", "first_epochs", *_BUDGET}
_TWIN = {"twin_epochs", "twin_activation"}
_TUNING = {"tuner", "trials", "search", "max_params", "max_synops", "max_bytes", "max_latency_ms"}
_BY_MODE: dict[str, set[str]] = {
    Mode.TEACHER: {*_DISTILLATION, *_TWIN, "compress", "pareto", "student", "epochs", "learning_rate", "cache", "seeds"},
    Mode.BASELINE: {*_DISTILLATION, *_TEACHERS, "teacher", "seeds"},
    Mode.DISTILL: {"assistants", "seeds"},
    Mode.MULTISTAGE: {"seeds"},
    Mode.COMPARE: {"pareto"},
    Mode.TUNE: {"pareto", "seeds", "assistants", "on_problem"},
}
_FORM = {"teacher_outputs", "teacher_scale"}
"""Of a teacher from a file."""

_SENTENCES = {"task", "tokens", "vocabulary", "unlabelled"}
_DATA = {"dataset", "data_dir", "limit", "resize", "keep_aspect", "window", "hop", "fold", "frames", "frames_by", *_SENTENCES}

_LOOKED_AT = {"mode", "model", "out", "imports", *_DATA}
"""By `--mode evaluate` and `--mode export`."""

_EVALUATE = {"attacks", "variants"}
"""By `--mode evaluate` too."""

_EXPORT = {"target", "io", "finetune", "twin"}
"""By `--mode export` too."""


def unused(mode: str, given: Collection[str], recipe: ResolvedRecipe | None = None) -> list[str]:
    """The names of settings that are given and that a mode does not use.

    Args:
        mode: Of the run.
        given: Names of settings, as in a recipe; those of an option's name with `_` for `-` too.
        recipe: The resolved recipe: a trained teacher, or none, needs no settings for its training.

    Example:
        >>> unused("baseline", ["epochs", "objectives"])  # ["objectives"]
    """
    if mode in WITHOUT_TRAINING:
        return sorted(set(given) - _LOOKED_AT - (_EXPORT if mode == Mode.EXPORT else _EVALUATE))
    without = {*_BY_MODE.get(mode, set()), *_EXPORT, *_EVALUATE, "model", *(() if mode == Mode.TUNE else _TUNING)}
    if mode not in (Mode.COMPARE, Mode.DISTILL):
        without = without | {"rivals"}
    if mode != Mode.COMPARE:
        without = without | {"rates", "weights", "sizes"}
    elif recipe is not None and recipe.rivals:
        without = without | {"rates", "weights", "sizes", "compress"}
    elif recipe is not None and recipe.sizes:
        without = without | {"compress"}
    if recipe is not None:
        if not recipe.twin_epochs:
            without = without | {"twin_activation"}
        if has_own_steps(recipe) or is_file(recipe.student):
            without = without | {"timesteps", *(() if is_file(recipe.student) else ("teacher_timesteps",))}
        if not is_file(recipe.teacher) or mode in ("teacher", "baseline"):
            without = without | _FORM
        if mode == Mode.DISTILL and not has_teacher(recipe) and recipe.teacher != ITSELF:
            without = without | _FORM | _TEACHERS | {"teacher"}
        if is_file(recipe.teacher) or recipe.teacher == TWIN:
            without = without | _TEACHERS
        elif recipe.teacher == SHIPPED and mode != Mode.COMPARE:
            without = without | (_TEACHERS - {"teacher_neuron"})
        elif recipe.teacher == ITSELF:
            without = without | (_TEACHERS - {"teacher_timesteps"})
        elif recipe.teacher_start == "scratch" and mode != Mode.COMPARE:
            without = without | {"ann_epochs"}
    return sorted(without & set(given))
