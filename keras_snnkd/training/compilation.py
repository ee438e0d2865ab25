"""What is compiled by XLA, and what is not."""

from typing import TypeVar

import keras

Model = TypeVar("Model", bound=keras.Model)


def outside_xla(model: Model) -> Model:
    """The same model, which Keras runs without compiling all of it by XLA where its backend is TensorFlow.

    Neurons are compiled by themselves (`keras_snnkd.neurons.scan`). Compiling the rest with them, as Keras does by default, takes seconds
    for each model and makes convolutions slower on CPUs.

    Args:
        model: Which has not predicted anything yet.

    Example:
        >>> logits = outside_xla(student).predict(images)
    """
    if keras.backend.backend() == "tensorflow":
        model.jit_compile = False
    return model
