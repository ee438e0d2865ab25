"""How good an answer is after each time step, and how sure a network must be to stop there."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array, Tensor
from keras_snnkd.edge.readout import likeliest, so_far, softmax
from keras_snnkd.errors import ShapeError
from keras_snnkd.keras_internals import mask_of, producer, read_by
from keras_snnkd.layers import FakeQuant
from keras_snnkd.layers.readouts import Readout
from keras_snnkd.metrics.measurement import Measurement


@dataclasses.dataclass(frozen=True)
class Anytime:
    """Accuracy against time steps, and what stopping early costs and saves.

    Args:
        accuracy: On the test images, after t = 1 .. T steps.
        threshold: Confidence at which to stop, `until_confidence` of `keras_snnkd.edge.Runner.run`; `None` if stopping early always costs
            more than the tolerance.
        tolerance: What stopping early may cost in accuracy, on the calibration images.
        mean_steps: Time steps used on the test images with this threshold, mean.
        accuracy_at_threshold: On the test images with this threshold.
        calibration_samples: Number of images from which the threshold comes.
        samples: Number of test images.
    """

    accuracy: list[float]
    threshold: float | None
    tolerance: float
    mean_steps: float
    accuracy_at_threshold: float
    calibration_samples: int
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def anytime(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    calibration: tuple[np.ndarray, np.ndarray],
    tolerance: float = 0.005,
    batch_size: int = 128,
) -> Anytime:
    """Measure a spiking network as one that may answer before step T.

    With the readout ``y[t]`` over the first t steps, the network stops at the first t at which ``max softmax(y[t]) >= threshold``, or at
    T. The threshold is the smallest at which this loses at most `tolerance` of the accuracy at T on the calibration images.

    Args:
        model: A functional model with a readout as its last layer.
        images: Test images `[N, ...]`.
        labels: Their classes `[N]`.
        calibration: Images and labels for the threshold, such as the validation images; none of the test images.
        tolerance: 0..1.
        batch_size: Images at a time.

    Returns:
        The `Anytime`, its accuracies those of the test images.

    Raises:
        ShapeError: If images do not fit the model, or labels their images.
        ValueError: If the model has no readout, or if there are no images.

    Example:
        >>> found = kd.metrics.anytime(student, images, labels, calibration=(validation_images, validation_labels))
        >>> kd.edge.Runner("student_streaming.tflite").run(image, until_confidence=found.threshold)

    Source: stopping at a confidence after Panda et al. (2016), "Conditional Deep Learning", arXiv:1509.08971; for spiking networks over
    time Li et al. (2023), "SEENN", arXiv:2304.01230.
    """
    threshold = confidence_threshold(answers(model, calibration[0], batch_size), calibration[1], tolerance)
    over_time, lengths = _answers(model, images, batch_size)
    right = _right(over_time, labels)
    steps = steps_used(over_time, threshold, lengths)
    return Anytime(
        accuracy=right.mean(axis=0).tolist(),
        threshold=threshold,
        tolerance=float(tolerance),
        mean_steps=float(steps.mean()),
        accuracy_at_threshold=float(right[np.arange(len(right)), steps - 1].mean()),
        calibration_samples=len(calibration[1]),
        samples=len(labels),
    )


def answers(model: keras.Model, images: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """The logits that a model would give if it stopped after t = 1 .. T steps.

    Args:
        model: A functional model with a readout as its last layer.
        images: `[N, ...]`.
        batch_size: Images at a time.

    Returns:
        Float64 `[N, T, C]`; the last step's are the model's output. Of a padded series the answer stays as it is at its end.

    Raises:
        ShapeError, ValueError: See `anytime`.

    Example:
        >>> accuracy_by_step = (answers(student, images).argmax(-1) == labels[:, None]).mean(0)
    """
    return _answers(model, images, batch_size)[0]


def _answers(model: keras.Model, images: np.ndarray, batch_size: int) -> tuple[Array, Array]:
    """As `answers`, and the steps of each sample that are no padding, `[N]`."""
    model = graphs.flat(model)
    readout = final_readout(model)
    read = read_by(readout)
    masks = {} if mask_of(read) is None else {"real": mask_of(read)}

    def reduce(values: dict[str, Tensor]) -> Any:
        steps = readout.of_steps(values["steps"])
        return steps, ops.cast(values.get("real", ops.ones(ops.shape(steps)[:2])), "float32")

    batches = list(Measurement(model, {"steps": read, **masks}, reduce).batches(images, batch_size))
    steps, real = (np.concatenate(parts).astype("float64") for parts in zip(*batches, strict=True))
    lengths = real.sum(axis=1).astype(int)
    steps = steps * real[..., None]
    place = np.minimum(np.arange(steps.shape[1]), lengths[:, None] - 1)  # of the latest step that is there
    latest = np.take_along_axis(steps, place[..., None], axis=1)
    return so_far(np.cumsum(steps, axis=1), latest, np.cumsum(real, axis=1)[..., None], readout.over_time), lengths


def confidence_threshold(answers: np.ndarray, labels: np.ndarray, tolerance: float = 0.005) -> float | None:
    """The smallest confidence at which stopping early loses at most `tolerance` in accuracy.

    Args:
        answers: Logits after each step, `[N, T, C]`.
        labels: `[N]`.
        tolerance: 0..1.

    Returns:
        The threshold, one of the confidences that occur; `None` if only never stopping early is good enough.

    Raises:
        ShapeError: If the labels do not fit.
    """
    right = _right(answers, labels).astype(float)
    # A sample leaves step t behind once the threshold is above all its confidences up to t. Each such move changes the accuracy by
    # right[t+1] - right[t], so that one sort gives the accuracy at every threshold.
    highest = np.maximum.accumulate(_confidence(answers)[:, :-1], axis=1).ravel()
    order = np.argsort(highest, kind="stable")
    levels, first = np.unique(highest[order], return_index=True)
    moved = np.concatenate([[0.0], np.cumsum(np.diff(right, axis=1).ravel()[order])])
    accuracy = (right[:, 0].sum() + moved[first]) / len(right)  # at a threshold equal to a level, those below it have moved on
    good = np.flatnonzero(accuracy >= right[:, -1].mean() - tolerance - 1e-12)
    return float(levels[good[0]]) if len(good) else None


def steps_used(answers: np.ndarray, threshold: float | None, lengths: np.ndarray | None = None) -> np.ndarray:
    """Time steps until a network is as sure as `threshold`, `[N]` from answers `[N, T, C]`; where it never is, or for `None`, T, or the
    `lengths` `[N]` of padded series."""
    sure = np.zeros(answers.shape[:2], bool) if threshold is None else _confidence(answers) >= threshold
    sure[np.arange(len(sure)), -1 if lengths is None else lengths - 1] = True
    return sure.argmax(axis=1) + 1


def final_readout(model: keras.Model) -> Readout:
    """The readout with which a model ends.

    Raises:
        ValueError: If it ends in another layer, so that it is not known how its steps become one answer.
    """
    last = producer(model.outputs[0])
    if isinstance(last, FakeQuant):  # which rounds what the readout gives
        last = producer(last.input)
    if not isinstance(last, Readout):
        raise ValueError(
            f"{model.name} ends in {last.name!r} ({type(last).__name__}), so it is not known how time steps become its answer; end it in "
            "keras_snnkd.layers.MeanOverTime, SpikeCount, SoftmaxSum or LastStep"
        )
    return last


def _confidence(answers: Array) -> Array:
    return softmax(answers).max(axis=-1)


def _right(answers: Array, labels: Array) -> Array:
    labels = np.asarray(labels)
    if answers.ndim != 3:
        raise ShapeError(f"expected the logits of every step, [N, T, C], got an array of shape {list(answers.shape)}")
    if labels.shape != answers.shape[:1]:
        raise ShapeError(f"expected one label for each of {len(answers)} images, got an array of shape {labels.shape}")
    return likeliest(answers) == labels[:, None]
