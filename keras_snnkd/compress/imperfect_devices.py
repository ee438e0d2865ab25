"""How right a network is on devices that are not perfect, and training that reckons with them."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.compress.plain import plain
from keras_snnkd.layers.noisy import Device, NoisyConv2D, NoisyDense, imperfect
from keras_snnkd.layers.quantized import Quantized
from keras_snnkd.layers.synapses import synapses
from keras_snnkd.metrics.measurement import Measurement
from keras_snnkd.models.prunable import config_of, copy_bias, to_prune
from keras_snnkd.models.rebuild import Form, inner, rebuilt

LEAST_DRAWS = 20
"""Below which the spread of an accuracy says little."""


@dataclasses.dataclass(frozen=True)
class DeviceAccuracy:
    """The share of right answers over draws of a device.

    Args:
        perfect: With the weights as they were written.
        mean: Over the draws.
        sd: Their standard deviation.
        worst: The least of them.
        draws: How many.
    """

    perfect: float
    mean: float
    sd: float
    worst: float
    draws: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def device_accuracy(
    model: keras.Model, images: Any, labels: Any, device: Device, draws: int = LEAST_DRAWS, seed: int = 0, batch_size: int = 256
) -> DeviceAccuracy:
    """How right a network is on so many devices of a kind.

    Args:
        model: A functional or sequential model. It is not changed.
        images: `[N, ...]`, prepared as for the model.
        labels: Class numbers `[N]`.
        device: What its weights go through; biases and neurons are perfect.
        draws: How many devices, at least 20.
        seed: Of the first draw.
        batch_size: Images at a time.

    Returns:
        The `DeviceAccuracy`.

    Raises:
        ValueError: For fewer than 20 draws, images and labels that do not fit, or a layer with a matrix of weights that is none of
            the synapses that `keras_snnkd.metrics.synaptic_operations` counts.

    Example:
        >>> kd.compress.device_accuracy(student, images, labels, kd.compress.Device(noise=0.05))
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < LEAST_DRAWS:
        raise ValueError(f"draws must be a whole number of at least {LEAST_DRAWS}, for a spread that means something, got {draws!r}")
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"expected class numbers [N], got labels of shape {labels.shape}; of one-hot labels take labels.argmax(1)")
    if len(images) != len(labels) or not len(labels):
        raise ValueError(f"expected as many labels as images, and at least one, got {len(labels)} and {len(images)}")
    on_device = _written(plain(model))
    kernels = list({id(synapse.weight): synapse.weight for synapse in synapses(on_device).values()}.values())
    written = [ops.convert_to_numpy(kernel) for kernel in kernels]

    measurement = Measurement(on_device, {"logits": on_device.outputs[0]}, lambda values: ops.argmax(values["logits"], axis=-1))

    def right() -> float:
        return float(np.mean(np.concatenate(list(measurement.batches(images, batch_size))) == labels))

    perfect, found = right(), []
    for draw in range(draws):
        random = keras.random.SeedGenerator(seed + draw)
        for kernel, values in zip(kernels, written, strict=True):
            kernel.assign(imperfect(ops.convert_to_tensor(values), device, random))
        found.append(right())
    return DeviceAccuracy(perfect, float(np.mean(found)), float(np.std(found, ddof=1)), min(found), draws)


def _written(model: keras.Model) -> keras.Model:
    """A network in which layers that round their weights in each call have these as they are written."""

    def place(layer: Any) -> Form | None:
        if not isinstance(layer, Quantized):
            return None
        base: Any = next(kind for kind in (keras.layers.Conv2D, keras.layers.Conv1D, keras.layers.Dense) if isinstance(layer, kind))
        config = {**config_of(layer, base), "use_bias": True}

        def fill(twin: Any) -> None:
            for variable, values in zip((twin.kernel, twin.bias), layer.rounded(), strict=True):
                variable.assign(values)

        return Form([base.from_config(config)], fill)

    return rebuilt(graphs.flat(model), place)


def noise_aware(model: keras.Model, device: Device, name: str | None = None) -> keras.Model:
    """A trained network in a form that trains with another draw of a device in each step.

    Outside of training it computes what the network does; `keras_snnkd.compress.plain` makes ordinary layers of it again.

    Args:
        model: A functional or sequential model whose synapses are `Conv2D` and `Dense`. It is not changed.
        device: The device.
        name: Of the new model; `<name of the model>_noisy` by default.

    Raises:
        ValueError: If a layer has weights of another kind.

    Example:
        >>> student = kd.compress.noise_aware(trained, kd.compress.Device(noise=0.1))
        >>> distiller = kd.Distiller(student, trained, ["soft_targets"])
    """
    graph = graphs.flat(model)
    synapses = {id(inner(layer)) for layer in to_prune(graph, None)}

    def place(layer: keras.layers.Layer) -> Form | None:
        if id(layer) not in synapses:
            return None
        cls: Any = NoisyConv2D if isinstance(layer, keras.layers.Conv2D) else NoisyDense

        def fill(twin: Any) -> None:
            twin.trained_kernel.assign(layer.kernel)
            copy_bias(layer, twin)

        return Form([cls.from_config({**config_of(layer), "device": dataclasses.asdict(device)})], fill, random=True)

    return rebuilt(graph, place, name or f"{model.name}_noisy")
