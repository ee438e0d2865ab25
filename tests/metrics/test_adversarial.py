"""Attacks by hand on a network of one layer, and who answers them."""

import keras
import numpy as np
import pytest

from keras_snnkd.errors import UnknownNameError
from keras_snnkd.metrics import Attack, attack_accuracy, attacked
from tests.distill import tiny

KERNEL = np.array([[2.0, -1.0], [0.5, 3.0], [-1.0, -2.0]], "float32")
IMAGES = np.array([[0.4, 0.5, 0.6], [0.1, 0.95, 0.5]], "float32")
LABELS = np.array([0, 1])


@pytest.fixture(scope="module")
def linear():
    """Logits ``x W`` of three pixels."""
    image = keras.Input((3,))
    layer = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(image, layer(image))
    layer.kernel.assign(KERNEL)
    return model


def answering(label):
    """A network that gives one class, whatever it sees."""
    image = keras.Input((3,))
    layer = keras.layers.Dense(2)
    model = keras.Model(image, layer(image))
    layer.set_weights([np.zeros((3, 2)), np.eye(2)[label]])
    return model


def test_fgsm_moves_each_pixel_against_the_label(linear):
    # dL/dx = W (p - onehot): of label 0 it has the sign of W[:, 1] - W[:, 0], which is -, +, -; of label 1 the opposite
    found = attacked(linear, IMAGES, LABELS, Attack("fgsm", epsilon=0.1))
    np.testing.assert_allclose(found, [[0.3, 0.6, 0.5], [0.2, 0.85, 0.6]], atol=1e-6)


def test_pgd_ends_at_the_corner_of_what_is_allowed(linear):
    found = attacked(linear, IMAGES, LABELS, Attack("pgd", epsilon=0.1, steps=10))
    np.testing.assert_allclose(found, [[0.3, 0.6, 0.5], [0.2, 0.85, 0.6]], atol=1e-6)
    assert np.all(np.abs(found - IMAGES) <= 0.1 + 1e-6)
    near = attacked(linear, IMAGES, LABELS, Attack("pgd", epsilon=0.1, steps=1, step=0.01))
    assert np.mean(near != found) > 0.5  # it starts anywhere within epsilon
    np.testing.assert_array_equal(near, attacked(linear, IMAGES, LABELS, Attack("pgd", epsilon=0.1, steps=1, step=0.01)))


def test_pixels_stay_between_0_and_1(linear):
    for kind in ("fgsm", "pgd"):
        found = attacked(linear, [[0.02, 0.98, 0.5]], [0], Attack(kind, epsilon=0.1))
        np.testing.assert_allclose(found[0, :2], [0.0, 1.0], atol=1e-6)


def test_probabilities_are_attacked_as_logits_are(linear):
    softmax = keras.Model(linear.inputs, keras.layers.Softmax()(linear.outputs[0]))
    attack = Attack("fgsm", epsilon=0.1)
    np.testing.assert_allclose(attacked(softmax, IMAGES, LABELS, attack), attacked(linear, IMAGES, LABELS, attack), atol=1e-6)


def test_the_gradient_passes_spikes_by_their_surrogate():
    student = tiny.snn()
    found = attacked(student, tiny.IMAGES, tiny.LABELS, Attack("fgsm", epsilon=0.05))
    assert np.mean(found != tiny.IMAGES) > 0.5


def test_one_of_the_variants_answers_each_image(linear):
    labels = np.zeros(200, int)
    images = np.tile(IMAGES[:1], (200, 1))
    alone = attack_accuracy(linear, images, labels, Attack(epsilon=0.3))
    assert (alone.clean, alone.attacked, alone.variants) == (1.0, 0.0, 1)
    moving = attack_accuracy(linear, images, labels, Attack(epsilon=0.3), variants=[answering(0), answering(1)])
    assert moving.variants == 2
    assert 0.35 < moving.attacked < 0.65
    assert moving.attacked == moving.clean  # the same draws


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epsilon": 0.0}, "epsilon of an attack is the largest change"),
        ({"epsilon": float("nan")}, "epsilon of an attack is the largest change"),
        ({"steps": 3}, "fgsm changes the image once"),
        ({"kind": "pgd", "steps": 0}, "steps of an attack must be a whole number above 0"),
        ({"kind": "pgd", "step": -0.1}, "step of an attack must be a number above 0"),
        ({"seed": -1}, "seed of an attack"),
    ],
)
def test_impossible_attacks_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Attack(**given)


def test_what_cannot_be_attacked_is_refused(linear):
    with pytest.raises(UnknownNameError, match="Did you mean 'pgd'"):
        Attack("pdg")
    with pytest.raises(ValueError, match=r"attacks change pixels in 0\.\.1"):
        attacked(linear, 255 * IMAGES, LABELS, Attack())
    with pytest.raises(ValueError, match="expected as many labels as images"):
        attacked(linear, IMAGES, LABELS[:1], Attack())
    with pytest.raises(ValueError, match=r"class numbers \[N\], got labels of shape \(\d+, 3\).* take labels\.argmax\(1\)"):
        attacked(linear, IMAGES, np.eye(3)[LABELS], Attack())
    with pytest.raises(ValueError, match="and the labels are 0 to 12"):
        attacked(linear, IMAGES, np.where(np.arange(len(LABELS)) == 0, 12, 0), Attack())
    with pytest.raises(ValueError, match="attacks change one input, and these samples have a, b"):
        attacked(linear, {"a": IMAGES, "b": IMAGES}, LABELS, Attack())
