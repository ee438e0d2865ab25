"""Cards and results that were changed by hand, or by another program: drawn, or refused in one line that names the value."""

import json

import pytest

from keras_snnkd import report
from keras_snnkd.errors import FileFormatError
from keras_snnkd.report import card_page, formats

HUGE = 10**400

CARD = {
    "title": "digits: student",
    "dataset": {"name": "digits", "image_shape": [8, 8, 1], "num_classes": 10, "class_names": ["0"], "train": 1000, "test": 200},
    "versions": {"keras": "3"},
    "model": {"name": "student", "label": "student", "accuracy": 0.9, "parameters": 5000, "timesteps": 4},
    "targets": [{"target": "dynamic", "state": "left out", "label": "LiteRT dynamic", "reason": "no converter"}],
    "cost": {"footprint": 20_000, "synaptic_operations": {"dense": 1e5, "effective_macs": 1e3, "effective_acs": 1e4}, "twin_dense": 1e5},
    "notes": ["a note"],
    "training": {"command": "python train.py", "versions": {"keras": "3"}, "recipe": {"epochs": 3}},
}


def every_place(part, place=()):
    """The places of all values, as keys."""
    entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in entries:
        yield (*place, key)
        yield from every_place(value, (*place, key))


def changed(content, place, value):
    content = json.loads(json.dumps(content))
    part = content
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return content


def refusal(draw, content):
    """What a refused card is told; nothing for one that is drawn."""
    try:
        draw(content)
    except FileFormatError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("odd", [None, [], {}, "<b>", HUGE, -1, float("nan"), float("inf"), True, [None], [[]], {"a": None}], ids=repr)
def test_a_card_is_drawn_or_refused_in_one_line_whatever_is_in_it(odd):
    for place in every_place(CARD):
        content = changed(CARD, place, odd)
        for draw in (card_page._page, report.card_summary):
            refused = refusal(draw, content)
            assert "\n" not in refused
            assert not refused or str(place[0]) in refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(CARD, ("model", "parameters"), "many"), "model.parameters is 'many' (ValueError: "),
        (changed(CARD, ("targets", 0), 3), "targets[0] is 3 (AttributeError: "),
        (changed(CARD, ("cost", "synaptic_operations"), [1]), "cost.synaptic_operations is [1] (AttributeError: "),
        (changed(CARD, ("dataset", "image_shape"), 8), "dataset.image_shape is 8 (TypeError: "),
        ([1, 2], "it is [1, 2] (AttributeError: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_value_at_fault_is_named(content, said, tmp_path):
    with pytest.raises(FileFormatError) as error:
        report.write_card_page(tmp_path / "card.html", content)
    assert f"this is not content as keras_snnkd.report describes it: {said}" in str(error.value)
    assert not (tmp_path / "card.html").exists()


def test_rows_of_a_table_are_named_too():
    with pytest.raises(FileFormatError, match=r"\[1\].bytes is 3"):
        report.table([{"name": "teacher"}, {"name": "student", "bytes": 3}])
    with pytest.raises(FileFormatError, match=r"models is \{'name': 'x'\}"):
        report.write_report("report.html", {"models": {"name": "x"}})


def test_a_number_of_too_many_digits_is_a_dash():
    assert formats.percent(HUGE) == formats.count(-HUGE) == formats.NOTHING


def test_markup_in_names_is_text_in_a_page():
    name = "<b>[red]a & b$x$:cat:"
    content = {**CARD, "title": name, "model": {**CARD["model"], "label": name}, "notes": [name]}
    content["targets"] = [{**CARD["targets"][0], "label": name, "reason": name}]
    content["dataset"] = {**CARD["dataset"], "name": name}
    page = card_page._page(content)
    assert "<b>" not in page
    assert page.count("&lt;b&gt;[red]a &amp; b$x$:cat:") >= 6
