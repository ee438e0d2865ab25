"""Networks that see data of several inputs: each takes those of its input layers' names."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd.distill.samples import Samples
from keras_snnkd.distill.scales import AUTO
from keras_snnkd.errors import ShapeError


def sees(model: keras.Model, samples: Samples) -> bool:
    """Whether a model can be called on samples: an array, or of several inputs a mapping with those of its input layers' names."""
    if not isinstance(samples.images, Mapping):
        return True
    return graphs.is_graph(model) and all(tensor.name in samples.images for tensor in model.inputs)


def check_inputs(model: keras.Model, called: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise a `ShapeError` for a model that takes an input that the data does not have, or one of another shape.

    Args:
        model: The model.
        called: What to call it.
        shapes: Of one sample of each input of the data, by name.
    """
    told = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    if not graphs.is_graph(model):
        raise ShapeError(f"{called} is a {type(model).__name__}, whose inputs have no names; build it by the functional API, for {told}")
    for tensor in model.inputs:
        taken, shape = tuple(tensor.shape[1:]), shapes.get(tensor.name)
        if shape is None or len(shape) != len(taken) or any(want not in (None, got) for want, got in zip(taken, shape, strict=True)):
            raise ShapeError(
                f"{called} takes the input {tensor.name} {taken}, and the data has {told}; give the input layers the names and shapes of "
                f"the data's inputs, keras.Input(shape, name=...)"
            )


def scale_of_several(scale: Any) -> Any:
    """The scale of a teacher that sees several inputs: each as it is."""
    if scale not in (AUTO, None):
        raise ValueError(
            f"teacher_scale={scale!r} (--teacher-scale) is that of images as the one input, and this data has several, which a teacher "
            "takes as they are; leave it out, and put the scaling into the teacher"
        )
    return None
