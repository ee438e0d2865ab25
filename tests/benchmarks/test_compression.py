"""Ways to compress: which are still to be measured, and what becomes of their rows."""

import argparse
import json

import pytest

from benchmarks import compression
from benchmarks.evidence import pages, ways
from keras_snnkd.files.staging import read_json
from keras_snnkd.report.fitting import in_markdown


def row(words, taught, accuracy, seed=None, **more):
    return {"words": words, "taught": taught, "accuracy": accuracy, **({} if seed is None else {"seed": seed}), **more}


COSTS = {
    "connection_sparsity": 0.5,
    "compressed_bytes": 2000,
    "synaptic_operations": {"effective_acs": 10.0, "effective_macs": 5.0},
    "energy": {"effective": 1.5},
}

ROWS = [
    row("the student", None, 0.9, **COSTS, by_step=[0.5, 0.9]),
    row("int8", True, 0.8, 0, **COSTS),
    row("int8", True, 0.9, 1),
    row("int8", False, 0.7, 0, **COSTS),
    row("int8", False, 0.8, 1),
    row("steps:timesteps=1", True, 0.6, 0, **COSTS),
    row("device:noise=0.1", True, 0.9, 0, on_device={"mean": 0.8}, **COSTS),
    row("device:noise=0.1", False, 0.9, 0, on_device={"mean": 0.75}, **COSTS),
]


@pytest.fixture
def root(tmp_path):
    """A repository with a page of results."""
    for place in ("docs/results/data", "docs/images"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "README.md").write_text("# A\n", "utf-8")
    (tmp_path / "docs" / "page.md").write_text("<!-- ways: small -->\n| old |\n\nWords.\n\n<!-- steps: small -->\n", "utf-8")
    ways.collect("small", ROWS, "python -m benchmarks.compression int8", "a few images", tmp_path)
    return tmp_path


def test_what_a_file_tells_of_is_not_measured_again():
    left = compression.missing(ROWS, ["int8", "tt:rank=2"], seeds=3)
    assert left == [
        ("tt:rank=2", True, 0),
        ("tt:rank=2", False, 0),
        ("tt:rank=2", True, 1),
        ("tt:rank=2", False, 1),
        ("int8", True, 2),
        ("int8", False, 2),
        ("tt:rank=2", True, 2),
        ("tt:rank=2", False, 2),
    ]


@pytest.mark.slow
def test_rows_are_appended_as_they_are_found_and_a_word_of_several_is_a_row_of_its_own(tmp_path, monkeypatch):
    out = tmp_path / "rows.jsonl"
    trained = []

    def compressed(student, data, words, epochs, taught):
        trained.append((data.seed, words, taught))
        return iter([("a", {"accuracy": 0.5}), ("a b", {"accuracy": 0.4})][: len(words)])

    monkeypatch.setattr(compression, "compressed", compressed)
    monkeypatch.setattr(compression, "measured", lambda *_: COSTS | {"accuracy": 0.9})
    options = argparse.Namespace(out=out, dataset="digits", limit=40, augment="none", student=compression.parser().get_default("student"))
    options.ways, options.seeds, options.epochs, options.batch_size = ["a b", "a"], 2, 1, None
    compression.run(options)
    assert [(row["words"], row["taught"], row.get("seed")) for row in compression.read(out)] == [
        ("the student", None, None),
        *((words, taught, seed) for seed in (0, 1) for taught in (True, False) for words in ("a", "a b")),
    ]
    assert trained == [(seed, ["a", "b"], taught) for seed in (0, 1) for taught in (True, False)]
    compression.run(options)
    assert len(trained) == 4  # and no more
    assert all(json.loads(line) for line in out.read_text().splitlines())
    options.epochs = 2
    with pytest.raises(SystemExit, match=r"has rows of other settings, \{'epochs': 1\}; use those again"):
        compression.run(options)


def test_seeds_of_a_way_are_together_and_paired_with_labels_alone(root):
    content = read_json(root / "docs" / "results" / "data" / "small.json")
    found = {(way["way"], way["taught"]): way for way in content["ways"]}
    taught = found["int8", True]
    assert (taught["accuracy"], taught["seeds"]) == ([80.0, 90.0], [0, 1])
    assert taught["difference"] == {"mean": 10.0, "low": 10.0, "high": 10.0}
    assert (taught["zeros"], taught["bytes"], taught["operations"], taught["energy"]) == (50.0, 2000, 15, 1.5)
    assert found["int8", False]["difference"] is None
    assert found["device:noise=0.1", True]["difference"] == {"mean": 5.0, "low": None, "high": None}  # on the device
    assert found["the student", None]["by_step"] == [50.0, 90.0]
    assert content["command"].startswith("python -m benchmarks.compression")


def test_tables_of_a_page_and_its_picture_are_made_of_the_file(root):
    assert {path.name for path in pages.rebuild(root)} == {"page.md", "compression_small.svg"}
    page = (root / "docs" / "page.md").read_text("utf-8")
    assert "old" not in page
    assert "| `int8` | the student before | 2 | 85.00 % ± 7.07 | - | +10.00" in page.replace("\N{EN DASH}", "-").replace("\N{EM DASH}", "-")
    assert "\n\nWords.\n" in page
    picture = (root / "docs" / "images" / "compression_small.svg").read_text("utf-8")
    assert "packed size (bytes)" in picture
    assert "1 int8" in picture
    assert pages.rebuild(root) == []


def test_steps_stand_under_their_number(root):
    table = in_markdown(ways.by_step(pages.load_ways(root, "small"))).splitlines()
    assert [cell.strip() for cell in table[0].strip("|").split("|")] == ["student", "T = 1", "T = 2"]
    assert [cell.strip() for cell in table[2].strip("|").split("|")] == ["the student", "50.00 %", "90.00 %"]
    assert [cell.strip() for cell in table[3].strip("|").split("|")] == ["steps:timesteps=1, taught", "60.00 %", ""]
