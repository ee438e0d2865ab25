"""What a run will take, before it takes it: from counted operations, and from how fast this machine computes blocks like its networks'."""

import dataclasses
import functools
import math
import time
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from keras_snnkd import metrics
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.export.freeze import timesteps
from keras_snnkd.files.memory import gigabytes, physical_memory
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.recipes.recipe import Recipe

FORWARD_AND_BACKWARD = 3.0
"""Multiply-accumulates of a training step, where those of the forward pass are 1."""

SMALLEST, LARGEST = 8, 128
"""Channels of the blocks by which this machine is timed; a network of fewer or more is taken for one of these."""

OVERHEAD, COMPILING, AFTERWARDS = 0.005, 5.0, 8.0
"""Seconds: of each step besides its arithmetic, of a stage before its first step, and of a model's files and measurements."""

COPIES = 4
"""Of each weight in training: itself, its gradient, and two moments of AdamW."""

FLOAT = 4
"""Bytes."""

CANDIDATES = 2
"""Of a search, that are built beforehand: the smallest and the largest one."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Time and memory of a stage, or of a run.

    Args:
        seconds: Of training; `None` if the operations of a network cannot be counted.
        memory_bytes: Of weights and activations, beside what TensorFlow itself takes.
    """

    seconds: float | None
    memory_bytes: int


def estimate(distillers: Mapping[str, Distiller], epochs: Mapping[str, int], recipe: Recipe, steps_per_epoch: int) -> dict[str, Estimate]:
    """By stage, what it will take here::

        seconds = compiling + epochs steps (overhead + batch MACs / rate)

    with three times the multiply-accumulates of the student's forward pass over its T steps, and once those of its teacher's, each at the
    rate of blocks with as many channels.

    Args:
        distillers: What `Experiment.check` gives.
        epochs: How long each stage trains: `Experiment.epochs`, once it was checked.
        recipe: The resolved one.
        steps_per_epoch: Of the data set.

    Example:
        >>> built = experiment.check()
        >>> estimate(built, experiment.epochs, experiment.recipe, experiment.data.steps_per_epoch)["teacher"].seconds
    """
    return {name: _stage(distiller, epochs[name], recipe, steps_per_epoch) for name, distiller in distillers.items()}


def total(stages: Mapping[str, Estimate], recipe: Recipe) -> Estimate:
    """Of all stages; those of methods that are compared count once for each seed, and candidates of a search once for each trial.

    Args:
        stages: By name.
        recipe: The resolved one.
    """
    seconds = 0.0
    for name, stage in stages.items():
        if stage.seconds is None:
            return Estimate(None, _most(stages))
        seconds += _times(name, stages, recipe) * (stage.seconds + (AFTERWARDS if recipe.mode not in (Mode.COMPARE, Mode.TUNE) else 0.0))
    return Estimate(seconds, _most(stages))


def _most(stages: Mapping[str, Estimate]) -> int:
    """Stages run one after the other."""
    return max((stage.memory_bytes for stage in stages.values()), default=0)


def _times(name: str, stages: Mapping[str, Estimate], recipe: Recipe) -> float:
    if _teaches(name):
        return 1.0
    if recipe.mode == Mode.COMPARE:
        return float(recipe.seeds + _trials(recipe) - 1)  # the best trial is the first seed
    if recipe.mode == Mode.TUNE:  # the smallest and the largest candidate stand for all
        return recipe.trials / CANDIDATES
    return 1.0


def _teaches(name: str) -> bool:
    return name.rpartition("/")[2].split("_")[0] == "teacher"  # of a comparison at several sizes, behind the size


def _trials(recipe: Recipe) -> int:
    """With how many settings each arm of a comparison is tried with the first seed."""
    return max(1, len(recipe.rates or ())) + len([weight for weight in recipe.weights or () if weight != 1])


def _stage(distiller: Distiller, epochs: int, recipe: Recipe, steps_per_epoch: int) -> Estimate:
    batch = recipe.batch_size or 1
    memory = _memory(distiller, batch)
    work = _seconds(distiller.student)
    taught = _seconds(distiller.teacher) if isinstance(distiller.teacher, keras.Model) and not recipe.cache else 0.0
    if work is None or taught is None:
        return Estimate(None, int(memory))
    step = OVERHEAD + batch * (FORWARD_AND_BACKWARD * work + taught)
    return Estimate(COMPILING + epochs * steps_per_epoch * step, int(memory))


def _memory(distiller: Distiller, batch: int) -> float:
    """Bytes of a training step."""
    return COPIES * FLOAT * distiller.student.count_params() + FORWARD_AND_BACKWARD * FLOAT * batch * _activations(distiller.student)


def beyond_memory(distillers: Mapping[str, Distiller], batch: int) -> str:
    """What is to be said of stages whose steps need more memory than this machine has; nothing of others.

    Args:
        distillers: By stage.
        batch: Images in a batch.

    Example:
        >>> beyond_memory(experiment.check(), experiment.recipe.batch_size)
    """
    needed = {name: _memory(distiller, batch) for name, distiller in distillers.items()}
    most, there = max(needed, key=lambda name: needed[name], default=None), physical_memory()
    if most is None or there is None or needed[most] <= there:
        return ""
    shape = " and ".join(str(tuple(tensor.shape[1:])) for tensor in distillers[most].student.inputs)
    return (
        f"a step of {most} takes about {gigabytes(needed[most])} of memory, in batches of {batch} of {shape}, and this machine has "
        f"{gigabytes(there)}. Make the images smaller (--resize), or the batches (--batch-size), or the network"
    )


def _work(model: keras.Model) -> float | None:
    """Multiply-accumulates of a forward pass over all steps, as on a machine that skips nothing; `None` if they cannot be counted."""
    try:
        return metrics.twin_operations(model) * (timesteps(model) or 1)
    except Exception:  # a network of somebody's own
        return None


def _seconds(model: keras.Model) -> float | None:
    """Of a forward pass over all steps with one image; `None` if its operations cannot be counted."""
    work = _work(model)
    return None if work is None else work / multiply_accumulates_a_second(_channels(model))


def _channels(model: keras.Model) -> int:
    """How wide the convolutions are, as a power of two: the mean of those in and out of the widest one."""
    kernels = [weight.shape[-2:] for weight in model.weights if len(weight.shape) == 4]
    widest = max((math.sqrt(into * out) for into, out in kernels), default=LARGEST)
    return int(min(max(2 ** round(math.log2(max(widest, 1))), SMALLEST), LARGEST))


def _activations(model: keras.Model) -> int:
    """Numbers that the layers give for one image."""
    found = 0
    for layer in model.layers:
        try:
            outputs = keras.tree.flatten(layer.output)
        except (AttributeError, ValueError):  # it was never called, or more than once
            continue
        found += sum(math.prod(size for size in tensor.shape[1:] if size) for tensor in outputs)
    return found


@functools.cache
def multiply_accumulates_a_second(channels: int, rounds: int = 8) -> float:
    """How fast this machine computes a block of a network: a convolution, batch norm, spikes and pooling; the best of a few rounds.

    Args:
        channels: Of the block, in and out. Narrow ones take most of their time for moving numbers, so that a large matrix product, or the
            convolution alone, would promise several times as much.
        rounds: Of some milliseconds each.
    """
    side, batch = 16, max(1, 1024 // channels)
    numbers = np.random.default_rng(0).random
    images = ops.convert_to_tensor(numbers((batch, side, side, channels), "float32"))
    kernel = ops.convert_to_tensor(numbers((3, 3, channels, channels), "float32"))
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter()
        currents = ops.conv(images, kernel, padding="same")
        mean, variance = ops.moments(currents, axes=(0, 1, 2))
        spikes = ops.cast((currents - mean) * ops.rsqrt(variance + 1e-3) > 1, "float32")
        np.asarray(ops.max_pool(spikes, 2)[0, 0])
        best = min(best, time.perf_counter() - started)
    return batch * side**2 * 9 * channels**2 / best
