"""How right a network stays on images that were changed to mislead it."""

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array, Tensor
from keras_snnkd.errors import KDError, unknown_name
from keras_snnkd.metrics.accuracy import predictions

KINDS = ("fgsm", "pgd")

EPSILON = 8 / 256
"""The largest change of a pixel by default: eight of its 256 values."""

STEPS = 10
"""Of `"pgd"` by default."""


@dataclasses.dataclass(frozen=True)
class Attack:
    """How images are changed, each pixel by at most epsilon, so that a network errs.

    With the cross-entropy ``L`` of the network's answer and the label, whose gradient passes spikes by their surrogate::

        fgsm: x' = clip(x + epsilon sign(dL/dx), 0, 1)
        pgd:  x_0 = x + uniform(-epsilon, epsilon)
              x_k = clip(x_(k-1) + step sign(dL/dx_(k-1)), x - epsilon, x + epsilon),  then to 0 .. 1

    Args:
        kind: `"fgsm"` or `"pgd"`.
        epsilon: Largest change of a pixel, above 0 and at most 1; 8/256 by default.
        steps: Of `"pgd"`; 10 by default.
        step: Change of a pixel in one step of `"pgd"`; ``2.5 epsilon / steps`` by default.
        seed: Of where `"pgd"` starts.

    Raises:
        UnknownNameError: For an unknown kind.
        ValueError: For numbers that cannot be, or steps of `"fgsm"`, which has one.

    Example:
        >>> kd.metrics.Attack("pgd", epsilon=4 / 256, steps=20)

    Source: Goodfellow et al. (ICLR 2015, arXiv:1412.6572); Madry et al. (ICLR 2018, arXiv:1706.06083).
    """

    kind: str = "fgsm"
    epsilon: float = EPSILON
    steps: int | None = None
    step: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("attack", self.kind, KINDS)
        if not _is_number(self.epsilon) or not 0 < self.epsilon <= 1:
            raise ValueError(f"epsilon of an attack is the largest change of a pixel, above 0 and at most 1, got {self.epsilon!r}")
        if self.kind == "fgsm" and (self.steps, self.step) != (None, None):
            raise ValueError("fgsm changes the image once, by epsilon; leave out steps and step, or take pgd")
        if self.steps is not None and (isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1):
            raise ValueError(f"steps of an attack must be a whole number above 0, got {self.steps!r}")
        if self.step is not None and not (_is_number(self.step) and self.step > 0):
            raise ValueError(f"step of an attack must be a number above 0, got {self.step!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed of an attack must be a whole number of at least 0, got {self.seed!r}")

    def changed(self, image: Tensor, start: Tensor, slope: Callable[[Tensor], Tensor]) -> Tensor:
        """The changed images `[B, ...]`.

        Args:
            image: As they are.
            start: Where `"pgd"` starts, within epsilon of them.
            slope: From images to the gradient of the loss.
        """
        if self.kind == "fgsm":
            return ops.clip(image + self.epsilon * ops.sign(slope(image)), 0.0, 1.0)
        steps = self.steps or STEPS
        step = self.step or 2.5 * self.epsilon / steps
        low, high = ops.maximum(image - self.epsilon, 0.0), ops.minimum(image + self.epsilon, 1.0)
        changed = ops.clip(start, low, high)
        for _ in range(steps):
            changed = ops.clip(changed + step * ops.sign(slope(changed)), low, high)
        return changed


@dataclasses.dataclass(frozen=True)
class AttackAccuracy:
    """The share of right answers with and without an attack.

    Args:
        clean: On the images as they are.
        attacked: On the changed images.
        images: How many.
        variants: Of how many networks one answered at random, 1 for the attacked one alone.
    """

    clean: float
    attacked: float
    images: int
    variants: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def attacked(model: keras.Model, images: Any, labels: Any, attack: Attack, batch_size: int = 128) -> Array:
    """Images that were changed so that a network errs.

    Args:
        model: A network of images in 0..1 that gives logits or probabilities. It is not changed.
        images: `[N, ...]`, prepared as for the model.
        labels: Class numbers `[N]`.
        attack: How.
        batch_size: Images at a time.

    Returns:
        float32 `[N, ...]` in 0..1.

    Raises:
        KDError: On another backend than TensorFlow, which takes the gradients.
        ValueError: If images and labels do not fit each other or the model, or the images are not in 0..1.

    Example:
        >>> wrong = kd.metrics.attacked(student, images, labels, kd.metrics.Attack("pgd"))
    """
    images, labels = _checked(images, labels)
    classes = model.output_shape[-1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"{model.name} tells {classes} classes, 0 to {classes - 1}, and the labels are {labels.min()} to {labels.max()}")
    change = _changer(model, attack)
    drawn = np.random.default_rng(attack.seed)
    found = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        begun = batch + drawn.uniform(-attack.epsilon, attack.epsilon, batch.shape).astype("float32")
        found.append(np.asarray(change(batch, begun, labels[start : start + batch_size])))
    return np.concatenate(found)


def attack_accuracy(
    model: keras.Model,
    images: Any,
    labels: Any,
    attack: Attack,
    variants: Sequence[keras.Model] = (),
    batch_size: int = 128,
) -> AttackAccuracy:
    """How right a network is on images that were changed against it; or how right its variants are on these.

    With variants, each image is answered by one of them, drawn at random, while whoever changed it knew `model`: a target that moves.

    Args:
        model: The network that is attacked, see `attacked`.
        images, labels: See `attacked`.
        attack: How; its seed also draws who answers.
        variants: Networks for the same images and classes; `model` is among those that answer only if it is named here too.
        batch_size: Images at a time.

    Returns:
        The `AttackAccuracy`.

    Raises:
        KDError, ValueError: See `attacked`.

    Example:
        >>> kd.metrics.attack_accuracy(student, images, labels, kd.metrics.Attack("fgsm"), variants=[student, other]).attacked

    Source: approximate variants of one spiking network as a moving target: Siddique and Hoque (TCAD 2024,
    doi:10.1109/TCAD.2023.3327093).
    """
    images, labels = _checked(images, labels)
    changed = attacked(model, images, labels, attack, batch_size)
    answering = list(variants) or [model]
    picked = random.Random(attack.seed)
    chosen = np.array([picked.randrange(len(answering)) for _ in labels])

    def right(shown: Array) -> float:
        return float(np.mean(_answers(answering, chosen, shown, batch_size) == labels))

    return AttackAccuracy(right(images), right(changed), len(labels), len(answering))


def _answers(models: Sequence[keras.Model], chosen: Array, images: Array, batch_size: int) -> Array:
    """The class of each image by the model that was chosen for it."""
    found = np.zeros(len(images), "int64")
    for number, model in enumerate(models):
        mine = np.flatnonzero(chosen == number)
        if len(mine):
            found[mine] = predictions(model.predict(images[mine], batch_size=batch_size, verbose=0))
    return found


def _changer(model: keras.Model, attack: Attack) -> Callable[[Array, Array, Array], Any]:
    """A compiled function of images, where `"pgd"` starts, and labels."""
    if keras.backend.backend() != "tensorflow":
        raise KDError("attacks take their gradients by TensorFlow; run this with KERAS_BACKEND=tensorflow")
    import tensorflow as tf

    logits = graphs.last_activation(model) != "softmax"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits, reduction="sum")

    @tf.function(reduce_retracing=True)
    def change(image: Tensor, start: Tensor, label: Tensor) -> Tensor:
        def slope(shown: Tensor) -> Tensor:
            with tf.GradientTape() as tape:
                tape.watch(shown)
                missed = loss(label, model(shown, training=False))
            return tape.gradient(missed, shown)

        return attack.changed(image, start, slope)

    def run(image: Array, start: Array, label: Array) -> Any:
        return change(*map(tf.convert_to_tensor, (image, start, label)))

    return run


def _checked(images: Any, labels: Any) -> tuple[Array, Array]:
    """Images as float32 and labels, if they fit each other and the range of pixels."""
    if isinstance(images, Mapping):
        raise ValueError(f"attacks change one input, and these samples have {', '.join(map(str, images))}")
    images, labels = np.asarray(images, "float32"), np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"expected class numbers [N], got labels of shape {labels.shape} of {labels.dtype}; of one-hot labels take labels.argmax(1)"
        )
    if len(images) != len(labels) or not len(labels):
        raise ValueError(f"expected as many labels as images, and some, got {len(labels)} and {len(images)}")
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"attacks change pixels in 0..1, and these images reach from {images.min():g} to {images.max():g}")
    return images, labels


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
