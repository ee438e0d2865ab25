"""Batches: their form, and that their order and augmentation depend on seed and epoch only."""

import dataclasses
from itertools import chain

import keras
import numpy as np
import pytest

from keras_snnkd.data import Data, load


def make(train=20, batch_size=8, **settings):
    def arrays(count, first):
        labels = np.arange(first, first + count, dtype="int32")
        return np.broadcast_to(labels.astype("uint8")[:, None, None, None], (count, 4, 4, 1)).copy(), labels

    parts = {"train_arrays": arrays(train, 0), "validation_arrays": arrays(5, 100), "test_arrays": arrays(10, 200)}
    settings = {"name": "counted", "augment": "none", "seed": 0, **settings}
    return Data(image_shape=(4, 4, 1), num_classes=210, class_names=tuple(map(str, range(210))), batch_size=batch_size, **parts, **settings)


def labels(batches):
    return [batch[1].numpy().tolist() for batch in batches]


def passes(data, count):
    train = data.train
    return [labels(train) for _ in range(count)]


def test_a_batch_holds_float_images_between_0_and_1_and_their_integer_labels():
    images, targets = next(iter(make().train))
    assert images.shape == (8, 4, 4, 1)
    assert images.dtype == "float32"
    assert targets.dtype == "int32"
    np.testing.assert_allclose(images[:, 0, 0, 0] * 256, targets, rtol=0)


def test_training_batches_are_full_and_hold_no_image_twice():
    data = make()
    assert data.steps_per_epoch == len(data.train) == 2
    batches = labels(data.train)
    assert [len(batch) for batch in batches] == [8, 8]
    assert len(set(chain(*batches))) == 16


def test_each_pass_has_another_order_and_each_run_the_same_ones():
    first, second = passes(make(), 2)
    assert first != second
    assert passes(make(), 2) == [first, second]
    assert passes(make(seed=1), 1) != [first]


def test_training_continues_without_end_and_a_resumed_run_sees_the_same_batches():
    data = make()
    without_break = labels(data.training().take(6))
    assert without_break == list(chain(*passes(data, 3)))
    assert labels(data.training(initial_epoch=2).take(2)) == without_break[4:]


def test_augmentation_too_is_the_same_in_a_resumed_run():
    data = dataclasses.replace(make(), augment="shift+cutout")
    without_break = [images.numpy() for images, _ in data.training().take(4)]
    resumed = [images.numpy() for images, _ in data.training(1).take(2)]
    np.testing.assert_array_equal(resumed, without_break[2:])
    assert (resumed[0] != resumed[1]).any()


def test_the_pixels_of_a_batch_can_be_made_again_from_the_number_of_the_view_alone():
    data = make(augment="shift+cutout", views=3)
    count = len(data.train_arrays[0])
    for step, (images, targets, places) in enumerate(data.training(places=True).take(8)):
        view, indices = step // data.steps_per_epoch % 3, places.numpy() % count
        assert set(places.numpy() // count) == {view}
        np.testing.assert_array_equal(data.train_arrays[1][indices], targets)
        np.testing.assert_array_equal(data.view(view, range(count)).numpy()[indices], images)
        assert (data.view(view + 1, indices) != images).numpy().any()


def test_so_many_views_come_back_in_turn_and_the_order_does_not():
    def shown(data, epochs=4):
        batches = list(data.training().take(epochs * data.steps_per_epoch))
        pictures = np.concatenate([images.numpy().reshape(8, -1) for images, _ in batches]).reshape(epochs, 16, -1)
        return [{tuple(picture) for picture in epoch} for epoch in pictures], labels(batches)

    data = make(train=16, augment="shift+cutout", views=2)
    epochs, order = shown(data)
    assert epochs[0] == epochs[2] != epochs[1] == epochs[3]
    unlimited, same_order = shown(dataclasses.replace(data, views=None))
    assert order == same_order
    assert order[:2] != order[4:6]
    assert unlimited[:2] == epochs[:2]
    assert unlimited[2] != unlimited[0]


def test_validation_and_test_hold_every_image_once_in_order_and_unchanged():
    data = make(augment="shift+cutout")
    assert labels(data.validation) == [[100, 101, 102, 103, 104]]
    assert labels(data.test) == [list(range(200, 208)), [208, 209]]
    assert len(data.test) == 2
    images = np.concatenate([batch[0] for batch in data.test])
    np.testing.assert_allclose(images * 256, data.test_arrays[0], rtol=0)


def test_fewer_images_than_a_batch_make_one_smaller_batch():
    data = make(train=5, batch_size=8)
    assert data.steps_per_epoch == 1
    (batch,) = labels(data.train)
    assert sorted(batch) == [0, 1, 2, 3, 4]


def test_sample_gives_the_first_test_images_as_test_batches_do():
    data = make()
    images, targets = data.sample(3)
    np.testing.assert_array_equal(images, next(iter(data.test))[0][:3])
    assert images.dtype == np.float32
    assert targets.tolist() == [200, 201, 202]
    assert len(data.sample(1000)[0]) == 10


def test_equal_data_has_an_equal_fingerprint_and_one_pixel_changes_it():
    data, changed = make(), make(seed=3, batch_size=2)
    assert data.fingerprint == changed.fingerprint
    assert len(data.fingerprint) == 64
    changed = make()
    changed.test_arrays[0][0, 0, 0, 0] += 1
    assert changed.fingerprint != data.fingerprint
    assert make(name="other").fingerprint != data.fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be an integer of at least 1, got 2.5"),
        ({"seed": -1}, "seed must be an integer from 0"),
        ({"views": 0}, "views must be an integer of at least 1, or None for a new view each epoch, got 0"),
        ({"augment": "flop"}, "unknown augmentation 'flop'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_a_negative_epoch_or_count_is_refused():
    with pytest.raises(ValueError, match="initial_epoch must be at least 0, got -1"):
        make().training(-1)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        make().sample(0)


class SeesBatches(keras.Model):
    """Keeps the labels of the batches that `fit` hands over."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.seen = []

    def call(self, inputs):
        return self.dense(keras.ops.reshape(inputs, (-1, 16)))

    def train_step(self, batch):
        self.seen.append(batch[1].numpy().tolist())
        return {"loss": 0.0}


def fitted(dataset, **arguments):
    model = SeesBatches()
    model.compile(run_eagerly=True)
    model.fit(dataset, epochs=3, verbose=0, **arguments)
    return model.seen


def test_fit_sees_the_epochs_in_turn_by_train_and_by_training():
    data = make()
    assert fitted(data.train) == list(chain(*passes(data, 3)))
    assert fitted(data.training(1), steps_per_epoch=2, initial_epoch=1) == list(chain(*passes(data, 3)[1:]))


def test_a_model_learns_the_digits():
    data = load("digits", batch_size=32)
    model = keras.Sequential([keras.Input(data.image_shape), keras.layers.Flatten(), keras.layers.Dense(data.num_classes)])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(data.train, validation_data=data.validation, epochs=3, verbose=0).history
    assert history["val_accuracy"][-1] > 0.8


def test_another_seed_may_leave_the_labels_where_they_were():
    data = load("digits", limit=200, seed=3)
    known = [np.flatnonzero(one.partly_labelled(0.2).train_arrays[1] >= 0) for one in (data, data.with_seed(5), data.with_seed(5, True))]
    np.testing.assert_array_equal(known[2], known[0])
    assert np.any(known[1] != known[0])
    again = data.with_seed(5, True).with_seed(6, True)
    assert (again.seed, again.label_seed) == (6, 3)
    np.testing.assert_array_equal(data.with_seed(5, True).labelled(0.2).train_arrays[1], data.labelled(0.2).train_arrays[1])
