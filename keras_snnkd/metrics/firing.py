"""How much the neurons of a network fire."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.files import samples
from keras_snnkd.keras_internals import mask_of
from keras_snnkd.metrics.measurement import Measurement

MASK = ".mask"
"""What follows a layer's name for the mask of its steps."""


@dataclasses.dataclass(frozen=True)
class Activity:
    """How much the neurons of a network fire on some images.

    With the spikes ``s[b, t, n]`` of B images, T time steps and the N neurons of a layer (every position of every channel is one), and K
    the steps of all images, B T, or of padded series those that are no padding::

        rate      = sum over b, t, n of s / (K N)
        silent    = share of the n with  sum over b, t of s[b, t, n] = 0
        saturated = share of the n with  sum over b, t of s[b, t, n] = K

    Args:
        rates: Mean firing rate of each spiking layer, 0..1 spikes per neuron and time step.
        spikes_per_image: Spikes of all layers in all time steps, mean over the images.
        silent: Share of each layer's neurons that never spiked: they cost memory and do nothing.
        saturated: Share of each layer's neurons that spiked at every step of every image: they tell nothing.
        rate: Mean over all neurons of all layers; `None` of a network without any.
    """

    rates: dict[str, float]
    spikes_per_image: float
    silent: dict[str, float]
    saturated: dict[str, float]
    rate: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def activity(model: keras.Model, images: Any, batch_size: int = 128) -> Activity:
    """Measure how much the neurons of a model fire, in one pass over the images.

    Only counts per neuron leave the compiled function, so that memory does not grow with the number of images. Networks without
    spiking layers (ANN twins) have no rates and 0 spikes. Own neurons count too, see `keras_snnkd.graphs.fires`. Cells inside
    `keras.layers.RNN` are not seen.

    Args:
        model: A functional model, images `[B, H, W, C]` to anything.
        images: `[B, H, W, C]`, prepared as for the model; of several inputs a mapping by name.
        batch_size: Images at a time.

    Returns:
        The `Activity`, its layers in the order in which they run.

    Raises:
        ShapeError: If the images do not fit the model.
        ValueError: If there are no images, or if the model is not functional.

    Example:
        >>> kd.metrics.activity(student, images).rates["block1_neuron"]
    """
    return ActivityMeter(model)(images, batch_size)


class ActivityMeter:
    """The `activity` of one model again and again, while it trains, by one compiled function.

    Args:
        model: A functional model.

    Raises:
        ValueError: If the model is not functional.

    Example:
        >>> meter = ActivityMeter(student)
        >>> meter(images).rates["block1_neuron"]
    """

    def __init__(self, model: keras.Model) -> None:
        model = graphs.flat(model)
        self._spikes = _spikes(model)
        self.layers = {name: layer for name, layer, *_ in graphs.calls(model) if name in self._spikes}
        """The layers that can fire, in the order in which they run."""
        masks = {f"{name}{MASK}": mask for name, spikes in self._spikes.items() if (mask := mask_of(spikes)) is not None}
        self._measurement = Measurement(model, {**self._spikes, **masks}, _count) if self._spikes else None

    def __call__(self, images: Any, batch_size: int = 128) -> Activity:
        """The activity on some images, as `activity` measures it."""
        if self._measurement is None:
            return Activity({}, 0.0, {}, {})
        total = samples.count(images)
        counts: dict[str, Any] = dict.fromkeys(self._spikes, 0)
        steps = dict.fromkeys(self._spikes, 0)
        for batch in self._measurement.batches(images, batch_size):
            for name, (count, real) in batch.items():
                counts[name] = counts[name] + count.astype("int64")
                steps[name] += int(real)
        neuron_steps = sum(steps[name] * count.size for name, count in counts.items())
        return Activity(
            rate=float(sum(count.sum() for count in counts.values()) / neuron_steps),
            rates={name: float(count.sum() / (steps[name] * count.size)) for name, count in counts.items()},
            spikes_per_image=float(sum(count.sum() for count in counts.values()) / total),
            silent={name: float(np.mean(count == 0)) for name, count in counts.items()},
            saturated={name: float(np.mean(count == steps[name])) for name, count in counts.items()},
        )


def raster(model: keras.Model, image: Any, neurons: int | None = 100) -> dict[str, np.ndarray]:
    """The spikes of each layer on one image, for looking at.

    Args:
        model: A functional model.
        image: One image `[H, W, C]`, prepared as for the model.
        neurons: At most so many neurons of each layer; of a larger layer those that fire, evenly over the flattened layer, and silent
            ones where there are fewer of them. `None` for all.

    Returns:
        By layer, an array `[T, N]` of 0 and 1, neurons in the layer's order.

    Raises:
        ShapeError: If the image does not fit the model.
        ValueError: If `neurons` is below 1, or if the model is not functional.

    Example:
        >>> kd.metrics.raster(student, images[0])["block1_neuron"].shape  # (4, 100)
    """
    if neurons is not None and neurons < 1:
        raise ValueError(f"neurons must be at least 1, got {neurons}")
    model = graphs.flat(model)
    spikes = _spikes(model)
    if not spikes:
        return {}
    one = samples.of_each(lambda values: np.asarray(values)[None], image)
    (trains,) = Measurement(model, spikes, lambda values: values).batches(one, batch_size=1)
    rows = {}
    for name, train in trains.items():
        train = train[0].reshape(train.shape[1], -1)
        rows[name] = (train if neurons is None else train[:, shown_neurons(train, neurons)]).astype("uint8")
    return rows


def shown_neurons(train: np.ndarray, neurons: int = 100) -> np.ndarray:
    """Which neurons of a spike train `[T, N]` are shown if only so many can be: see `raster`."""
    fires = train.any(axis=0)
    order = [_evenly(np.flatnonzero(fires), neurons)]
    order.append(_evenly(np.flatnonzero(~fires), neurons - len(order[0])))
    return np.sort(np.concatenate(order))


def _evenly(numbers: np.ndarray, count: int) -> np.ndarray:
    """At most so many of these numbers, from the first to the last."""
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return numbers[places]


def _spikes(model: keras.Model) -> dict[str, Any]:
    """The symbolic spikes of all neurons that can fire, own ones too."""
    return {name: output for name, layer, _, output in graphs.calls(model) if graphs.fires(layer)}


def _count(values: dict[str, Any]) -> dict[str, Any]:
    """Spikes of each neuron, summed over batch and time, `[B, T, ...] -> [...]`, and the steps that are no padding."""
    spikes = {name: train for name, train in values.items() if not name.endswith(MASK)}
    found = {}
    for name, train in spikes.items():
        real = values.get(f"{name}{MASK}", ops.ones(ops.shape(train)[:2]))
        found[name] = ops.sum(ops.cast(train, "float32"), axis=(0, 1)), ops.sum(ops.cast(real, "float32"))
    return found
