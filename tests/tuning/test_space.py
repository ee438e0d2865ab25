"""The settings of a search: which there are, which values they take, and the recipes that they make."""

import keras_tuner
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import UnknownNameError
from keras_snnkd.tuning.space import Space

SOFT = {"objective": "soft_targets", "temperature": 3.0, "weight": 0.5}
TRAIN = {"objective": "spike_train", "window": 4}


def space(**settings):
    models = {"teacher": "mlp:24", "student": "mlp:12,8", "timesteps": 4, "objectives": [SOFT, TRAIN], "learning_rate": 0.01}
    return Space(kd.Recipe(**{"mode": "tune", **models, **settings}).resolved())


VALUES = {
    "width1": 6, "width2": 16, "timesteps": 2, "tau": 1.23456, "soft_targets": True, "soft_targets.weight": 0.2,
    "soft_targets.temperature": 2.0, "spike_train": True, "spike_train.weight": 3.0, "label_weight": 0.5, "learning_rate": 0.002,
}  # fmt: skip


def test_the_usual_values_follow_from_the_recipe():
    allowed = space().allowed
    assert (allowed["width1"], allowed["width2"]) == ([6, 9, 12, 18, 24], [4, 6, 8, 12, 16])
    assert allowed["timesteps"] == [1, 2, 4]
    assert allowed["soft_targets.weight"] == {"low": 0.05, "high": 5.0}
    assert allowed["learning_rate"] == {"low": 0.0025, "high": 0.04}
    assert {"tau", "spike_train", "spike_train.weight", "soft_targets.temperature", "label_weight"} <= set(allowed)
    assert "spike_train.temperature" not in allowed


def test_values_become_a_recipe():
    recipe = space().recipe(VALUES, 3)
    assert recipe.mode == "distill"
    assert recipe.student == {"builder": "MLP", "widths": [6, 16], "tau": 1.23}
    assert recipe.objectives == [
        {"objective": "soft_targets", "temperature": 2.0, "weight": 0.2},
        {"objective": "spike_train", "window": 2, "weight": 3.0},  # a window is no longer than T
    ]
    assert (recipe.timesteps, recipe.teacher_timesteps, recipe.epochs) == (2, 4, 3)
    assert (recipe.label_weight, recipe.learning_rate) == (0.5, 0.002)
    assert (recipe.max_params, recipe.search, recipe.trials) == (None, None, 20)


def test_pools_stay_between_the_widths():
    recipe = space(student="convnet:8,pool,16,flatten").recipe({**VALUES, "width1": 4, "width2": 24}, 1)
    assert recipe.student["widths"] == [4, "pool", 24]
    assert recipe.student["head"] == "flatten"


def test_without_an_objective_it_is_the_student_alone():
    recipe = space().recipe({**VALUES, "soft_targets": False, "spike_train": False}, 1)
    assert (recipe.mode, recipe.objectives, recipe.label_weight) == ("baseline", [], 1.0)


def test_a_given_label_weight_and_given_values_go_before_the_usual_ones():
    allowed = space(label_weight=0.3, search={"timesteps": [2], "tau": {"low": 2, "high": 3}, "threshold": [0.5, 1]}).allowed
    assert allowed["label_weight"] == [0.3]
    assert allowed["timesteps"] == [2]
    assert allowed["tau"] == {"low": 2.0, "high": 3.0}
    assert allowed["threshold"] == [0.5, 1.0]


def test_an_argument_of_an_objective_can_be_searched():
    recipe = space(search={"spike_train.filter_tau": [1.5], "spike_train": [True]}, objectives=["spike_train"]).recipe(
        {**VALUES, "spike_train.filter_tau": 1.5}, 1
    )
    assert recipe.objectives == [{"objective": "spike_train", "weight": 3.0, "filter_tau": 1.5}]


def test_an_ann_has_neither_time_nor_time_constant():
    allowed = space(neuron="relu", objectives=[SOFT]).allowed
    assert not {"timesteps", "tau"} & set(allowed)


def test_a_method_stands_for_its_objectives():
    assert list(space(objectives=["hinton", "distilling_spikes_windows"]).objectives) == ["soft_targets", "spike_train"]
    assert list(space(objectives=["hinton", SOFT]).objectives) == ["soft_targets", "soft_targets_2"]
    with pytest.raises(ValueError, match="sakd is more than its objectives"):
        space(objectives=["sakd"])


def test_every_draw_makes_a_recipe_that_comes_back_from_json(tmp_path):
    searched, parameters = space(), keras_tuner.HyperParameters()
    searched.register(parameters)
    for seed in range(30):
        drawn = keras_tuner.HyperParameters()
        for number, parameter in enumerate(parameters.space):
            drawn.merge([parameter])
            if drawn.is_active(parameter):
                drawn.values[parameter.name] = parameter.random_sample(100 * seed + number)
        assert ("soft_targets.weight" in drawn.values) == drawn.values["soft_targets"]
        recipe = searched.recipe(drawn.values, 2)
        recipe.save(tmp_path / "recipe.json")
        assert kd.Recipe.load(tmp_path / "recipe.json") == recipe == recipe.resolved()


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"timestep": [1]}, "Did you mean 'timesteps'"),
        ({"soft_targets.temprature": [1.0]}, "Did you mean 'soft_targets.temperature'"),
        ({"width3": [4]}, "unknown setting of a search"),
    ],
)
def test_unknown_settings_are_refused_with_the_nearest_name(search, said):
    with pytest.raises(UnknownNameError, match=said):
        space(search=search)


@pytest.mark.parametrize(
    "search",
    [
        {"width1": [8.5]}, {"timesteps": [0]}, {"timesteps": {"low": 1, "high": 4}},
        {"tau": []}, {"tau": 2.0}, {"tau": {"low": 3, "high": 2}},
        {"tau": {"low": 1}}, {"tau": {"low": "a", "high": 2}}, {"tau": [1.0, "two"]}, {"tau": {"low": 1, "high": float("inf")}},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_cannot_be_are_refused(search):
    (name,) = search
    with pytest.raises(ValueError, match=name):
        space(search=search)


def test_a_student_without_widths_has_those_of_its_builder_and_one_with_odd_ones_is_refused():
    assert space(student={"builder": "MLP"}).allowed["width1"] == [128, 192, 256, 384, 512]
    for widths in ("pool", {}, [], [True], [2.5]):
        with pytest.raises(ValueError, match="widths must be a list of whole numbers above 0 and 'pool'"):
            space(student={"builder": "ConvNet", "widths": widths})


@pytest.mark.parametrize("values", [["maybe"], [1, 0], {"low": 0.5, "high": 1.0}])
def test_whether_an_objective_is_in_the_loss_is_true_or_false(values):
    with pytest.raises(ValueError, match="soft_targets in a search says whether that objective is in the loss: true, false or both"):
        space(search={"soft_targets": values})


def test_steps_of_series_are_not_searched_since_they_are_those_of_the_data():
    recipe = kd.Recipe(mode="tune", dataset="japanese_vowels", student="sequence:8", neuron="lif", limit=40).resolved()
    found = Space(recipe)
    assert "timesteps" not in found.allowed
    assert {"width1", "tau"} <= set(found.allowed)
    assert found.recipe(found.corner(min), 1).timesteps == recipe.timesteps
