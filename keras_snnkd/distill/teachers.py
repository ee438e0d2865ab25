"""Any Keras model as a teacher: what its outputs mean, on which scale it takes images, and whether it knows the data."""

import dataclasses
import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd._outputs import looks_like_probabilities
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.named_inputs import check_inputs, scale_of_several, sees
from keras_snnkd.distill.samples import Samples, samples_of
from keras_snnkd.distill.scales import AUTO, SCALE_LAYER, Scale, check_scale, scale_of, scales
from keras_snnkd.distill.taps import one_output
from keras_snnkd.errors import InputError, KDError, ShapeError, unknown_name, wrong_kind
from keras_snnkd.files.samples import count, rows
from keras_snnkd.layers import Channels, Logits, logits_of

OUTPUTS = (AUTO, "logits", "probabilities", "numbers")
"""What a teacher's outputs may be said to be."""

FEWEST = 20
"""Images below which no teacher is judged."""

FEWEST_TO_STOP = 30
"""Validation images below which no teacher that was just trained is stopped."""

MARGIN = 0.1
"""Share of the way from guessing to knowing all that a teacher has to go, at least."""

AS_THEY_ARE = "as they are"
"""The name of no change of scale."""

SURE = 0.97
"""Accuracy from which on no other scale is tried."""


class TeacherError(KDError, ValueError):
    """A teacher that knows no more of the data than guessing does."""


@dataclasses.dataclass(frozen=True)
class Adapted:
    """A teacher in the form that distillation takes.

    Args:
        model: From the data's images to logits; the teacher itself, if nothing had to change.
        changes: What was changed, in words.
        accuracy: On the samples; `None` without labels. Of numbers, the square of their correlation with the labels.
        tried: Accuracy by scale, where several were tried.
        chance: Accuracy of who always gives the same answer.
    """

    model: keras.Model
    changes: tuple[str, ...] = ()
    accuracy: float | None = None
    tried: dict[str, float] = dataclasses.field(default_factory=dict)
    chance: float = 0.0


def adapt_teacher(
    teacher: keras.Model,
    outputs: str = AUTO,
    scale: str | Iterable[float] | None = AUTO,
    image_shape: tuple[int, ...] | None = None,
    samples: Any = None,
) -> keras.Model:
    """A Keras model as a teacher: from the data's images to logits, whatever images it takes and whatever it gives.

    Args:
        teacher: A built model, with one input and one output. It is not changed, and its weights are shared.
        outputs: `"logits"`, `"probabilities"` (of a softmax, or of a sigmoid for each class), `"numbers"` (of a regression or a dense map,
            which stay as they are), or `"auto"`: what its last activation says, or else what its outputs on the samples look like.
        scale: Of the images that it was trained on: `"0..1"`, `"0..255"`, `"-1..1"`, `"torch"` (ImageNet's mean and deviation),
            `"standardized"` (mean 0, deviation 1 by channel), or two numbers; or `"auto"`: the one on which it is right most often,
            where labels are classes.
        image_shape: (H, W, C) of the data; images are then resized, and made grey or coloured, as the teacher takes them.
        samples: Real images and labels, `(images, labels)`; needed for `"auto"` scales, and to judge an output by its values.

    Returns:
        The teacher itself, if nothing has to change. What does is told in a warning.

    Raises:
        TeacherError: If it is hardly more often right on the samples than guessing.
        ShapeError: If its images cannot be made of these, or it takes or gives more than one thing.
        KindError: For what is no model.
        ValueError: For a model that is not built, or other arguments.

    Example:
        >>> teacher = kd.adapt_teacher(keras.saving.load_model("mine.keras"), samples=(images, labels))
    """
    if image_shape is not None and not isinstance(image_shape, (tuple, list)):
        raise wrong_kind("image_shape", image_shape, "a shape (H, W, C), such as data.image_shape")
    seen = None if samples is None else samples_of(samples)
    found = adapted(teacher, outputs, scale, image_shape, seen)
    tell(teacher, found.changes)
    judge(teacher.name, found, seen)
    return found.model


def tell(teacher: keras.Model, changes: Iterable[str]) -> None:
    """A warning for each change."""
    for change in changes:
        warnings.warn(f"teacher {teacher.name}: {change}", stacklevel=3)


def adapted(
    teacher: keras.Model,
    outputs: str = AUTO,
    scale: str | Iterable[float] | None = AUTO,
    image_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None,
    samples: Samples | None = None,
    classes: int | None = None,
) -> Adapted:
    """As `adapt_teacher`, with what was changed and measured, and without a verdict; `classes` are those of the data.

    Of data of several inputs a teacher takes those of its input layers' names, as they are.
    """
    graphs.check_built(teacher, "the teacher")
    _check_one_output(teacher)
    several = isinstance(image_shape, Mapping) or (samples is not None and isinstance(samples.images, Mapping))
    if several:
        scale = scale_of_several(scale)
        samples = samples if samples is not None and sees(teacher, samples) else None
    elif image_shape is not None or samples is not None:
        _check_one_input(teacher)
    if outputs not in OUTPUTS:
        raise unknown_name("kind of teacher outputs", outputs, OUTPUTS)
    check_scale(scale)
    model, changes = _as_logits(teacher, outputs)
    given = model.outputs[0].shape[-1] if graphs.is_graph(model) else classes
    if classes is not None and given != classes:
        raise ShapeError(
            f"the teacher {teacher.name} gives {given} classes and the data has {classes}; give one that was trained on these classes, in "
            "their order"
        )
    if isinstance(image_shape, Mapping):
        check_inputs(teacher, f"the teacher {teacher.name}", image_shape)
    size = [] if several else _size_layers(teacher, image_shape)
    if image_shape is not None:
        model = graphs.sized(model, image_shape)
    if size:
        model = _around(model, size, [], image_shape)
        changes.append(f"its images {taken_shape(teacher)} are made of the data's {tuple(image_shape or ())}")
    if samples is not None:
        model, more = _by_its_looks(model, outputs, samples)
        changes += more
    if scale == AUTO and samples is not None and graphs.is_graph(teacher) and teacher.inputs[0].dtype == "uint8" and not several:
        scale = "0..255"  # in numbers from 0 to 1 it would see nothing but zeros
    if scale == AUTO and _is_scaled(teacher):
        scale = None
    chosen, accuracies, chance = _scale(model, scale, samples)
    if chosen is not None:
        model = _around(model, chosen.layers, [])
        compared = {name: value for name, value in accuracies.items() if name in (AS_THEY_ARE, chosen.name)}
        told = " and ".join(f"{value:.1%} {name}" for name, value in compared.items())
        changes.append(f"its images are brought to the scale {chosen.name}" + (f" (accuracy {told})" if told else ""))
    accuracy = accuracies.get(chosen.name if chosen else AS_THEY_ARE)
    return Adapted(model, tuple(changes), accuracy, accuracies, chance)


def judge(name: str, found: Adapted, samples: Samples | None) -> None:
    """Raise a `TeacherError` for a teacher that is hardly more often right than guessing.

    With n samples and the share ``g`` of their commonest class, its accuracy has to reach::

        g + max(0.1 (1 - g), 2.33 sqrt(g (1 - g) / n))

    a tenth of what there is to know, and more than luck gives in 99 of 100 cases. Of numbers the square of their correlation with the
    labels has to reach 0.1. Fewer than 20 samples judge nobody, nor do samples of one class.
    """
    if ignorance := told_of_ignorance(name, found, samples):
        raise TeacherError(
            f"{ignorance}. Does it know these classes, in this order, and images of this scale? Say on which scale it was trained "
            "(teacher_scale, --teacher-scale), give a teacher trained on this data, or train one here"
        )


def judge_trained(model: keras.Model, validation: Any) -> None:
    """Raise a `TeacherError` for a teacher that its training has taught nothing: it is no more often right than luck is.

    It may know less than one that `judge` lets pass, since there is no other scale to look for. Fewer than 30 images, and labels that are
    no classes, judge nobody.

    Args:
        model: The teacher, trained on this data.
        validation: Images and labels that it was not trained on, see `samples_of`.
    """
    samples = samples_of(validation)
    if samples is None or len(samples) < FEWEST_TO_STOP or not sees(model, samples):
        return
    outputs = predict(model, samples.images)
    if not samples.of_classes(outputs):
        return
    found = Adapted(model, accuracy=samples.fit(outputs), chance=samples.chance(outputs))
    if ignorance := told_of_ignorance(model.name, found, samples, margin=0.0):
        raise TeacherError(
            f"{ignorance}. It was trained here, on these images: do their labels belong to them? Train it longer (--teacher-epochs), at "
            "another learning rate (--teacher-learning-rate), take another network, or give a trained one (--teacher), in a new folder"
        )


def told_of_ignorance(name: str, found: Adapted, samples: Samples | None, margin: float = MARGIN) -> str:
    """What there is to say of a teacher that is to be refused; nothing of any other."""
    if found.accuracy is None or samples is None or len(samples) < FEWEST:
        return ""
    chance, count = found.chance, len(samples)
    if chance == 1:
        return ""  # of one class alone, nobody can be better than guessing
    needed = min(1.0, chance + max(margin * (1 - chance), 2.33 * math.sqrt(chance * (1 - chance) / count)))
    if found.accuracy >= needed:
        return ""
    if not chance:
        return (
            f"the outputs of the teacher {name} explain {found.accuracy:.1%} of the variance of the labels of {count} inputs: it has "
            "nothing to teach"
        )
    others = "; ".join(f"{accuracy:.1%} {scale}" for scale, accuracy in found.tried.items() if scale != AS_THEY_ARE)
    return (
        f"the teacher {name} is right on {found.accuracy:.1%} of {count} samples, and guessing the commonest class on {chance:.1%}: it has "
        f"nothing to teach{f' (on other scales: {others})' if others else ''}"
    )


def _check_one_output(teacher: keras.Model) -> None:
    """Raise a `ShapeError` for a teacher that gives several outputs, or one under a name, or the number of a class."""
    if not graphs.is_graph(teacher):
        return
    if keras.backend.is_int_dtype(teacher.outputs[0].dtype):
        raise ShapeError(
            f"the teacher {teacher.name} gives whole numbers {teacher.outputs[0].dtype}, as behind an argmax; expected the logits of the "
            "classes. Give keras.Model(teacher.inputs, logits), with the tensor that the argmax reads"
        )
    output = getattr(teacher, "output", None)  # a Sequential has none
    named = ", ".join(map(repr, output)) if isinstance(output, dict) else ""
    if len(teacher.outputs) > 1 or named:
        raise ShapeError(
            f"the teacher {teacher.name} gives {f'a mapping of {named}' if named else f'{len(teacher.outputs)} outputs'}; expected one "
            "output, the logits of the classes. Give keras.Model(teacher.inputs, teacher.outputs[0]), with the number of the output that "
            "is meant"
        )


def _check_one_input(teacher: keras.Model) -> None:
    """Raise a `ShapeError` for a teacher that takes more than images."""
    if graphs.is_graph(teacher) and len(teacher.inputs) > 1:
        taken = ", ".join(f"{tensor.name} {tuple(tensor.shape[1:])}" for tensor in teacher.inputs)
        raise ShapeError(
            f"the teacher {teacher.name} takes {len(teacher.inputs)} inputs, {taken}; expected one, the images. A teacher that sees more "
            'than its student is distilled in Python, kd.Distiller(student, teacher, ..., inputs="named")'
        )


def _as_logits(teacher: keras.Model, outputs: Any) -> tuple[keras.Model, list[str]]:
    """The teacher without the activation that it ends in, where its graph tells one."""
    if outputs in ("logits", "numbers"):
        return teacher, []
    told = graphs.last_activation(teacher) in ("softmax", "sigmoid")
    if outputs == AUTO or told:
        return logits_of(teacher), []
    change = "its logits are the logarithms of its probabilities"
    if graphs.is_graph(teacher):
        return logits_of(teacher, probabilities=True), [change]
    return _around(teacher, [], [Logits(name="teacher_logits")]), [change]


def _by_its_looks(model: keras.Model, outputs: Any, samples: Any) -> tuple[keras.Model, list[str]]:
    """The model with logarithms behind it, where its outputs turn out to be probabilities."""
    found = predict(model, samples.images)
    if not np.all(np.isfinite(found)):
        raise InputError(f"the teacher {model.name} gives NaN or infinite outputs on the data's images; is it trained, and on this scale?")
    if outputs != AUTO or graphs.gives_numbers(model) or not looks_like_probabilities(found):
        return model, []
    return _around(model, [], [Logits(name="teacher_logits")]), ["its outputs add up to 1, so that their logarithms are its logits"]


def _is_scaled(teacher: keras.Model) -> bool:
    """Whether the teacher is one whose images were brought to a scale before."""
    layers = teacher.before if isinstance(teacher, Surrounded) else getattr(teacher, "layers", ())
    return any(layer.name == SCALE_LAYER for layer in layers)


def _scale(model: keras.Model, scale: Any, samples: Samples | None) -> tuple[Any, dict[str, float], float]:
    """The scale to which images have to be brought, or `None`, the fit at each that was tried, and that of guessing."""
    if scale != AUTO:
        chosen = scale_of(scale, None if samples is None else samples.images)
        if samples is None or samples.labels is None:
            return chosen, {}, 0.0
        outputs = predict(model, samples.images if chosen is None else chosen(samples.images))
        return chosen, _known({chosen.name if chosen else AS_THEY_ARE: samples.fit(outputs)}), samples.chance(outputs)
    if samples is None or samples.labels is None:
        return None, {}, 0.0
    outputs = predict(model, samples.images)
    fits, chance = _known({AS_THEY_ARE: samples.fit(outputs)}), samples.chance(outputs)
    if not samples.of_classes(outputs) or fits[AS_THEY_ARE] >= SURE:
        return None, fits, chance
    right = samples.right(outputs)
    best: Scale | None = None
    for other in scales(samples.images):
        theirs = samples.right(predict(model, other(samples.images)))
        fits[other.name] = float(theirs.mean())
        won, lost = int(np.sum(theirs & ~right)), int(np.sum(right & ~theirs))
        if won - lost > 2 * math.sqrt(won + lost) and (best is None or fits[other.name] > fits[best.name]):
            best = other
    return best, fits, chance


def _known(fits: dict[str, float | None]) -> dict[str, float]:
    return {name: fit for name, fit in fits.items() if fit is not None}


def predict(model: keras.Model, images: Any) -> np.ndarray:
    """Outputs `[N, C]` in float32, in inference mode; the model is not compiled for it, and its random layers stay where they are."""
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    before = [keras.ops.convert_to_numpy(state) for state in states]
    shown = graphs.taken(model, images)
    batches = [rows(shown, slice(start, start + 64)) for start in range(0, count(shown), 64)]
    parts = [one_output(model, model(graphs.in_order(model, batch), training=False)) for batch in batches]
    for state, value in zip(states, before, strict=True):
        state.assign(value)
    return np.concatenate([keras.ops.convert_to_numpy(keras.ops.cast(part, "float32")) for part in parts])


def _size_layers(teacher: keras.Model, image_shape: Any) -> list[keras.Layer]:
    """The layers that make the teacher's images of the data's."""
    taken = taken_shape(teacher)
    if image_shape is None or taken is None:
        return []
    if len(taken) == len(image_shape) and all(want in (None, got) for want, got in zip(taken, image_shape, strict=True)):
        return []
    if taken == (math.prod(image_shape),):
        return [keras.layers.Reshape(taken, name="teacher_flat")]
    layers: list[keras.Layer] = []
    last: list[keras.Layer] = []
    if len(taken) == 3 and taken[0] in (1, 3) and taken[2] not in (None, 1, 3):
        taken = (*taken[1:], taken[0])
        last = [keras.layers.Permute((3, 1, 2), name="teacher_channels_first")]
    if len(taken) != 3 or len(image_shape) != 3 or {taken[2], image_shape[2]} - {None, 1, 3}:
        raise ShapeError(
            f"the teacher {teacher.name} takes inputs {taken_shape(teacher)}, which cannot be made of the data's {tuple(image_shape)}; "
            f"give {'one that takes grey or coloured images' if len(image_shape) == 3 else 'one that takes these'}, "
            "keras.Model(inputs, teacher(layers(inputs))) with what makes its inputs of them"
        )
    height, width = (want or got for want, got in zip(taken[:2], image_shape[:2], strict=True))
    if (height, width) != tuple(image_shape[:2]):
        layers.append(keras.layers.Resizing(height, width, antialias=True, name="teacher_size"))
    if taken[2] not in (None, image_shape[2]):
        layers.append(Channels(taken[2], name="teacher_channels"))
    return layers + last


def taken_shape(teacher: keras.Model) -> tuple[int | None, ...] | None:
    """The shape of one input of a model, where it is known."""
    if graphs.is_graph(teacher):
        return tuple(teacher.inputs[0].shape[1:])
    shape = (teacher.get_build_config() or {}).get("input_shape")
    return None if shape is None else tuple(shape[1:])


def _around(model: keras.Model, before: list[keras.Layer], behind: list[keras.Layer], shape: Any = None) -> keras.Model:
    """A model with layers before and behind it, for inputs of this shape, or its own."""
    if not before and not behind:
        return model
    if not graphs.is_graph(model):
        return Surrounded(model, before, behind, shape, name=model.name)
    x = image = graphs.fresh_inputs(model) if len(model.inputs) > 1 else keras.Input(shape or model.inputs[0].shape[1:], name="image")
    for layer in before:
        x = layer(x)
    x = model(x)
    for layer in behind:
        x = layer(x)
    return graphs.flat(keras.Model(image, x, name=model.name))


class Surrounded(keras.Model):
    """A subclassed model with layers before and behind it; its taps stay its own.

    Args:
        model: The model.
        before: Layers from the data's images to its inputs.
        behind: Layers from its outputs to logits.
        shape: Of one input; the model's by default.
    """

    def __init__(
        self, model: keras.Model, before: list[keras.Layer], behind: list[keras.Layer], shape: tuple[int, ...] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.before, self.behind = model, before, behind
        self._shape = (None, *(shape or taken_shape(model) or ()))
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        return self.call_with_taps(x, training)["output"]

    def call_with_taps(self, x: Tensor, training: bool = False) -> dict[str, Any]:
        """The model's own taps, with logits as its output."""
        for layer in self.before:
            x = layer(x)
        inner = getattr(self.model, "call_with_taps", None)
        taps = dict(inner(x, training=training)) if inner else {"output": self.model(x, training=training)}
        for layer in self.behind:
            taps["output"] = layer(taps["output"])
        return taps

    def get_build_config(self) -> Config:
        return {"input_shape": self._shape}
