"""The parts from which all models are put together, spiking or not."""

import inspect
from typing import Any

import keras

from keras_snnkd import layers, neurons
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.layers.encoders import check_timesteps, is_count

ENCODERS = {"direct": layers.Direct, "poisson": layers.Poisson, "latency": layers.Latency}
READOUTS = ("mean", "spike_count", "membrane")
NORMALIZATIONS = ("batch", "threshold")
BATCH_NORM_MOMENTUM = 0.9  # moving moments that follow within tens of steps; Keras' 0.99 lags for epochs on small data sets


def neuron_arguments(neuron: str) -> list[str]:
    """The arguments that a model's neurons can be given; for `"relu"`, those of any neuron, so that twins are built from the same ones."""
    classes = [neurons.get(name) for name in (neurons.names() if neuron == "relu" else [neuron])]
    given = [name for cls in classes for name in inspect.signature(cls.__init__).parameters]  # that of a class differs among Pythons
    return list(dict.fromkeys(name for name in given if name not in ("self", "kwargs")))


LARGEST_COUNT = 100_000
"""Of neurons or channels in a layer; the next one would ask for more memory than there is."""


def check_counts(argument: str, values: object, *words: str) -> None:
    """A `ValueError` unless `values` lists whole numbers above 0, at least one, and perhaps some of `words`."""
    if (
        not isinstance(values, (list, tuple))
        or not all(is_count(value) or value in words for value in values)
        or not any(map(is_count, values))
    ):
        allowed = " and ".join(["whole numbers above 0", *map(repr, words)])
        raise ValueError(f"{argument} must be a list of {allowed}, at least one number, got {values!r}")
    largest = max(filter(is_count, values))
    if largest > LARGEST_COUNT:
        raise ValueError(f"{argument} must be at most {LARGEST_COUNT:,} each, got {largest:,}")


class Network:
    """Builds one functional model; spiking, or its ANN twin with ReLU and no time axis.

    Both have the same layer names and the same weights in the same shapes. In the spiking one, layers that come before the first neuron
    run once on the static image, and the time axis begins at that neuron (or at the encoder, if it is not direct). Frames of events
    `(N, H, W, 2)` have time from the start: they are put into T frames (`keras_snnkd.layers.Frames`), and the ANN twin has time too.

    Args:
        image_shape: `(H, W, C)`, or `(N, H, W, 2)` of N frames of events.
        num_classes: C; 1 for a regression of one number.
        timesteps: T; of frames at most N.
        neuron: `"lif"`, `"if"`, `"plif"`, `"alif"`, or `"relu"` for the ANN twin.
        encoder: `"direct"`, `"poisson"` or `"latency"`.
        readout: `"mean"` of per-step logits, `"spike_count"` of output neurons, or `"membrane"` of a leaky integrator.
        normalization: `"batch"` or `"threshold"` (tdBN).
        arguments: Of the neuron layer, such as `tau`.
        remat: Whether training makes spikes again instead of keeping them; see `OverTime`.

    Raises:
        UnknownNameError: For an unknown neuron, encoder, readout, normalization or neuron argument.
        ShapeError: For an image shape that is neither `(H, W, C)` nor `(N, H, W, 2)`, or more frames than there are.
        ValueError: For T below 1, no class, or an encoder of frames, which have time already.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        num_classes: int,
        timesteps: int = 4,
        neuron: str = "lif",
        encoder: str = "direct",
        readout: str = "mean",
        normalization: str = "batch",
        arguments: dict[str, Any] | None = None,
        remat: bool = False,
    ) -> None:
        if not isinstance(image_shape, (list, tuple)) or len(image_shape) not in (3, 4) or not all(map(is_count, image_shape)):
            raise ShapeError(
                "image_shape must be (H, W, C), three whole numbers above 0, or (N, H, W, 2) of frames of events, got "
                f"{image_shape!r}{'; for series take SequenceNet' if isinstance(image_shape, tuple) and len(image_shape) == 2 else ''}"
            )
        if not is_count(num_classes):
            raise ValueError(f"num_classes must be a whole number above 0, got {num_classes!r}")
        for kind, name, known in [
            ("neuron", neuron, ["relu", *neurons.names()]),
            ("encoder", encoder, ENCODERS),
            ("readout", readout, READOUTS),
            ("normalization", normalization, NORMALIZATIONS),
        ]:
            if name not in known:
                raise unknown_name(kind, name, known)
        self.num_classes = num_classes
        self.timesteps = check_timesteps(timesteps)
        self.spiking = neuron != "relu"
        self.neuron_arguments = arguments or {}
        for name in self.neuron_arguments:
            if name not in neuron_arguments(neuron):
                own = ["timesteps", "neuron", "encoder", "readout", "normalization", "remat"]
                raise unknown_name(f"argument (neuron={neuron!r})", name, [*own, *neuron_arguments(neuron)])
        self.neuron = neurons.get(neuron) if self.spiking else None
        self.remat = remat
        self.readout = readout
        self.normalization = normalization
        self.timed = False
        self.image = keras.Input(tuple(image_shape), name="image")
        self.start = self.image
        if len(image_shape) == 4:
            if encoder != "direct":
                raise ValueError(f"frames of events have time already, and encoder={encoder!r} would make it again; take encoder='direct'")
            self.start = layers.Frames(self.timesteps, name="frames")(self.image)
            self.timed = True
        elif self.spiking and encoder != "direct":
            self.start = ENCODERS[encoder](self.timesteps, name="encoder")(self.image)
            self.timed = True

    def synapse(self, x: Tensor, layer: keras.Layer) -> Tensor:
        """`layer` on `x`, over time where `x` has time; named as the layer is."""
        if not self.timed:
            return layer(x)
        name = layer.name
        return layers.OverTime(layer, self.remat, name=name)(x)

    def normalize(self, x: Tensor, name: str, branches: int = 1) -> Tensor:
        """Batch normalization over batch, time and space; tdBN scales down where several branches are added."""
        common = {"momentum": BATCH_NORM_MOMENTUM, "name": name}
        if self.normalization == "threshold" and self.spiking:
            threshold = self.neuron_arguments.get("threshold", 1.0)
            return layers.ThresholdBatchNormalization(threshold, alpha=branches**-0.5, **common)(x)
        return layers.BatchNormalization(**common)(x)

    def fire(self, x: Tensor, name: str) -> Tensor:
        """Neurons; the first ones in the network start the time axis."""
        if not self.spiking:
            return keras.layers.ReLU(name=name)(x)
        if not self.timed:
            x = layers.Direct(self.timesteps, name="encoder")(x)
            self.timed = True
        assert self.neuron is not None, "a network that spikes has neurons"
        return self.neuron(**self.neuron_arguments, name=name)(x)

    def conv(self, x: Tensor, width: int, name: str, kernel: int = 3, stride: int = 1, branches: int = 1) -> Tensor:
        """Convolution without bias, and normalization. A stride pads evenly on all sides, as other frameworks do.

        `branches` says how many such outputs will be added.
        """
        padding = "same"
        if stride > 1 and kernel > 1:
            x = self.synapse(x, keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad"))
            padding = "valid"
        x = self.synapse(
            x, keras.layers.Conv2D(width, kernel, stride, padding, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")
        )
        return self.normalize(x, f"{name}_norm", branches)

    def dense(self, x: Tensor, width: int, name: str) -> Tensor:
        """Fully connected layer without bias, and normalization."""
        x = self.synapse(x, keras.layers.Dense(width, use_bias=False, kernel_initializer="he_normal", name=f"{name}_dense"))
        return self.normalize(x, f"{name}_norm")

    def model(self, x: Tensor, name: str) -> keras.Model:
        """Classifier and readout on features `x` `[B, (T,) F]`, and the finished model."""
        x = self.synapse(x, keras.layers.Dense(self.num_classes, name="classifier"))
        if not self.spiking and not self.timed:
            x = keras.layers.Activation("linear", dtype="float32", name="readout")(x)
        elif self.readout == "mean" or not self.spiking:
            x = layers.MeanOverTime(name="readout")(x)
        elif self.readout == "spike_count":
            x = layers.SpikeCount(name="readout")(self.fire(x, "output_neuron"))
        else:
            membrane = neurons.LeakyIntegrator(self.neuron_arguments.get("tau", 2.0), dtype="float32", name="membrane")
            x = layers.LastStep(name="readout")(membrane(x))
        return keras.Model(self.image, x, name=name)
