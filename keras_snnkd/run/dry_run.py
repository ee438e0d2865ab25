"""What a run would do, without doing it."""

import json
from typing import Any

from keras_snnkd import data as datasets
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.taps import TapModel, tap_names
from keras_snnkd.report import formats
from keras_snnkd.run.estimate import Estimate, beyond_memory, estimate, total
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.watching.json_log import tell

SHORT, FULL = "short", "full"


def dry_run(experiment: Experiment, console: Any, how: str = SHORT) -> int:
    """Build everything a run would train, and print what it is and about what it takes.

    Args:
        experiment: The run.
        console: A `rich.console.Console`, or `keras_snnkd.run.watching.json_log.Lines`.
        how: `"short"`: data, stages, time and memory; `"full"`: taps with their shapes and the resolved recipe too.

    Returns:
        The exit status, 0.
    """

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    for line in datasets.describe(experiment.data):
        say(line)
    say("")
    distillers = experiment.check()
    stages = estimate(distillers, experiment.recipe, experiment.data.steps_per_epoch)
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
