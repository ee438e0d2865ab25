"""The gate: an exported file is run on real samples and compared with the Keras model, logits and spikes, before it gets its name.

What is demanded of a float32 file. Two runtimes add the same products in another order, so that a current differs in its last bits. That
moves a logit by as little, unless a membrane potential ``h`` is within those bits of the threshold: then one runtime fires and the other
does not, and what follows may differ visibly. Neither is wrong. So, for each sample,

- either all spikes are equal; then the logits may differ by `logits` times their range, and the prediction must be the same, unless the
  two largest logits are as near to each other as rounding;
- or, in the first layer where spikes differ, each neuron at the first step where it differs has
  ``|h - theta| <= rounding (theta + max |x|)`` with the layer's currents ``x``. It is counted in `rounding_samples`, and passes.

Activations that are rates (`keras_snnkd.layers.RateActivation`) are judged likewise: a rate of k / T counts as k spikes, which may differ
where the membrane is that near to the threshold in any of the T steps.

Outputs that are numbers (`keras_snnkd.layers.Numbers`, dense maps) have no prediction: an answer is the same where no number differs by
more than a tenth of what all span, and the limit on logits is one on the numbers.

Everything else is a fault of the file. Over all samples together, `agreement` and `spikes` bound what rounding may do.

A file whose weights are rounded (`HALF`, `QUANTIZED`, `INTEGER`) has other currents, and other spikes. Its limits are several times what
rounding did in networks of all kinds here, and a fraction of what a broken file does: of 11 bits in weights 0.6 % of a layer's spikes and
5 % of the answers, of 8 bits in weights 1 % and 3 %, of 8 bits in membranes 10 % and 9 %; networks that have hardly learned are worse. How
much accuracy the rounding costs is not seen there, but on the whole test set.

A quantization-aware model and its file of integers (`INTEGER_AWARE`) have the same numbers in steps of 8 bits, and spikes are judged one by
one again: a current that lies between two steps may be rounded to one or the other, so that a membrane is a step off.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd._outputs import looks_like_probabilities
from keras_snnkd._types import Array, Tensor
from keras_snnkd.edge.images import check_samples
from keras_snnkd.edge.readout import likeliest
from keras_snnkd.errors import ExportError
from keras_snnkd.export.freeze import freeze, functional, is_float32, tapped
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.rounding import unexplained
from keras_snnkd.files.logits import LOGITS
from keras_snnkd.files.samples import Samples, arrays, count, of_each, rows
from keras_snnkd.layers import RateActivation, logits_of
from keras_snnkd.training.compilation import outside_xla

CHUNK = 64
"""Samples compared at a time, so that the spikes of many samples need not fit into memory together."""


NEAR = 0.1
"""Of what an output that is a number spans over all samples: by how much it may differ to count as the same answer, in a rounded file."""


@dataclass(frozen=True)
class Limits:
    """What is demanded of a file.

    Args:
        agreement: Smallest share of equal predictions; `spare` samples may differ all the same, where there are too few to tell.
        spare: See `agreement`.
        logits: Largest difference of a logit as a share of the logits' range, where spikes are equal; `None` for no limit.
        spikes: Largest share of differing spikes in any layer; `None` for no limit.
        rounding: See the text of this module; `None` if spikes are not judged one by one.
        tie: By how much the largest logit must lead, as a share of the logits' range, for a prediction to be judged where spikes are equal.
    """

    agreement: float
    spare: int
    logits: float | None = None
    spikes: float | None = None
    rounding: float | None = None
    tie: float | None = None

    def to_dict(self) -> dict[str, float]:
        """The limits there are."""
        return {name: value for name, value in asdict(self).items() if value is not None}


EXACT = Limits(agreement=0.99, spare=1, logits=1e-3, spikes=0.01, rounding=1e-5, tie=1e-5)
HALF = Limits(agreement=0.9, spare=2, spikes=0.02)
QUANTIZED = Limits(agreement=0.97, spare=2, spikes=0.1)
INTEGER = Limits(agreement=0.85, spare=2, spikes=0.1)
INTEGER_AWARE = Limits(agreement=0.99, spare=1, logits=0.01, spikes=0.01, rounding=1e-5, tie=0.02)


class Reference:
    """The Keras model and the samples that files are compared with.

    Args:
        model: A functional model. One trained in another precision is compared in float32, as it is exported. One for images of any size
            becomes one for those of the samples.
        samples: Float images `[N, ...]`; of several inputs a mapping by the input's name, or a list in the model's order.

    Raises:
        ExportError: If the model cannot be exported, or the samples are not finite.
        ShapeError: If the samples do not fit.
        UnknownNameError: For samples of an input that there is not.
    """

    def __init__(self, model: keras.Model, samples: Samples) -> None:
        self.model = functional(model)
        self.samples = self.checked(samples)
        self.model = outside_xla(graphs.sized(self.model, of_each(lambda values: values.shape[1:], self.samples)))
        self.numbers = graphs.gives_numbers(self.model)
        if not all(np.all(np.isfinite(values)) for values in arrays(self.samples)):
            raise ExportError("the samples hold NaN or infinite values; a comparison needs real images.")
        if not self.numbers and looks_like_probabilities(self._called(rows(self.samples, slice(CHUNK)))):
            self.model = logits_of(self.model, probabilities=True)
        frozen = freeze(self.model)
        self.rates = {layer.name: layer.timesteps for layer in graphs.flat(self.model).layers if isinstance(layer, RateActivation)}
        self.taps = [layer.name for layer in graphs.flat(self.model).layers if graphs.fires(layer) or layer.name in self.rates]
        self.kernel_elements = sum(math.prod(weight.shape) for weight in self.model.weights if len(weight.shape) > 1)
        self.compared = self.model if is_float32(self.model) else frozen
        self._tapped = outside_xla(tapped(self.compared, self.taps))

    def as_spikes(self, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs of layers by name, of which rates k / T have become k spikes of T, `[n, T, ...]`."""
        return {name: thermometer(array, self.rates[name]) if name in self.rates else array for name, array in outputs.items()}

    def checked(self, samples: Samples) -> Samples:
        """Samples as the model takes them, one array or a mapping by input; raises as the class does if they do not fit."""
        places = {tensor.name: (tensor.shape[1:], _taken(tensor)) for tensor in self.model.inputs}
        return check_samples(samples, places, f"the model {self.model.name}", in_order=True)

    def _called(self, samples: Samples) -> Array:
        return self.model(graphs.in_order(self.model, samples) if isinstance(samples, dict) else [samples], training=False)

    @functools.cached_property
    def span(self) -> float:
        """Largest less smallest output over all samples."""
        rows = [(logits.min(), logits.max()) for _, logits, _ in self.chunks()]
        return float(max(high for _, high in rows) - min(low for low, _ in rows))

    def chunks(self) -> Iterator[tuple[Samples, np.ndarray, dict[str, np.ndarray]]]:
        """Images `[n, ...]`, logits `[n, C]`, and the spikes `[n, T, ...]`, or rates `[n, ...]`, of each layer that has some."""
        size = min(CHUNK, count(self.samples))
        for start in range(0, count(self.samples), size):
            images = rows(self.samples, slice(start, start + size))
            here = count(images)
            batch = rows(self.samples, np.r_[start : start + here, : size - here])  # one batch size, so that it is compiled once
            outputs = self._tapped.predict_on_batch(graphs.in_order(self._tapped, batch))
            outputs = {name: array[:here] for name, array in outputs.items()}
            if not np.all(np.isfinite(outputs[LOGITS])):
                raise ExportError(f"{self.model.name} itself gives NaN or infinite logits; are the samples scaled as in training?")
            yield images, outputs[LOGITS], {name: outputs[name] for name in self.taps}


def thermometer(rates: Array, timesteps: int) -> Array:
    """Rates k / T `[n, ...]` as the k first of T spikes, booleans `[n, T, ...]`."""
    return np.stack([rates * timesteps > step + 0.5 for step in range(timesteps)], axis=1)


def verify(
    reference: Reference,
    *,
    target: str,
    path: Path,
    size: int,
    operators: dict[str, int],
    predict: Callable[[Samples], np.ndarray],
    outputs: Callable[[Samples], dict[str, np.ndarray]] | None,
    limits: Limits,
) -> ExportReport:
    """Compare a file with the reference.

    Args:
        reference: What it should do.
        target: See `ExportReport`.
        path: The final name, for messages and the report.
        size: In bytes.
        operators: See `ExportReport`.
        predict: Runs the file: images `[n, ...]`, or a mapping by input, to logits `[n, C]`.
        outputs: Runs its twin, written from the same model with the spikes as further outputs; `None` where no layer fires.
        limits: What is demanded.

    Returns:
        The report, if all limits are kept.

    Raises:
        ExportError: With what was found, the limit, and what to try.
    """
    parts = []
    for images, logits, spikes in reference.chunks():
        try:
            theirs = predict(images)
            twin = outputs(images) if outputs else {}
        except Exception as error:  # whatever a runtime raises on a file that it cannot run
            raise ExportError(f"{path} not written: its runtime cannot run it ({type(error).__name__}: {str(error)[:300]})") from error
        expected = {LOGITS: logits, **spikes}
        faults = _malformed({LOGITS: theirs}, expected) + _malformed(twin, expected)
        if faults:
            raise _refused(path, faults)
        if not np.allclose(twin.get(LOGITS, theirs), theirs, rtol=0, atol=1e-5 * np.ptp(logits)):
            faults.append("the file and its twin with spikes as outputs, made in the same way, give different logits")
        mine, theirs_fired = reference.as_spikes(spikes), reference.as_spikes({name: twin[name] for name in spikes})
        differs = {name: theirs_fired[name] != mine[name] for name in spikes}
        if limits.rounding is not None:
            faults += unexplained(reference.compared, images, differs, limits.rounding)
        if faults:
            raise _refused(path, faults)
        compared = _compare_numbers(logits, theirs, reference.span) if reference.numbers else _compare(logits, theirs)
        parts.append({**compared, **{name: where.reshape(len(where), -1).mean(1) for name, where in differs.items()}})
    found = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return _judged(target, path, size, operators, found, reference.taps, limits)


def _taken(tensor: Tensor) -> str:
    """What an input takes besides floating-point numbers: token ids, or nothing else."""
    return "int32" if keras.backend.standardize_dtype(tensor.dtype) == "int32" else "float32"


def _malformed(found: Any, expected: Any) -> list[str]:
    """What makes further comparison pointless: other shapes, NaN."""
    faults = []
    for name, array in found.items():
        if array.shape != expected[name].shape:
            faults.append(
                f"{name}: shape {array.shape[1:]} of one sample, expected {expected[name].shape[1:]}; was it built with another T?"
            )
        elif not np.all(np.isfinite(array)):
            faults.append(f"{name}: NaN or infinite values; the converter lost weights, or they are out of float32's range")
    return faults


def _compare(logits: Array, theirs: Array) -> dict[str, Any]:
    """Arrays over samples, `[n]`."""
    largest = np.sort(logits, axis=-1)[:, -2:]
    return {
        "equal": likeliest(theirs) == likeliest(logits),
        "difference": np.abs(theirs - logits).max(-1),
        "lead": largest[:, -1] - largest[:, 0],
        "low": logits.min(-1),
        "high": logits.max(-1),
    }


def _compare_numbers(numbers: Array, theirs: Array, span: float) -> dict[str, Any]:
    """As `_compare`, of outputs `[n, ...]` without classes: equal are those that differ by no more than `NEAR` of the span."""
    flat, other = numbers.reshape(len(numbers), -1), theirs.reshape(len(theirs), -1)
    difference = np.abs(other - flat)
    return {
        "equal": difference.max(-1) <= NEAR * span,
        "difference": difference.max(-1),
        "lead": np.zeros(len(flat)),
        "low": flat.min(-1),
        "high": flat.max(-1),
    }


def _judged(target: str, path: Path, size: int, operators: dict[str, int], found: Any, taps: Sequence[str], limits: Any) -> ExportReport:
    samples, exact = len(found["equal"]), limits.rounding is not None
    spread = float(found["high"].max() - found["low"].min())
    shares = {name: float(found[name].mean()) for name in taps}
    rounded = np.any([found[name] > 0 for name in taps], axis=0) if exact and taps else np.zeros(samples, bool)
    agreement, difference = float(found["equal"].mean()), float(found["difference"][~rounded].max(initial=0))
    faults = []
    changed: Any = np.flatnonzero(~found["equal"] & ~rounded & (found["lead"] > limits.tie * spread)) if exact else []
    if len(changed):
        faults.append(f"{len(changed)} of {samples} predictions differ although the spikes do not, first in sample {changed[0]}")
    if limits.logits is not None and difference > limits.logits * spread:
        faults.append(f"logits differ by up to {difference:.3g}, allowed are {limits.logits:g} of their range {spread:.3g}")
    if round((1 - agreement) * samples) > max(limits.spare, (1 - limits.agreement) * samples):
        faults.append(f"{agreement:.2%} of {samples} predictions agree, demanded are {limits.agreement:.0%}")
    faults += [
        f"layer {name}: {share:.2%} of its spikes differ, allowed are {limits.spikes:.0%}"
        for name, share in shares.items()
        if limits.spikes is not None and share > limits.spikes
    ]
    if faults:
        raise _refused(path, faults, limits)
    return ExportReport(
        target, str(path), size, operators, samples, agreement, difference, spread, shares, int(rounded.sum()), limits.to_dict()
    )


def _refused(path: Path, faults: Sequence[str], limits: Any = EXACT) -> ExportError:
    advice = {
        HALF: "Keep quantize='float32'.",
        QUANTIZED: "Round the weights first (keras_snnkd.models.round_weights; train.py --weight-bits 8), or keep quantize='float32'.",
        INTEGER: "Train with the rounding (keras_snnkd.models.quantize_aware), calibrate with more images, or take quantize='dynamic'.",
    }.get(limits, "The file does not compute what the model does; the first layer named is where to look (its weights, its threshold, T).")
    return ExportError(f"{path} not written: {'; '.join(dict.fromkeys(faults))}. {advice}")
