"""Samples of several inputs through the command line: own networks from files, what is refused before training, runs to their cards."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import KDError, ShapeError
from keras_snnkd.files.staging import read_json
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.evaluation import measure
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation", "ignore:the student .* is not smaller")

RNG = np.random.default_rng(0)
WIDTH = 5


def samples(count):
    """Whether a picture is bright on the right, plus whether a vector begins with a large number: neither alone tells the class."""
    bright, large = RNG.integers(0, 2, count), RNG.integers(0, 2, count)
    left = RNG.integers(0, 60, (count, 6, 6), dtype="uint8")
    left[:, :, 3:] += (180 * bright[:, None, None]).astype("uint8")
    right = 0.3 * RNG.normal(size=(count, WIDTH)).astype("float32")
    right[:, 0] += 2 * large
    return {"left": left, "right": right}, bright + large


def inputs(picture="left", width=WIDTH):
    return [keras.Input((6, 6, 1), name=picture), keras.Input((width,), name="right")]


def plain(outputs=3, **names):
    left, right = both = inputs(**names)
    x = keras.layers.Dense(16, "relu")(keras.layers.Concatenate()([keras.layers.Flatten()(left), right]))
    return keras.Model(both, keras.layers.Dense(outputs)(x), name="mine")


def spiking(outputs=3, units=12):
    left, right = both = inputs()
    parts = [keras.layers.Dense(units)(part) for part in (keras.layers.Flatten()(left), right)]
    x = kd.neurons.LIF(name="spikes")(keras.layers.Concatenate()([kd.layers.Direct(3)(part) for part in parts]))
    return keras.Model(both, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(outputs))(x)), name="mine")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A data set, one of numbers, a teacher that knows the classes, and students."""
    folder = tmp_path_factory.mktemp("files")
    keras.utils.set_random_seed(0)
    parts = {part: samples(count) for part, count in (("train", 160), ("test", 60))}
    arrays = {f"x_{part}_{name}": values for part, (given, _) in parts.items() for name, values in given.items()}
    np.savez(folder / "two.npz", **arrays, **{f"y_{part}": labels for part, (_, labels) in parts.items()})
    np.savez(folder / "sums.npz", **arrays, **{f"y_{part}": 100.0 + 10 * labels for part, (_, labels) in parts.items()})
    x = {"left": parts["train"][0]["left"][..., None] / np.float32(256), "right": parts["train"][0]["right"]}
    for name, outputs, loss, labels in (
        ("teacher", 3, keras.losses.SparseCategoricalCrossentropy(from_logits=True), parts["train"][1]),
        ("teacher_of_numbers", 1, "mse", 100.0 + 10 * parts["train"][1]),
    ):
        teacher = plain(outputs)
        if outputs == 1:
            teacher.layers[-1].bias.assign([110.0])
        teacher.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=False)
        teacher.fit(x, labels, epochs=30, verbose=0)
        teacher.save(folder / f"{name}.keras")
    spiking().save(folder / "student.keras")
    spiking(units=16).save(folder / "assistant.keras")
    spiking(1).save(folder / "student_of_numbers.keras")
    plain(picture="lefft").save(folder / "misnamed.keras")
    plain(width=4).save(folder / "narrow.keras")
    plain(4).save(folder / "four.keras")
    return folder


@pytest.fixture
def here(files, tmp_path, monkeypatch):
    """A folder with copies of them."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


NETWORKS = ["--teacher", "teacher.keras", "--student", "student.keras"]


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_run_from_the_file_to_the_card(capsys):
    start = kd.models.load("student.keras").get_weights()
    assert tiny.run("--dataset", "two.npz", *NETWORKS, "--epochs", "12", "--learning-rate", "0.02", "--out", "run", pictures=True) == 0
    said = capsys.readouterr().out
    assert "samples of 2 inputs, left (6, 6, 1), bytes" in said
    results = read_json("run/results.json")
    rows = {row["name"]: row for row in results["models"]}
    assert list(rows) == ["teacher", "student_alone", "student_distilled"]
    assert rows["student_distilled"]["accuracy"] > 0.8
    assert (rows["student_distilled"]["timesteps"], rows["student_distilled"]["spikes_per_image"] > 0) == (3, True)
    assert rows["student_distilled"]["synaptic_operations"]["dense"] == 36 * 12 + WIDTH * 12 + 3 * 24 * 3
    assert rows["student_distilled"]["exported_accuracy"]["float32"] == rows["student_distilled"]["accuracy"]
    assert not rows["student_distilled"].get("notes")
    assert not [note for note in results["notes"] if "was not" in note]
    stage = read_json("run/student_distilled/stage.json", signed=True)
    assert (stage["inputs"], stage["teacher_cached"]) == ("named", True)
    assert stage["settings"]["model"].keys() == {"sha256"}
    card = read_json("saved_models/run/card.json")
    assert card["dataset"]["image_shape"] == {"left": [6, 6, 1], "right": [WIDTH]}
    assert np.shape(card["raster"]["image"]) == (6, 6, 1)
    assert "left 6\N{MULTIPLICATION SIGN}6\N{MULTIPLICATION SIGN}1, right 5" in Path("saved_models/run/card.html").read_text("utf-8")
    assert "The inputs `left` `[6, 6, 1]`, `right` `[5]`" in Path("saved_models/run/README.md").read_text("utf-8")
    trained = kd.models.load("saved_models/run/model.keras").get_weights()
    assert any(np.any(before != after) for before, after in zip(start, trained, strict=True))

    before = read_json("run/student_distilled/history.json")
    again = ["--dataset", "two.npz", *NETWORKS, "--epochs", "12", "--learning-rate", "0.02", "--out", "run", "--resume"]
    assert tiny.run(*again) == 0
    assert read_json("run/student_distilled/history.json") == before
    spiking(units=9).save("student.keras")
    assert tiny.run(*again) == 1
    assert "was made with other settings" in capsys.readouterr().err

    assert tiny.run("--mode", "evaluate", "--model", "saved_models/run", "--out", "looked") == 0
    assert "the accuracy is that of the card" in capsys.readouterr().out
    assert tiny.run("--mode", "evaluate", "--model", "saved_models/run", "--attack", "fgsm", "--out", "attacked") == 1
    assert "--attack changes the pixels of single images" in " ".join(capsys.readouterr().err.split())
    assert tiny.run("--mode", "export", "--model", "saved_models/run", "--target", "float32,streaming", "--out", "edge") == 1
    assert "takes one; write all steps, keras_snnkd.export.litert" in " ".join(capsys.readouterr().err.split())
    entries = {entry["target"]: entry for entry in read_json("edge/card.json")["targets"]}
    assert entries["float32"]["test_agreement"] == 1.0
    assert entries["float32"]["latency"][0]["p50_ms"] > 0
    images, labels = kd.data.load("two.npz").sample(60)
    answers = kd.edge.Runner("edge/model_float32.tflite").predict(images)
    assert kd.metrics.accuracy(answers, labels) == pytest.approx(rows["student_distilled"]["accuracy"])


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_numbers_through_an_assistant(monkeypatch):
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    networks = ["--teacher", "teacher_of_numbers.keras", "--student", "student_of_numbers.keras", "--assistant", "student_of_numbers.keras"]
    settings = ["--task", "regression", "--mode", "multistage", "--epochs", "8", "--learning-rate", "0.02", "--out", "run"]
    assert tiny.run("--dataset", "sums.npz", *networks, *settings) == 0
    rows = {row["name"]: row for row in read_json("run/results.json")["models"]}
    assert list(rows) == ["teacher", "assistant", "student_alone", "student_direct", "student_distilled"]
    assert rows["student_distilled"]["errors"]["rmse"] < 6  # who always says the mean is wrong by 7
    model = kd.models.load("run/student_distilled/model.keras")
    assert abs(model.predict([np.zeros((1, 6, 6, 1)), np.zeros((1, WIDTH))], verbose=0).item() - 100) < 20  # in the unit of the labels


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_few_labels_alone_and_from_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    recipe = kd.Recipe(mode="baseline", student="student.keras", epochs=1, labels=0.2)
    experiment = Experiment(recipe, tmp_path / "run", data={"train": samples(80), "test": samples(20)})
    assert experiment.data.is_named
    assert (experiment.recipe.timesteps, experiment.recipe.neuron, experiment.recipe.augment) == (3, "lif", "none")
    found = experiment.run()
    assert [row["name"] for row in found["models"]] == ["student_alone"]
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["dataset"] == "arrays_by_input"
    loaded = Experiment(recipe, tmp_path / "other", data=kd.data.load("two.npz"))
    assert loaded.data.image_shape == {"left": (6, 6, 1), "right": (WIDTH,)}
    assert loaded.stages()[0].inputs == "named"


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_student_that_sees_one_input_learns_from_a_teacher_that_sees_both(tmp_path):
    right = keras.Input((WIDTH,), name="right")
    keras.Model(right, keras.layers.Dense(3)(right)).save("blind.keras")
    experiment = Experiment(kd.Recipe(dataset="two.npz", teacher="teacher.keras", student="blind.keras", epochs=1), tmp_path / "run")
    distillers = experiment.check()
    assert distillers["student_distilled"].student.input_shape == (None, WIDTH)
    row, _ = measure(distillers["student_distilled"].student, experiment.data)
    assert 0 <= row["accuracy"] <= 1


@pytest.mark.merge
@pytest.mark.usefixtures("here")
def test_an_own_student_of_images_is_taken_as_it_is(tmp_path):
    image = keras.Input((8, 8, 1))
    x = kd.neurons.LIF()(kd.layers.Direct(5)(keras.layers.Dense(7)(keras.layers.Flatten()(image))))
    keras.Model(image, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(10))(x))).save("own.keras")
    recipe = kd.Recipe(dataset="digits", teacher="mlp:12", student="own.keras").resolved()
    assert (recipe.timesteps, recipe.teacher_timesteps, recipe.twin_epochs) == (5, 5, 0)
    assert kd.Recipe.from_dict(recipe.to_dict()).resolved() == recipe
    stages = {stage.name: stage for stage in Experiment(recipe, tmp_path / "run").stages()}
    made, file = stages["student_alone"].student(), kd.models.load("own.keras")
    assert made.name == "student_alone"
    for ours, theirs in zip(made.get_weights(), file.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


REFUSED = {
    "no student": ({"student": None}, "--student FILE.keras, a Keras model whose input layers are called as the inputs; got none"),
    "a named builder": ({"student": "convnet:8,pool"}, r"--student FILE.keras, .*; got 'convnet:8,pool'"),
    "a teacher to train": ({"teacher": "mlp:16"}, r"--teacher FILE.keras, .*; got 'mlp:16'"),
    "no assistant": ({"mode": "multistage"}, "--assistant FILE.keras, .*; got none"),
    "compare": ({"mode": "compare"}, "on which --mode baseline, distill, multistage train; got --mode compare"),
    "tune": ({"mode": "tune"}, "got --mode tune"),
    "augment": ({"augment": "flip"}, "--augment is for single images; leave it out"),
    "mixup": ({"mixup": 0.2}, "--mixup is for single images; leave it out"),
    "compress": ({"compress": ["stds"]}, "--compress is for single images; leave it out"),
    "rivals": ({"rivals": True}, "--rivals is for single images; leave it out"),
    "turned images": ({"objectives": ["turned_targets"]}, "turns single images"),
    "twin": ({"twin_epochs": 3}, "--twin-epochs makes another form of a network that is built by its name"),
    "start": ({"student_start": "ann_twin"}, "--student-start ann_twin makes another form"),
    "precision": ({"precision": "mixed_bfloat16"}, "--precision mixed_bfloat16 makes another form"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_before_training(case):
    settings, said = REFUSED[case]
    with pytest.raises((KDError, ValueError), match=said):
        kd.Recipe(**{"dataset": "two.npz", "teacher": "teacher.keras", "student": "student.keras", **settings}).resolved()


@pytest.mark.every(3)
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ({"teacher": "misnamed.keras"}, r"misnamed.* takes the input lefft \(6, 6, 1\), and the data has left \(6, 6, 1\), right \(5,\)"),
        ({"student": "misnamed.keras"}, r"the network misnamed.keras takes the input lefft .*; give the input layers the names"),
        ({"student": "narrow.keras"}, r"takes the input right \(4,\), and the data has left \(6, 6, 1\), right \(5,\)"),
        ({"student": "four.keras"}, "knows 4 classes"),
        ({"teacher": "four.keras"}, "gives 4 classes and the data has 3"),
    ],
)
def test_networks_that_do_not_fit_the_data_are_refused(networks, said, tmp_path):
    recipe = kd.Recipe(**{"dataset": "two.npz", "teacher": "teacher.keras", "student": "student.keras", "epochs": 1, **networks})
    with pytest.raises(ShapeError, match=said.replace("misnamed.* takes", "the teacher .* takes")):
        Experiment(recipe, tmp_path / "run").check()
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("here")
def test_a_teacher_that_knows_nothing_of_the_inputs_is_refused(tmp_path):
    plain().save("teacher.keras")
    recipe = kd.Recipe(dataset="two.npz", teacher="teacher.keras", student="student.keras", epochs=1)
    with pytest.raises(KDError, match="it has nothing to teach"):
        Experiment(recipe, tmp_path / "run").check()


@pytest.mark.usefixtures("here")
def test_options_that_a_network_from_a_file_does_not_use_are_told(capsys):
    assert tiny.run("--dataset", "two.npz", *NETWORKS, "-T", "8", "--dry-run", "--out", "run") == 0
    assert "--mode distill does not use --timesteps" in capsys.readouterr().err
