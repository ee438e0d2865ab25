"""Sentences, numbers and maps through the whole run: defaults, what is refused before training, and a run to its files."""

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.cli import main
from keras_snnkd.cli.options import parser
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import KDError, ShapeError
from keras_snnkd.files.staging import read_json
from keras_snnkd.layers import Numbers
from keras_snnkd.run.comparing.comparison import Comparison
from keras_snnkd.run.comparing.sizes import with_widths
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished import inspection
from keras_snnkd.run.finished.evaluation import measure, quality_of_file
from keras_snnkd.run.given_teacher import _in_deviations, load_teacher
from keras_snnkd.run.networks import build_for
from tests.data.test_numbers import IMAGES, write
from tests.data.test_text import write_tsv

BRIGHTNESS = 1000 + IMAGES.mean(axis=(1, 2, 3))


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    return str(write_tsv(tmp_path_factory.mktemp("text") / "s.tsv"))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("numbers") / "n.npz", BRIGHTNESS))


def test_sentences_are_taught_in_two_stages_by_default(sentences, tmp_path):
    recipe = kd.Recipe(dataset=sentences, tokens=5).resolved()
    assert (recipe.student_start, recipe.teacher_neuron, recipe.cache) == ("imitation", "relu", 0)
    assert [entry["objective"] for entry in recipe.first_objectives] == ["hidden_states"]
    assert [entry["objective"] for entry in recipe.objectives] == ["embedding_table", "soft_targets", "hidden_states"]
    assert kd.Recipe.from_dict(recipe.to_dict()).resolved() == recipe
    experiment = Experiment(recipe, tmp_path / "run")
    stages = {stage.name: stage for stage in experiment.stages()}
    assert list(stages) == ["teacher", "student_alone", "student_first_hidden_states", "student_distilled"]
    assert stages["student_first_hidden_states"].task == "unlabelled"
    assert stages["student_distilled"].start_from == "student_first_hidden_states"
    distillers = experiment.check()
    assert distillers["student_distilled"].student.input_shape == (None, 5)
    assert distillers["student_first_hidden_states"].label_weight.numpy() == 0


def test_one_stage_is_a_start_from_scratch_and_a_first_stage_can_be_given(sentences):
    assert kd.Recipe(dataset=sentences, student_start="scratch").resolved().first_objectives is None
    given = kd.Recipe(objectives=["hinton"], first_objectives=["feature_map"], first_epochs=2).resolved()
    assert given.student_start == "imitation"
    compared = kd.Recipe(dataset=sentences, mode="compare").resolved()
    assert compared.objectives == ["hinton", "spikebert", "spikingbert"]
    with pytest.raises(ValueError, match="say what is learned there"):
        kd.Recipe(dataset=sentences, mode="compare", student_start="imitation").resolved()
    assert with_widths("transformer:32/1", 0.4)["width"] == 12  # a multiple of its two heads


@pytest.mark.slow
def test_all_methods_of_sentences_are_compared_each_with_a_control_of_its_own_first_stage(sentences, tmp_path):
    compared = Comparison(kd.Recipe(dataset=sentences, mode="compare", tokens=5), tmp_path / "run")
    found = compared.check()
    assert not compared.problems
    assert list(compared.controls) == ["alone_imitation", "alone_imitation_2"]
    assert {"hinton", "spikebert", "spikingbert", "alone_imitation", "alone_imitation_2"} <= set(found)
    begins = {stage.name: stage.start_from for stage in compared._arm_stages(dict.fromkeys(compared.teachers.files))}
    assert begins["alone_imitation"] == begins["spikebert"] == "student_first_hidden_states"
    assert begins["alone_imitation_2"] == begins["spikingbert"] == "student_first_attention_scores_hidden_states"


def test_a_stage_without_labels_sees_the_sentences_without_labels(sentences, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("a good film\na dull plot\n")
    data = kd.data.load(sentences, unlabelled=more)
    stage = Stage("first", lambda: None, task="unlabelled")
    assert len(stage.shown(data).train_arrays[0]) == len(data.train_arrays[0]) + 2
    assert Stage("other", lambda: None).shown(data) is data


def test_numbers_and_maps_get_networks_of_their_own(numbers, tmp_path):
    recipe = kd.Recipe(dataset=numbers, task="regression").resolved()
    assert recipe.objectives[0]["student_tap"] == "readout"
    assert (recipe.teacher_neuron, recipe.student["builder"]) == ("relu", "ConvNet")
    maps = str(write(tmp_path / "m.npz", IMAGES[..., 0] / 50.0))
    assert kd.Recipe(dataset=maps, task="regression").resolved().student["builder"] == "EncoderDecoder"
    experiment = Experiment(kd.Recipe(dataset=maps, task="regression", teacher="maps:4,4", student="maps:2,2"), tmp_path / "run")
    student = experiment.check()["student_distilled"].student
    assert student.output_shape == (None, 6, 6, 1)
    with pytest.raises(ShapeError, match=r"maps .* of numbers to learn, which ConvNet does not give; take maps"):
        Experiment(kd.Recipe(dataset=maps, task="regression", student="convnet:4", teacher="maps:4,4"), tmp_path / "other").check()


def test_large_numbers_are_learned_as_those_around_0(numbers, tmp_path):
    experiment = Experiment(kd.Recipe(dataset=numbers, task="regression", mode="baseline", student="mlp:4"), tmp_path / "run")
    distiller = experiment.check()["student_alone"]
    labels = experiment.data.train_arrays[1]
    units = distiller.student.layers[-1]
    assert isinstance(units, Numbers)
    np.testing.assert_allclose(units.mean, labels.mean(axis=0), rtol=1e-5)
    expected = np.mean(((distiller.student(IMAGES[:8] / 256.0) - labels[:8]) / labels.std(axis=0)) ** 2)
    np.testing.assert_allclose(distiller.loss(labels[:8], distiller.student(IMAGES[:8] / 256.0)), expected, rtol=1e-4)


def test_a_teacher_of_raw_numbers_gives_them_in_deviations_too(numbers):
    import keras

    data = kd.data.load(numbers, task="regression")
    raw = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(1)], name="raw")
    teacher = _in_deviations(raw, data)
    images = data.sample(5)[0]
    np.testing.assert_allclose(teacher(images), raw(images), rtol=1e-4, atol=1e-2)
    labels = data.train_arrays[1]
    readout = keras.Model(teacher.inputs[0], teacher.get_layer("readout").output)(images)
    np.testing.assert_allclose(readout, (raw(images) - labels.mean()) / labels.std(), rtol=1e-3, atol=1e-3)
    assert _in_deviations(teacher, data) is teacher


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "compare"}, "ranks students by accuracy"),
        ({"mode": "tune"}, "ranks students by accuracy"),
        ({"labels": 0.5}, "--labels is for classes"),
        ({"mixup": 0.2}, "--mixup is for classes"),
        ({"class_weights": "balanced"}, "--class-weights is for classes"),
        ({"compress": ["int8"]}, "--compress is for classes"),
        ({"pareto": True}, "--pareto is for classes"),
        ({"objectives": ["hinton"]}, "soft_targets compares classes"),
        ({"objectives": ["coached:hinton"]}, "compares classes"),
        ({"dataset": "digits"}, "for .npz files of images"),
        ({"task": "regresion"}, "Did you mean 'regression'"),
    ],
)
def test_what_goes_with_classes_alone_is_refused_before_training(numbers, settings, told):
    with pytest.raises(ValueError, match=told):
        kd.Recipe(**{"dataset": numbers, "task": "regression", **settings}).resolved()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "tune"}, "a transformer has one"),
        ({"student_start": "imitation", "objectives": ["hinton"]}, "say what is learned there"),
        ({"first_objectives": ["step_labels"]}, "asks for labels or for no teacher"),
        ({"first_epochs": 0}, "first_epochs must be"),
    ],
)
def test_what_sentences_and_first_stages_cannot_have(sentences, settings, told):
    with pytest.raises(ValueError, match=told):
        kd.Recipe(**{"dataset": sentences, **settings}).resolved()


def test_weights_of_classes_reach_every_stage_but_one_without_labels(sentences, tmp_path):
    recipe = kd.Recipe(dataset=sentences, class_weights=[1.0, 3.0])
    found = {stage.name: stage.class_weights for stage in Experiment(recipe, tmp_path / "run").stages()}
    assert found.pop("student_first_hidden_states") is None
    assert all(weights == [1.0, 3.0] for weights in found.values())
    assert parser().parse_args(["--class-weights", "1,3"]).class_weights == [1.0, 3.0]
    with pytest.raises(ValueError, match="Did you mean 'balanced'"):
        kd.Recipe(class_weights="balancd").resolved()
    with pytest.raises(ValueError, match="at least 0 for each class"):
        kd.Recipe(class_weights=[1.0, -1.0]).resolved()


def test_ids_are_those_that_a_network_has_learned(sentences, tmp_path):
    words = ["", "[UNK]", "film", "good"]
    options = parser().parse_args(["--mode", "evaluate"])
    (tmp_path / "card.json").write_text("{}")
    card = {
        "dataset": {"source": sentences, "vocabulary": words},
        "training": {"recipe": {"tokens": 5, "task": "classes", "batch_size": 8}},
    }
    data = inspection._data(options, tmp_path / "model.keras", card)
    assert (data.vocabulary, data.image_shape) == (tuple(words), (5,))
    assert data.train_arrays[0].max() <= 3
    teacher = kd.models.SpikingTransformer(5, 9, 2, 8, 1, 1, neuron="relu", name="teacher")
    teacher.save(tmp_path / "teacher.keras")
    with pytest.raises(KDError, match="has learned 9 token ids, and these are not the 4 of s"):
        load_teacher(tmp_path / "teacher.keras", data, kd.Recipe(dataset=sentences), None)


@pytest.mark.slow
def test_networks_that_read_something_else_are_refused(sentences, tmp_path):
    with pytest.raises(ShapeError, match=r"holds sentences .* ConvNet takes images; take transformer:32/1"):
        Experiment(kd.Recipe(dataset=sentences, student="convnet:4"), tmp_path / "run").check()
    with pytest.raises(ShapeError, match=r"holds images .* take convnet"):
        Experiment(kd.Recipe(student="transformer:8/1"), tmp_path / "run").check()


def test_errors_stand_in_tables_where_answers_are_numbers(numbers):
    data = kd.data.load(numbers, task="regression")
    labels = data.test_arrays[1]
    row, _ = measure(build_for(data, kd.models.specification("mlp:4"), "student"), data)
    assert row["accuracy"] is None
    assert set(row["errors"]) == {"mae", "rmse", "r2"}
    table = kd.report.markdown([{"name": "student", **row, "bytes": {"float32": 9000}, "exported_accuracy": {"float32": None}}])
    assert "| RMSE | mean absolute error | R\N{SUPERSCRIPT TWO} |" in table
    assert f"{row['errors']['rmse']:.4g}" in table
    found = quality_of_file(labels + 2, labels, labels)
    assert found["test_errors"]["mae"] == pytest.approx(2)
    assert "test_agreement" not in found
    assert "7.25" in kd.report.target_markdown([{"target": "float32", "path": "f", "bytes": 1, "test_errors": {"rmse": 7.25}}])


@pytest.mark.slow
def test_a_regression_from_the_command_line_to_its_file(numbers, tmp_path):
    arguments = "--task regression --teacher mlp:16 --student mlp:4 -T 2 --teacher-epochs 2 --epochs 1"
    assert main(["--dataset", numbers, *arguments.split(), "--out", str(tmp_path / "run"), "--saved-models", str(tmp_path / "shelf")]) == 0
    results = read_json(tmp_path / "run" / "results.json")
    student = results["models"][-1]
    assert student["accuracy"] is None
    assert set(student["errors"]) == {"mae", "rmse", "r2"}
    (file,) = [entry for entry in results["exports"] if entry["model"] == student["name"] and entry["target"].endswith("float32")]
    assert file["test_errors"]["rmse"] == pytest.approx(student["errors"]["rmse"], rel=1e-4)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "RMSE" in page
    card = read_json(tmp_path / "shelf" / "run" / "card.json")
    assert card["dataset"]["task"] == "regression"
    found = kd.edge.Runner(tmp_path / "shelf" / "run" / "model_float32.tflite").predict(IMAGES[:2].astype("float32") / 256)
    assert found.shape == (2, 1)
    assert abs(found - 1128).max() < 200  # in the unit of the labels
    assert main(["--mode", "evaluate", "--model", str(tmp_path / "shelf" / "run"), "--out", str(tmp_path / "ev")]) == 0
    assert read_json(tmp_path / "ev" / "evaluate.json")["errors"]["rmse"] == pytest.approx(student["errors"]["rmse"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*batch norms lag behind")  # of few steps, whose rounding differs from CPU to CPU
def test_sentences_from_the_command_line_to_their_file(sentences, tmp_path):
    arguments = (
        "--tokens 6 --teacher transformer:16/1 --student transformer:8/1 -T 2 --teacher-epochs 6 --teacher-learning-rate 0.02 --epochs 1"
    )
    assert (
        main(["--dataset", sentences, *arguments.split(), "--out", str(tmp_path / "run"), "--saved-models", str(tmp_path / "shelf")]) == 0
    )
    results = read_json(tmp_path / "run" / "results.json")
    assert [row["name"] for row in results["models"]] == ["teacher", "student_alone", "student_distilled"]
    card = read_json(tmp_path / "shelf" / "run" / "card.json")
    words = {word: place for place, word in enumerate(card["dataset"]["vocabulary"])}
    ids = np.array([[words["good"], words["film"], 0, 0, 0, 0]], "int32")
    assert kd.edge.Runner(tmp_path / "shelf" / "run" / "model_float32.tflite").predict(ids).shape == (1, 2)
