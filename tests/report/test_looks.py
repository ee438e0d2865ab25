"""How a page looks: in both widths, in the dark, with one bar that is much longer than the others, and with its words explained."""

import io
import json
import pathlib
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rich.console

from keras_snnkd import report
from keras_snnkd.report import markup, plots, words
from keras_snnkd.report.plots import figure
from keras_snnkd.report.style import STYLE
from tests import chromium

RATES = {"teacher": {"block1_neuron": 0.1, "block2_neuron": 0.2}, "student": {"block1_neuron": 0.1}}
FILES = [{"label": f"LiteRT number {n}", "bytes": 1000 * n, "accuracy": 0.9, "milliseconds": 0.1 * n, "energy": 5.0 * n} for n in (1, 2, 3)]
COMPARED = [
    {
        "name": f"method_{n}", "label": f"a method with a long name {n}", "taught_by": "teacher", "seeds": [0, 1], "accuracy": 0.9,
        "accuracy_sd": 0.01, "difference": 0.01 * n, "interval": [0.01 * n - 0.005, 0.01 * n + 0.005], "spikes_per_image": 321.0,
        "seconds": 12_345.0,
    }
    for n in (-1, 0, 1)
]  # fmt: skip
CURVES = {"val_accuracy": [0.1, 0.2], "val_loss": [2, 1]}
PICTURES = {
    "learning_curves": lambda **how: plots.learning_curves({"a": CURVES, "b": {"val_loss": [1, 2]}}, **how),
    "firing_rates": lambda **how: plots.firing_rates(RATES, **how),
    "raster": lambda **how: plots.raster(np.zeros((4, 4)), {f"layer{n}": np.eye(3) for n in range(5)}, "a cat", **how),
    "accuracy_by_size": lambda **how: plots.accuracy_by_size(
        [{"name": n, "label": n, "size": s, "accuracy": 0.5} for n, s in (("small", 500), ("large", 50_000))], **how
    ),
    "targets": lambda **how: plots.targets(FILES, 0.9, **how),
    "differences": lambda **how: plots.differences(COMPARED, **how),
    "gain_by_size": lambda **how: plots.gain_by_size(
        [{"parameters": 500, "rows": COMPARED[:1]}, {"parameters": 5000, "rows": COMPARED[:2]}], **how
    ),
    "anytime": lambda **how: plots.anytime(
        {"a": {"accuracy": [0.5, 0.9], "threshold": 0.8, "mean_steps": 1.5, "accuracy_at_threshold": 0.8}}, **how
    ),
    "trade_off": lambda **how: plots.trade_off(
        [{"name": "a", "accuracy": 0.5, "parameters": 100, "synaptic_operations": 1000, "exceeded": []}], ["a"], "a", **how
    ),
}  # fmt: skip


def texts(svg):
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def box(svg):
    return [float(number) for number in re.search(r'viewBox="([^"]+)"', svg)[1].split()]


@pytest.mark.every(3)
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_for_a_telephone_is_drawn_anew_and_not_shrunk(name):
    wide, narrow = PICTURES[name](), PICTURES[name](narrow=True)
    assert box(narrow)[2] == pytest.approx(72 * figure.NARROW, abs=1)
    assert box(wide)[2] == pytest.approx(72 * figure.WIDE, abs=1)
    sizes = [set(re.findall(r"font: (?:700 )?([0-9.]+)px", svg)) for svg in (wide, narrow)]
    assert sizes[0] == sizes[1]  # points of letters: at 400 pixels they are as large as on a desk
    words_in = [{text for text in texts(svg) if re.fullmatch("[A-Za-z ]{5,}", text)} for svg in (wide, narrow)]
    if name != "differences":  # whose title is shorter
        assert words_in[0] == words_in[1]


@pytest.mark.parametrize(("largest", "logarithmic"), [(10.0, False), (11.0, True)])
def test_where_one_bar_flattens_the_rest_the_axis_is_logarithmic(largest, logarithmic):
    assert figure.flattened([1.0, 1.0, 1.0, largest]) is logarithmic
    svg = plots.targets([{"label": str(n), "milliseconds": value} for n, value in enumerate([1.0, 1.0, 1.0, largest])])
    assert ("logarithmic" in texts(svg)) is logarithmic


def test_what_is_zero_stands_on_no_logarithmic_axis():
    assert not figure.flattened([0.0, 1.0, 1.0, 100.0])
    assert not figure.flattened([5.0])


def test_energy_is_drawn_for_what_is_known_and_logarithmic_where_the_dense_figure_flattens_it():
    rows = [{"label": "a", "energy": 1.0, "energy_dense": 20.0, "energy_twin": 1.0}, {"label": "b", "energy": 1.0}]
    assert "nJ, logarithmic" in texts(plots.targets(rows))
    others = texts(plots.targets([{**rows[0], "energy_dense": 2.0}, rows[1]]))
    assert "nJ" in others
    assert "nJ, logarithmic" not in others


def test_colours_of_pictures_are_the_pages_own_which_are_others_in_the_dark():
    page = markup.picture(PICTURES["firing_rates"], "rates")
    assert not re.findall("#[0-9a-f]{6}", page.lower())
    light, dark = STYLE.split("prefers-color-scheme: dark")
    for name in set(re.findall(r"var\((--[a-z0-9]+)\)", page)):
        assert f"{name}: " in light
        assert f"{name}: " in dark


def test_names_in_pictures_are_those_that_something_refers_to():
    page = markup.picture(PICTURES["firing_rates"], "rates")
    named = re.findall(r' id="([^"]+)"', page)
    assert named
    assert all(f"#{name}" in page for name in named)


def test_colours_are_called_what_they_are(tmp_path):
    assert dict(zip(figure.COLORS, figure.COLOR_NAMES.values(), strict=True)) == figure.COLOR_NAMES
    page = report.write_report(tmp_path / "report.html", {"comparison": COMPARED}).read_text("utf-8")
    assert "green above zero, vermilion below, grey with a ring where zero is inside" in page
    drawn = PICTURES["differences"]()
    assert {figure.BETTER.lower(), figure.WORSE.lower()} <= set(re.findall("#[0-9a-f]{6}", drawn))
    assert (figure.COLOR_NAMES[figure.BETTER], figure.COLOR_NAMES[figure.WORSE]) == ("green", "vermilion")


def test_words_in_headers_are_explained_there_and_at_the_end(tmp_path):
    run = {"models": [{"name": "a", "accuracy": 0.5, "parameters": 3, "timesteps": 4, "spikes_per_image": 5.0}], "comparison": COMPARED}
    page = report.write_report(tmp_path / "report.html", run).read_text("utf-8")
    marked = set(re.findall(r'<abbr title="[^"]+">([^<]+)</abbr>', page))
    assert {"accuracy", "T", "spikes per image", "difference (points)"} <= marked
    assert set(re.findall("<dt>([^<]+)</dt>", page)) == marked
    assert page.index("<dl>") > page.index("Methods compared")
    assert "<dt>arena" not in page


def test_every_word_that_is_explained_is_a_header_of_some_table():
    sources = "".join(path.read_text("utf-8") for path in pathlib.Path(report.__file__).parent.rglob("*.py") if path.name != "words.py")
    generated = {"1 thread", "2 threads"}
    assert not [word for word in words.WORDS if word not in generated and f'"{word}"' not in sources]


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_no_terminal_clips_a_table_of_methods(width):
    console = rich.console.Console(width=width, record=True, file=io.StringIO())
    console.print(report.comparison_table(COMPARED))
    printed = console.export_text()
    assert max(map(len, printed.splitlines())) <= width
    for cell in ("90.00 %", "\N{PLUS-MINUS SIGN} 1.00", "-1.00", "+0.50 to +1.50", "no difference seen", "321", "12,345"):
        assert cell in printed
    assert printed.count("method ") >= (2 if width < 80 else 1)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    activity = {name: {"rates": rates} for name, rates in RATES.items()}
    models = [{"name": name, "label": name, "accuracy": 0.9, "parameters": 5000, "spikes_per_image": 12345.0} for name in RATES]
    return report.write_report(
        tmp_path_factory.mktemp("page") / "report.html", {"title": "t", "comparison": COMPARED, "models": models, "activity": activity}
    )


@pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "shown"), [(400, "narrow"), (1100, "desk")])
def test_a_browser_shows_the_page_without_clipping_it(width, shown, page, tmp_path):
    found = json.loads(chromium.in_a_frame(page, width, tmp_path))
    assert found["width"] <= width
    assert found["shown"] == [shown]
    assert (found["scrolls"] > 0) == (width == 400)  # the table alone scrolls, and
    assert found["moved"] == 0  # its first column stays
