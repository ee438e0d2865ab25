"""Batch norms' moments, estimated anew: their values, when, and what that does to a small data set."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.moments import FreshMoments, MomentEstimator
from tests.distill import tiny
from tests.sampling import sampled


class Few:
    """Twelve images in two steps per epoch, as `Data` gives them."""

    steps_per_epoch = 2
    validation = (tiny.IMAGES, tiny.LABELS)

    def training(self, initial_epoch=0):
        while True:
            yield tiny.IMAGES[:6], tiny.LABELS[:6]
            yield tiny.IMAGES[6:], tiny.LABELS[6:]


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def test_the_moments_are_those_of_all_images_together():
    """Of the first norm: mean and variance of what its kernel makes of all images."""
    model = tiny.snn()
    before = tiny.values(model)
    estimator = MomentEstimator(model)
    ((mean, variance),) = estimator([(tiny.IMAGES[:6], None), (tiny.IMAGES[6:], None)])
    tiny.assert_equal_weights(model, before)
    kernel = model.get_layer("block1_dense").get_weights()[0]
    currents = tiny.IMAGES.reshape(12, -1) @ kernel
    np.testing.assert_allclose(mean, currents.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, currents.var(0), rtol=1e-4)
    estimator.assign([(mean, variance)])
    np.testing.assert_allclose(norms(model)[0].moving_variance, currents.var(0), rtol=1e-4)
    assert norms(model)[0].momentum == 0.9


def test_random_layers_draw_what_they_would_have_drawn():
    model = tiny.snn(encoder="poisson")
    before = tiny.values(model)
    states = [variable.numpy() for variable in model.variables if "seed" in variable.path]
    MomentEstimator(model)([tiny.IMAGES])
    assert states
    for state, variable in zip(states, [v for v in model.variables if "seed" in v.path], strict=True):
        np.testing.assert_array_equal(variable.numpy(), state)
    tiny.assert_equal_weights(model, before)


def test_frozen_norms_keep_their_moments():
    model = tiny.snn()
    norms(model)[0].trainable = False
    assert MomentEstimator(model).norms == []


def fitted(*callbacks, epochs=3, steps=2):
    keras.utils.set_random_seed(0)
    distiller = tiny.compiled(tiny.snn(), optimizer=keras.optimizers.Adam(0.1), metrics=["accuracy"])
    data = Few()
    history = distiller.fit(
        data.training(), steps_per_epoch=steps, epochs=epochs, validation_data=data.validation, callbacks=list(callbacks), verbose=0
    )
    return distiller, history.history


@pytest.mark.slow
def test_a_validation_has_the_moments_of_the_weights_of_now():
    distiller, history = fitted(FreshMoments(Few()))
    ((mean, variance),) = MomentEstimator(distiller.student)([tiny.IMAGES])
    np.testing.assert_allclose(norms(distiller.student)[0].moving_mean, mean, rtol=1e-4)
    np.testing.assert_allclose(norms(distiller.student)[0].moving_variance, variance, rtol=1e-3)
    again = distiller.evaluate(*Few.validation, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(history["val_loss"][-1])  # the validation had them too


@pytest.mark.slow
def test_training_is_not_changed():
    with_callback, without = fitted(FreshMoments(Few())), fitted()
    assert with_callback[1]["loss"] == without[1]["loss"]
    for ours, theirs in zip(with_callback[0].student.trainable_weights, without[0].student.trainable_weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.slow
def test_many_steps_an_epoch_need_nothing(monkeypatch):
    class Many(Few):
        steps_per_epoch = 300

    asked = []
    monkeypatch.setattr(MomentEstimator, "__call__", lambda self, batches: asked.append(1) or self.moving())
    fitted(FreshMoments(Many()))
    assert not asked
    fitted(FreshMoments(Few()))
    assert len(asked) == 3


def separable(count=360, classes=3):
    """Noisy images of three classes that differ in which third is brighter in which colour."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    images = random.integers(0, 120, (count, 12, 12, 3))
    for place, label in enumerate(labels):
        images[place, 4 * label : 4 * label + 4, :, label] += 60
    return images.astype("uint8"), labels


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", sampled([None, 128], 128))
def test_a_small_data_set_is_learnt(tmp_path, batch_size):
    """By the defaults, and also with two steps per epoch: the student that is validated and kept is the one that was trained."""
    images, labels = separable()
    path = tmp_path / "small.npz"
    np.savez(path, x_train=images[:300], y_train=labels[:300], x_test=images[300:], y_test=labels[300:])
    recipe = kd.Recipe(mode="baseline", dataset=str(path), batch_size=batch_size, epochs=5 if batch_size else 2)
    experiment = kd.experiment.Experiment(recipe, tmp_path / "run")
    assert experiment.recipe.batch_size == (batch_size or 16)
    result = kd.Chain(experiment.stages(), experiment.folder).run(experiment.data)["student_alone"]
    test, labels = experiment.data.sample(60)
    assert np.mean(result.model.predict(test, verbose=0).argmax(-1) == labels) >= 0.8  # a third without them
