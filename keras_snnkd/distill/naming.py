"""The objectives of a distiller, from however they are given, each with a name of its own."""

import copy
from collections.abc import Sequence
from typing import Any

from keras_snnkd.distill import methods
from keras_snnkd.distill import objectives as registry
from keras_snnkd.distill.objective import Objective
from keras_snnkd.errors import UnknownNameError, wrong_kind


def named(objectives: Sequence[Objective | str | dict[str, Any]]) -> list[Objective]:
    """The objectives as `Objective`s with distinct names.

    Args:
        objectives: Instances, names, or mappings, see `keras_snnkd.objectives.get`.

    Raises:
        KindError: For what is no list.
        UnknownNameError: For another name; of a method it says how its objectives are had.

    Example:
        >>> [objective.name for objective in named(["feature_map", "feature_map"])]  # ["feature_map", "feature_map_2"]
    """
    if not isinstance(objectives, (list, tuple)):
        raise wrong_kind("objectives", objectives, "a list, such as ['soft_targets'] or [kd.objectives.SoftTargets(temperature=4.0)]")
    found = [_objective(objective) for objective in objectives]
    seen: dict[str, int] = {}
    for index, objective in enumerate(found):
        seen[objective.name] = seen.get(objective.name, 0) + 1
        if seen[objective.name] > 1:
            found[index] = copy.copy(objective)
            found[index].name = f"{objective.name}_{seen[objective.name]}"
    return found


def _objective(given: Any) -> Objective:
    """One objective; for the name of a method, an error that says what to give."""
    try:
        return registry.get(given)
    except UnknownNameError:
        if not isinstance(given, str) or given not in methods.names():
            raise
        of_method = f"kd.methods.get({given!r})"
        raise UnknownNameError(
            f"{given!r} is a method, which is more than its objectives; give those, objectives={of_method}.objectives, and what else it "
            f"asks for, {of_method}"
        ) from None
