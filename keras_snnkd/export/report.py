"""What a checked export found."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """One exported file and how it compares with the Keras model on the samples.

    Args:
        target: `"saved_model"`, `"onnx"`, `"nir"`, `"c_array"`, or `"litert"` or `"streaming"` and the form, such as `"litert float32"`.
        path: The file or folder.
        bytes: Its size; of a folder, that of all its files.
        operators: How often each operator occurs, by its name in the target.
        samples: Number N of samples compared.
        agreement: Share of samples with the same prediction.
        max_logit_difference: Largest difference of a logit, over all samples but the `rounding_samples`.
        logit_range: Largest minus smallest logit of the Keras model, the measure for that difference.
        spike_differences: For each layer that fires, the share of its N x T x neurons outputs that differ.
        rounding_samples: Samples in which a neuron fires or not by the rounding of float32 alone; see `keras_snnkd.export.parity`.
        limits: What was demanded, by name.

    Example:
        >>> kd.export.litert(student, "student.tflite", samples=images).to_dict()["agreement"]
    """

    target: str
    path: str
    bytes: int
    operators: dict[str, int]
    samples: int
    agreement: float
    max_logit_difference: float
    logit_range: float
    spike_differences: dict[str, float]
    rounding_samples: int
    limits: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return dataclasses.asdict(self)
