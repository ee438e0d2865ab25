"""A published method as plain data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_snnkd.distill import objectives as registry
from keras_snnkd.distill.schedules import Weight

STARTS = ("scratch", "ann_twin", "shrunk", "converted", "kept_frames", "longer", "imitation")
TEACHERS = ("ann", "snn", "any", "twin", "self")
READS = ("images", "text")
TRUST = ("official code", "paper", "reconstruction")


@dataclasses.dataclass(frozen=True)
class Method:
    """A published method as plain data::

        loss = label_weight L_label + sum over i of weight_i L_i

    Args:
        name: In recipes and on the command line.
        objectives: Names or mappings for `keras_snnkd.objectives.get`; a weight may be a schedule (`keras_snnkd.distill.schedules`).
        label_weight: Factor of the label loss, or a schedule; 0 where an objective takes its place.
        teacher: What teaches in the paper: `"ann"`, `"snn"`, `"any"`, `"twin"`: the student's ANN twin, or `"self"`: the student. Others
            work where their taps fit.
        start: Where the student's weights come from: `"scratch"`, `"ann_twin"`: its ANN twin, trained first, `"shrunk"`: the teacher's, cut
            to its widths, `"converted"`: its ANN twin with clip-floor activations, on the teacher's frames, converted, or `"kept_frames"`:
            itself with a gate for each frame, of which those stay that were kept, or `"longer"`: itself, trained before for `longer` times
            its steps, then for half as many, and so on, each stage taught by the one before, or `"imitation"`: itself, after a stage in
            which it learned the objectives `first`.
        first: Names or mappings of objectives that need no labels, of the stage before.
        source: Where it was published.
        trust: `"official code"`: the loss was checked against numbers that the authors' code computed; `"paper"`: made from the paper's
            own text; `"reconstruction"`: made from an idea, or from what others say, since equation or constants are not known to us.
        summary: What it does, and which values are our choice.
        equation: The loss in one line.
        chain: Whether it goes through assistants (`--mode multistage`).
        frames: How many times the student's frames of events the teacher, and a converted twin, see.
        longer: For so many times its T the student runs as its own teacher; 0 for a teacher of another kind, or none.
        gradient: How it is trained: `"bptt"`, or `"rate"` (see `keras_snnkd.Distiller`).
        reads: What its networks read: `"images"`, or other arrays, or `"text"`, where they tell layers of tokens.
        compared: Whether `--mode compare --objective all` takes it up.

    Example:
        >>> kd.Distiller(student, teacher, kd.methods.get("bkdsnn").objectives, kd.methods.get("bkdsnn").label_weight)
    """

    name: str
    objectives: tuple[str | Mapping[str, Any], ...]
    label_weight: Weight = 1.0
    teacher: str = "ann"
    start: str = "scratch"
    first: tuple[str | Mapping[str, Any], ...] = ()
    source: str = ""
    trust: str = "reconstruction"
    summary: str = ""
    equation: str = ""
    chain: bool = False
    frames: int = 1
    longer: int = 0
    gradient: str = "bptt"
    reads: str = "images"
    compared: bool = True

    @property
    def taught_by_ann(self) -> bool:
        """Whether an ordinary network teaches, if nobody asks for another: in the paper, or because any network can.

        An objective by itself, which has no source, is taught by a network like the student.
        """
        return self.needs_teacher and bool(self.source) and self.teacher in ("ann", "any", "twin") and not self.longer

    @property
    def needs_teacher(self) -> bool:
        """Whether one of the objectives reads a teacher; one that is the student itself counts."""
        return any(registry.get(objective).uses_teacher for objective in self.objectives)


def objective(name: str, weight: Weight = 1.0, **arguments: Any) -> dict[str, Any]:
    """One objective of a method, as a mapping for `keras_snnkd.objectives.get`."""
    return {"objective": name, **arguments, "weight": weight}


def soft_targets(weight: float = 0.9, temperature: float = 4.0, **arguments: Any) -> dict[str, Any]:
    """Soft targets as one objective of a method, with the weight and temperature that most methods share."""
    return objective("soft_targets", weight, temperature=temperature, **arguments)
