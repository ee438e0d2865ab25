"""A comparison at several sizes of the student."""

import io

import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd.cli.dispatch import _kind_of_run
from keras_snnkd.run.comparing.sizes import Sizes, with_widths
from keras_snnkd.run.plan import ALONE

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests

TINY = {"teacher": "mlp:24", "student": "mlp:8", "timesteps": 2, "limit": 100, "batch_size": 50, "epochs": 1, "teacher_epochs": 3}


def recipe(**settings):
    return kd.Recipe(mode="compare", **{"objectives": ["hinton"], "seeds": 1, "sizes": [0.5, 1], **TINY, **settings})


def test_widths_are_multiplied_and_pooling_stays():
    assert with_widths("convnet:8,pool,16,flatten", 0.5) == {"builder": "ConvNet", "widths": [4, "pool", 8], "head": "flatten"}
    assert with_widths({"builder": "MLP", "widths": [3]}, 0.1)["widths"] == [1]
    assert len(with_widths({"builder": "ConvNet"}, 0.5)["widths"]) == len(with_widths({"builder": "ConvNet"}, 1)["widths"]) > 1


def test_sizes_on_the_command_line_ask_for_this_run():
    assert _kind_of_run(recipe().resolved()) is Sizes
    assert _kind_of_run(recipe(sizes=None).resolved()) is not Sizes


def test_sizes_are_numbers_above_0():
    with pytest.raises(ValueError, match="sizes must be numbers greater than 0, got 0"):
        recipe(sizes=[0]).resolved()


def test_every_size_has_the_twin_of_its_size_for_a_teacher(tmp_path):
    built = Sizes(recipe(objectives=["sakd"]), tmp_path, rich.console.Console(file=io.StringIO(), width=200)).check()
    found = {name: model.student.count_params() for name, model in built.items()}
    assert found["size0.5/teacher_twin"] == found["size0.5/sakd"] < found["size1/teacher_twin"] == found["size1/sakd"]


@pytest.mark.slow
def test_every_size_is_compared_with_the_student_alone_of_that_size_by_one_teacher(tmp_path, monkeypatch):
    trained = []
    fit = kd.Distiller.fit

    def counted(distiller, *arguments, **more):
        trained.append((distiller.student.name, distiller.student.count_params()))
        return fit(distiller, *arguments, **more)

    monkeypatch.setattr(kd.Distiller, "fit", counted)
    run = Sizes(recipe(), tmp_path, rich.console.Console(file=io.StringIO(), width=200))
    results = run.run()
    small, large = 64 * 4 + 4 * 4 + 4 * 10 + 10, 64 * 8 + 4 * 8 + 8 * 10 + 10  # kernels, batch norms, readout
    assert [name for name, _ in trained] == ["teacher_ann", ALONE, "hinton", ALONE, "hinton"]
    assert {count for name, count in trained if name != "teacher_ann"} == {small, large}
    assert [(size["factor"], size["parameters"]) for size in results["sizes"]] == [(0.5, small), (1, large)]
    for size in results["sizes"]:
        rows = {row["name"]: row for row in size["rows"]}
        assert rows["hinton"]["difference"] == pytest.approx(rows["hinton"]["accuracy"] - rows[ALONE]["accuracy"])
    assert {row["label"] for row in results["comparison"]} >= {f"hinton, {small} parameters", f"student alone, {large} parameters"}
    assert [row["label"] for row in results["models"]] == ["ANN teacher"]
    assert "Gain by size" in (tmp_path / "report.html").read_text("utf-8")

    trained.clear()
    assert Sizes(recipe(), tmp_path, run.console).run(resume=True)["sizes"] == results["sizes"]
    assert not trained
