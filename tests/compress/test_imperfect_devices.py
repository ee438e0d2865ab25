"""Devices that are not perfect: what they make of weights, how right networks are on them, and training that reckons with them."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import compress
from keras_snnkd.compress import Device
from keras_snnkd.compress.imperfect_devices import _written
from keras_snnkd.layers.noisy import imperfect
from keras_snnkd.models.rebuild import inner
from tests.distill import tiny
from tests.harness import gradients

KERNEL = np.array([[-1.0, 0.5], [0.3, 0.1]], "float32")
LARGE = np.random.default_rng(0).normal(size=(200, 200)).astype("float32")


def drawn(kernel=KERNEL, seed=0, **faults):
    return np.asarray(imperfect(keras.ops.convert_to_tensor(kernel), Device(**faults), seed))


def test_few_levels_round_weights_to_equal_steps():
    np.testing.assert_allclose(drawn(levels=3), [[-1, 0], [0, 0]], atol=1e-7)  # steps of 1, halves to even
    np.testing.assert_allclose(drawn(levels=5), [[-1, 0.5], [0.5, 0]], atol=1e-7)
    np.testing.assert_allclose(drawn(levels=2), [[-1, 1], [1, 1]], atol=1e-7)
    np.testing.assert_allclose(np.unique(drawn(LARGE, levels=16).round(5)), np.linspace(-1, 1, 16) * np.abs(LARGE).max(), atol=1e-4)


def test_old_weights_have_decayed():
    np.testing.assert_allclose(drawn(drift=0.1, age=1000.0), KERNEL * 1000**-0.1, rtol=1e-6)


def test_noise_has_the_size_that_was_asked_for():
    noise = drawn(LARGE, noise=0.05) - LARGE
    assert noise.std() == pytest.approx(0.05 * np.abs(LARGE).max(), rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.01)


def test_as_many_weights_are_stuck_as_was_asked_for_half_of_them_off():
    found = drawn(LARGE, stuck=0.1)
    assert np.mean(found == 0) == pytest.approx(0.05, abs=0.005)
    assert np.mean(np.abs(found) == np.abs(LARGE).max()) == pytest.approx(0.05, abs=0.005)
    assert np.mean(found == LARGE) == pytest.approx(0.9, abs=0.01)


def test_the_same_seed_is_the_same_device_and_the_gradient_passes():
    assert np.array_equal(drawn(LARGE, seed=3, noise=0.1), drawn(LARGE, seed=3, noise=0.1))
    assert not np.array_equal(drawn(LARGE, seed=3, noise=0.1), drawn(LARGE, seed=4, noise=0.1))
    _, (gradient,) = gradients(lambda kernel: imperfect(kernel, Device(noise=0.1, levels=4, stuck=0.2), 0), KERNEL, upstream=2.0)
    np.testing.assert_allclose(gradient, np.full_like(KERNEL, 2.0))


@pytest.fixture(scope="module")
def student():
    """A student that knows its images by heart."""
    model = tiny.snn(width=12)
    tiny.fit(tiny.compiled(model, optimizer=keras.optimizers.Adam(0.05)), epochs=25)
    return model


@pytest.mark.slow
def test_the_accuracy_is_that_of_many_draws(student):
    before = tiny.values(student)
    found = compress.device_accuracy(student, tiny.IMAGES, tiny.LABELS, Device(noise=0.4, stuck=0.2), draws=20)
    assert found.worst <= found.mean < found.perfect
    assert found.sd > 0
    assert found.draws == 20
    tiny.assert_equal_weights(student, before)


@pytest.mark.slow
def test_training_draws_the_device_and_nothing_else_does(student):
    aware = compress.noise_aware(student, Device(noise=0.3))
    np.testing.assert_allclose(aware(tiny.IMAGES), student(tiny.IMAGES), rtol=1e-5, atol=1e-6)
    assert not np.allclose(aware(tiny.IMAGES, training=True), aware(tiny.IMAGES, training=True))
    tiny.fit(tiny.compiled(aware, student, ["soft_targets"], label_weight=0.0))
    plain = compress.plain(aware)
    assert type(plain.get_layer("block1_dense")) is keras.layers.Dense
    np.testing.assert_allclose(plain(tiny.IMAGES), aware(tiny.IMAGES), rtol=1e-5, atol=1e-6)


def test_a_noisy_student_comes_back_from_its_file(student, tmp_path):
    aware = compress.noise_aware(student, Device(noise=0.3, levels=16))
    aware.save(tmp_path / "aware.keras")
    np.testing.assert_array_equal(kd.models.load(tmp_path / "aware.keras")(tiny.IMAGES), aware(tiny.IMAGES))


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({}, "is perfect"),
        ({"drift": 0.1}, "drift with their age"),
        ({"noise": 0.1, "age": 10.0}, "drift with their age"),
        ({"noise": -0.1}, "noise of a device must be a number of at least 0"),
        ({"stuck": 1.0}, "at least 0 and below 1"),
        ({"age": 0.5, "drift": 0.1}, "at least 1"),
        ({"levels": 1}, "at least 2"),
    ],
)
def test_devices_that_cannot_be_are_refused(faults, message):
    with pytest.raises(ValueError, match=message):
        Device(**faults)


def test_few_draws_and_labels_that_are_no_numbers_are_refused(student):
    with pytest.raises(ValueError, match="at least 20"):
        compress.device_accuracy(student, tiny.IMAGES, tiny.LABELS, Device(noise=0.1), draws=5)
    with pytest.raises(ValueError, match=r"class numbers \[N\], got labels of shape .* labels\.argmax\(1\)"):
        compress.device_accuracy(student, tiny.IMAGES, np.eye(9)[:, :2], Device(noise=0.1))


def test_faults_of_a_device_are_not_rounded_away_from_weights_of_few_bits():
    student = tiny.snn()
    ternary = kd.models.quantize_aware(student, tiny.IMAGES, weight_bits=2)
    np.testing.assert_allclose(_written(ternary)(tiny.IMAGES), ternary(tiny.IMAGES), rtol=1e-5, atol=1e-5)
    seen = []
    for layer in _written(ternary).layers:
        one = inner(layer)
        if getattr(one, "kernel", None) is not None:
            assert type(one) in (keras.layers.Dense, keras.layers.Conv2D)
            seen.append(len(np.unique(np.abs(one.kernel[:, 0]).round(5))))
    assert max(seen) == 2  # 0 and one step
