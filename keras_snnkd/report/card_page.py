"""The card of a model as a page, section by section."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_snnkd.files.staging import staged
from keras_snnkd.report import formats, markup, plots, sections
from keras_snnkd.report.card_summary import card_summary
from keras_snnkd.report.columns import Column
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.plots.figure import COLOR_NAMES, TWIN
from keras_snnkd.report.targets import label, milliseconds, target_columns, written
from keras_snnkd.report.usage import usage

Card = Mapping[str, Any]


def write_card_page(path: str | Path, card: Card) -> Path:
    """Write a card as one HTML file that needs nothing from outside, neither network nor JavaScript.

    Args:
        path: Of the file, such as `edge/card.html`; missing folders are made. It is replaced whole or not at all.
        card: See `keras_snnkd.run.finished.card`; whatever is missing is left out.

    Returns:
        The path.

    Raises:
        FileFormatError: If the content is not what is described there; the value at fault is named.
        OutputError: If it cannot be written.

    Example:
        >>> kd.report.write_card_page("card.html", {"title": "digits student", "targets": []})
    """
    path, page = Path(path), _page(card)
    with staged(path) as (file,):
        file.write_text(page, encoding="utf-8", errors="backslashreplace")  # of names that are no text
    return path


@of_plain_data
def _page(card: Card) -> str:
    name = _name(card)
    said = "".join(map(markup.paragraph, card_summary(card)))
    parts = [
        markup.paragraph(" · ".join(filter(None, [*_about(card.get("model") or {}), sections.facts(card)])), "lead"),
        sections.described(card),
        f'<div class="gain">{said}</div>' if said else "",
        _targets(card),
        markup.section("How to run this", "", *(markup.paragraph(words) + markup.code(code) for words, _, code in usage(card))),
        _missing(card, "refused", "Refused", "These files failed their check, so that they were not written."),
        _missing(card, "left out", "Left out", ""),
        _cost(card, name),
        _anytime(card.get("anytime"), name),
        sections.raster(card.get("raster"), name),
        _rates(card.get("activity") or {}, name),
        markup.section("Notes", "", *(markup.paragraph(str(note)) for note in card.get("notes") or [])),
        sections.repeat(card, "To write these files again"),
        sections.repeat(card.get("training") or {}, "To train the model again"),
    ]
    return markup.document(str(card.get("title") or "Card of a model"), parts)


def _name(card: Card) -> str:
    return str((card.get("model") or {}).get("label") or "the model")


def _about(model: Mapping[str, Any]) -> list[str]:
    return [
        f"{model['parameters']:,} parameters" if model.get("parameters") else "",
        f"T = {model['timesteps']}" if model.get("timesteps") else "",
    ]


def _targets(card: Card) -> str:
    targets = written(card.get("targets") or [])
    if not targets:
        return ""
    rows = [_point(target) for target in targets]
    images = formats.count(next((target["test_images"] for target in targets if target.get("test_images")), None))
    said = f"Each file was run beside the Keras model from which it was made, on {images} test images, before it got its name."
    drawn = (
        "The dashed line is the accuracy of the Keras model. Energy: full where zeros are skipped, outlined where nothing is; the "
        f"{COLOR_NAMES[TWIN]} mark is the ANN twin, where nothing is skipped."
    )
    draw = functools.partial(plots.targets, rows, (card.get("model") or {}).get("accuracy"))
    operators = [
        markup.note(f"{label(target)}: {sections.operators(target['operators'])}") for target in targets if target.get("operators")
    ]
    return markup.section(
        "Exported files",
        said,
        f'<div class="dense">{markup.table(target_columns(targets))}</div>',
        markup.picture(draw, "Size, accuracy, time and energy of each file"),
        markup.note(drawn),
        markup.details("Operators in each file", *operators),
    )


def _point(target: Mapping[str, Any]) -> dict[str, Any]:
    """What is drawn of a target."""
    energy = target.get("energy") or {}
    return {
        "label": label(target),
        "bytes": target.get("bytes"),
        "accuracy": target.get("test_accuracy"),
        "milliseconds": milliseconds(target),
        "energy": energy.get("effective"),
        "energy_dense": energy.get("dense"),
        "energy_twin": energy.get("twin_dense"),
    }


def _missing(card: Card, state: str, title: str, said: str) -> str:
    """What was not written, with the reasons."""
    rows = [target for target in card.get("targets") or [] if target and target.get("state") == state]
    return markup.section(title, said, *(markup.paragraph(f"{label(row)}: {row.get('reason') or 'no reason given'}") for row in rows))


def _cost(card: Card, name: str) -> str:
    cost = card.get("cost") or {}
    if not cost:
        return ""
    ours = cost.get("synaptic_operations") or {}
    twin, energy = cost.get("twin") or {}, cost.get("energy") or {}
    theirs = {"dense": cost.get("twin_dense"), **(twin.get("synaptic_operations") or {})}
    columns: list[Column] = [("", [[name], ["its ANN twin, with ReLU"]])]
    if twin.get("accuracy") is not None:
        columns.append(("accuracy", [[formats.percent((card.get("model") or {}).get("accuracy"))], [formats.percent(twin["accuracy"])]]))
    for header, key in [("dense operations", "dense"), ("effective MACs", "effective_macs"), ("effective ACs", "effective_acs")]:
        columns.append((header, [[formats.large(counted.get(key))] for counted in (ours, theirs)]))
    for header, key in [("energy, zeros skipped", "effective"), ("energy, nothing skipped", "dense")]:
        columns.append((header, [[formats.nanojoules(energy.get(place))] for place in (key, f"twin_{key}")]))
    said = "Operations for one image, as NeuroBench counts them (arXiv:2304.04640), and the estimated energy of their arithmetic."
    facts = [
        f"Footprint in Keras: {formats.size(cost['footprint'])}." if cost.get("footprint") else "",
        f"Activation sparsity: {formats.percent(cost['activation_sparsity'])}." if cost.get("activation_sparsity") is not None else "",
        f"Connection sparsity: {formats.percent(cost['connection_sparsity'])}." if cost.get("connection_sparsity") is not None else "",
    ]
    return markup.section(
        "What it costs", said, markup.table(columns), markup.note(" ".join(filter(None, facts))), markup.note(_constants(energy))
    )


def _constants(energy: Mapping[str, Any]) -> str:
    constants = energy.get("constants_pj")
    if not constants:
        return ""
    return (
        f"Energy is an estimate, of {energy.get('arithmetic') or 'float32'} arithmetic: {formats.small(constants.get('mac'))} pJ a "
        f"multiply-accumulate, {formats.small(constants.get('ac'))} pJ an accumulate "
        f"({constants.get('made_of') or 'of terms that are not given'}). "
        f"Source: {constants.get('source') or formats.NOTHING}. Not counted: {energy.get('not_counted') or formats.NOTHING}."
    )


def _anytime(found: Mapping[str, Any] | None, name: str) -> str:
    if not found or not found.get("accuracy"):
        return ""
    columns: list[Column] = []
    for steps, accuracy in enumerate(found["accuracy"], start=1):
        columns.append(("1 step" if steps == 1 else f"{steps} steps", [[formats.percent(accuracy)]]))
    threshold = (
        f"The threshold is the smallest confidence at which stopping early costs at most {_points(found.get('tolerance'))} points on "
        f"{formats.count(found.get('calibration_samples'))} validation images."
        if found.get("threshold") is not None
        else "At no confidence does stopping early cost little enough."
    )
    said = "Accuracy on the test images if the network answers after so many time steps; a streaming file can stop at any of them."
    picture = markup.picture(functools.partial(plots.anytime, {name: found}), "Accuracy against time steps")
    return markup.section("Answers before the last step", said, picture, markup.table(columns, text=0), markup.note(threshold))


def _points(share: Any) -> str:
    """0.005 -> 0.5."""
    return formats.NOTHING if formats.number(share) is None else f"{100 * share:g}"


def _rates(activity: Mapping[str, Any], name: str) -> str:
    if not activity.get("rates"):
        return ""
    said = f"{formats.count(activity.get('spikes_per_image'))} spikes per image, of all neurons in all time steps."
    draw = functools.partial(plots.firing_rates, {name: activity["rates"]})
    return markup.section("Firing rates", said, markup.picture(draw, "Mean firing rate by layer"))
