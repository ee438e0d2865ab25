"""What a card says, in sentences."""

from collections.abc import Mapping
from typing import Any

from keras_snnkd.report import formats
from keras_snnkd.report.break_even import break_even_sentence
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.sizes import larger_sentences
from keras_snnkd.report.targets import label, milliseconds, written


@of_plain_data
def card_summary(card: Mapping[str, Any]) -> list[str]:
    """What a card says: its smallest file, that file's energy beside the ANN twin's, whether it is quiet enough, files that
    rounding made no smaller, early answers, and how good the teacher and the student alone were.

    Args:
        card: See `keras_snnkd.run.finished.card`.

    Returns:
        The sentences; none about what was not measured.

    Example:
        >>> print(*kd.report.card_summary(card), sep="\\n")
    """
    best = _smallest(card)
    file_energy = (best or {}).get("energy")
    sentences = [
        _said_of(best, card) if best else "",
        energy_sentence(file_energy or (card.get("cost") or {}).get("energy"), label(best) if best and file_energy else "the Keras model"),
        break_even_sentence((card.get("activity") or {}).get("rate"), "the network"),
        *larger_sentences({label(target): target.get("bytes") for target in written(card.get("targets") or [])}),
        _early(card.get("anytime")),
        *_beside(card),
    ]
    return [sentence for sentence in sentences if sentence]


def _smallest(card: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The smallest file of those whose accuracy is known."""
    sized = [target for target in written(card.get("targets") or []) if formats.number(target.get("bytes"))]
    sized = [target for target in sized if formats.number(target.get("test_accuracy")) is not None]
    return min(sized, key=lambda target: target["bytes"], default=None)


def _said_of(file: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    keras = (card.get("model") or {}).get("accuracy")
    beside = f" (the Keras model: {formats.percent(keras)})" if formats.number(keras) is not None else ""
    time = milliseconds(file)
    takes = f", and takes {formats.small(time)} ms per image with one thread" if time else ""
    return (
        f"The smallest file, {label(file)}, has {formats.size(file['bytes'])}, classifies {formats.percent(file['test_accuracy'])} of "
        f"{formats.count(file.get('test_images'))} test images correctly{beside}{takes}."
    )


def energy_sentence(estimate: Mapping[str, Any] | None, whose: str) -> str:
    """What the estimate says of a network and its ANN twin, also where the ANN wins; nothing for an ANN, which is its own twin.

    Args:
        estimate: What `Energy.to_dict` gives.
        whose: The file, or what else computes in this arithmetic.
    """
    known = {name: formats.number((estimate or {}).get(name)) for name in ("effective", "dense", "twin_dense", "twin_effective")}
    ours, dense, twin_dense = known["effective"], known["dense"], known["twin_dense"]
    if not estimate or not ours or dense is None or twin_dense is None or dense == twin_dense:
        return ""
    twin_effective = known["twin_effective"]
    fair = twin_effective is not None
    twin = twin_dense if twin_effective is None else twin_effective
    ratio = twin / ours
    if ratio >= 1:
        verdict = f"{ratio:.1f} times less than"
    else:
        verdict = f"{1 / ratio:.1f} times as much as" if ratio else "more than"
    return (
        f"Estimated energy of {whose}, {estimate.get('arithmetic', 'float32')} arithmetic alone, on hardware that computes at spikes only: "
        f"{formats.nanojoules(ours)} per image, "
        f"{verdict} its ANN twin on hardware that {'skips zeros too' if fair else 'skips nothing'} ({formats.nanojoules(twin)})"
        f"{'' if ratio >= 1 else ': the ANN wins'}. On a CPU, which skips nothing, it is {formats.nanojoules(dense)} against "
        f"{formats.nanojoules(twin_dense)}: {_winner(dense, twin_dense)}."
    )


def _winner(ours: float, twin: float) -> str:
    if twin == ours:
        return "the same"
    return "there the ANN wins" if twin < ours else "there the spiking network wins"


def _beside(card: Mapping[str, Any]) -> list[str]:
    """The teacher and the student alone of the same run, as far as they are known."""
    beside = card.get("beside") or {}
    names = {"the teacher": beside.get("teacher"), "the student alone": beside.get("student_alone")}
    told = [f"{name} {formats.percent(accuracy)}" for name, accuracy in names.items() if formats.number(accuracy) is not None]
    same = f"In the run that made it, of the same test images: {', '.join(told)} correctly classified." if told else ""
    return [str(beside.get("better") or ""), same]


def _early(found: Mapping[str, Any] | None) -> str:
    names = ("threshold", "mean_steps", "accuracy_at_threshold")
    if not found or any(formats.number(found.get(name)) is None for name in names) or not found.get("accuracy"):
        return ""
    return (
        f"Stopping at a confidence of {found['threshold']:.3f} takes {found['mean_steps']:.2f} of {len(found['accuracy'])} time steps on "
        f"average, with {formats.percent(found['accuracy_at_threshold'])} of the test images classified correctly."
    )
