"""The table of published methods: each can be built, trains, and stands in the documentation; and how recipes expand them."""

import dataclasses
import functools
import json
import pathlib
import re

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill import methods, objectives, schedules
from keras_snnkd.distill.methods import READS, STARTS, TEACHERS, TRUST
from keras_snnkd.errors import UnknownNameError
from keras_snnkd.files.staging import read_json
from keras_snnkd.run.experiment import Experiment
from tests.harness import oracle_cases
from tests.integration import tiny
from tests.sampling import sampled

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "methods"
TOKENS = np.random.default_rng(0).integers(0, 9, (6, 4)).astype("int32")
IMAGES = np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype("float32")
LABELS = np.arange(6) % 3


def network(name, *widths, **arguments):
    return kd.models.ConvNet((8, 8, 1), 3, widths=widths, head="flatten", timesteps=2, name=name, **arguments)


def reader():
    return kd.models.SpikingTransformer(4, 9, 3, 6, 1, 1, timesteps=2, threshold=0.5, name="student")


@functools.cache
def teacher(kind):
    if kind == "text":
        return kd.models.SpikingTransformer(4, 9, 3, 8, 2, 1, neuron="relu", name="teacher")
    if kind == "twin":
        return network("teacher", 4, "pool", 6, neuron="relu")
    return network("teacher", 8, "pool", 10, **({"neuron": "relu"} if kind == "ann" else {}))


every_method = pytest.mark.parametrize("name", methods.names())


@every_method
def test_a_method_is_plain_data_and_says_where_it_comes_from(name):
    method = methods.get(name)
    assert method.name == name
    assert json.loads(json.dumps(dataclasses.asdict(method)))["name"] == name
    assert method.summary.endswith(".")
    assert method.equation
    assert method.source
    assert method.trust in TRUST
    assert method.teacher in TEACHERS
    assert method.reads in READS
    assert method.start in STARTS
    schedules.get(method.label_weight)
    assert (method.teacher == "self") == (bool(method.longer) or not method.needs_teacher)


@pytest.mark.every(3)
@pytest.mark.parametrize("name", sampled(methods.names(), *methods.names()[::8]))
def test_a_method_trains_a_student(name):
    method = methods.get(name)
    kind = "text" if method.reads == "text" else method.teacher if method.teacher in ("ann", "twin") else "snn"
    student = reader() if kind == "text" else network("student", 4, "pool", 6)
    taught_by = teacher(kind) if method.needs_teacher else None
    if method.longer:
        taught_by = kd.models.with_timesteps(student, 4)
    if method.start == "shrunk":
        kd.models.shrink_weights(teacher(kind), student)
    stage = kd.Stage(
        "student", lambda: student, teacher=(lambda _: taught_by) if method.longer else taught_by, objectives=method.objectives,
        label_weight=method.label_weight, epochs=1,
    )  # fmt: skip
    distiller = stage.distiller(student, taught_by, 1)
    before = student.get_weights()
    inputs = TOKENS if kind == "text" else IMAGES
    history = distiller.fit(inputs, LABELS, batch_size=6, epochs=1, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert any(np.any(weight != old) for weight, old in zip(student.get_weights(), before, strict=True))


PRESETS = json.loads((pathlib.Path(__file__).parents[1] / "data" / "method_presets.json").read_text())
"""What each method is made of, as its page says, with all constants of its objectives, also those that are defaults.

What has official numbers is compared with them below.
"""


FIELDS = ("label_weight", "teacher", "start", "chain", "frames", "longer", "gradient", "reads")


def contents(method):
    """A method as plain data, its objectives with all their arguments."""
    found = []
    for mapping in method.objectives:
        objective = objectives.get(mapping)
        config = {**objective.get_config(), "weight": getattr(objective, "weight_schedule", None) or objective.weight}
        found.append({"objective": mapping["objective"], **config})
    return {**{field: getattr(method, field) for field in FIELDS}, "objectives": found}


@every_method
def test_weights_temperatures_and_directions_are_those_of_the_page(name):
    assert json.loads(json.dumps(contents(methods.get(name)))) == PRESETS[name]


def total(method, arrays):
    """The whole loss of a preset that reads logits and labels alone."""
    teacher, student = arrays["teacher_logits"], np.swapaxes(arrays["logits"], 0, 1)
    labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(arrays["labels"], student.mean(axis=1))
    loss = method.label_weight * labels
    for mapping in method.objectives:
        objective = objectives.get(mapping)
        loss += objective.weight * objective.compute_loss(teacher if objective.uses_teacher else None, student, arrays["labels"])
    return float(loss)


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("full_range", {"alpha": 0.2, "beta": 0.5, "temperature": 3}),
        ("seal", {"alpha": 0.6, "beta": 0.15, "temperature": 3}),
        ("hsd", {"kd_weight": 1.0, "temperature": 10}),
        ("idsnn", {"kd_weight": 0.3, "temperature": 4}),
    ],
)
def test_the_whole_loss_of_a_preset_is_the_official_one(name, constants):
    cases = oracle_cases("losses.npz" if name == "idsnn" else "losses_logits.npz", name)
    same = [case for case in cases if constants.items() <= case.settings.items() and case.settings["edge"] != "T=1"]
    assert same
    for case in same:
        assert total(methods.get(name), case.arrays) == pytest.approx(float(case["loss"]), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["dkd", "logit_standardization"])
def test_a_preset_adds_its_term_of_official_numbers_to_the_labels(name):
    method, oracle = methods.get(name), {"dkd": "dkd", "logit_standardization": "standardized_kd"}[name]
    (mapping,) = method.objectives
    constants = {"temperature": mapping["temperature"], **({"alpha": 1.0, "beta": 2.0} if name == "dkd" else {})}
    same = [case for case in oracle_cases("losses_logits.npz", oracle) if constants.items() <= case.settings.items()]
    assert same
    for case in same:
        labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(case["labels"], case["logits"].mean(axis=0))
        expected = method.label_weight * float(labels) + mapping["weight"] * float(case["loss"])
        assert total(method, case.arrays) == pytest.approx(expected, rel=1e-4)


SAKD = oracle_cases("losses_features.npz", "sakd")
OF_CIFAR = [case for case in SAKD if {"variant": "cifar", "feature_weight": 100.0, "logit_weight": 0.0}.items() <= case.settings.items()]
OF_IMAGENET = [case for case in SAKD if case.settings.get("use_both")]


@pytest.mark.parametrize(
    ("name", "case", "batch"),
    [("sakd", case, 0) for case in OF_CIFAR] + [("sakd_imagenet", case, case.settings["epoch"]) for case in OF_IMAGENET],
    ids=str,
)
def test_the_whole_loss_of_sakd_is_the_official_one(name, case, batch):
    method = methods.get(name)
    stages = range(case.settings["stages"])
    teacher, student = ([np.moveaxis(case[f"{role}_features_{stage}"], 1, -1) for stage in stages] for role in ("teacher", "student"))
    # features that have passed their convolutions; the cases count as epochs what are batches of an epoch in the script
    features = objectives.get({**method.objectives[0], "teacher_tap": [f"stage{stage}" for stage in stages], "transform": None})
    weight = schedules.get(method.objectives[0]["weight"])(0, 1, batch)
    rest = dataclasses.replace(method, objectives=method.objectives[1:])
    found = total(rest, {**case.arrays, "logits": case["logits"][None]}) + weight * float(features.compute_loss(teacher, student))
    more = 9 * float(case["loss_logit"]) if name == "sakd_imagenet" else 0  # 10 by default there, 1 in the cases
    assert found == pytest.approx(float(case["loss"]) + more, rel=1e-4)


def test_the_whole_loss_of_joint_asnn_is_that_of_the_last_exit_by_the_official_parts():
    (case, *_), method = oracle_cases("losses_joint.npz", "joint_asnn"), methods.get("joint_asnn")
    ann, snn = case["ann_logits_0"], np.swapaxes(case["snn_logits_0"], 0, 1)
    features = case["ann_features_0"][:, :, 0, 0], np.swapaxes(case["snn_features_0"], 0, 1)[..., 0, 0]
    found = method.label_weight
    for mapping in method.objectives:
        objective = objectives.get(mapping)
        pair = features if mapping["objective"] == "active_features" else (ann, snn)
        found += objective.weight * float(objective.compute_loss(pair[0] if objective.uses_teacher else None, pair[1], case["labels"]))
    expected = kd.distill.joint.joint_loss(case["labels"], [ann], [snn], [features[0]], [features[1]])
    of_ann = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(case["labels"], ann)  # which trains beside it there
    assert found == pytest.approx(float(expected) - 0.9 * float(of_ann), rel=1e-5)


OF_TEXT = ("hidden_states", "attention_scores", "embedding_table")


@pytest.mark.every(4)
@pytest.mark.parametrize("name", sampled(objectives.names(), *objectives.names()[::5], "hidden_states"))
def test_an_objective_alone_moves_the_students_kernels(name):
    text = name in OF_TEXT
    kind = "text" if text else "snn" if methods.combine([name]).teacher == "snn" else "ann"
    student = reader() if text else network("student", 4, "pool", 6)
    objective = objectives.get(name)
    distiller = kd.Distiller(student, teacher(kind) if objective.uses_teacher else None, [objective], 0.0)
    distiller.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    kernels = [weight for weight in student.trainable_weights if weight.name in ("kernel", "embeddings")]
    before = [kernel.numpy() for kernel in kernels]
    distiller.fit(TOKENS if text else IMAGES, LABELS, batch_size=6, epochs=1, verbose=0)
    assert any(np.any(kernel.numpy() != old) for kernel, old in zip(kernels, before, strict=True))


@every_method
def test_a_method_stands_in_the_index(name):
    assert f"| `{name}` |" in (DOCS / "README.md").read_text()


@every_method
def test_a_method_stands_in_related_work(name):
    assert f"`{name}`" in (DOCS.parent / "related_work.md").read_text()


def shown(name):
    """What the block of code under a method's heading says."""
    for page in DOCS.glob("*.md"):
        found = re.search(rf"^## {name}\n.*?```python\n(objectives = .*?)```", page.read_text(), flags=re.S | re.M)
        if found and "\n## " not in found[0]:
            values = {"student_start": "scratch"}
            exec(found[1], values)
            return values
    raise AssertionError(f"no page shows {name}")


@every_method
def test_a_page_shows_the_method_as_it_is(name):
    method, values = methods.get(name), shown(name)
    as_shown = dataclasses.replace(method, objectives=tuple(values["objectives"]), label_weight=values["label_weight"])
    assert contents(as_shown) == contents(method)
    assert values["student_start"] == method.start


def test_the_index_names_no_method_that_is_not_there():
    named = re.findall(r"^\| `(\w+)` \|", (DOCS / "README.md").read_text(), flags=re.M)
    assert sorted(named) == sorted(methods.names())


@pytest.mark.parametrize("name", [name for name in methods.names() if name in objectives.names()])
def test_a_method_with_the_name_of_an_objective_is_that_objective_alone(name):
    method = methods.get(name)
    (mapping,) = method.objectives
    assert objectives.get(mapping).get_config() == objectives.get(name).get_config()
    assert (method.label_weight, method.start) == (1.0, "scratch")


def test_an_unknown_method_is_refused_and_the_nearest_offered():
    with pytest.raises(UnknownNameError, match=r"unknown method 'bkdsn'\. Did you mean 'bkdsnn'\?"):
        methods.get("bkdsn")
    with pytest.raises(UnknownNameError, match=r"unknown objective 'hintn'\. Did you mean 'hinton'\?"):
        methods.combine(["hintn"])


# combining


def test_objectives_and_methods_are_combined():
    found = methods.combine(["hsd", {"objective": "spike_train", "window": 2}, "takd"], label_weight=0.25)
    assert [mapping["objective"] for mapping in found.objectives] == ["soft_targets", "spike_train", "soft_targets"]
    assert found.label_weight == 0.25
    assert methods.combine(["spike_train", "hinton"]).label_weight == 0.1
    assert methods.combine(["spike_train"]).label_weight == 1.0


def test_names_with_a_plus_are_one_method():
    found = methods.combine(["dkd+bkdsnn"])
    parts = [methods.get(name) for name in ("dkd", "bkdsnn")]
    assert (found.name, found.label_weight, found.teacher) == ("dkd+bkdsnn", 1.0, "ann")
    assert list(found.objectives) == [objective for part in parts for objective in part.objectives]
    assert (found.source, found.trust) == ("; ".join(part.source for part in parts), "official code")
    assert methods.combine(["dkd+kdsnn"]).trust == "reconstruction"
    with pytest.raises(ValueError, match="want another label_weight each"):
        methods.combine(["hinton+bkdsnn"])
    assert methods.combine(["hinton+bkdsnn"], label_weight=0.5).label_weight == 0.5


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["hinton", "hsd"], "the methods hinton, hsd want another label_weight each; give --label-weight"),
        (["hsd", "lasnn"], "the methods hsd, lasnn want another start each; take one of them"),
        ([{"objective": "hinton", "temperature": 2}], "the method hinton takes no arguments, got temperature; give its objectives"),
    ],
)
def test_what_cannot_be_combined_is_refused(entries, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        methods.combine(entries)


# recipes


def test_a_recipe_expands_a_method_and_stays_as_it_is():
    recipe = kd.Recipe(objectives=[{"objective": "bkdsnn"}]).resolved()
    assert [o["objective"] for o in recipe.objectives] == ["blurred_feature", "weighted_soft_targets"]
    assert (recipe.label_weight, recipe.student_start) == (1.0, "scratch")
    assert recipe.resolved() == recipe == kd.Recipe.from_dict(recipe.to_dict())


@pytest.mark.parametrize(
    ("settings", "weight", "start"),
    [
        ({"objectives": ["hinton"]}, 0.1, "scratch"),
        ({"objectives": ["hinton"], "label_weight": 0.7}, 0.7, "scratch"),
        ({"objectives": ["idsnn"]}, 1.0, "shrunk"),
        ({"objectives": ["lasnn"], "student_start": "scratch"}, 1.0, "scratch"),
        ({"objectives": ["tks"]}, {"schedule": "ramp", "start": 1.0, "end": 0.3}, "scratch"),
        ({"objectives": ["soft_targets"]}, 1.0, "scratch"),
    ],
    ids=str,
)
def test_what_is_given_goes_before_what_the_method_says(settings, weight, start):
    recipe = kd.Recipe(**settings).resolved()
    assert (recipe.label_weight, recipe.student_start) == (weight, start)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objectives": ["takd_chain"]}, "takd_chain goes through assistants; use --mode multistage"),
        ({"objectives": ["tks"], "mode": "multistage"}, "a multistage run needs an objective with a teacher"),
        ({"objectives": ["tssd"], "teacher": "mlp:16"}, "in tssd the student teaches itself, and there is a teacher, 'mlp:16'"),
        ({"objectives": ["tssd"], "mode": "multistage"}, "a student that teaches itself (--teacher self) needs --mode distill"),
        ({"teacher": "twin", "neuron": "relu"}, "--teacher twin is the student's ANN twin, and this student is an ANN itself"),
        ({"teacher": "twin", "mode": "compare"}, "--teacher twin needs --mode distill or multistage, got --mode compare"),
        ({"label_weight": {"schedule": "rmap"}}, "unknown schedule 'rmap'. Did you mean 'ramp'?"),
        ({"label_weight": -1.0}, "label_weight must be a number of at least 0, got -1.0"),
        ({"student_start": "ann_twn"}, "unknown student start 'ann_twn'. Did you mean 'ann_twin'?"),
        ({"mode": "compare", "seeds": 0}, "seeds must be a whole number above 0, got 0"),
        ({"mode": "compare", "objectives": ["hintn"]}, "unknown objective 'hintn'. Did you mean 'hinton'?"),
    ],
    ids=str,
)
def test_a_recipe_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kd.Recipe(**settings).resolved()


MODELS = {"teacher": "convnet:8,pool,6,pool,flatten", "student": "convnet:4,pool,6,pool,flatten", "timesteps": 2}
SMALL = {"limit": 100, "batch_size": 50, **MODELS}


@pytest.mark.every(2)
@pytest.mark.parametrize(
    ("method", "stages", "taught_by"),
    [
        ("hinton", ["teacher", "student_alone", "student_distilled"], "teacher"),
        ("tks", ["student_alone", "student_distilled"], None),
        ("tssd", ["student_alone", "student_distilled"], "itself"),
        ("sakd", ["teacher", "student_alone", "student_distilled"], "teacher"),
        ("lasnn", ["teacher", "student_alone", "student_ann", "student_distilled"], "teacher"),
        ("idsnn", ["teacher", "student_alone", "student_distilled"], "teacher"),
    ],
)
def test_a_run_has_the_stages_that_its_method_needs(method, stages, taught_by, tmp_path):
    settings = {**SMALL, "teacher": None if method == "tssd" else SMALL["teacher"]}
    experiment = Experiment(kd.Recipe(objectives=[method], **settings), tmp_path)
    found = experiment.stages()
    assert [stage.name for stage in found] == stages
    assert found[-1].record()["teacher"] == taught_by
    assert list(experiment.check()) == stages


def test_the_students_twin_teaches_where_the_paper_has_it(tmp_path):
    found = {name: Experiment(kd.Recipe(objectives=[name], **{**SMALL, "teacher": None}), tmp_path) for name in ("sakd", "sakd_imagenet")}
    assert {experiment.recipe.teacher for experiment in found.values()} == {"twin"}
    assert found["sakd"].recipe == found["sakd"].recipe.resolved()
    for name, start in (("sakd", None), ("sakd_imagenet", "teacher")):
        teacher, alone, distilled = found[name].stages()
        assert (teacher.name, alone.name, distilled.teacher, distilled.start_from) == ("teacher", "student_alone", "teacher", start)
        spec = {**alone.settings["model"], "neuron": "relu"}
        assert (teacher.settings["model"], teacher.epochs, teacher.learning_rate) == (spec, alone.epochs, alone.learning_rate)


@pytest.mark.slow
def test_a_student_teaches_itself_without_a_cache(tmp_path):
    recipe = kd.Recipe(objectives=["tssd"], epochs=1, **{**SMALL, "teacher": None}).resolved()
    assert (recipe.teacher, recipe.teacher_timesteps, recipe.cache) == ("self", 4, 1)
    experiment = Experiment(recipe, tmp_path)
    result = kd.Chain(experiment.stages(), tmp_path).run(experiment.data)["student_distilled"]
    assert not result.record["teacher_cached"]
    assert result.record["settings"]["teacher_timesteps"] == 4
    assert isinstance(result.model, keras.Model)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests
def test_a_run_without_a_teacher_tells_that_the_student_taught_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    assert tiny.run(*tiny.TINY, "--objective", "tks", "--out", "run") == 0
    content = read_json("run/results.json")
    assert [(row["name"], row["taught_by"]) for row in content["models"]] == [("student_alone", None), ("student_distilled", "itself")]
    assert content["recipe"]["label_weight"] == {"schedule": "ramp", "start": 1.0, "end": 0.3}
    assert "the same student trained alone" in pathlib.Path("run/report.html").read_text()
