"""The card of a model: its data, its sentences, and its page as a browser sees it."""

import copy
import html.parser
import io
import json

import numpy as np
import pytest
import rich.console

from keras_snnkd import metrics, report
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.manifest import RUN, Manifest
from keras_snnkd.files.staging import read_json
from keras_snnkd.metrics import Operations
from keras_snnkd.report import formats, plots
from keras_snnkd.run.finished import card as writing
from keras_snnkd.run.finished.card import read_card, save_card, write_card
from tests import chromium

TWIN = Operations(dense=1000.0, effective_macs=600.0, effective_acs=0.0, layers={})


def energy(macs, acs, twin=TWIN, arithmetic="float32"):
    return metrics.energy(Operations(4000.0, macs, acs, {}), 1000.0, twin, arithmetic).to_dict()


def latency(threads, p50):
    return {"threads": threads, "p50_ms": p50, "p95_ms": 2 * p50, "runs": 100, "memory_bytes": 300_000}


@pytest.mark.slow
def test_the_card_of_a_run_tells_its_students_energy_and_that_of_the_twin_that_it_trained(tmp_path):
    run = tmp_path / "run"
    (run / "student_distilled").mkdir(parents=True)
    (run / "student_distilled" / "model.keras").write_text("a model")
    Manifest(run, RUN).write()
    (run / "export").mkdir()
    (run / "export" / "model_dynamic.tflite").write_text("a file")
    file = {"model": "student_distilled", "target": "litert dynamic", "path": "export/model_dynamic.tflite", "bytes": 6}
    counted = {"accuracy": 0.9, "parameters": 10, "timesteps": 4, "twin_dense": 1000.0}
    rows = [
        {**counted, "name": "student_twin", "label": "student twin", "timesteps": None, "synaptic_operations": TWIN.to_dict()},
        {**counted, "name": "student_distilled", "label": "student distilled",
         "synaptic_operations": Operations(4000.0, 100.0, 1000.0, {}).to_dict()},
    ]  # fmt: skip
    data = {"name": "digits", "image_shape": [8, 8, 1], "num_classes": 10}
    results = {"title": "digits: distill", "dataset": data, "recipe": {"dataset": "digits"}, "models": rows, "exports": [file]}
    results |= {"command": "", "machine": "", "versions": {}, "rivals": [{"name": "student_distilled"}, {"name": "student_twin"}]}
    card = read_json(write_card(results, run, tmp_path / "shelf") / "card.json")
    cost, (target,) = card["cost"], card["targets"]
    assert (target["label"], target["path"]) == ("LiteRT dynamic", "model_dynamic.tflite")
    assert target["energy"]["effective"] == pytest.approx((0.3 * 100 + 0.1 * 1000) / 1000)  # in its 8 bits
    assert cost["twin"]["accuracy"] == 0.9
    assert cost["energy"]["effective"] == pytest.approx((4.6 * 100 + 0.9 * 1000) / 1000)
    assert cost["energy"]["twin_effective"] == pytest.approx(4.6 * 600 / 1000)
    assert card["beside"] == {"teacher": None, "student_alone": None, "better": ""}
    alone = read_json(write_card({**results, "rivals": None}, run, tmp_path / "shelf") / "card.json")["cost"]
    assert alone["twin"] is None
    assert alone["energy"]["twin_dense"] == 4.6
    assert not [sentence for sentence in report.card_summary(card) if "student alone" in sentence]
    more = [{**rows[1], "name": name, "role": name.split("_")[0], "accuracy": accuracy, "taught_by": None}
            for name, accuracy in [("teacher", 0.97), ("student_alone", 0.95)]]  # fmt: skip
    taught = {**rows[1], "role": "student", "taught_by": "teacher"}
    place = write_card({**results, "models": [*more, taught], "rivals": None}, run, tmp_path / "shelf")
    told = f"The student alone is the more accurate one, 95.00 % against 90.00 %; its files are in {run.as_posix()}/student_alone."
    for text in ((place / "README.md").read_text("utf-8"), (place / "card.html").read_text("utf-8")):
        assert told in text
        assert "python -m keras_snnkd.edge model_dynamic.tflite picture.jpg" in text
    assert "the teacher 97.00 %, the student alone 95.00 %" in " ".join(report.card_summary(read_card(place / "model.keras")))
    assert "bytes / 256 as float32" in (place / "README.md").read_text("utf-8")


@pytest.fixture
def card():
    common = {"state": "written", "test_images": 360, "spike_differences": {"block1_neuron": 0.0}, "operators": {"CONV_2D": 2}}
    float32 = {
        "target": "float32",
        "label": "LiteRT float32",
        "path": "model_float32.tflite",
        "bytes": 32_000,
        "test_accuracy": 0.96,
        "test_agreement": 1.0,
        "latency": [latency(1, 0.04), latency(2, 0.05)],
        "micro": {"arena_bytes": 33_472},
        "energy": energy(100, 1000),
        **common,
    }
    streaming = {
        "target": "streaming",
        "label": "LiteRT streaming",
        "path": "model_streaming.tflite",
        "bytes": 21_000,
        "test_accuracy": 0.955,
        "test_agreement": 0.99,
        "runs_per_image": 4,
        "latency": [latency(1, 0.02)],
        "energy": energy(100, 1000, arithmetic="int8"),
        **common,
    }
    return {
        "title": "digits: the student",
        "dataset": {"name": "digits", "source": "digits", "image_shape": [8, 8, 1], "num_classes": 10, "test": 360},
        "command": "train.py --mode export",
        "machine": "two cores",
        "versions": {"keras": "3.15.0"},
        "model": {"name": "student", "label": "student", "accuracy": 0.96, "parameters": 3890, "timesteps": 4},
        "targets": [
            float32,
            streaming,
            {"target": "nir", "label": "NIR", "state": "left out", "reason": "layer 'block1_neuron' has a soft reset"},
            {"target": "int8", "label": "LiteRT int8", "state": "refused", "reason": "80 % of predictions agree"},
        ],
        "cost": {
            "footprint": 15_560,
            "activation_sparsity": 0.883,
            "connection_sparsity": 0.0,
            "synaptic_operations": {"dense": 4000.0, "effective_macs": 100.0, "effective_acs": 1000.0},
            "twin_dense": 1000.0,
            "twin": {
                "name": "twin",
                "accuracy": 0.97,
                "synaptic_operations": {"dense": 1000.0, "effective_macs": 600.0, "effective_acs": 0.0},
            },
            "energy": energy(100, 1000),
        },
        "anytime": {
            "accuracy": [0.8, 0.9, 0.95, 0.96],
            "threshold": 0.85,
            "tolerance": 0.005,
            "mean_steps": 1.5,
            "accuracy_at_threshold": 0.957,
            "calibration_samples": 100,
            "samples": 360,
        },
        "activity": {"rates": {"block1_neuron": 0.1}, "spikes_per_image": 321.0},
        "raster": {
            "image": np.zeros((8, 8, 1)).tolist(),
            "label": "3",
            "predicted": "5",
            "model": "student",
            "layers": {"block1": [[0, 1], [1, 0]]},
        },
        "notes": ["The digits are small."],
        "training": {"command": "train.py --dataset digits", "recipe": {"temperature": 4.0}},
    }


VOID = ("meta", "br", "wbr", "img", "link", "input", "hr")


class _Elements(html.parser.HTMLParser):
    """Collects each element's name, attributes and own text."""

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert not self._open, f"not closed: {[tag for tag, *_ in self._open]}"

    def handle_starttag(self, tag, attributes):
        element = [tag, dict(attributes), ""]
        self.found.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        if self._open:
            self._open[-1][2] += data

    def texts(self, tag):
        return [" ".join(text.split()) for name, _, text in self.found if name == tag]


def browsed(path):
    """The page's elements: as Chromium has them after loading it without a network; as written where there is no Chromium."""
    return _Elements(path.read_text("utf-8") if chromium.BROWSER is None else chromium.loaded(path.as_uri()))


def test_the_page_in_a_browser_shows_every_section_every_target_and_loads_nothing(card, tmp_path):
    page = browsed(save_card(card, tmp_path))
    assert page.texts("title") == page.texts("h1") == ["digits: the student"]
    assert page.texts("h2") == [
        "Exported files",
        "How to run this",
        "Refused",
        "Left out",
        "What it costs",
        "Answers before the last step",
        "One image as spikes",
        "Firing rates",
        "Notes",
        "To write these files again",
        "To train the model again",
        "What the words mean",
    ]
    assert not page.texts("script")
    assert not [a for _, attributes, _ in page.found for a in ("src", "srcset", "onload") if a in attributes]
    links = [attributes.get("xlink:href") or attributes.get("href") for _, attributes, _ in page.found]
    assert all(link.startswith(("#", "data:")) for link in links if link)
    assert len([tag for tag, *_ in page.found if tag == "svg"]) == 2 * 4
    drawn = page.texts("text")
    for text in (
        "LiteRT float32",
        "LiteRT streaming",
        "Size (kB)",
        "Time per image (ms)",
        "Energy per image",
        "0.08",
        "1.36 nJ",
        "block1",
    ):
        assert text in drawn
    cells = page.texts("td")
    for text in ("32.0 kB", "96.00 %", "95.50 %", "0.04 ms", "0.08 ms", "1.36 nJ", "18.4 nJ", "4.6 nJ", "300.0 kB", "97.00 %"):
        assert text in cells
    assert {"arena 33.5 kB", "0.02 per step, p95 0.04", "p95 0.08", "dense 18.4 nJ", "model_streaming.tflite"} <= set(page.texts("small"))
    said = page.texts("p")
    assert "NIR: layer 'block1_neuron' has a soft reset" in said
    assert "LiteRT int8: 80 % of predictions agree" in said
    assert any("Horowitz" in text and "Not counted: memory access" in text for text in said)


def test_the_summary_tells_the_smallest_file_its_energy_and_the_early_answers(card):
    smallest, cost, early = report.card_summary(card)
    assert smallest.startswith(
        "The smallest file, LiteRT streaming, has 21.0 kB, classifies 95.50 % of 360 test images correctly (the Keras model"
    )
    assert smallest.endswith("takes 0.08 ms per image with one thread.")
    assert cost.startswith("Estimated energy of LiteRT streaming, int8 arithmetic alone, on hardware that computes at spikes only: 0.13 nJ")
    assert "1.4 times less than its ANN twin on hardware that skips zeros too (0.18 nJ). On a CPU" in cost
    assert cost.endswith("it is 1.2 nJ against 0.3 nJ: there the ANN wins.")
    assert (
        early
        == "Stopping at a confidence of 0.850 takes 1.50 of 4 time steps on average, with 95.70 % of the test images classified correctly."
    )


def test_the_summary_tells_whether_the_network_is_quiet_enough_where_memory_counts(card):
    card["activity"]["rate"] = 0.031
    assert "In a time step 3.1 % of the neurons of the network fire." in report.card_summary(card)[2]
    assert report.card_summary(card)[2].endswith("it is below it.")


@pytest.mark.parametrize("place", [0, 1])
def test_the_figures_of_the_headline_are_those_of_the_file_it_names(card, place):
    card["targets"][place]["bytes"] = 5_000
    named, other = (card["targets"][number]["energy"] for number in (place, 1 - place))
    said = report.card_summary(card)[1]
    assert f"Estimated energy of {card['targets'][place]['label']}, " in said
    for name in ("effective", "dense", "twin_dense", "twin_effective"):
        assert formats.nanojoules(named[name]) in said
        assert formats.nanojoules(other[name]) not in said


def test_without_files_or_their_energy_it_is_that_of_the_keras_model(card):
    for target in card["targets"]:
        target.pop("energy", None)
    assert "Estimated energy of the Keras model, float32 arithmetic alone" in report.card_summary(card)[1]
    assert "1.36 nJ" in report.card_summary(card)[1]


def test_the_summary_says_so_where_the_ann_wins_and_nothing_of_an_ann(card):
    card["targets"][1]["energy"] = energy(500, 5000)
    assert (
        "6.8 nJ per image, 2.5 times as much as its ANN twin on hardware that skips zeros too (2.76 nJ): the ANN wins."
        in report.card_summary(card)[1]
    )
    card["targets"][1]["energy"] = energy(100, 1000, twin=None)
    assert "3.4 times less than its ANN twin on hardware that skips nothing (4.6 nJ)" in report.card_summary(card)[1]
    ann = metrics.energy(TWIN, 1000.0, TWIN).to_dict()
    assert report.card_summary({"cost": {"energy": ann}}) == []


@pytest.mark.parametrize(
    ("label", "plain", "size", "said"),
    [
        ("LiteRT int8", "LiteRT float32", 32_001, "is larger than"),
        ("LiteRT dynamic", "LiteRT float32", 32_000, "is no smaller than"),
        ("LiteRT float16", "LiteRT float32", 40_000, "is larger than"),
        ("LiteRT streaming int8", "LiteRT streaming float32", 32_001, "is larger than"),
        ("LiteRT int8", "LiteRT float32", 31_999, None),
        ("LiteRT int8", "LiteRT float32", None, None),
    ],
)
def test_a_file_of_fewer_bits_that_is_no_smaller_is_said_to_be(label, plain, size, said):
    targets = [{"label": plain, "bytes": 32_000}, {"label": label, "bytes": size}]
    found = report.card_summary({"targets": targets})
    assert [f"{label} {said} {plain} ({size:,} bytes, 32,000): " in sentence for sentence in found] == ([True] if said else [])
    assert not report.card_summary({"targets": [targets[0], {**targets[1], "state": "refused"}]})


def test_tables_of_targets_show_what_is_written_and_nothing_else(card):
    assert report.target_markdown(card["targets"]).splitlines() == [
        "| file | size | accuracy | as Keras | spikes differ | 1 thread | 2 threads | memory | energy |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| LiteRT float32, model_float32.tflite | 32.0 kB | 96.00 % | 100.00 % | none | 0.04 ms, p95 0.08 | 0.05 ms, p95 0.1 | "
        "300.0 kB, arena 33.5 kB | 1.36 nJ, dense 18.4 nJ |",
        "| LiteRT streaming, model_streaming.tflite | 21.0 kB | 95.50 % | 99.00 % | none | 0.08 ms, 0.02 per step, p95 0.04 "
        "| \N{EN DASH} | 300.0 kB | "
        "0.13 nJ, dense 1.2 nJ |",
    ]
    console = rich.console.Console(width=120, record=True, file=io.StringIO())
    console.print(report.target_table(card["targets"]))
    assert max(map(len, console.export_text().splitlines())) <= 120


def test_whatever_is_missing_is_left_out(card, tmp_path, monkeypatch):
    for picture in ("targets", "anytime", "raster", "firing_rates"):
        monkeypatch.setattr(plots, picture, lambda *_, **__: "<svg></svg>")
    for part in card:
        for content in ({key: value for key, value in card.items() if key != part}, {**card, part: None}):
            text = save_card(json.loads(json.dumps(content)), tmp_path).read_text("utf-8")
            assert _Elements(text).texts("h1")
            assert "None" not in text
            assert "nan" not in text


def places(content, place=()):
    """The ways to everything in a card or a run."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in items:
        yield (*place, name)
        yield from places(value, (*place, name))


def without(content, place, value):
    """The same with this value in that place."""
    changed = found = copy.deepcopy(content)
    for name in place[:-1]:
        found = found[name]
    found[place[-1]] = value
    return changed


@pytest.mark.slow
def test_any_value_may_be_unknown(card, monkeypatch, tmp_path):
    for picture in ("targets", "anytime", "raster", "firing_rates"):
        monkeypatch.setattr(plots, picture, lambda *_, **__: "<svg></svg>")
    card = json.loads(json.dumps(card))
    for place in places(card):
        for unknown in (None, float("nan")) if not isinstance(value_of(card, place), (dict, list)) else (None,):
            content = without(card, place, unknown)
            report.write_card_page(tmp_path / "card.html", content)
            report.target_table(content.get("targets") or [])
            report.target_markdown(content.get("targets") or [])


def value_of(content, place):
    for name in place:
        content = content[name]
    return content


def test_a_target_with_nothing_measured_and_an_empty_card_are_pages(tmp_path):
    assert _Elements(save_card({}, tmp_path).read_text("utf-8")).texts("h2") == []
    page = _Elements(save_card({"targets": [{"target": "nir"}]}, tmp_path).read_text("utf-8"))
    assert page.texts("h2") == ["Exported files"]
    assert page.texts("th") == ["file"]


def test_everything_is_escaped(card, tmp_path):
    evil = "<img src=x onerror=alert(1)>&\"'$x^$"
    card["title"] = card["command"] = card["model"]["label"] = card["notes"][0] = evil
    for target in card["targets"]:
        target.update(label=evil, path=evil, reason=evil, operators={evil: 1})
    page = _Elements(save_card(card, tmp_path).read_text("utf-8"))
    assert page.texts("h1") == [evil]
    assert not page.texts("img")


def test_a_card_comes_back_as_it_was_saved(card, tmp_path):
    save_card(card, tmp_path)
    assert read_card(tmp_path / "model.keras") == {"schema": 2, **json.loads(json.dumps(card))}


def test_a_card_of_the_first_schema_is_read(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps({"recipe": {"dataset": "digits"}, "command": "train.py", "model": {"accuracy": 0.5}}))
    card = read_card(tmp_path / "model.keras")
    assert card["dataset"] == {"source": "digits"}
    assert card["training"] == {"command": "train.py", "recipe": {"dataset": "digits"}}


def test_no_card_and_a_damaged_one(tmp_path):
    assert read_card(tmp_path / "model.keras") is None
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(FileFormatError, match=r"card\.json is not a JSON file"):
        read_card(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("saved_model", "SavedModel"),
        ("litert float32", "LiteRT float32"),
        ("litert int8", "LiteRT int8"),
        ("streaming float32", "LiteRT streaming float32"),
        ("streaming dynamic", "LiteRT streaming dynamic"),
        ("streaming int8", "LiteRT streaming int8"),
    ],
)
def test_every_file_that_a_run_writes_has_its_entry(said, label):
    entry = writing._target({"target": said, "path": "export/model.tflite"}, {"synaptic_operations": None})
    assert (entry["label"], entry["path"], entry["state"]) == (label, "model.tflite", "written")
