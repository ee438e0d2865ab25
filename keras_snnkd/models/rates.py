"""An ANN that knows what its spiking twin can say."""

import keras

from keras_snnkd.errors import ShapeError
from keras_snnkd.keras_internals import unconnected
from keras_snnkd.layers import RateActivation
from keras_snnkd.layers.encoders import Encoder
from keras_snnkd.neurons import SpikingLayer


def with_rates(ann: keras.Model, student: keras.Model, timesteps: int) -> keras.Model:
    """The ANN twin of a spiking network with `keras_snnkd.layers.RateActivation` of its neurons in place of each ReLU, of the same names.

    Trained, it hands over weights with which the spiking network does at once nearly what it does (`copy_weights`). Those of an ANN with
    ReLU, which says more than 0 to 1, and also below the threshold, have to be learned anew.

    Args:
        ann: The ANN twin, functional, of images.
        student: The spiking network; layers of the same names.
        timesteps: T of the student.

    Returns:
        An ANN of the same name; it shares the weights of `ann`, and no layer with the student.

    Raises:
        ShapeError: If an activation of the ANN has no neurons of its name in the student.

        ValueError: If the ANN has no ReLU, or the student no encoder, since its inputs have time steps already.

    Example:
        >>> shape = {"image_shape": (8, 8, 1), "num_classes": 10, "widths": (8, "pool")}
        >>> twin = with_rates(kd.models.ConvNet(**shape, neuron="relu"), kd.models.ConvNet(**shape, timesteps=4), timesteps=4)
    """
    if not any(isinstance(layer, keras.layers.ReLU) for layer in ann.layers):
        raise ValueError(f"{ann.name} has no ReLU layers to replace; take the ANN twin of a network, neuron='relu'")
    if not any(isinstance(layer, Encoder) for layer in student.layers):
        raise ValueError(
            f"{student.name} makes no time steps of its own: those of its inputs are no repetitions, of which rates could be told"
        )
    neurons = {layer.name: layer for layer in student.layers if isinstance(layer, SpikingLayer)}

    def place(layer: keras.Layer) -> keras.Layer:
        if not isinstance(layer, keras.layers.ReLU):
            return unconnected(layer)
        if layer.name not in neurons:
            raise ShapeError(f"{student.name} has no neurons {layer.name!r}, an activation of {ann.name}; give its spiking twin")
        neuron = neurons[layer.name]
        return RateActivation(type(neuron).from_config(neuron.get_config()), timesteps, name=layer.name, dtype=layer.dtype_policy)

    return keras.models.clone_model(ann, clone_function=place)
