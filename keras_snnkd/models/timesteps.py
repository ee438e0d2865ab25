"""One network for several numbers of time steps."""

import keras

from keras_snnkd import graphs
from keras_snnkd.keras_internals import unconnected
from keras_snnkd.layers.encoders import Encoder, check_timesteps


def with_timesteps(model: keras.Model, timesteps: int, name: str | None = None) -> keras.Model:
    """The same network run for another T: all weights are shared, none are copied.

    Nothing in a spiking network but its encoder knows T, so that a network trained for one T runs for any other. Of neurons behind direct
    encoding, the first steps do the same for each T. What one of the two models learns the other one has.

    As a teacher it makes temporal self-distillation: the network run for more steps teaches itself run for fewer ones. The idea is TSSD's
    (Zuo et al., 2024, arXiv:2406.07862), whose longer run takes place in training only and whose distance and weights are not known to
    us: a reconstruction. Here the longer run is a teacher as others are, without gradient and with moving moments in its batch norms.
    A `TeacherCache` would keep what the network did before training; do without.

    Args:
        model: A functional or Sequential model with an encoder (`Direct`, `Poisson`, `Latency`, `Frames`), perhaps in a model inside. It
            stays as it is.
        timesteps: The other T, at least 1.
        name: Of the new model; `<name of the model>_T<timesteps>` by default.

    Returns:
        A functional model with the same layer names, not compiled. Saved and loaded, it is a model of its own.

    Raises:
        ValueError: If the model has no encoder, as an ANN or a network whose inputs have time themselves; if it is no graph; for T
            below 1.

    Example:
        >>> kd.Distiller(student, kd.models.with_timesteps(student, 8), ["soft_targets"])
    """
    check_timesteps(timesteps)
    if not graphs.is_graph(model):
        raise ValueError(f"{model.name} must be a functional or built Sequential model, got a {type(model).__name__}")
    model = graphs.flat(model)
    if not any(isinstance(layer, Encoder) for layer in model.layers):
        raise ValueError(
            f"{model.name} has no encoder such as keras_snnkd.layers.Direct that makes its time steps; its T cannot be changed"
        )

    def place(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, Encoder):
            return type(layer).from_config({**layer.get_config(), "timesteps": timesteps})
        return unconnected(layer)

    image, logits = ((tensors[0] if len(tensors) == 1 else tensors) for tensors in (model.inputs, model.outputs))
    graph = keras.Model(image, logits, name=name or f"{model.name}_T{timesteps}")  # without the settings of compile
    return keras.models.clone_model(graph, clone_function=place)
