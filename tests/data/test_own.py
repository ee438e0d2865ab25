"""Images in memory are a data set like those in files."""

import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.errors import FileFormatError

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1)).astype("uint8")
LABELS = np.arange(60) % 3
GREY = IMAGES[..., 0].repeat(2, 1).repeat(2, 2)


def dataset(batch=None):
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    return pairs.batch(batch) if batch else pairs


@pytest.mark.parametrize("source", [lambda: (IMAGES, LABELS), dataset, lambda: dataset(7)], ids=["arrays", "samples", "batches"])
def test_a_fifth_of_each_class_is_test_and_a_tenth_of_the_rest_validation(source):
    data = kd.data.load(source())
    assert (data.name, data.image_shape, data.num_classes) == ("arrays", (4, 4, 1), 3)
    sizes = [np.bincount(labels).tolist() for _, labels in (data.train_arrays, data.validation_arrays, data.test_arrays)]
    assert sizes[2] == [4, 4, 4]
    assert np.sum(sizes, 0).tolist() == [20, 20, 20]
    assert all(sizes[1])


def of_unknown_rank(image, label):
    """As `tf.io.decode_image` gives it."""
    return tf.py_function(lambda image: image, [image], tf.uint8), label


@pytest.mark.parametrize(
    ("pairs", "images"),
    [
        (dataset().map(of_unknown_rank), IMAGES),
        (dataset().map(lambda image, label: (image, tf.one_hot(label, 3))), IMAGES),
        (dataset().map(lambda image, label: (image, tf.one_hot(label, 3))).batch(7), IMAGES),
        (tf.data.Dataset.from_tensor_slices((GREY, LABELS)), GREY),
        (tf.data.Dataset.from_tensor_slices((GREY, LABELS)).batch(7), GREY),
    ],
    ids=["unknown rank", "one-hot", "one-hot batches", "grey", "grey batches"],
)
def test_samples_and_batches_are_told_apart(pairs, images):
    data, expected = kd.data.load(pairs), kd.data.load((images, LABELS))
    for ours, theirs in zip(data.train_arrays, expected.train_arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_parts_are_kept_apart():
    data = kd.data.load({"train": (IMAGES[:30], LABELS[:30]), "validation": (IMAGES[30:45], LABELS[30:45]), "test": dataset().skip(45)})
    np.testing.assert_array_equal(data.test_arrays[0], IMAGES[45:])
    np.testing.assert_array_equal(data.validation_arrays[0], IMAGES[30:45])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (dataset().repeat, r"has no end; cut it, dataset\.take\(number\)"),
        (lambda: {"training": (IMAGES, LABELS)}, "has the parts train, validation, test"),
        (lambda: (IMAGES.reshape(60, -1), LABELS), r"data in memory: x_train must be \[N, H, W\]"),
        (lambda: 3, "the train part is a int"),
        (lambda: None, r"of which train is needed; got train \(NoneType\)"),
        (lambda: {"train": None}, r"of which train is needed; got train \(NoneType\)"),
        (lambda: {"train": (IMAGES, LABELS), "tests": (IMAGES, LABELS)}, "Did you mean 'test'"),
        (lambda: ([IMAGES[0], IMAGES[1, :2]], [0, 1]), "the images of the train part differ in shape"),
        (lambda: (IMAGES, np.full((60, 3), 1 / 3)), r"float64 \(60, 3\), are not one-hot"),
        (lambda: (IMAGES, np.eye(3, dtype=int)[LABELS] + np.eye(3, dtype=int)[0]), "are not one-hot"),
        (lambda: dataset().map(lambda x, y: {"image": x, "label": y}), r"gives mappings of image, label; .*dataset\.map\(lambda row"),
        (lambda: dataset().map(lambda x, y: ({"image": x}, y)), "gives a dict within its pairs"),
        (lambda: dataset().map(lambda x, y: (x, tf.strings.as_string(y))), "got names; save numpy.unique"),
        (
            lambda: dataset().enumerate().map(lambda n, pair: (tf.zeros((4 + n % 2, 4, 1), tf.uint8), pair[1])),
            r"the images of the train dataset differ in shape, \[\(4, 4, 1\), \(5, 4, 1\)\]",
        ),
    ],
)
def test_other_things_are_refused(source, message):
    with pytest.raises(FileFormatError, match=message):
        kd.data.load(source())
