"""What a card says, in sentences."""

from collections.abc import Mapping
from typing import Any

from keras_snnkd.report import formats
from keras_snnkd.report.targets import label, milliseconds, written


def card_summary(card: Mapping[str, Any]) -> list[str]:
    """What a card says: its smallest file, its energy beside the ANN twin's, its early answers.

    Args:
        card: See `keras_snnkd.run.card`.

    Returns:
        The sentences; none about what was not measured.

    Example:
        >>> print(*kd.report.card_summary(card), sep="\\n")
    """
    sentences = [_smallest(card), energy_sentence((card.get("cost") or {}).get("energy")), _early(card.get("anytime"))]
    return [sentence for sentence in sentences if sentence]


def _smallest(card: Mapping[str, Any]) -> str:
    sized = [target for target in written(card.get("targets") or []) if target.get("bytes") and target.get("test_accuracy") is not None]
    if not sized:
        return ""
    best = min(sized, key=lambda target: target["bytes"])
    keras = (card.get("model") or {}).get("accuracy")
    beside = f" (the Keras model: {formats.percent(keras)})" if formats.number(keras) is not None else ""
    time = milliseconds(best)
    takes = f", and takes {formats.small(time)} ms an image with one thread" if time else ""
    return (
        f"The smallest file, {label(best)}, has {formats.size(best['bytes'])}, classifies {formats.percent(best['test_accuracy'])} of "
        f"{formats.count(best.get('test_images'))} test images rightly{beside}{takes}."
    )


def energy_sentence(estimate: Mapping[str, Any] | None) -> str:
    """What the estimate says of a network and its ANN twin, also where the ANN wins; nothing for an ANN, which is its own twin.

    Args:
        estimate: What `Energy.to_dict` gives.
    """
    if not estimate or not estimate.get("effective") or estimate["dense"] == estimate["twin_dense"]:
        return ""
    fair = estimate.get("twin_effective") is not None
    twin = estimate["twin_effective"] if fair else estimate["twin_dense"]
    ratio = twin / estimate["effective"]
    if ratio >= 1:
        verdict = f"{ratio:.1f} times less than"
    else:
        verdict = f"{1 / ratio:.1f} times as much as"
    return (
        f"Estimated energy of arithmetic on hardware that computes at spikes only: {formats.nanojoules(estimate['effective'])} an image, "
        f"{verdict} its ANN twin on hardware that {'skips zeros too' if fair else 'skips nothing'} ({formats.nanojoules(twin)})"
        f"{'' if ratio >= 1 else ': the ANN wins'}. On a CPU, which skips nothing, it is {formats.nanojoules(estimate['dense'])} against "
        f"{formats.nanojoules(estimate['twin_dense'])}: {_winner(estimate['dense'], estimate['twin_dense'])}."
    )


def _winner(ours: float, twin: float) -> str:
    return "there the ANN wins" if twin < ours else "there the spiking network wins" if ours < twin else "the same"


def _early(found: Mapping[str, Any] | None) -> str:
    if not found or found.get("threshold") is None:
        return ""
    return (
        f"Stopping at a confidence of {found['threshold']:.3f} takes {found['mean_steps']:.2f} of {len(found['accuracy'])} time steps on "
        f"average, with {formats.percent(found['accuracy_at_threshold'])} of the test images classified rightly."
    )
