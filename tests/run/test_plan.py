"""From a recipe to its stages: which models, with how many steps, taught by whom."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.distill.chain import Chain
from keras_snnkd.export.freeze import timesteps
from keras_snnkd.files.staging import sha256
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.teachers import shipped


def recipe(**settings):
    return kd.Recipe(**{"limit": 200, "batch_size": 50, "teacher": "mlp:24", "student": "mlp:12", "timesteps": 2, **settings})


def shapes(experiment):
    """Of each stage the model's T, how it learns, and from whom."""
    return {
        name: (
            timesteps(distiller.student),
            [objective.name for objective in distiller.objectives],
            distiller.teacher and distiller.teacher.name,
        )
        for name, distiller in experiment.check().items()
    }


def test_teacher_and_student_may_have_other_numbers_of_steps(tmp_path):
    experiment = Experiment(recipe(timesteps=4, teacher_timesteps=8), tmp_path)
    assert shapes(experiment) == {
        "teacher": (8, [], None),
        "student_alone": (4, [], None),
        "student_distilled": (4, ["soft_targets", "spike_train"], "teacher"),
    }


def test_a_teacher_that_is_given_was_made_to_fit_the_data_and_is_not_changed_again(tmp_path):
    student = Experiment(kd.Recipe(limit=200, batch_size=50, student="mlp:12"), tmp_path).stages()[-1]
    assert isinstance(student.teacher, keras.Model)
    assert student.teacher_scale is None
    assert "teacher_scale" not in student.record()  # as in those of before


def test_a_chain_of_two_assistants_has_each_taught_by_the_one_above(tmp_path):
    experiment = Experiment(recipe(mode="multistage", assistants=["mlp:20", "mlp:16"], objectives=["firing_rate"]), tmp_path)
    assert shapes(experiment) == {
        "teacher": (2, [], None),
        "assistant1": (2, ["firing_rate"], "teacher"),
        "assistant2": (2, ["firing_rate"], "assistant1"),
        "student_alone": (2, [], None),
        "student_direct": (2, ["firing_rate"], "teacher"),
        "student_distilled": (2, ["firing_rate"], "assistant2"),
    }


@pytest.mark.parametrize("teacher", ["mlp:24", {"builder": "MLP", "widths": [24], "neuron": "lif"}], ids=["short form", "with a neuron"])
def test_a_teacher_that_starts_from_its_ann_twin_trains_that_first(teacher, tmp_path):
    experiment = Experiment(recipe(mode="teacher", teacher=teacher, teacher_start="ann", ann_epochs=3), tmp_path)
    assert {name: timesteps for name, (timesteps, _, _) in shapes(experiment).items()} == {"teacher_ann": None, "teacher": 2}
    twin, spiking = experiment.stages()
    assert (twin.epochs, spiking.start_from) == (3, "teacher_ann")


def test_a_spiking_teacher_may_be_taught_by_the_ann_that_ships(tmp_path):
    settings = {"mode": "teacher", "teacher": None, "teacher_start": "taught", "ann_epochs": 3, "precision": "mixed_bfloat16"}
    rates, spiking = Experiment(recipe(**settings), tmp_path).stages()
    assert (rates.name, rates.epochs, spiking.name, spiking.start_from) == ("teacher_rates", 3, "teacher", "teacher_rates")
    for stage in (rates, spiking):
        for weight, stored in zip(stage.teacher.get_weights(), models.load("digits_teacher").get_weights(), strict=True):
            np.testing.assert_array_equal(weight, stored)
        assert (stage.teacher.name, stage.label_weight) == ("digits_teacher", 0.1)
        assert stage.teacher.get_layer("block1_conv").compute_dtype == "bfloat16"
        assert [objective["objective"] for objective in stage.objectives] == ["soft_targets"]
        assert stage.settings["teacher_sha256"] == sha256(shipped.path("digits_teacher"))


def test_all_students_see_the_views_that_are_cached(tmp_path):
    for cache, views in [(3, 3), (0, None)]:
        settings = {"mode": "multistage", "assistants": ["mlp:16"], "augment": "shift", "cache": cache}
        stages = Experiment(recipe(**settings), tmp_path).stages()
        assert {stage.name: stage.cache_views for stage in stages} == {
            "teacher": None,
            **dict.fromkeys(["assistant", "student_alone", "student_direct", "student_distilled"], views),
        }


def test_an_ann_has_no_ann_twin_to_start_from(tmp_path):
    experiment = Experiment(recipe(mode="teacher", teacher_neuron="relu", teacher_start="ann"), tmp_path)
    assert [stage.name for stage in experiment.stages()] == ["teacher"]


def test_bfloat16_reaches_the_models_and_not_the_session(tmp_path):
    experiment = Experiment(recipe(mode="baseline", precision="mixed_bfloat16"), tmp_path)
    (distiller,) = experiment.check().values()
    assert distiller.student.get_layer("block1_dense").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_another_seed_gives_another_student(tmp_path):
    def kernel(seed):
        (stage,) = Experiment(recipe(mode="baseline", seed=seed), tmp_path).stages()
        results = Chain([stage], tmp_path / str(seed))
        keras.utils.set_random_seed(results.stages[0].seed)
        return stage.student().get_layer("block1_dense").kernel.numpy()

    assert np.array_equal(kernel(1), kernel(1))
    assert not np.array_equal(kernel(1), kernel(2))
