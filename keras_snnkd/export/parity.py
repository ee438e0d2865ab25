"""The gate: an exported file is run on real samples and compared with the Keras model, logits and spikes, before it gets its name.

What is demanded of a float32 file. Two runtimes add the same products in another order, so that a current differs in its last bits. That
moves a logit by as little, unless a membrane potential ``h`` is within those bits of the threshold: then one runtime fires and the other
does not, and what follows differs visibly. Neither is wrong. So, for each sample,

- either all spikes are equal; then the logits may differ by `logits` times their range, and the prediction must be the same, unless its two
  largest logits are nearer to each other than the two runtimes are;
- or, in the first layer where spikes differ, each neuron at the first step where it differs has ``|h - theta| <= rounding (theta + max |x|)``
  with the layer's currents ``x``, which here are the same up to rounding. Such a sample is counted, in `rounding_samples`, and passes.

Everything else is a fault of the file. Over all samples together, `agreement` and `spikes` bound what rounding may do.

A quantized file has other weights, so only its predictions are judged.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from keras_snnkd.errors import ExportError
from keras_snnkd.export.contents import Contents, read_contents
from keras_snnkd.export.freeze import LOGITS, freeze, functional, is_float32, spiking_layers, tapped
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.rounding import unexplained
from keras_snnkd.export.runtime import check_images

CHUNK = 64
"""Samples compared at a time, so that the spikes of many samples need not fit into memory together."""


@dataclass(frozen=True)
class Limits:
    """What is demanded of a file.

    Args:
        agreement: Smallest share of equal predictions; two samples may always differ where there are too few to tell.
        logits: Largest difference of a logit as a share of the logits' range, where spikes are equal; `None` for no limit.
        spikes: Largest share of differing spikes in any layer; `None` for no limit.
        rounding: See the text of this module; `None` if spikes are not judged one by one.
    """

    agreement: float
    logits: float | None = None
    spikes: float | None = None
    rounding: float | None = None

    def to_dict(self) -> dict[str, float]:
        """The limits there are."""
        return {name: value for name, value in asdict(self).items() if value is not None}


EXACT = Limits(agreement=0.99, logits=1e-3, spikes=0.01, rounding=1e-5)
QUANTIZED = Limits(agreement=0.97)


class Reference:
    """The Keras model and the samples that files are compared with.

    Args:
        model: A functional model. One trained in another precision is compared in float32, as it is exported.
        samples: Float images `[N, ...]`.

    Raises:
        ExportError: If the model cannot be exported.
        ShapeError: If the samples do not fit.
    """

    def __init__(self, model: keras.Model, samples: np.ndarray):
        self.model = functional(model)
        self.samples = check_images(samples, self.model.inputs[0].shape[1:])
        self.taps = spiking_layers(self.model)
        frozen = freeze(self.model)
        self.compared = self.model if is_float32(self.model) else frozen
        self._tapped = tapped(self.compared, self.taps)

    def chunks(self):
        """Yields images, logits `[n, C]`, and a dict of the spikes `[n, T, ...]` of each layer that fires."""
        for start in range(0, len(self.samples), CHUNK):
            images = self.samples[start : start + CHUNK]
            outputs = self._tapped.predict_on_batch(images)
            logits = outputs.pop(LOGITS)
            if not np.all(np.isfinite(logits)):
                raise ExportError(f"{self.model.name} itself gives NaN or infinite logits; check its weights and that samples are scaled as in training.")
            yield images, logits, outputs


def check_contents(model: keras.Model, file: Path, final: Path) -> Contents:
    """Refuse a `.tflite` file that needs more than built-in operators or does not hold the model's weights.

    Raises:
        ExportError: With the operators' names or the numbers of weights.
    """
    contents = read_contents(file)
    if contents.custom:
        raise ExportError(
            f"{final} not written: it needs operators that LiteRT does not have built in: {', '.join(contents.custom)}. "
            "Replace the layers that make them; a model under a mixed precision policy is to be exported through keras_snnkd.export."
        )
    weights = sum(math.prod(weight.shape) for weight in model.weights if len(weight.shape) >= 2)
    uninitialised = sorted({"VAR_HANDLE", "READ_VARIABLE"} & set(contents.operators))
    if uninitialised or contents.constant_elements < weights:
        raise ExportError(
            f"{final} not written: the converter lost weights. The model's kernels have {weights:,} elements, the file's constants "
            f"{contents.constant_elements:,}{', and it reads variables: ' + ', '.join(uninitialised) if uninitialised else ''}. "
            "Convert from keras.export.ExportArchive, as keras_snnkd.export does."
        )
    return contents


def verify(
    reference: Reference,
    *,
    target: str,
    path: Path,
    size: int,
    operators: dict[str, int],
    predict: Callable[[np.ndarray], np.ndarray],
    outputs: Callable[[np.ndarray], dict[str, np.ndarray]] | None,
    limits: Limits,
) -> ExportReport:
    """Compare a file with the reference.

    Args:
        reference: What it should do.
        target: See `ExportReport`.
        path: The final name, for messages and the report.
        size: In bytes.
        operators: See `ExportReport`.
        predict: Runs the file: images `[n, ...]` to logits `[n, C]`.
        outputs: Runs its twin, written from the same model with the spikes as further outputs; `None` where no layer fires.
        limits: What is demanded.

    Returns:
        The report, if all limits are kept.

    Raises:
        ExportError: With what was found, the limit, and what to try.
    """
    found = _Tally()
    for images, logits, spikes in reference.chunks():
        found.add(images, logits, predict(images), spikes, outputs(images) if spikes else {}, reference.compared, limits)
    report = ExportReport(
        target=target,
        path=str(path),
        bytes=size,
        operators=operators,
        samples=found.samples,
        agreement=found.agreeing / found.samples,
        max_logit_difference=found.difference,
        logit_range=found.highest - found.lowest,
        spike_differences={name: found.differing[name] / found.spikes[name] for name in reference.taps},
        rounding_samples=found.rounded,
        limits=limits.to_dict(),
    )
    _judge(report, found, limits)
    return report


class _Tally:
    """Sums over the samples."""

    def __init__(self):
        self.samples = self.agreeing = self.rounded = 0
        self.difference, self.lowest, self.highest = 0.0, math.inf, -math.inf
        self.spikes, self.differing = {}, {}
        self.faults, self.changed = [], []

    def add(self, images, logits, theirs, spikes, twin, model, limits):
        twin_logits = twin.pop(LOGITS, theirs)
        for name, got in [("logits", theirs), ("logits of the tapped twin", twin_logits), *twin.items()]:
            expected = spikes[name] if name in spikes else logits
            if got.shape != expected.shape:
                self.faults.append(f"{name} have shape {got.shape[1:]}, expected {expected.shape[1:]}")
            elif not np.all(np.isfinite(got)):
                self.faults.append(f"{name} are NaN or infinite")
        if self.faults:
            raise_faults = "; ".join(dict.fromkeys(self.faults))
            raise _Broken(raise_faults)
        differs = {name: twin[name] != spikes[name] for name in spikes}
        for name, where in differs.items():
            self.spikes[name] = self.spikes.get(name, 0) + where.size
            self.differing[name] = self.differing.get(name, 0) + int(where.sum())
        rounded = np.zeros(len(logits), bool)
        if limits.rounding is not None:
            rounded = np.any([where.reshape(len(where), -1).any(1) for where in differs.values()] or [rounded], axis=0)
            self.faults += unexplained(model, images, differs, limits.rounding)
        equal = theirs.argmax(-1) == logits.argmax(-1)
        difference = np.abs(theirs - logits).max(-1)
        top = np.sort(logits, -1)[:, -2:]
        tie = top[:, -1] - top[:, 0] <= 2 * difference
        start = self.samples
        self.changed += [start + int(i) for i in np.flatnonzero(~equal & ~rounded & ~tie)]
        self.samples += len(logits)
        self.agreeing += int(equal.sum())
        self.rounded += int(rounded.sum())
        self.difference = max(self.difference, float(difference[~rounded].max(initial=0)))
        self.lowest, self.highest = min(self.lowest, float(logits.min())), max(self.highest, float(logits.max()))
