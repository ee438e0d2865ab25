"""Recipes: what is filled in, what is refused with which words, and that JSON gives the same recipe back."""

import json
import re

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import FileFormatError, KDError, UnknownNameError
from keras_snnkd.files.staging import write_json
from keras_snnkd.run.plan import Plan
from keras_snnkd.teachers import shipped


@pytest.fixture
def no_shelf(tmp_path, monkeypatch):
    """A package without trained teachers."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "none")


def test_the_teacher_that_there_is_teaches_where_one_of_the_package_is_asked_for():
    recipe = kd.Recipe(dataset="fashion_mnist", teacher="shipped").resolved()
    assert recipe == kd.Recipe(dataset="fashion_mnist").resolved()
    assert (recipe.teacher, recipe.teacher_neuron) == ("shipped", "relu")


SIZED = {
    "fashion_mnist": ("fashion_mnist_assistant_189k", "fashion_mnist_student_65k"),
    "cifar10": ("cifar10_assistant_114k", "cifar10_student_69k"),
}
"""Where the student is a tenth of the teacher that comes with the package, and the assistant between them."""


@pytest.mark.usefixtures("no_shelf")
@pytest.mark.parametrize("name", kd.data.names())
def test_a_known_data_set_brings_its_own_models_and_schedule(name):
    recipe = kd.Recipe(dataset=name).resolved()
    assistant, student = SIZED.get(name, (f"{name}_assistant", f"{name}_student"))
    assert (recipe.teacher, recipe.assistants, recipe.student) == (f"{name}_teacher", [assistant], student)
    assert None not in (recipe.epochs, recipe.teacher_epochs, recipe.learning_rate, recipe.augment)


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({}, 14),
        ({"mode": "baseline"}, 14),
        ({"mode": "compare"}, 0),
        ({"neuron": "relu"}, 0),
        ({"student_start": "ann_twin"}, 0),
        ({"objectives": ["lasnn"]}, 0),
        ({"twin_epochs": 0}, 0),
        ({"dataset": "digits"}, 0),
    ],
    ids=str,
)
def test_the_twins_phase_is_a_default_where_nothing_else_says_how_a_student_starts(given, epochs):
    recipe = kd.Recipe(**{"dataset": "fashion_mnist", **given}).resolved()
    assert recipe.twin_epochs == epochs
    assert recipe == recipe.resolved()


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({}, 2),
        ({"twin_epochs": 8}, 2),
        ({"mode": "baseline", "neuron": "relu"}, 2 + 14),
        ({"twin_epochs": 0}, 2 + 7),
        ({"objectives": ["lasnn"]}, 2 + 7),
        ({"student_start": "ann_twin"}, 2 + 7),
        ({"mode": "compare"}, (2 + 7) // 3),
        ({"mode": "compare", "neuron": "relu"}, (2 + 14) // 3),
        ({"twin_epochs": 0, "epochs": 4}, 4),
    ],
    ids=str,
)
def test_a_student_without_its_twins_phase_learns_longer(given, epochs):
    assert kd.Recipe(**{"dataset": "fashion_mnist", **given}).resolved().epochs == epochs


def test_own_data_gets_shapes_that_are_no_presets():
    recipe = kd.Recipe(dataset="mine.npz").resolved()
    specifications = [kd.models.specification(spec) for spec in (recipe.teacher, *recipe.assistants, recipe.student)]
    assert [spec["widths"][0] for spec in specifications] == [32, 24, 16]


def test_the_teacher_follows_the_student_where_nothing_is_said():
    recipe = kd.Recipe(timesteps=6, neuron="plif").resolved()
    assert (recipe.teacher_timesteps, recipe.teacher_neuron) == (6, "plif")
    recipe = kd.Recipe(timesteps=6, neuron="plif", teacher_timesteps=8, teacher_neuron="relu").resolved()
    assert (recipe.teacher_timesteps, recipe.teacher_neuron) == (8, "relu")


@pytest.mark.parametrize(
    ("objectives", "neuron"),
    [
        (["bkdsnn"], "relu"),
        (["hinton"], "relu"),  # any network can teach it
        (["distilling_spikes"], "lif"),
        (["hsd", "spike_train"], "lif"),  # which only a spiking teacher can teach
        (["soft_targets"], "lif"),  # no method
        (["tks"], "lif"),
    ],
    ids=str,
)
def test_a_methods_teacher_is_that_of_its_paper(objectives, neuron):
    assert kd.Recipe(objectives=objectives).resolved().teacher_neuron == neuron
    assert kd.Recipe(objectives=objectives, teacher_neuron="if").resolved().teacher_neuron == "if"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of shipped teachers: one of MNIST, an ordinary network."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "mnist_teacher").mkdir()
    kd.models.MLP((28, 28, 1), 10, widths=(4,), neuron="relu").save(tmp_path / "mnist_teacher" / "model.keras")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "teacher"),
    [
        ({"objectives": ["hinton"]}, "shipped"),
        ({"objectives": ["hinton"], "mode": "multistage"}, "shipped"),
        ({"objectives": ["hinton"], "mode": "compare"}, "shipped"),
        ({"mode": "compare", "rivals": True}, "shipped"),
        ({"objectives": ["hinton"], "mode": "teacher"}, "mnist_teacher"),
        ({"objectives": ["hinton"], "teacher": "train"}, "mnist_teacher"),
        ({"objectives": ["idsnn"]}, "mnist_teacher"),  # starts from the teacher's weights, in the student's shape
        ({"objectives": ["distilling_spikes"]}, "mnist_teacher"),  # a spiking one is wanted
        ({}, "shipped"),
        ({"teacher": "train"}, "mnist_teacher"),
        ({"teacher_epochs": 3}, "mnist_teacher"),  # which says that one is to be trained
        ({"objectives": ["hinton"], "dataset": "fashion_mnist"}, "fashion_mnist_teacher"),
        ({"objectives": ["hinton"], "dataset": "fashion_mnist", "teacher": "train"}, "fashion_mnist_teacher"),
    ],
    ids=str,
)
def test_a_teacher_that_comes_with_the_package_is_taken_where_it_can_teach(settings, teacher, shelf):
    recipe = kd.Recipe(**{"dataset": "mnist", **settings}).resolved()
    assert recipe.teacher == teacher
    assert recipe.resolved() == recipe


@pytest.fixture
def spiking_shelf(shelf):
    """An ANN and a spiking teacher, T = 4, of digits and of MNIST."""
    (shelf / "digits_teacher").mkdir()
    kd.models.MLP((8, 8, 1), 10, widths=(4,), neuron="relu").save(shelf / "digits_teacher" / "model.keras")
    for name, side in (("digits_spiking_teacher", 8), ("mnist_spiking_teacher", 28)):
        (shelf / name).mkdir()
        kd.models.MLP((side, side, 1), 10, widths=(4,), timesteps=4).save(shelf / name / "model.keras")
        write_json(shelf / name / "card.json", {"model": {"timesteps": 4}})
    return shelf


@pytest.mark.parametrize(
    ("settings", "teacher"), [({}, "shipped"), ({"timesteps": 2}, "mnist_teacher"), ({"teacher_timesteps": 2}, "mnist_teacher")]
)
def test_a_spiking_teacher_teaches_students_of_its_t(settings, teacher, spiking_shelf):
    recipe = kd.Recipe(dataset="mnist", objectives=["distilling_spikes"], **settings).resolved()
    assert (recipe.teacher, recipe.teacher_neuron) == (teacher, "lif")


def test_without_a_word_the_ann_teaches_and_on_digits_the_spiking_network(spiking_shelf):
    for dataset, neuron, objectives in (("mnist", "relu", ["soft_targets"]), ("digits", "lif", ["soft_targets", "spike_train"])):
        recipe = kd.Recipe(dataset=dataset).resolved()
        assert (recipe.teacher, recipe.teacher_neuron) == ("shipped", neuron)
        assert [objective["objective"] for objective in recipe.objectives] == objectives
    trained = kd.Recipe(dataset="mnist", teacher="train").resolved()
    assert [objective["objective"] for objective in trained.objectives] == ["soft_targets", "spike_train"]


def test_a_spiking_teacher_can_start_from_the_ann_that_ships(shelf):
    settings = {"dataset": "mnist", "mode": "teacher", "teacher_start": "shipped"}
    kd.Recipe(dataset="mnist", teacher={"builder": "MLP", "widths": [4]}).save(shelf / "mnist_teacher" / "recipe.json")
    recipe = kd.Recipe(**settings).resolved()
    assert (recipe.teacher, recipe.teacher_neuron) == ({"builder": "MLP", "widths": [4]}, "lif")
    data = kd.data.load((np.zeros((40, 28, 28, 1), "uint8"), np.arange(40) % 10))
    _, (rates, spiking) = Plan(recipe, data, lambda: None).teacher()
    ann = kd.models.load(shelf / "mnist_teacher" / "model.keras")
    np.testing.assert_array_equal(rates.start_from.get_weights()[0], ann.get_weights()[0])
    assert (rates.epochs, spiking.start_from) == (recipe.ann_epochs, rates.name)
    assert [type(layer).__name__ for layer in rates.student().layers if "neuron" in layer.name] == ["RateActivation"]
    with pytest.raises(ValueError, match="this teacher is an ANN itself"):
        kd.Recipe(**settings, teacher_neuron="relu").resolved()
    with pytest.raises(KDError, match="no teacher 'fashion_mnist_teacher' comes with the package"):
        kd.Recipe(**{**settings, "dataset": "fashion_mnist"}).resolved()


@pytest.mark.parametrize("objectives", [None, ["hinton"]])
def test_rivals_have_the_teacher_of_a_single_method(objectives, shelf):
    recipe = kd.Recipe(dataset="mnist", mode="compare", rivals=True, objectives=objectives).resolved()
    assert (recipe.teacher, recipe.teacher_neuron) == ("shipped", "relu")
    assert [objective["objective"] for objective in recipe.objectives] == ["soft_targets"]
    spiking = kd.Recipe(dataset="mnist", mode="compare", rivals=True, objectives=["distilling_spikes"]).resolved()
    assert (spiking.teacher, spiking.teacher_neuron or spiking.neuron) == ("mnist_teacher", "lif")


def test_train_on_own_data_trains_the_shape_for_it():
    assert kd.Recipe(dataset="mine.npz", teacher="train").resolved().teacher == kd.Recipe(dataset="mine.npz").resolved().teacher


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "cifar10"}, "no teacher 'cifar10_spiking_teacher' comes with the package; there are: mnist_teacher. Train one"),
        ({"dataset": "mine.npz", "teacher_neuron": "relu"}, "no teacher 'mine.npz_teacher' comes with the package"),
        ({"dataset": "mnist", "mode": "teacher"}, "--mode teacher trains a teacher, and shipped is trained already"),
    ],
)
def test_a_teacher_that_does_not_come_with_the_package_is_told(settings, message, shelf):
    with pytest.raises((KDError, ValueError), match=re.escape(message)):
        kd.Recipe(teacher="shipped", **settings).resolved()


def test_a_missing_file_of_a_teacher_is_told(shelf):
    (shelf / "mnist_teacher" / "model.keras").unlink()
    with pytest.raises(FileFormatError, match=r"the file of the teacher mnist_teacher is missing.*install the package again"):
        kd.Recipe(dataset="mnist", teacher="shipped", teacher_neuron="relu").resolved()
    with pytest.raises(FileFormatError, match=r"the file of the teacher mnist_teacher is missing"):
        kd.Recipe(dataset="mnist").resolved()


@pytest.mark.parametrize(("timesteps", "window"), [(1, 1), (2, 1), (4, 2), (5, 2)])
def test_spike_trains_are_compared_in_windows_of_half_of_t(timesteps, window):
    soft_targets, spike_train = kd.Recipe(timesteps=timesteps).resolved().objectives
    assert soft_targets["objective"] == "soft_targets"
    assert (spike_train["objective"], spike_train["window"]) == ("spike_train", window)


@pytest.mark.parametrize(
    ("given", "temperature"),
    [
        ({"dataset": "cifar10"}, 8.0),
        ({"dataset": "cifar10", "teacher_neuron": "lif"}, 4.0),
        ({"dataset": "cifar10", "teacher": "train"}, 4.0),
        ({"dataset": "fashion_mnist"}, 4.0),
    ],
    ids=str,
)
def test_a_shipped_teacher_that_is_too_sure_of_its_images_teaches_at_a_higher_temperature(given, temperature):
    assert kd.Recipe(**given).resolved().objectives[0]["temperature"] == temperature


@pytest.mark.parametrize("ann", [{"teacher_neuron": "relu"}, {"neuron": "relu"}])
def test_without_spikes_on_both_sides_the_objective_is_soft_targets_alone(ann):
    assert [o["objective"] for o in kd.Recipe(**ann).resolved().objectives] == ["soft_targets"]


@pytest.mark.parametrize(
    ("given", "cache"),
    [
        ({}, 1),
        ({"augment": "shift"}, 0),
        ({"dataset": "cifar10"}, 2),
        ({"dataset": "cifar10", "objectives": ["kdsnn"]}, 0),
        ({"dataset": "cifar10", "augment": "none"}, 1),
        ({"augment": "shift", "cache": 4}, 4),
        ({"cache": 0}, 0),
        ({"mixup": 0.2}, 0),
    ],
    ids=str,
)
def test_the_teacher_is_cached_by_default_where_that_changes_no_image(given, cache):
    assert kd.Recipe(**given).resolved().cache == cache


def test_given_values_stay_and_resolving_again_changes_nothing():
    given = {"dataset": "cifar10", "epochs": 3, "teacher": "mlp:24", "objectives": ["firing_rate"], "teacher_start": "scratch", "seed": 7}
    recipe = kd.Recipe(**given).resolved()
    assert given.items() <= recipe.to_dict().items()
    assert recipe.resolved() == recipe


def test_json_gives_the_same_recipe_back(tmp_path):
    student = {"builder": "MLP", "widths": [12], "tau": 3.0}
    recipe = kd.Recipe(student=student, assistants=["mlp:16", student], objectives=["soft_targets"], data_dir="there", limit=9).resolved()
    recipe.save(tmp_path / "recipe.json")
    assert kd.Recipe.load(tmp_path / "recipe.json") == recipe


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "distil"}, "unknown mode 'distil'. Did you mean 'distill'?"),
        ({"neuron": "lfi"}, "unknown neuron 'lfi'. Did you mean 'lif'?"),
        ({"teacher_neuron": "rleu"}, "unknown neuron 'rleu'. Did you mean 'relu'?"),
        ({"precision": "float16"}, "unknown precision 'float16'. Did you mean 'float32'? Known: float32, mixed_bfloat16."),
        ({"teacher_start": "an"}, "unknown teacher start 'an'. Did you mean 'ann'?"),
        ({"augment": "flip+shfit"}, "unknown augmentation 'shfit'. Did you mean 'shift'?"),
        ({"student": "digits_studnet"}, "unknown model preset 'digits_studnet'. Did you mean 'digits_student'?"),
        ({"assistants": ["mpl:8"]}, "unknown model builder 'mpl'. Did you mean 'mlp'?"),
        ({"teacher": {"builder": "MLP", "width": [8]}}, "unknown argument of MLP 'width'. Did you mean 'widths'?"),
        ({"optimizer": "sdg"}, "unknown optimizer 'sdg'. Did you mean 'sgd'?"),
        ({"schedule": "onecycle"}, "unknown schedule of the learning rate 'onecycle'. Did you mean 'one_cycle'?"),
        ({"objectives": ["soft_target"]}, "unknown objective 'soft_target'. Did you mean 'soft_targets'?"),
        (
            {"objectives": [{"objective": "spike_train", "windw": 2}]},
            "unknown argument of the objective spike_train 'windw'. Did you mean 'window'?",
        ),
    ],
)
def test_an_unknown_name_is_refused_and_the_nearest_offered(settings, message):
    with pytest.raises(UnknownNameError, match=re.escape(message)):
        kd.Recipe(**settings).resolved()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timesteps": 0}, "the number of time steps T must be a whole number above 0, got 0"),
        ({"dataset": "japanese_vowels", "timesteps": 50}, "the steps of a network for series are those of the series of japanese_vowels"),
        ({"teacher_timesteps": -1}, "the number of time steps T must be a whole number above 0, got -1"),
        ({"epochs": 0}, "epochs must be a whole number above 0, got 0"),
        ({"teacher_epochs": -2}, "teacher_epochs must be a whole number above 0, got -2"),
        ({"ann_epochs": 0}, "ann_epochs must be a whole number above 0, got 0"),
        ({"cache": -1}, "cache must be a number of views of at least 0, got -1"),
        ({"batch_size": 0}, "batch_size must be a whole number above 0, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be greater than 0, got 0.0"),
        ({"teacher_learning_rate": float("nan")}, "teacher_learning_rate must be greater than 0, got nan"),
        ({"search": {"tau": [1.5, float("nan")]}}, "recipe setting search must hold finite numbers"),
        ({"learning_rate": float("inf")}, "learning_rate must be greater than 0, got inf"),
        ({"learning_rate": 10**400}, "recipe setting learning_rate holds a whole number of too many digits"),
        ({"objectives": [{"objective": "soft_targets", "weight": 10**400}]}, "recipe setting objectives holds a whole number of too many"),
        ({"search": {"tau": {"low": 1, "high": 10**400}}}, "recipe setting search holds a whole number of too many digits"),
        ({"weight_decay": -1e-4}, "weight_decay must be a number of at least 0, got -0.0001"),
        ({"weight_decay": float("nan")}, "weight_decay must be a number of at least 0, got nan"),
        ({"mixup": -0.5}, "mixup must be a number of at least 0 (0 for none), got -0.5"),
        ({"label_smoothing": 1.0}, "label_smoothing must be a number from 0 to less than 1, got 1.0"),
        ({"teacher_stop": 0}, "teacher_stop must be one of the 10 epochs of the teacher, got 0"),
        ({"teacher_epochs": 3, "teacher_stop": 4}, "teacher_stop must be one of the 3 epochs of the teacher, got 4"),
        ({"student": "mlp:a"}, "cannot read the model 'mlp:a'; expected something like convnet:16,pool,32"),
        ({"objectives": [{"objective": "soft_targets", "temperature": 0}]}, "temperature must be a number greater than 0, got 0"),
        ({"mode": "compare", "rivals": True, "neuron": "relu"}, "--rivals sets a spiking student beside its ANN twin, and this student is"),
        ({"mode": "multistage", "assistants": []}, "a multistage run needs at least one assistant (--assistant)"),
        ({"mode": "teacher", "teacher": "there.keras"}, "--mode teacher trains a teacher, and there.keras is trained already"),
    ],
)
def test_a_value_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kd.Recipe(**settings).resolved()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": "3"}, "recipe setting epochs must be int | None, got '3'"),
        ({"epochs": 2.5}, "recipe setting epochs must be int | None, got 2.5"),
        ({"batch_size": True}, "recipe setting batch_size must be int | None, got True"),
        ({"timesteps": "4"}, "recipe setting timesteps must be int, got '4'"),
        ({"timesteps": None}, "recipe setting timesteps must be int, got None"),
        ({"seed": 1.5}, "recipe setting seed must be int, got 1.5"),
        ({"learning_rate": "fast"}, "recipe setting learning_rate must be float | None, got 'fast'"),
        ({"label_weight": [1]}, "recipe setting label_weight must be float | dict | None, got [1]"),
        ({"dataset": 5}, "recipe setting dataset must be str, got 5"),
        ({"data_dir": 5}, "recipe setting data_dir must be str | None, got 5"),
        ({"limit": "all"}, "recipe setting limit must be int | None, got 'all'"),
        ({"teacher": ["mlp:24"]}, "recipe setting teacher must be str | dict | None, got ['mlp:24']"),
        ({"assistants": "mlp:16"}, "recipe setting assistants must be list | None, got 'mlp:16'"),
        ({"assistants": [5]}, "a model is a preset's name, a short form such as convnet:16,pool,32, or a mapping with a builder, got 5"),
        ({"objectives": "soft_targets"}, "recipe setting objectives must be list | None, got 'soft_targets'"),
        ({"objectives": [5]}, "an objective is a name or a mapping with the key 'objective', got 5"),
    ],
)
def test_a_value_of_another_kind_is_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kd.Recipe(**settings).resolved()


@pytest.mark.parametrize("objective", ["correct_steps", "temporal_knowledge_sharing", "error_alignment", "exits", "full_range", "tks"])
def test_objectives_that_ask_for_the_one_right_class_are_refused_with_mixup(objective):
    with pytest.raises(ValueError, match="asks which steps give the right class, and with mixup an image has two"):
        kd.Recipe(mixup=0.2, objectives=[objective]).resolved()


@pytest.mark.parametrize(("settings", "message"), [({"mixup": 0.2}, "with mixup an image has two"), ({"labels": 0.1}, "--labels leaves")])
def test_words_whose_objectives_ask_for_labels_are_refused_where_images_have_none_or_two(settings, message):
    with pytest.raises(ValueError, match=f"--compress anytime: .*{message}"):
        kd.Recipe(compress=["anytime"], **settings).resolved()
    assert kd.Recipe(compress=["int8"], **settings).resolved().compress
    assert kd.Recipe(compress=["ternary"], **settings).resolved().compress


@pytest.mark.parametrize("objective", ["soft_targets", "step_labels", {"objective": "correct_steps", "ensemble": "all"}], ids=str)
def test_objectives_that_take_mixed_labels_go_with_mixup(objective):
    assert kd.Recipe(mixup=0.2, objectives=[objective]).resolved().mixup == 0.2


def test_sgd_has_a_learning_rate_of_its_own():
    recipe = kd.Recipe(optimizer="sgd", teacher_learning_rate=0.2).resolved()
    assert (recipe.learning_rate, recipe.teacher_learning_rate) == (0.1, 0.2)


def test_a_data_set_has_an_optimizer_of_its_own_with_all_that_belongs_to_it():
    def settings(**given):
        recipe = kd.Recipe(dataset="fashion_mnist", **given).resolved()
        return recipe.optimizer, recipe.schedule, recipe.learning_rate, recipe.weight_decay

    assert settings() == settings(optimizer="sgd") == ("sgd", "one_cycle", 0.1, 2e-3)
    assert settings(optimizer="adamw") == ("adamw", "cosine", 2e-3, 1e-4)
    assert settings(weight_decay=0.0, learning_rate=0.05) == ("sgd", "one_cycle", 0.05, 0.0)


def test_a_comparison_without_twins_has_epochs_in_their_place():
    assert kd.Recipe(dataset="fashion_mnist", mode="compare").resolved().epochs == 3


def test_a_whole_number_is_a_learning_rate_too():
    assert kd.Recipe(learning_rate=1, label_weight=0).resolved().learning_rate == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "a recipe is a JSON object of settings, got list"),
        (b"null", "a recipe is a JSON object of settings, got NoneType"),
        (b'{"mode": "dis', "recipe.json is not a JSON file: Unterminated string"),
        (b"", "recipe.json is not a JSON file"),
        (bytes(range(256)), "recipe.json is not a JSON file"),
        (b"PK\x03\x04" + bytes(100), "recipe.json is not a JSON file"),
        (None, "there is no file"),
    ],
    ids=["list", "null", "cut short", "empty", "binary", "archive", "missing"],
)
def test_a_file_that_is_no_recipe(content, message, tmp_path):
    path = tmp_path / "recipe.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        kd.Recipe.load(path)


def test_a_misspelt_setting_in_a_file_is_refused_and_the_nearest_offered(tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps({"epoch": 3}))
    with pytest.raises(UnknownNameError, match=r"unknown recipe setting 'epoch'\. Did you mean 'epochs'\?"):
        kd.Recipe.load(tmp_path / "recipe.json")


def test_a_size_is_checked_before_anything_is_read():
    assert kd.Recipe(dataset="nowhere/pictures", resize="48x32", keep_aspect=True).resolved().resize == "48x32"
    for settings, message in [
        ({"dataset": "nowhere/pictures", "resize": "large"}, "WIDTHxHEIGHT such as 48x32, got 'large'"),
        ({"dataset": "digits", "resize": "32"}, "is for folders of pictures, got 'digits'"),
        ({"dataset": "nowhere/pictures", "keep_aspect": True}, "give the size too"),
    ]:
        with pytest.raises(ValueError, match=message):
            kd.Recipe(**settings).resolved()
