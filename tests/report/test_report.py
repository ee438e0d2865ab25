import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rich.console

from keras_snnkd import report
from keras_snnkd.errors import FileFormatError, OutputError
from keras_snnkd.report import plots, sections
from keras_snnkd.report.plots import figure


def _model(name, **facts):
    return {"name": name, "role": name.split("_")[0], "label": name.replace("_", " "), "timesteps": 4, **facts}


@pytest.fixture
def run():
    teacher = _model("teacher", accuracy=0.975, parameters=50_000, spikes_per_image=2672.4, bytes={"keras": 212_345}, taught_by=None)
    alone = _model("student_alone", accuracy=0.955, parameters=5_000, spikes_per_image=333.0, bytes={"keras": 32_000}, taught_by=None)
    student = _model(
        "student",
        accuracy=0.96,
        parameters=5_000,
        spikes_per_image=321.0,
        bytes={"keras": 32_000, "float32": 23_412},
        exported_accuracy={"float32": 0.96},
        synaptic_operations={"dense": 65_312.0, "effective_macs": 2154.0, "effective_acs": 15_112.0},
        taught_by="teacher",
        seconds=72.0,
    )
    return {
        "title": "A run",
        "dataset": {"name": "digits", "image_shape": [8, 8, 1], "num_classes": 10, "train": 1000, "validation": 100, "test": 200},
        "command": "train.py --dataset digits",
        "recipe": {"temperature": 4.0},
        "machine": "two cores",
        "versions": {"keras": "3.15.0"},
        "seconds": 192.3,
        "models": [teacher, student, alone],
        "histories": {"student": {"loss": [2.0, 1.0], "val_accuracy": [0.5, 0.9], "val_loss": [1.5, 0.7]}},
        "activity": {
            "student": {
                "rates": {"block1_neuron": 0.1},
                "silent": {"block1_neuron": 0.25},
                "saturated": {"block1_neuron": 0.0},
                "spikes_per_image": 9,
            }
        },
        "raster": {
            "image": np.zeros((8, 8, 1)).tolist(),
            "label": "3",
            "predicted": "5",
            "model": "student",
            "layers": {"block1": [[0, 1], [1, 0]]},
        },
        "exports": [
            {
                "model": "student",
                "target": "LiteRT",
                "path": "student.tflite",
                "bytes": 23_412,
                "agreement": 1.0,
                "spike_differences": {"block1": 0},
            }
        ],
        "notes": ["The digits are small."],
    }


def test_markdown_table(run):
    assert report.markdown(run["models"]).splitlines() == [
        "| model | accuracy | parameters | T | spikes per image | .keras file | LiteRT float32 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| teacher | 97.50 % | 50,000 | 4 | 2,672 | 212.3 kB | \N{EN DASH} |",
        "| student | 96.00 % | 5,000 | 4 | 321 | 32.0 kB | 23.4 kB, 96.00 % |",
        "| student alone | 95.50 % | 5,000 | 4 | 333 | 32.0 kB | \N{EN DASH} |",
    ]


def test_terminal_table_shows_whole_numbers_on_80_columns_and_takes_brackets_in_labels_as_text(run):
    run["models"][0]["label"] = "[b]teacher[/b]"
    console = rich.console.Console(width=80, record=True, file=io.StringIO())
    console.print(report.table(run["models"]))
    printed = console.export_text()
    assert max(map(len, printed.splitlines())) <= 80
    for cell in ("[b]teacher[/b]", "50,000", "2,672", "212.3 kB", "96.00 %"):
        assert cell in printed


def test_a_student_that_is_larger_than_its_teacher_is_said_to_be(run):
    teacher = next(row for row in run["models"] if row["role"] == "teacher")
    student = next(row for row in run["models"] if row.get("taught_by"))
    student["parameters"] = 3 * teacher["parameters"]
    assert report.summary(run)[0].startswith("student: 3.0 times as many parameters and ")


def test_summary_compares_by_size_and_by_counted_images(run):
    smaller, gain = report.summary(run)
    assert smaller == "student: 10.0 times fewer parameters and 1.50 points less accurate than teacher (3 of 200 test images)."
    assert gain.startswith("student: 0.50 points more accurate than the same student trained alone (1 of 200 test images). This is one run")


@pytest.mark.parametrize(
    ("timesteps", "verdict", "end"), [(4, [], "; --rivals sets an ANN of its shape beside it."), (4, ["So"], " kB."), (None, [], " kB.")]
)
def test_summary_says_what_a_cpu_computes_and_how_large_the_files_are(run, timesteps, verdict, end):
    for row in run["models"]:
        role = row["role"] == "teacher"
        row.update(synaptic_operations={"dense": 2.47e6 if role else 3.67e6}, bytes={"dynamic": 48_100 if role else 44_000})
    run["models"][-1]["timesteps"] = timesteps
    (said,) = [sentence for sentence in report.summary({**run, "verdict": verdict}) if sentence.startswith("A CPU")]
    assert (
        "the student alone takes 3.67 M operations an image, 1.5 times the teacher's 2.47 M; its file with 8-bit weights has 44.0 kB, "
        in said
    )
    assert said.endswith("the teacher's 48.1" + (end if end == " kB." else f" kB{end}"))


def _dots(svg):
    """Where the dots of a picture of curves are."""
    return re.findall(r'<use xlink:href="#m\w+" x="([\d.]+)" y="[\d.]+" style="fill: #0072b2', svg)


def test_the_dot_of_a_curve_is_the_epoch_whose_weights_are_used():
    history = {"a": {"val_accuracy": [0.5, 0.9, 0.7], "val_loss": [3.0, 2.0, 1.0]}}
    best, kept = (_dots(plots.learning_curves(history, kept=kept)) for kept in (None, {"a": 3}))
    assert len(best) == len(kept) == 2
    assert best[1] == kept[1]  # the lowest loss is the last epoch's
    assert float(best[0]) < float(kept[0])


def test_sizes_and_energies_of_pictures_are_written_as_in_tables():
    shown = [{"name": "a", "label": "a", "size": 10, "accuracy": 0.6275}, {"name": "b", "label": "b", "size": 90, "accuracy": 0.6175}]
    svg = plots.accuracy_by_size(shown)
    assert "a 62.75 %" in svg
    assert "b 61.75 %" in svg
    drawn = plots.targets([{"label": "f", "bytes": 1_234_500, "energy": 1300.0, "energy_dense": 1400.0}])
    assert "1.3 \N{GREEK SMALL LETTER MU}J" in drawn
    assert "e+03" not in drawn


def test_summary_compares_a_twin_with_the_twin_that_was_trained_alone(run):
    teacher, student, alone = run["models"]
    twins = [
        {**alone, "name": "alone_twin", "label": "alone twin", "timesteps": None},
        {**student, "name": "twin", "label": "twin", "timesteps": None, "accuracy": 0.95},
    ]
    sentences = report.summary({**run, "models": [teacher, twins[0], alone, twins[1], student]})
    assert sentences[1].startswith("twin: 0.50 points less accurate than the same student trained alone")
    assert sentences[3].startswith("student: 0.50 points more accurate than the same student trained alone")
    of_other_accuracy = [teacher, {**twins[0], "accuracy": 0.99}, alone, student]
    assert report.summary({**run, "models": of_other_accuracy})[1].startswith("student: 0.50 points more accurate than the same")


def test_summary_and_page_say_where_the_student_alone_is_if_it_is_the_better_one(run, tmp_path):
    teacher, student, alone = run["models"]
    run |= {"models": [teacher, alone, student], "folder": "runs/a", "exports": [{"model": "student_alone", "target": "LiteRT"}]}
    assert "student alone is the more" not in " ".join(report.summary(run))  # it has 95.5 %, the student 96 %
    alone["accuracy"] = 0.965
    told = "The student alone is the more accurate one, 96.50 % against 96.00 %; its files are in runs/a/export/student_alone."
    assert told in report.summary(run)
    assert told in report.write_report(tmp_path / "report.html", run).read_text(encoding="utf-8")
    assert report.better_alone({**run, "exports": []}).endswith("its files are in runs/a/student_alone.")
    for one, other in [(0.96, 0.96), (None, 0.96), (0.965, None)]:
        alone["accuracy"], student["accuracy"] = one, other
        assert not report.better_alone(run)


def test_summary_says_where_the_last_student_stands_beside_the_break_even(run):
    last = [row["name"] for row in run["models"] if row["role"] == "student"][-1]
    run["activity"] = {last: {"rates": {"a": 0.1}, "rate": 0.1}}
    assert "In a time step 10.0 % of the neurons of the " in report.summary(run)[2]
    assert len(report.summary({**run, "verdict": ["says it too"]})) == 2


def test_summary_says_equal_and_says_nothing_without_a_comparison(run):
    teacher, student, alone = run["models"]
    assert "exactly as accurate as the same student trained alone" in report.summary({"models": [student, {**alone, "accuracy": 0.96}]})[0]
    assert report.summary({"models": [teacher, alone]}) == []
    assert sections.spike_differences({}) == sections.spike_differences(None) != sections.spike_differences({"a": 0.0}) == ["none"]
    assert report.summary({"models": [{**student, "accuracy": None}, alone]}) == []


def test_page_holds_all_sections_and_loads_nothing_from_outside(run, tmp_path):
    page = report.write_report(tmp_path / "new" / "report.html", run).read_text(encoding="utf-8")
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings == [
        "Learning curves",
        "Accuracy and size",
        "Spikes and operations",
        "One image as spikes",
        "Exported files",
        "Notes",
        "To repeat this run",
        "What the words mean",
    ]
    assert page.index("97.50 %") < page.index("Learning curves")
    for fact in ("took 3 min 12 s", "15.1 k", "25.00 %", "true class: 3", "&quot;temperature&quot;: 4.0", "keras 3.15.0", "two cores"):
        assert fact in page
    assert "<script" not in page
    assert not re.findall(r'(?:href|src)\s*=\s*"(?!#|data:)', page)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["report.html"]


def test_exports_tell_where_they_were_compared_and_how_far_spikes_differ(run, tmp_path):
    run["exports"][0] |= {"test_agreement": 0.995, "test_images": 200, "operators": {"CONV_2D": 3}}
    run["exports"].append(
        {"target": "LiteRT dynamic", "agreement": 0.98, "samples": 64, "spike_differences": {"a": 0.0, "b": 0.0013, "c": 0.001}}
    )
    page = report.write_report(tmp_path / "report.html", run).read_text(encoding="utf-8")
    for fact in (
        "99.50 %<small>of 200 test images",
        "98.00 %<small>of 64 samples",
        "3 CONV_2D",
        ">none<",
        "0.13 %<small>in 2 of 3 layers",
    ):
        assert fact in page


def test_page_survives_json_and_missing_parts(tmp_path):
    for run in (
        {},
        {"models": [{"name": "a"}]},
        {"models": [_model("teacher", accuracy=float("nan"))], "histories": {"x": {"val_loss": [None, 1.0]}}},
    ):
        page = report.write_report(tmp_path / "report.html", json.loads(json.dumps(run))).read_text(encoding="utf-8")
        assert page.endswith("</html>\n")
        assert "nan" not in page
        assert "None" not in page


def test_everything_is_escaped(run, tmp_path):
    evil = "<img src=x onerror=alert(1)>&\"'$x^$"
    for part in ("title", "command", "machine"):
        run[part] = evil
    run["dataset"]["name"] = run["raster"]["label"] = run["models"][1]["label"] = run["notes"][0] = evil
    run["recipe"] = run["versions"] = {evil: evil}
    run["exports"][0] |= {"target": evil, "path": evil, "operators": {evil: 1}, "spike_differences": {evil: 1}}
    run["activity"]["student"]["rates"] = run["raster"]["layers"] = {}
    run["activity"][evil] = {"rates": {evil: 0.5}}
    run["histories"][evil] = {"val_accuracy": [0.1, 0.2]}
    page = report.write_report(tmp_path / "report.html", run).read_text(encoding="utf-8")
    assert "<img" not in page
    assert "&lt;img" in page


def test_a_page_is_replaced_whole_or_not_at_all(run, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("the old page")
    with pytest.raises(FileFormatError, match="models is"):
        report.write_report(path, {**run, "models": [{"name": "teacher", "parameters": "many", "accuracy": 1.0, "bytes": 3}]})
    assert path.read_text() == "the old page"
    report.write_report(path, run)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_path_that_cannot_be_written_is_told(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file/report\.html"):
        report.write_report(tmp_path / "file" / "report.html", run)


@pytest.mark.every(3)
@pytest.mark.parametrize(
    ("draw", "texts"),
    [
        (lambda: plots.learning_curves({"a": {"val_accuracy": [0.1, 0.2]}, "b": {"val_loss": [1, 2]}}), ["Validation loss", "epoch"]),
        (lambda: plots.learning_curves({}), ["Validation accuracy (%)"]),
        (lambda: plots.firing_rates({"student": {"block1_neuron": 0.125}}), ["block1", "12.5", "student"]),
        (lambda: plots.raster(np.zeros((4, 4, 3)), {f"l{i}_neuron": np.eye(3) for i in range(6)}, "a cat"), ["l5", "a cat", "time step"]),
        (lambda: plots.raster(np.zeros((4, 4)), {"silent": np.zeros((3, 2))}), ["silent"]),
        (lambda: plots.accuracy_by_size([{"name": "a", "label": "A & $b$", "size": 5034, "accuracy": 0.5}]), ["A & $b$ 50.00 %"]),
    ],
)
def test_pictures_are_svg_with_their_texts(draw, texts):
    svg = draw()
    words = ["".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert set(texts) <= set(words)
    assert svg == draw()


def test_labels_of_near_points_keep_apart():
    assert figure.spread([1.0, 5.0], gap=1.0) == [1.0, 5.0]
    low, high = figure.spread([2.0, 1.9], gap=1.0)[::-1]
    assert high - low == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ([29, 12], "29 steps of 12 channels · 9 classes · 243 series to train on"),
        ([10, 34, 34, 2], "10 frames of 34x34x2 events · 9 classes · 243 recordings to train on"),
        ([32, 32, 3], "32x32x3 pixels · 9 classes · 243 images to train on"),
    ],
    ids=str,
)
def test_samples_are_called_what_they_are(shape, told):
    assert (
        sections.facts({"dataset": {"name": "", "image_shape": shape, "num_classes": 9, "train": 243}}).replace(sections.TIMES, "x") == told
    )
