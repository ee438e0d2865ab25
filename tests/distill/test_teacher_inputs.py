"""A teacher that sees another input than the student: images beside events of them."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import KDError, ShapeError

IMAGES = np.random.default_rng(0).random((12, 8, 8, 1)).astype("float32")
EVENTS = kd.data.simulate_events(IMAGES, frames=2).astype("float32")
LABELS = np.arange(12) % 3


@pytest.fixture
def pair():
    teacher = models.ConvNet((8, 8, 1), 3, widths=(6,), neuron="relu")
    return models.ConvNet((2, 8, 8, 2), 3, widths=(4,), timesteps=2), teacher


def compiled(*pair, **more):
    distiller = kd.Distiller(*pair, ["soft_targets"], **more)
    distiller.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return distiller


@pytest.mark.slow
def test_each_sees_its_own(pair):
    student, teacher = pair
    distiller = compiled(student, teacher, inputs="own")
    x = {"inputs": EVENTS, "teacher_inputs": IMAGES}
    found = distiller.compute_loss(x, LABELS, distiller(x, training=True))
    loss = kd.objectives.SoftTargets().compute_loss(teacher(IMAGES), distiller(x, training=True)[1]["logits"])
    label = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, distiller(x, training=True)[1]["output"])
    np.testing.assert_allclose(found, label + loss, rtol=1e-5)
    before = student.get_weights()
    history = distiller.fit(x, LABELS, batch_size=4, verbose=0, validation_data=(x, LABELS)).history
    assert np.isfinite(history["soft_targets"][0])
    assert any((new != old).any() for new, old in zip(student.get_weights(), before, strict=True))
    assert distiller.evaluate(EVENTS, LABELS, verbose=0, return_dict=True)["accuracy"] == pytest.approx(history["val_accuracy"][0])


def test_without_the_word_other_inputs_are_refused_and_without_inputs_of_its_own_too(pair):
    with pytest.raises(ShapeError, match='inputs="own"'):
        compiled(*pair)
    distiller = compiled(*pair, inputs="own")
    with pytest.raises(KDError, match="batches bring none"):
        distiller(EVENTS, training=True)


def test_inputs_of_another_size_are_told_by_the_name_of_the_network(pair):
    distiller = compiled(*pair, inputs="own")
    with pytest.raises(ShapeError, match=rf"the model {pair[1].name} takes inputs \(8, 8, 1\), and the batch brings \(8, 6, 1\)"):
        distiller.fit({"inputs": EVENTS, "teacher_inputs": IMAGES[:, :, :6]}, LABELS, verbose=0)


def test_it_is_kept_in_the_file(pair, tmp_path):
    distiller = compiled(*pair, inputs="own")
    distiller.save(tmp_path / "distiller.keras")
    again = keras.saving.load_model(tmp_path / "distiller.keras", compile=False)
    assert again.inputs_kind == "own"
    again.teach(pair[1])


@pytest.mark.slow
def test_a_chain_takes_them_too(pair, tmp_path):
    student, teacher = pair
    stage = kd.Stage("student", lambda: student, teacher, ["soft_targets"], epochs=1, inputs="own")
    x = {"inputs": EVENTS, "teacher_inputs": IMAGES}
    history = kd.Chain([stage], tmp_path).run(((x, LABELS), (x, LABELS)))["student"].history
    assert np.isfinite(history[0]["soft_targets"])
    assert 0 <= history[0]["val_accuracy"] <= 1
