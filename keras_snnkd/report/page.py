"""The page of a run, section by section."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_snnkd.files.staging import staged
from keras_snnkd.report import formats, markup, plots, sections
from keras_snnkd.report.columns import Column, model_columns, model_labels, ranked_columns, rivals_columns, verdict
from keras_snnkd.report.compression import compression_columns
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.plots.figure import BETTER, CHOSEN, COLOR_NAMES, OURS, WORSE
from keras_snnkd.report.search import front_rows, search_columns
from keras_snnkd.report.summary import summary

Run = Mapping[str, Any]
Names = dict[str, str]


def write_report(path: str | Path, run: Run) -> Path:
    """Write the page of a run: one HTML file that needs nothing from outside.

    Args:
        path: Of the file, such as `runs/first/report.html`; missing folders are made. It is replaced whole or not at all.
        run: See `keras_snnkd.report`.

    Returns:
        The path.

    Raises:
        FileFormatError: If the content is not what is described there; the value at fault is named.
        OutputError: If it cannot be written.

    Example:
        >>> kd.report.write_report("report.html", {"title": "digits", "models": [{"name": "teacher", "accuracy": 0.97}]})
    """
    path = Path(path)
    page = _page(run)
    with staged(path) as (file,):
        file.write_text(page, encoding="utf-8", errors="backslashreplace")  # of names that are no text
    return path


@of_plain_data
def _page(run: Run) -> str:
    labels = model_labels(run.get("models") or [])
    for name in [*(run.get("histories") or {}), *(run.get("activity") or {})]:
        labels.setdefault(name, name)
    colors = plots.palette(list(labels))
    parts = [
        markup.paragraph(sections.facts(run), "lead"),
        sections.described(run),
        _headline(run, colors),
        _compression(run),
        _comparison(run),
        _gains(run),
        _rivals(run),
        *_search(run),
        _curves(run, labels, colors),
        _sizes(run, labels, colors),
        _work(run, labels, colors),
        _raster(run, labels),
        _exports(run, labels),
        markup.section("Notes", "", *(markup.paragraph(str(note)) for note in run.get("notes") or [])),
        sections.repeat(run),
    ]
    return markup.document(str(run.get("title") or "Distillation run"), parts)


def _headline(run: Run, colors: Names) -> str:
    rows = run.get("models") or []
    sentences = "".join(markup.paragraph(sentence) for sentence in summary(run))
    files = "Files: size on disk and, below it, the accuracy of that file on the test images."
    return (
        markup.table(model_columns(rows), [colors[row["name"]] for row in rows])
        + (markup.note(files) if any(row.get("bytes") for row in rows) else "")
        + (f'<div class="gain">{sentences}</div>' if sentences else "")
    )


def _compression(run: Run) -> str:
    rows = run.get("compression") or []
    if not rows:
        return ""
    said = (
        "What the student went through, each stage taught by the one before. The packed size is that of all weights, as 8-bit integers "
        "where these hold them, packed by zlib. Operations are those of spikes and of weights that are not 0; a file for LiteRT "
        "multiplies by the zeros too, and gains no time from them. Energy is an estimate of arithmetic alone."
    )
    return markup.section("Made cheaper", said, markup.table(compression_columns(rows)))


def _comparison(run: Run) -> str:
    rows = run.get("comparison") or []
    if not rows:
        return ""
    judged = [row for row in rows if row.get("interval") is not None]
    sentences = []
    for word in ("better", "worse"):
        names = [str(row.get("label") or row["name"]) for row in judged if verdict(row) == word]
        if names:
            sentences.append(f"{word.capitalize()} than the student alone: {', '.join(names)}.")
    if judged and len(sentences) < 2:
        none = "No method" if not sentences else "No other method"
        sentences.append(f"{none} differs from the student alone by more than its interval.")
    if len(judged) > 1:
        sentences.append(
            f"Of {len(judged)} intervals of 95 %, {len(judged) / 20:.1f} on average would leave out zero by chance if no method did "
            "anything, so that one that just does proves little."
        )
    said = (
        "The same student, trained alone and by each method with the same seeds: same initial weights (unless the method says where to "
        "start), same batches. Ranked by mean test accuracy."
    )
    drawn = (
        f"A line is the 95 % interval of the difference: {COLOR_NAMES[BETTER]} above zero, {COLOR_NAMES[WORSE]} below, grey with a "
        "ring where zero is inside."
    )
    losses = [markup.note(f"{row.get('label') or row['name']}: {row['loss']}") for row in rows if row.get("loss")]
    return markup.section(
        "Methods compared",
        said,
        f'<div class="gain">{"".join(map(markup.paragraph, sentences))}</div>' if sentences else "",
        markup.table(ranked_columns(rows)),
        markup.picture(functools.partial(plots.differences, rows), "Difference of each method to the student alone") if judged else "",
        markup.note(drawn) if judged else "",
        markup.details("The loss of each arm, with the weights of the last epoch", *losses),
    )


def _gains(run: Run) -> str:
    sizes = run.get("sizes") or []
    if not sizes:
        return ""
    said = (
        "The same comparison at several sizes of the student: how far each method is above the student alone of the same size, with the "
        "interval of 95 %. A network that is too small to fit its labels gains little, and one that is nearly as good as its teacher too."
    )
    drawn = markup.picture(functools.partial(plots.gain_by_size, sizes), "Difference to the student alone by the student's size")
    return markup.section("Gain by size", said, drawn)


def _rivals(run: Run) -> str:
    rows = run.get("rivals") or []
    if not rows:
        return ""
    said = (
        "The spiking student and its ANN twin: the same teacher, objectives, epochs, seeds and images, both trained on for a little as the "
        "network that their int8 file computes. All figures are of these files. Energy is an estimate of arithmetic alone."
    )
    words = "".join(map(markup.paragraph, run.get("verdict") or []))
    return markup.section("Is the spiking student worth it?", said, f'<div class="gain">{words}</div>', markup.table(rivals_columns(rows)))


def _search(run: Run) -> list[str]:
    search = run.get("search") or {}
    if not search.get("candidates"):
        return []
    rows, chosen = front_rows(search), search.get("chosen")
    said = (
        "Candidates that keep the budget and that no other one beats in accuracy, parameters and operations together. Accuracy is that on "
        "the validation images, on which the epoch was chosen too, and the best of many such numbers is higher than what new images will "
        "show; the test images are for the chosen recipe's own run."
    )
    run_it = f"python train.py --recipe {search['chosen_recipe']}" if chosen else ""
    draw = functools.partial(plots.trade_off, search["candidates"], search["front"], chosen, search.get("limits") or {})
    drawn = (
        f"{COLOR_NAMES[OURS].capitalize()} keeps the budget, grey does not; full dots are the Pareto front, and the {COLOR_NAMES[CHOSEN]} "
        "ring is the chosen one."
    )
    return [
        markup.section(
            "Pareto front",
            said,
            markup.table(search_columns(rows, chosen)),
            markup.picture(draw, "Validation accuracy of all candidates against parameters and operations"),
            markup.note(drawn),
            markup.code(run_it),
            markup.details("All candidates", markup.table(search_columns(search["candidates"], chosen, settings=True))),
            markup.details("What was searched", markup.code("\n".join(f"{name}: {_values(v)}" for name, v in search["space"].items()))),
        )
    ]


def _values(allowed: Any) -> str:
    """The values that a setting could take."""
    return f"{allowed['low']:g} to {allowed['high']:g}" if isinstance(allowed, dict) else ", ".join(map(str, allowed))


def _curves(run: Run, labels: Names, colors: Names) -> str:
    histories = {}
    for name, history in (run.get("histories") or {}).items():
        if history and (history.get("val_accuracy") or history.get("val_loss")):
            histories[name] = history
    if not histories:
        return ""
    kept = {labels[row["name"]]: row.get("best_epoch") for row in run.get("models") or []}
    draw = functools.partial(plots.learning_curves, *_labelled(histories, labels, colors), kept)
    said = (
        "On the validation images, after each epoch. A dot marks the epoch whose weights are used: that of the highest accuracy, the last "
        "of several; a network that gets smaller as it trains is judged from the epoch on at which it is as small as it will be."
    )
    return markup.section("Learning curves", said, markup.picture(draw, "Validation accuracy and loss by epoch"))


def _sizes(run: Run, labels: Names, colors: Names) -> str:
    points = [
        {**row, "label": labels[row["name"]], "size": row["parameters"]}
        for row in run.get("models") or []
        if row.get("parameters") and formats.number(row.get("accuracy")) is not None
    ]
    if len(points) < 2:
        return ""
    arrows = " An arrow leads from a teacher to the model it taught." if any(row.get("taught_by") for row in points) else ""
    draw = functools.partial(plots.accuracy_by_size, points, colors)
    return markup.section(
        "Accuracy and size", f"Higher is better, further left is smaller.{arrows}", markup.picture(draw, "Test accuracy against parameters")
    )


def _work(run: Run, labels: Names, colors: Names) -> str:
    activity = {name: measured for name, measured in (run.get("activity") or {}).items() if measured and measured.get("rates")}
    body = []
    if activity:
        rates = {name: measured["rates"] for name, measured in activity.items()}
        body = [markup.picture(functools.partial(plots.firing_rates, *_labelled(rates, labels, colors)), "Mean firing rate by layer")]
        lines = [(name, layer, measured) for name, measured in activity.items() for layer in measured["rates"]]
        columns: list[Column] = [("model", [[labels[name]] for name, _, _ in lines]), ("layer", [[layer] for _, layer, _ in lines])]
        for header, key in [("firing rate", "rates"), ("silent", "silent"), ("saturated", "saturated")]:
            columns.append((header, [[formats.percent((measured.get(key) or {}).get(layer))] for _, layer, measured in lines]))
        body.append(markup.details("Every layer, with silent and saturated neurons", markup.table(columns, text=2)))
    counted = [row for row in run.get("models") or [] if "synaptic_operations" in row]
    if any(row["synaptic_operations"] for row in counted):
        columns = [("model", [[labels[row["name"]]] for row in counted])]
        for header, key in [("dense operations", "dense"), ("effective MACs", "effective_macs"), ("effective ACs", "effective_acs")]:
            columns.append((header, [[formats.large((row["synaptic_operations"] or {}).get(key))] for row in counted]))
        if any(row.get("seconds") for row in counted):
            columns.append(("training time", [[formats.duration(row.get("seconds"))] for row in counted]))
        body.append(markup.table(columns, [colors[row["name"]] for row in counted]))
    return markup.section("Spikes and operations", "For one image; operations as NeuroBench counts them (arXiv:2304.04640).", *body)


def _raster(run: Run, labels: Names) -> str:
    shown = run.get("raster") or {}
    model = shown.get("model") or "the model"
    return sections.raster(shown, labels.get(model) or model)


def _exports(run: Run, labels: Names) -> str:
    exports = [export for export in run.get("exports") or [] if export]
    names = [str(labels.get(export.get("model"), export.get("model") or formats.NOTHING)) for export in exports]
    targets = [str(export.get("target") or formats.NOTHING) for export in exports]
    columns: list[Column] = [
        ("model", [[name] for name in names]),
        ("file", [[target, str(export.get("path") or "")] for target, export in zip(targets, exports, strict=True)]),
        ("size", [[formats.size(export.get("bytes"))] for export in exports]),
        ("as Keras", [sections.agreement(export) for export in exports]),
        ("largest logit difference", [[formats.small(export.get("max_logit_difference"))] for export in exports]),
        ("spikes differ", [sections.spike_differences(export.get("spike_differences")) for export in exports]),
    ]
    operators = [
        markup.note(f"{name}, {target}: {sections.operators(export['operators'])}")
        for name, target, export in zip(names, targets, exports, strict=True)
        if export.get("operators")
    ]
    said = "Each file was run on real images beside the Keras model from which it was made."
    return markup.section("Exported files", said, markup.table(columns, text=2), markup.details("Operators in each file", *operators))


def _labelled(values: Mapping[str, Any], labels: Names, colors: Names) -> tuple[dict[str, Any], Names]:
    """Values and colours by label in place of name."""
    return {labels[name]: value for name, value in values.items()}, {labels[name]: colors[name] for name in values}
