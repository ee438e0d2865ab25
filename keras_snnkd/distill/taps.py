"""Taps: the outputs of named layers, from one forward pass."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Shape, Shapes, Tensor
from keras_snnkd.errors import ShapeError, unknown_name, wrong_kind
from keras_snnkd.keras_internals import mask_of, read_by
from keras_snnkd.layers.rates import OnRates

OUTPUT = "output"

MEMBRANE = ".membrane"
"""What follows a layer's name in the tap of its membrane potentials."""

ACTIVATIONS = ("relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hard_silu", "hard_swish", "softplus", "tanh")
"""Activations of an ANN's hidden layers other than ReLU."""

STACKS = {"hidden_states": "_hidden", "attention_scores": "_scores"}
"""Taps that are several layers of a network for text as one, and how the names of these layers end."""

TABLE = "embedding_table"
"""The tap of the first embedding's weights."""

MASK = ".mask"
"""What follows a tap's name in the outputs of a `TapModel` for the mask of its steps."""

INPUTS, TEACHER = "inputs", "teacher"
"""The keys of inputs that bring the teacher's taps with them: `{"inputs": images, "teacher": {tap: [B, ...]}}`."""

TEACHER_INPUTS = "teacher_inputs"
"""The key of what a teacher sees that sees something else: `{"inputs": audio, "teacher_inputs": video}`."""


def one_output(model: keras.Model, outputs: Any) -> Tensor:
    """What a model gives, where that is one tensor.

    Raises:
        ShapeError: If it gives several, or a mapping.
    """
    if not isinstance(outputs, (dict, list, tuple)):
        return outputs
    given = f"a mapping of {', '.join(map(repr, outputs))}" if isinstance(outputs, dict) else f"{len(outputs)} outputs"
    raise ShapeError(
        f"the model {model.name} gives {given}; expected one output, the logits of the classes. Give keras.Model(image, model(image)[...]) "
        "with image = keras.Input(shape) and the name or number of the output that is meant"
    )


class TapModel:
    """One forward pass of a model that returns the outputs of named layers.

    Taps are layer names, and names that mean the same in every model:

    * `"output"`: what the model returns;
    * `"logits"`: what its layer `readout` reads, `[B, T, C]` in a spiking network (so that objectives see every time step), else what a
      softmax or sigmoid at its end reads, else the model's output `[B, C]`;
    * `"features"`: what its layer `classifier`, or its last `Dense` layer, reads, `[B, T, F]` in a spiking network, else `[B, F]`;
    * `"neurons"`: the last layer of spiking neurons, also of own ones (see `keras_snnkd.graphs.fires`), or in an ANN the last ReLU, or the
      last of the other activations in `ACTIVATIONS`;
    * `"<layer>.membrane"`: the membrane potentials of a layer of spiking neurons before their reset, `[B, T, ...]`; of the last such
      layer, `"neurons.membrane"`. The neurons run once more for it;
    * `"hidden_states"`, `"attention_scores"`: the outputs of all layers whose names end in `_hidden`, `_scores`, as one stack
      `[B, K, ...]`; of networks for text, such as `keras_snnkd.models.SpikingTransformer`, the first of the states are those before the
      first layer;
    * `"embedding_table"`: the weights of its first `Embedding`, `[1, V, D]`.

    The model is held outside Keras' tracking. Functional and Sequential models can be tapped at any layer, also at those of models inside
    them, which are laid open (see `keras_snnkd.graphs.flat`). A subclassed model takes part by a method
    `call_with_taps(x, training) -> {"output": ..., name: ...}`; it is tried on one sample of zeros to learn the shapes.

    Args:
        model: A built model.
        names: The taps wanted.
        named: Whether a batch is a mapping of inputs, of which the model takes those of its input layers' names.

    Raises:
        UnknownNameError: If a tap is not there; the message lists those that are.
        ValueError: If the model can only be tapped at its output, or is not built.

    Example:
        >>> TapModel(student, ["logits", "block1_neuron"])(images)["logits"].shape  # (B, T, C)
    """

    def __init__(self, model: keras.Model, names: Iterable[str] = (), named: bool = False) -> None:
        self.model, self.named = model, named
        self.names = list(dict.fromkeys(names))
        graphs.check_built(model)
        if graphs.is_graph(model):
            self._graph, self._logits = _laid_open(model)
            tensors = {OUTPUT: self._graph.outputs[0], **{name: self._tensor(name) for name in self.names}}
            inputs = self._graph.inputs
            masks = {f"{name}{MASK}": mask for name in self.names if (mask := mask_of(tensors[name])) is not None}
            self._forward = keras.Model(inputs[0] if len(inputs) == 1 else inputs, {**tensors, **masks})  # a list of one makes Keras warn
            shapes = [tuple(tensor.shape) for tensor in inputs]
            self.input_shape: Any = shapes[0] if len(shapes) == 1 else tuple(shapes)
            self.named_shapes = {tensor.name: shape for tensor, shape in zip(model.inputs, shapes, strict=True)}
            self.shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
            self._on_rates = OnRates(self._forward)
            return
        if named:
            raise ValueError(
                f'{model.name} is a {type(model).__name__}, whose inputs have no names; build it with the functional API for inputs="named"'
            )
        if hasattr(model, "call_with_taps"):
            self._forward = model.call_with_taps
        elif set(self.names) <= {OUTPUT, "logits"}:
            self._forward = lambda x, training: {OUTPUT: one_output(model, model(x, training=training))}
        else:
            raise ValueError(
                f"{model.name} is a {type(model).__name__}, whose layers cannot be reached from outside; build it with the functional API, "
                f"or give it a method call_with_taps(x, training) that returns a dict with the key 'output' and {self.names}"
            )
        self.input_shape = (model.get_build_config() or {}).get("input_shape")
        if self.input_shape is None:
            raise ValueError(f"{model.name} is not built; call it on a batch first")
        self.shapes = {name: (None, *tap.shape[1:]) for name, tap in self(ops.zeros((1, *self.input_shape[1:]))).items()}

    def __call__(self, x: Tensor, training: bool = False, gradient: str = "bptt") -> dict[str, Tensor]:
        """The taps and `"output"` for a batch of inputs, as a dict of tensors; beside a tap of padded series `"<tap>.mask"`, `[B, T]`.

        Args:
            x: The batch.
            training: As for the model.
            gradient: That of a graph: `"bptt"` or `"rate"`, see `keras_snnkd.distill.gradient`.
        """
        forward = self._on_rates if gradient == "rate" else self._forward
        outputs = forward(self.given(x), training=training)
        outputs.setdefault("logits", outputs[OUTPUT])
        for name in self.names:
            if name not in outputs:
                raise unknown_name(f"tap of {self.model.name}", name, outputs)
        return outputs

    @staticmethod
    def masks(outputs: dict[str, Tensor], names: Iterable[str]) -> list[Tensor]:
        """The masks `[B, T]` of some taps, of those that have one: series that are padded."""
        return [outputs[f"{name}{MASK}"] for name in names if f"{name}{MASK}" in outputs]

    def given(self, x: Tensor) -> Tensor:
        """What the model takes of a batch: all of it, or with `named` its own inputs.

        Raises:
            ShapeError: If one of them is not there, or is of another shape.
        """
        if not self.named:
            if isinstance(self.input_shape[0], (int, type(None))):
                self._check_shape(x, self.input_shape)
            return x
        names = list(self.named_shapes)
        missing = [name for name in names if not isinstance(x, dict) or name not in x]
        if missing:
            came = ", ".join(x) if isinstance(x, dict) else type(x).__name__
            raise ShapeError(f"{self.model.name} takes the inputs {', '.join(names)}, and the batch has {came}")
        for name in names:
            self._check_shape(x[name], self.named_shapes[name], f" as {name!r}")
        return x[names[0]] if len(names) == 1 else [x[name] for name in names]

    def _check_shape(self, x: Tensor, shape: Any, called: str = "") -> None:
        """Refuse inputs of another size; of another rank Keras makes what it can."""
        came, taken = tuple(getattr(x, "shape", ()))[1:], tuple(shape)[1:]
        if len(came) == len(taken) and any(None not in pair and pair[0] != pair[1] for pair in zip(came, taken, strict=True)):
            raise ShapeError(f"the model {self.model.name} takes inputs {taken}{called}, and the batch brings {came}")

    def shape(self, tap: Any) -> Shapes:
        """The shape of a tap, batch axis `None`; of several taps, a tuple of their shapes."""
        return self.shapes[tap] if isinstance(tap, str) else tuple(self.shapes[name] for name in tap)

    def _tensor(self, name: str) -> Tensor:
        layers = {layer.name: layer for layer in self._graph.layers}
        if name == OUTPUT:
            return self._graph.outputs[0]
        if not isinstance(name, str):
            raise wrong_kind("a tap", name, "the name of a layer, or 'logits', 'features', 'neurons'")
        if name == "logits" and name not in layers:
            return self._logits
        if name == "features" and name not in layers and (classifier := classifier_layer(self._graph)) is not None:
            return read_by(classifier)
        if name in STACKS and name not in layers:
            return self._stack(name)
        if name == TABLE and name not in layers:
            return self._table()
        if name.endswith(MEMBRANE) and name not in layers:
            return self._membrane(name, self._layer(name.removesuffix(MEMBRANE), layers))
        return graphs.first_output(self._layer(name, layers))

    def _layer(self, name: str, layers: dict[str, keras.Layer]) -> keras.Layer:
        if name == "neurons" and name not in layers:
            found = _neurons(self._graph)
            if found is not None:
                return found
        if name not in layers:
            raise unknown_name(f"tap of {self.model.name}", name, tap_names(self.model))
        return layers[name]

    def _stack(self, name: str) -> Tensor:
        tensors = [layer.output for layer in self._graph.layers if layer.name.endswith(STACKS[name])]
        if not tensors:
            raise unknown_name(f"tap of {self.model.name}, which has no layers named ...{STACKS[name]},", name, tap_names(self.model))
        if len({tuple(tensor.shape) for tensor in tensors}) > 1:
            raise ShapeError(
                f"{self.model.name}: the layers of the tap {name!r} are of different shapes, {[tuple(x.shape) for x in tensors]}; name "
                "them one by one"
            )
        return ops.stack(tensors, axis=1)

    def _table(self) -> Tensor:
        embedding = next((layer for layer in self._graph.layers if isinstance(layer, keras.layers.Embedding)), None)
        if embedding is None:
            raise unknown_name(f"tap of {self.model.name}, which has no Embedding,", TABLE, tap_names(self.model))
        return _Table(embedding, name=TABLE)(read_by(embedding))

    def _membrane(self, name: str, layer: keras.Layer) -> Tensor:
        if not hasattr(layer, "membrane"):
            spiking = [other.name for other in self._graph.layers if hasattr(other, "membrane")]
            raise unknown_name(f"layer of {self.model.name} with membrane potentials", layer.name, spiking)
        return _Membrane(layer, name=name.replace(".", "_"))(read_by(layer))


class _Membrane(keras.Layer):
    """The membrane potentials of a layer of spiking neurons, from what it reads."""

    def __init__(self, neurons: keras.Layer, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.neurons = neurons
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return self.neurons.membrane(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class _Table(keras.Layer):
    """The weights of an embedding, `[1, V, D]`, whatever it reads."""

    def __init__(self, embedding: keras.layers.Embedding, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.embedding = embedding

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.expand_dims(ops.cast(self.embedding.embeddings, "float32"), 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (1, self.embedding.input_dim, self.embedding.output_dim)


def tap_names(model: keras.Model) -> list[str]:
    """The taps that a model has, `"output"` and `"logits"` first."""
    if not graphs.is_graph(model):
        return [OUTPUT, "logits"]
    inputs = keras.layers.InputLayer
    return [OUTPUT, "logits", *(layer.name for layer in graphs.flat(model).layers if not isinstance(layer, inputs))]


def stage_names(model: keras.Model) -> list[str]:
    """The last neurons of each stage of a model: of all layers that fire, or are an ANN's activations, the last one of each map size.

    Layers without maps are a stage each.

    Raises:
        ValueError: If the layers of the model cannot be seen, or none is of that kind.
    """
    if not graphs.is_graph(model):
        raise ValueError(f"the layers of {model.name} cannot be seen; its stages need a functional or Sequential model")
    graph = graphs.flat(model)
    ends: dict[Any, str] = {}
    for layer in _all_neurons(graph):
        shape = tuple(layer.output.shape)
        ends[shape[-3:-1] if len(shape) in (4, 5) else layer.name] = layer.name
    if not ends:
        raise ValueError(f"{model.name} has neither neurons nor activations, at which its stages could end")
    return list(ends.values())


def classifier_layer(graph: keras.Model) -> keras.Layer | None:
    """The layer `classifier` of a model without models inside, else its last `Dense` layer, perhaps over time."""
    layers = {layer.name: layer for layer in graph.layers}
    dense = [layer for layer in graph.layers if isinstance(getattr(layer, "layer", layer), keras.layers.Dense)]
    return layers.get("classifier", dense[-1] if dense else None)


def _laid_open(model: keras.Model) -> tuple[keras.Model, Tensor]:
    """A graph of the same weights in which all taps can be had, and the tensor of its logits in it."""
    graph = graphs.flat(model)
    readout = next((layer for layer in graph.layers if layer.name == "readout"), None)
    reads_all = readout is not None and not readout.weights and _comes_through(graph, readout)
    if reads_all and read_by(readout).shape[-1] == graph.outputs[0].shape[-1]:
        return graph, read_by(readout)
    if graphs.last_activation(graph) in ("softmax", "sigmoid"):
        return graphs.apart(graph)
    return graph, graph.outputs[0]


def _comes_through(graph: keras.Model, layer: keras.Layer) -> bool:
    """Whether all that a graph gives comes through one layer; in a mean of several networks it does not."""
    tensor = graph.outputs[0]
    while (found := graphs.producer(graph, tensor)) is not None:
        operation, inputs = found
        if operation is layer:
            return True
        if len(inputs) != 1:
            return False
        tensor = inputs[0]
    return False


def _neurons(graph: keras.Model) -> keras.Layer | None:
    """The last layer that fires, or whose activation is one of an ANN's."""
    return next(reversed(_all_neurons(graph)), None)


def _all_neurons(graph: keras.Model) -> list[keras.Layer]:
    """The layers that fire, or else those that are ReLU, or else those with another activation of an ANN's."""
    firing = [layer for layer in graph.layers if graphs.fires(layer)]
    relu = [layer for layer in graph.layers if isinstance(layer, keras.layers.ReLU) or _activation(layer) == "relu"]
    others = [layer for layer in graph.layers if _activation(layer) in ACTIVATIONS]
    return firing or relu or others


def _activation(layer: keras.Layer) -> str | None:
    return getattr(getattr(layer, "activation", None), "__name__", None)
