"""The evidence in docs/results: pages are what their data say, and the data are what the runs say."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.evidence import cells, collect, pages, runs
from benchmarks.evidence.picture import accuracy_against_energy
from keras_snnkd.cli.dispatch import _recipe
from keras_snnkd.cli.options import parser
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.run.recipes.recipe import Recipe

ROOT = Path(__file__).parents[2]

FIELDS = {
    "arm",
    "command",
    "recipe",
    "seeds",
    "accuracy",
    "difference",
    "parameters",
    "timesteps",
    "spikes",
    "operations",
    "bytes",
    "seconds",
}

OPERATIONS = {"dense": 900.0, "effective_macs": 100.0, "effective_acs": 500.0}

DATA = sorted((ROOT / "docs" / "results" / "data").glob("*.json"))


def row(name, accuracy, **more):
    costs = {"parameters": 50, "timesteps": 4, "spikes_per_image": 12.34, "synaptic_operations": OPERATIONS, "seconds": 3.0}
    role = "teacher" if name == "teacher" else "student"
    return {"name": name, "role": role, "label": name.replace("_", " "), "accuracy": accuracy, "bytes": {"dynamic": 1000}, **costs, **more}


def finished(folder, **content):
    """The folder of a run that has finished."""
    folder.mkdir()
    Recipe(seed=3).save(folder / "recipe.json")
    write_json(folder / "results.json", {"command": "python train.py --seed 3 --resume", "models": [], **content})
    return str(folder)


@pytest.fixture
def root(tmp_path):
    """A repository with a page of results."""
    for place in ("docs/results/data", "docs/results/recipes", "docs/images"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "README.md").write_text("# A\n", "utf-8")
    return tmp_path


# what is committed


@pytest.mark.parametrize("path", [path for path, _ in pages.pages(ROOT)], ids=lambda path: path.name)
def test_the_tables_of_a_page_are_those_of_its_data(path):
    assert dict(pages.pages(ROOT))[path] == path.read_text("utf-8"), "run python -m benchmarks.evidence pages"


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_data_name_their_command_and_recipe(path):
    for arm in pages.load(ROOT, path.stem):
        assert set(arm) >= FIELDS
        assert arm["command"].startswith(("python train.py", "python examples/"))
        assert (arm["recipe"] is None) == arm["command"].startswith("python examples/")
        assert arm["recipe"] is None or Recipe.load(ROOT / arm["recipe"])
        assert len(arm["seeds"]) == len(arm["accuracy"]) > 0
        assert all(10 < accuracy <= 100 for accuracy in arm["accuracy"])


@pytest.mark.slow
def test_pictures_show_the_data():
    for path, content in pages.pictures(ROOT):
        words = [set(re.findall(r"<text[^>]*>([^<]+)</text>", text)) for text in (content, path.read_text("utf-8"))]
        assert words[0] == words[1], "run python -m benchmarks.evidence pages"


# from a run to a page


def test_a_run_with_one_seed_becomes_arms(root, tmp_path):
    run = finished(tmp_path / "run", models=[row("teacher", 0.99), row("student_alone", 0.95), row("student_distilled", 0.96)])
    path = collect.collect("digits", [run], root)
    teacher, alone, distilled = read_json(path)["arms"]
    assert set(teacher) == {*FIELDS, "energy"}
    assert teacher["difference"] is alone["difference"] is None
    assert distilled["difference"] == {"mean": 1.0, "low": None, "high": None}
    assert distilled["arm"] == "student distilled"
    assert (distilled["seeds"], distilled["accuracy"], distilled["spikes"], distilled["bytes"]) == ([3], [96.0], 12.3, 1000)
    assert (distilled["operations"], distilled["energy"]) == (600, 0.08)  # (0.3 pJ x 100 + 0.1 pJ x 500) / 1000
    assert distilled["command"] == "python train.py --seed 3"
    assert distilled["recipe"] == "docs/results/recipes/run.json"
    assert Recipe.load(root / distilled["recipe"]).seed == 3


def test_a_comparison_is_measured_from_its_models(root, tmp_path, monkeypatch):
    compared = [
        {
            "name": "hinton",
            "label": "hinton",
            "difference": 0.01,
            "interval": [0.002, 0.018],
            "accuracies": [0.96, 0.97],
            "accuracy": 0.965,
        },
        {"name": "student_alone", "label": "student alone", "difference": None, "accuracies": [0.95, 0.96], "accuracy": 0.955},
    ]
    chosen = {"seeds": [3, 4], "spikes_per_image": 20.0, "seconds": 5.0}
    run = finished(
        tmp_path / "run",
        comparison=[{**compared[0], **chosen, "learning_rate": 0.01, "weight": 0.5}, {**compared[1], **chosen}],
    )
    loaded = []
    monkeypatch.setattr(collect.models, "load", lambda path: loaded.append(path) or SimpleNamespace(count_params=lambda: 7))
    monkeypatch.setattr(collect, "measure", lambda model, data: ({"timesteps": 4, "synaptic_operations": OPERATIONS}, {}))
    monkeypatch.setattr(collect.export, "litert", lambda *arguments, **more: SimpleNamespace(bytes=2000))
    monkeypatch.setattr(collect.datasets.Data, "is_series", True)
    early = SimpleNamespace(mean_steps=12.34, accuracy_at_threshold=0.9)
    monkeypatch.setattr(collect.metrics, "anytime", lambda *arguments, **more: early)
    alone, hinton = read_json(collect.collect("digits", [f"{run}:T = 4"], root))["arms"]
    assert (alone["arm"], hinton["arm"]) == ("student alone, T = 4", "hinton, T = 4")
    assert hinton["difference"] == {"mean": 1.0, "low": 0.2, "high": 1.8}
    assert (hinton["seeds"], hinton["accuracy"], hinton["parameters"], hinton["bytes"]) == ([3, 4], [96.0, 97.0], 7, 2000)
    assert (hinton["steps_used"], hinton["accuracy_early"]) == ([12.3], [90.0])
    place = tmp_path / "run" / "seed3"
    assert loaded == [place / "student_alone" / "model.keras", place / "rate0.01_weight0.5" / "hinton" / "model.keras"]


def of_seed(folder, seed, alone, distilled, **settings):
    run = finished(folder, models=[row("teacher", 0.99, seconds=None), row("student_alone", alone), row("student_distilled", distilled)])
    Recipe(seed=seed, **settings).save(folder / "recipe.json")
    return run


def test_one_run_with_several_seeds_becomes_arms_with_an_interval(root, tmp_path):
    three = [of_seed(tmp_path / f"run{seed}", seed, 0.90, 0.91 + seed / 100) for seed in (0, 1, 2)]
    teacher, alone, distilled = read_json(collect.collect("digits", [",".join(three)], root))["arms"]
    assert (teacher["seeds"], teacher["accuracy"]) == ([0], [99.0])  # the same in all of them
    assert (alone["seeds"], alone["accuracy"], alone["difference"]) == ([0, 1, 2], [90.0, 90.0, 90.0], None)
    assert distilled["accuracy"] == [91.0, 92.0, 93.0]
    assert distilled["difference"] == pytest.approx({"mean": 2.0, "low": 2 - 2.4841, "high": 2 + 2.4841}, abs=1e-3)
    assert distilled["seconds"] == 3.0


def test_runs_that_differ_in_more_than_their_seed_are_no_seeds_of_one(root, tmp_path):
    two = [of_seed(tmp_path / "a", 0, 0.9, 0.9), of_seed(tmp_path / "b", 1, 0.9, 0.9, timesteps=2)]
    with pytest.raises(ValueError, match="are not one run with two seeds"):
        collect.collect("digits", [",".join(two)], root)


def test_a_teacher_of_several_runs_stands_there_once_and_a_rival_beside_the_student_alone(root, tmp_path, monkeypatch):
    rivals = [
        {"name": "student", "label": "spiking student", "bytes": 900.0, "energy": 0.5},
        {"name": "student_ann", "label": "its ANN twin", "bytes": 800.0, "energy": 2.0},
    ]
    distilled = of_seed(tmp_path / "distilled", 0, 0.90, 0.91)

    def rivals_of(seed, one, other):
        found = [{**rival, "seeds": [seed], "accuracies": [accuracy]} for rival, accuracy in zip(rivals, (one, other), strict=True)]
        folder = finished(tmp_path / f"rivals{seed}", models=[row("teacher", 0.99, seconds=None)], rivals=found)
        Recipe(mode="compare", rivals=True, seed=seed).save(tmp_path / f"rivals{seed}" / "recipe.json")
        return folder

    monkeypatch.setattr(collect.models, "load", lambda path: SimpleNamespace(count_params=lambda: 7, name=path.parent.name))
    monkeypatch.setattr(collect, "timesteps", lambda model: 29 if model.name == "student" else None)  # not the recipe's: of series
    operations = SimpleNamespace(to_dict=lambda: OPERATIONS)
    monkeypatch.setattr(collect.metrics, "synaptic_operations", lambda *_: operations)
    monkeypatch.setattr(collect.metrics, "activity", lambda *_: SimpleNamespace(rates={}, spikes_per_image=0.0))
    arms = {arm["arm"]: arm for arm in read_json(collect.collect("digits", [distilled, rivals_of(0, 0.92, 0.94)], root))["arms"]}
    assert list(arms) == ["teacher", "student alone", "student distilled", "spiking student, int8 file", "its ANN twin, int8 file"]
    assert [arms[name]["difference"]["mean"] for name in list(arms)[3:]] == [2.0, 4.0]
    assert (arms["its ANN twin, int8 file"]["bytes"], arms["its ANN twin, int8 file"]["energy"]) == (800, arms["student alone"]["energy"])
    assert [arms[name]["timesteps"] for name in list(arms)[3:]] == [29, None]

    def joined(*runs):
        return {arm["arm"]: arm for arm in read_json(collect.collect("digits", runs, root, more=True))["arms"]}

    later = joined(rivals_of(1, 0.90, 0.92))
    assert [later[name]["difference"] for name in list(arms)[3:]] == [None, None]  # there is no student alone of that seed
    both = joined(of_seed(tmp_path / "more", 1, 0.84, 0.85), rivals_of(2, 0.9, 0.9), of_seed(tmp_path / "most", 2, 0.9, 0.9))
    assert both["spiking student, int8 file"]["difference"]["mean"] == pytest.approx((2 + 6 + 0) / 3, abs=1e-3)


def test_arms_with_the_same_words_stand_together_the_best_first(root):
    arm = {**dict.fromkeys(FIELDS), "seeds": [0, 1], "energy": None}
    low = {"mean": 1.0, "low": 0.5, "high": 1.5}
    arms = [
        {**arm, "arm": "student alone, 5,000 images", "accuracy": [80.0, 82.0]},
        {**arm, "arm": "hinton, 5,000 images", "accuracy": [83.0, 83.0], "difference": low},
        {**arm, "arm": "hinton, 5,000 images, chain", "accuracy": [99.0, 99.0], "difference": low},
        {**arm, "arm": "hinton", "accuracy": [98.0, 98.0], "difference": low},
    ]
    write_json(root / "docs/results/data/digits.json", {"arms": arms})
    (root / "docs/a.md").write_text("<!-- arms: digits: *5,000 images -->\n", "utf-8")
    pages.rebuild(root)
    rows = (root / "docs/a.md").read_text("utf-8").splitlines()[3:]
    assert [row.split("|")[1].strip() for row in rows] == ["hinton", "student alone"]
    shown = {path.name: len(re.findall(">hinton", path.read_text("utf-8"))) for path in (root / "docs/images").glob("differences*")}
    assert shown == {"differences_digits.svg": 1, "differences_digits_small.svg": 1}


# runs that are planned


@pytest.mark.parametrize("size", runs.SIZES)
@pytest.mark.parametrize("dataset", list(runs.PLANS))
def test_planned_runs_are_recipes_whose_arms_can_be_told_apart(dataset, size):
    found = [(planned, list(runs.runs(dataset, planned, size))) for planned in runs.plan(dataset, size).runs()]
    words = [planned.words for planned, _ in found]
    assert len(set(words)) >= len(words) - 1  # the rival stands beside the students of the run without words
    for planned, of_seeds in found:
        assert len(of_seeds) == (runs.PLANS[dataset].seeds if planned.each_seed and size != "tiny" else 1)
        for run in of_seeds:
            given = parser().parse_args(list(run.arguments))
            recipe = _recipe(given, given.mode)
            assert (recipe.dataset, recipe.mode == "compare", recipe.limit is None) == (dataset, not planned.each_seed, size == "full")
            assert run.folder.as_posix() in runs.collecting(dataset, size)
    names = {
        size: {run.folder for planned in runs.plan(dataset, size).runs() for run in runs.runs(dataset, planned, size)}
        for size in runs.SIZES
    }
    assert len(set.union(*names.values())) == sum(map(len, names.values()))
    assert not {one.words for one in runs.plan(dataset, "small").runs()} & {one.words for one in runs.plan(dataset).runs()}


def test_a_finished_run_is_passed_over_and_an_interrupted_one_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    started = []
    monkeypatch.setattr(runs.subprocess, "run", lambda words: started.append(words) or SimpleNamespace(returncode=0))
    chosen = [planned for planned in runs.PLANS["mnist"].runs() if planned.name in ("few_labels", "methods")]
    first, second = (next(runs.runs("mnist", planned, size="tiny")) for planned in chosen)
    for run, file in ((first, "results.json"), (second, "recipe.json")):
        run.folder.mkdir()
        (run.folder / file).touch()
    assert runs.start("mnist", ["few_labels", "methods"], size="tiny") == 0
    (words,) = started
    assert words[:3] == ["nice", "-n", "10"]
    assert words[words.index("--out") + 1] == second.folder.as_posix()
    assert words[-1] == "--resume"
    assert Path(words[words.index("--saved-models") + 1]).parent not in (first.folder, second.folder)  # a run's folder is its own


def test_seeds_of_a_later_run_join_those_that_are_there(root, tmp_path):
    def run(name, seed, alone, distilled, **settings):
        models = [row("teacher", 0.99, seconds=None), row("student_alone", alone), row("student_distilled", distilled, seconds=float(seed))]
        folder = finished(tmp_path / name, models=models)
        Recipe(seed=seed, **settings).save(tmp_path / name / "recipe.json")
        return folder

    collect.collect("digits", [run("first", 3, 0.95, 0.96) + "," + run("second", 4, 0.94, 0.97)], root)
    others = [run("third", 5, 0.93, 0.95), run("longer", 3, 0.96, 0.98, epochs=9) + ":longer"]
    arms = {arm["arm"]: arm for arm in read_json(collect.collect("digits", others, root, more=True))["arms"]}
    assert list(arms) == ["teacher", "student alone", "student distilled", "student alone, longer", "student distilled, longer"]
    distilled = arms["student distilled"]
    assert (distilled["seeds"], distilled["accuracy"], distilled["seconds"]) == ([3, 4, 5], [96.0, 97.0, 95.0], 4.0)
    assert distilled["difference"]["mean"] == 2.0  # of 1, 3 and 2 points
    assert distilled["difference"]["low"] == pytest.approx(2 - 4.303 / 3**0.5, abs=1e-3)  # Student's t of two degrees of freedom
    assert arms["student distilled, longer"]["difference"]["mean"] == 2.0
    assert not (root / "docs/results/recipes/third.json").exists()


def test_some_arms_of_a_comparison_get_more_seeds(root, tmp_path):
    def run(name, seed, **settings):
        folder = finished(tmp_path / name, models=[row("student_alone", 0.9)])
        Recipe(mode="compare", seed=seed, **settings).save(tmp_path / name / "recipe.json")
        return folder

    collect.collect("digits", [run("all", 3, objectives=("hinton", "dkd", "w2s"))], root)
    (alone,) = read_json(collect.collect("digits", [run("some", 4, objectives=({"objective": "hinton"}, "w2s"))], root, more=True))["arms"]
    assert (alone["seeds"], alone["recipe"]) == ([3, 4], "docs/results/recipes/all.json")
    with pytest.raises(ValueError, match="tell the runs apart"):
        collect.collect("digits", [run("other", 5, objectives=("hinton", "kdsnn"))], root, more=True)


def test_a_seed_counts_once(root, tmp_path):
    for name in ("first", "again"):
        finished(tmp_path / name, models=[row("student_alone", 0.95)])
    collect.collect("digits", [str(tmp_path / "first")], root)
    once = collect.collect("digits", [str(tmp_path / "again")], root, more=True)
    assert [arm["seeds"] for arm in read_json(once)["arms"]] == [[3]]


def test_two_runs_whose_arms_have_the_same_names_are_refused(root, tmp_path):
    two = [finished(tmp_path / name, models=[row("student_alone", 0.99)]) for name in ("a", "b")]
    with pytest.raises(ValueError, match="several arms are called 'student alone'; tell the runs apart"):
        collect.collect("digits", two, root)


def test_a_page_gets_its_tables_and_the_rest_stays(root, tmp_path):
    collect.collect("digits", [finished(tmp_path / "run", models=[row("student_alone", 0.95), row("student_distilled", 0.96)])], root)
    page = root / "docs" / "results" / "digits.md"
    page.write_text("# Digits\n\n<!-- arms: digits: student distilled -->\n| old |\n\nWords.\n", "utf-8")
    (root / "README.md").write_text("<!-- energy: digits: student alone; student distilled -->\n", "utf-8")
    assert {path.name for path in pages.rebuild(root)} == {"digits.md", "accuracy_energy.svg"}
    head, table, words = page.read_text("utf-8").partition("-->\n")[0], page.read_text("utf-8"), "\n\nWords.\n"
    assert head.startswith("# Digits")
    assert table.endswith(words)
    assert "| student distilled | 1 | 96.00 % | +1.00, one seed | 50 | 4 | 12 | 600 | 0.08 nJ | 1.0 kB | 3.0 s |" in table
    assert "old" not in table
    assert "student alone 95.0 %" in (root / "docs" / "images" / "accuracy_energy.svg").read_text("utf-8")
    assert pages.rebuild(root) == []


def test_four_data_sets_have_two_panels_beside_each_other_and_what_all_names_end_with_is_in_the_title():
    arm = {"seeds": [0, 1], "accuracy": [95.0, 97.0], "energy": 0.5}
    alike = [{**arm, "arm": "teacher, few labels"}, {**arm, "arm": "its twin, int8 file, few labels", "energy": 2.0}]
    other = [{**arm, "arm": "teacher, few labels"}, {**arm, "arm": "student alone"}]
    svg = accuracy_against_energy({"digits": alike, "mnist": other, "fashion_mnist": alike, "cifar10": alike[:1]})
    texts = re.findall("<text[^>]*>([^<]*)</text>", svg)
    assert [text for text in texts if text.startswith(("digits", "mnist", "fashion", "cifar"))] == [
        "digits, few labels",
        "mnist",
        "fashion_mnist, few labels",
        "cifar10, few labels",
    ]
    assert texts.count("its twin, int8 file 96.0 %") == 2
    assert texts.count("teacher, few labels 96.0 %") == 1  # of mnist
    assert float(re.search('height="([0-9.]+)pt"', svg)[1]) == 2 * 72 * 3.6


def test_steps_until_an_answer_is_sure_have_a_column_where_an_arm_has_them():
    alone = dict.fromkeys(FIELDS | {"energy"}) | {"arm": "student alone", "seeds": [0, 1], "accuracy": [95.0, 97.0]}
    early = {**alone, "arm": "taught", "steps_used": [12.0, 14.0], "accuracy_early": [90.0, 92.0]}
    assert ("steps until sure", [["\N{EN DASH}"], ["13.0, 91.00 %"]]) in pages.columns([alone, early])
    assert "steps until sure" not in dict(pages.columns([alone]))
    assert cells.steps([12.0, None], [90.0, None]) == "12.0, 90.00 %"
