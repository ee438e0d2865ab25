"""What the page of a run and the card of a student both show; their keys are those of `keras_snnkd.report`."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from keras_snnkd.report import formats, markup, plots

TIMES = "\N{MULTIPLICATION SIGN}"


def facts(content: Mapping[str, Any]) -> str:
    """The data set, and how long it took, in one line."""
    data = content.get("dataset") or {}
    kind = _kind(data)
    parts = [("train", "to train on"), ("validation", "to choose by"), ("test", "to test on")]
    found = [
        str(data.get("name") or ""),
        _shape(data),
        f"{data['num_classes']} classes" if data.get("num_classes") else "",
        ", ".join(f"{data[part]:,} {kind} {purpose}" for part, purpose in parts if data.get(part)),
        f"took {formats.duration(content['seconds'])}" if content.get("seconds") else "",
    ]
    return " · ".join(filter(None, found))


def _kind(data: Mapping[str, Any]) -> str:
    """What samples are called."""
    shape = data.get("image_shape")
    if isinstance(shape, Mapping):
        return "samples"
    return "sentences" if data.get("vocabulary") else {2: "series", 4: "recordings"}.get(len(shape or ()), "images")


def _shape(data: Mapping[str, Any]) -> str:
    """What a sample looks like."""
    shape, kind = data.get("image_shape"), _kind(data)
    if not shape:
        return ""
    if kind == "series":
        return f"{shape[0]} steps of {shape[1]} channels"
    if kind == "recordings":
        return f"{shape[0]} frames of {TIMES.join(map(str, shape[1:]))} events"
    if isinstance(shape, Mapping):
        return ", ".join(f"{name} {TIMES.join(map(str, one))}" for name, one in shape.items())
    return TIMES.join(map(str, shape)) + (" tokens" if data.get("vocabulary") else " pixels")


def described(content: Mapping[str, Any]) -> str:
    """What the data set holds and how it is split, at a click."""
    lines = (content.get("dataset") or {}).get("described")
    return markup.details("The data", markup.code("\n".join(map(str, lines)))) if isinstance(lines, list) else ""


def raster(shown: Mapping[str, Any] | None, model: str) -> str:
    """One image and the spikes that it causes in a model, or nothing where there are none."""
    if not shown or not shown.get("layers") or shown.get("image") is None:
        return ""
    words = [("true class", "label"), ("predicted", "predicted")]
    caption = "\n".join(f"{word}: {shown[key]}" for word, key in words if shown.get(key) is not None)
    said = (
        f"What the neurons of {model} do with one image. A row is a neuron (at most 100 a layer, evenly chosen among those that fire for "
        f"this image, if there are as many), a mark is a spike.{_silent(shown.get('never_fire') or {})}"
    )
    draw = functools.partial(plots.raster, shown["image"], shown["layers"], caption)
    return markup.section("One image as spikes", said, markup.picture(draw, "Spike raster of one image"))


def _silent(never: Mapping[str, Any]) -> str:
    """How many neurons of each layer do not fire for the image that is shown."""
    told = ", ".join(f"{formats.count(silent)} of {formats.count(of)} in {layer}" for layer, (silent, of) in never.items())
    return f" Neurons that never fire for it: {told}." if told else ""


def agreement(export: Mapping[str, Any]) -> list[str]:
    """Share of predictions equal to Keras', on all test images where that was measured, else on the samples of the export."""
    if formats.number(export.get("test_agreement")) is not None:
        return [formats.percent(export["test_agreement"]), f"of {formats.count(export.get('test_images'))} test images"]
    samples = f"of {export['samples']:,} samples" if export.get("samples") else ""
    return [formats.percent(export.get("agreement")), samples]


def spike_differences(differences: Mapping[str, float] | None) -> list[str]:
    """The largest share of differing spikes in a layer, and in how many layers there are any."""
    if not differences:  # unknown, or of a network without spikes
        return [formats.NOTHING]
    differing = [share for share in differences.values() if share]
    if not differing:
        return ["none"]
    return [f"{formats.small(100 * max(differing))} %", f"in {len(differing)} of {len(differences)} layers"]


def operators(counts: Mapping[str, int]) -> str:
    """Operators and how often each occurs."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def repeat(content: Mapping[str, Any], title: str = "To repeat this run") -> str:
    """Command, recipe, machine and versions."""
    recipe = json.dumps(content["recipe"], indent=2, ensure_ascii=False, default=str) if content.get("recipe") else ""
    versions = ", ".join(f"{package} {version}" for package, version in (content.get("versions") or {}).items())
    where = " · ".join(filter(None, [str(content.get("machine") or ""), versions]))
    return markup.section(
        title,
        "",
        markup.code(str(content.get("command") or "")),
        markup.details("The resolved recipe", markup.code(recipe)),
        markup.note(where),
    )
