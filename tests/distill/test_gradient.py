"""Which gradient trains a student, and that it does."""

import contextlib

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill import objectives
from keras_snnkd.distill.batches import pick
from keras_snnkd.distill.objective import taps_of
from keras_snnkd.errors import KDError, ShapeError, UnknownNameError
from keras_snnkd.run.experiment import Experiment
from tests.distill import tiny

STEPWISE = [
    kd.objectives.SpikeTrain(window=1),
    kd.objectives.SpikeTrain(filter_tau=2.0),
    kd.objectives.SoftTargets(time="per_step"),
    kd.objectives.StepLabels(),
    kd.objectives.Membrane(),
    keras.distillation.FeatureDistillation(
        loss=keras.losses.MeanSquaredError(), teacher_layer_name="block1_neuron", student_layer_name="block1_neuron"
    ),
]
OF_MEANS = [
    kd.objectives.SoftTargets(),
    kd.objectives.SpikeTrain(),
    kd.objectives.SpikeTrain(window=2),
    kd.objectives.FiringRate(),
    kd.objectives.Exits(),
    keras.distillation.LogitsDistillation(loss=keras.losses.KLDivergence()),
]


def teacher():
    return tiny.snn(9, name="teacher")


@pytest.mark.parametrize("objective", STEPWISE, ids=lambda objective: type(objective).__name__)
def test_what_reads_single_steps_is_refused_by_name_and_auto_says_why(objective):
    with pytest.raises(ValueError, match=r"'rate' cannot be had: \w+ reads single time steps, .* take 'bptt', or 'auto'"):
        kd.Distiller(tiny.snn(), teacher(), [objective], gradient="rate")
    chosen = kd.Distiller(tiny.snn(), teacher(), [objective], gradient="auto")
    assert chosen.gradient == "bptt"
    assert "reads single time steps" in chosen.gradient_reason


@pytest.mark.parametrize("objective", OF_MEANS, ids=lambda objective: type(objective).__name__)
def test_what_reads_means_over_time_goes_by_rates(objective):
    assert kd.Distiller(tiny.snn(), teacher(), [objective], gradient="rate").gradient == "rate"
    chosen = kd.Distiller(tiny.snn(), teacher(), [objective], gradient="auto")
    assert (chosen.gradient, chosen.gradient_reason) == ("rate", "images are coded by rates, and nothing reads single time steps")


def pair(objective):
    """A distiller whose networks have what an objective reads: maps, or a teacher without time."""
    for build in (tiny.snn, maps):
        for arguments in ({}, {"neuron": "relu"}):
            with contextlib.suppress(ShapeError):
                return kd.Distiller(build(6), build(9, name="teacher", **arguments), [objectives.get(objective)])
    raise AssertionError(f"{objective} fits none of these")


def maps(width, name="student", **arguments):
    return kd.models.ConvNet((4, 4, 1), 3, widths=(width,), timesteps=2, threshold=0.5, name=name, **arguments)


RANDOM = {"blurred_feature", "noisy_soft_targets"}
OF_TEXT = {"hidden_states", "attention_scores", "embedding_table"}
OF_VIEWS = {"turned_targets"}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", sorted(set(objectives.names()) - RANDOM - OF_TEXT - OF_VIEWS))
def test_an_objective_tells_the_truth_about_reading_steps(name):
    distiller = pair(name)
    (objective,) = distiller.objectives
    rng = np.random.default_rng(0)
    shown, taps = (
        {tap: rng.random((3, *shape[1:])).astype("float32") for tap, shape in model.shapes.items()}
        for model in (distiller._teacher.taps or distiller._student_taps, distiller._student_taps)
    )

    def with_other_steps(x):
        """The same means over time of `[B, 2, ...]`."""
        further = 0.5 * rng.normal(size=(len(x), 1, *x.shape[2:]))
        return (x + np.concatenate([further, -further], axis=1)).astype("float32") if x.ndim in (3, 5) else x

    apart = {tap: with_other_steps(x) for tap, x in taps.items()}

    def value(taps):
        outputs = [pick(given, tap) for given, tap in ((shown, objective.teacher_tap), (taps, objective.student_tap))]
        return float(objective.compute_loss(*outputs, y_true=np.arange(3)))

    assert any(np.any(apart[tap] != taps[tap]) for tap in taps_of(objective.student_tap))
    assert objective.reads_steps == (value(apart) != pytest.approx(value(taps), rel=1e-4))


def test_other_reasons_for_auto():
    assert kd.Distiller(tiny.ann(), gradient="auto").gradient_reason == "there are no spiking neurons"
    assert kd.Distiller(tiny.ann(), gradient="rate").gradient == "bptt"
    assert "timing of its inputs" in kd.Distiller(tiny.snn(encoder="latency"), gradient="auto").gradient_reason
    assert kd.Distiller(tiny.snn(encoder="latency"), gradient="rate").gradient == "rate"
    subclassed = tiny.Subclassed()
    subclassed(tiny.IMAGES)
    assert "layers cannot be reached" in kd.Distiller(subclassed, gradient="auto").gradient_reason
    with pytest.raises(UnknownNameError, match="Did you mean 'rate'"):
        kd.Distiller(tiny.snn(), gradient="rates")


def test_a_distilled_student_learns_by_rates():
    distiller = tiny.compiled(tiny.snn(), teacher(), [kd.objectives.SoftTargets(), kd.objectives.FiringRate()], "adam")
    by_rates = kd.Distiller(tiny.snn(), teacher(), [kd.objectives.SoftTargets(), kd.objectives.FiringRate()], gradient="rate")
    by_rates.compile(keras.optimizers.Adam(0.02), tiny.crossentropy())
    before = tiny.values(by_rates.student)
    first = tiny.fit(by_rates)
    last = tiny.fit(by_rates, epochs=15)
    assert set(first) == set(tiny.fit(distiller))
    assert last["loss"] < 0.9 * first["loss"]
    assert all(np.any(now != then) for now, then in zip(tiny.values(by_rates.student), before, strict=True))


@pytest.mark.slow
def test_without_rates_nothing_changes():
    losses = []
    for arguments in ({}, {"gradient": "bptt"}, {"gradient": "auto"}):
        keras.utils.set_random_seed(0)
        distiller = kd.Distiller(tiny.snn(), teacher(), ["step_labels"], **arguments)
        distiller.compile("sgd", tiny.crossentropy())
        losses.append(tiny.fit(distiller, epochs=2)["loss"])
    assert losses[0] == losses[1] == losses[2]


def test_a_saved_distiller_keeps_its_gradient(tmp_path):
    distiller = tiny.compiled(tiny.snn())
    assert "gradient" not in distiller.get_config()
    by_rates = kd.Distiller(tiny.snn(), gradient="rate")
    by_rates.compile("sgd", tiny.crossentropy())
    by_rates.save(tmp_path / "distiller.keras")
    assert keras.models.load_model(tmp_path / "distiller.keras").gradient == "rate"


@pytest.mark.slow
def test_a_stage_says_what_trained_it(tmp_path):
    stage = kd.Stage("student", lambda: kd.models.MLP((8, 8, 1), 10, widths=(6,), timesteps=2), epochs=1, gradient="auto")
    assert "gradient" not in kd.Stage("student", stage.student).record()
    data = kd.data.load("digits", limit=64, batch_size=32)
    result = kd.Chain([stage], tmp_path).run(data)["student"]
    assert (result.record["gradient"], result.record["trained_by"]) == ("auto", "rate")
    assert kd.Chain([stage], tmp_path).run(data, resume=True)["student"].record["trained_by"] == "rate"


@pytest.mark.slow
def test_a_recipe_hands_it_to_every_stage(tmp_path):
    recipe = kd.Recipe(gradient="rate", objectives=["soft_targets"])
    assert {stage.gradient for stage in Experiment(recipe, tmp_path).stages()} == {"rate"}
    assert kd.Recipe().resolved().gradient == "bptt"
    with pytest.raises(ValueError, match="spike_train reads single time steps"):
        Experiment(kd.Recipe(gradient="rate", limit=64), tmp_path).check()
    with pytest.raises(KDError, match="Did you mean 'rate'"):
        kd.Recipe(gradient="rat").resolved()


def test_enhanced_self_distillation_is_trained_as_it_was_published(tmp_path):
    assert kd.Recipe(objectives=["enhanced_sd"]).resolved().gradient == "rate"
    assert kd.Recipe(objectives=["enhanced_sd"], gradient="bptt").resolved().gradient == "bptt"
    found = Experiment(kd.Recipe(objectives=["enhanced_sd"], limit=64), tmp_path).check()
    assert {name: distiller.gradient for name, distiller in found.items()} == {"student_alone": "rate", "student_distilled": "rate"}
