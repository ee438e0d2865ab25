"""The arithmetic and the data of the benchmarks on accelerators. Nothing is timed, and no accelerator is needed."""

import numpy as np

import keras_snnkd as kd
from benchmarks import full_scale
from benchmarks.contenders.resnet18 import operations


def test_operations_of_a_training_step():
    model = kd.models.ConvNet((8, 8, 3), 10, widths=(4, 6), head="average", timesteps=5)
    first, second, classifier = 9 * 3 * 4 * 64, 9 * 4 * 6 * 64 * 5, 6 * 10 * 5
    assert operations(model) == 2 * (2 * first + 3 * second + 3 * classifier)


def test_the_same_seed_gives_the_same_augmented_images_and_another_epoch_others():
    images = np.arange(300 * 32 * 32 * 3, dtype="uint32").astype("uint8").reshape(300, 32, 32, 3)
    labels = np.arange(300)
    one, same = (full_scale.Augmented(images, labels, seed=4) for _ in range(2))
    (first, first_labels), (again, again_labels) = one[0], same[0]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first_labels, again_labels)
    assert first.shape == (full_scale.BATCH, 32, 32, 3)
    assert first.max() < 1
    one.on_epoch_end()
    assert (one[0][1] != first_labels).any()


def test_an_augmented_image_is_the_image_moved_and_perhaps_mirrored():
    image = np.random.default_rng(0).integers(1, 256, (1, 32, 32, 3)).astype("uint8")
    data = full_scale.Augmented(np.repeat(image, full_scale.BATCH, 0), np.zeros(full_scale.BATCH, int), seed=1)
    found, _ = data[0]
    padded = np.pad(image[0], ((4, 4), (4, 4), (0, 0))) / 256
    for picture, chosen in list(zip(found, data.order, strict=True))[:20]:
        row, column = data.shifts[chosen]
        expected = padded[row : row + 32, column : column + 32]
        np.testing.assert_array_equal(picture, expected[:, ::-1] if data.flips[chosen] else expected)


def test_the_last_tenth_is_validation(tmp_path):
    images = np.zeros((50, 32, 32, 3), "uint8")
    np.savez(tmp_path / "c.npz", x_train=images, y_train=np.arange(50), x_test=images[:20], y_test=np.arange(20))
    data = full_scale.read(tmp_path / "c.npz", None)
    assert data["train"][1].tolist() == list(range(45))
    assert data["validation"][1].tolist() == list(range(45, 50))
    assert len(data["test"][0]) == 20
