"""What a distiller saves: the student and not the teacher."""

import h5py
import keras
import numpy as np
import pytest

from keras_snnkd.distill.objectives import FeatureMap
from keras_snnkd.errors import ShapeError
from tests.distill import tiny
from tests.distill.distiller_cases import plain_pair


def arrays_in(file):
    """The arrays of an HDF5 file, as lists of numbers."""
    found = []
    with h5py.File(file) as stored:
        stored.visititems(lambda name, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def test_neither_weights_nor_files_hold_the_teacher(tmp_path):
    student, teacher = tiny.snn(), tiny.snn(9, name="teacher")
    distiller = tiny.compiled(student, teacher, ["soft_targets", "feature_map"], "sgd")
    tiny.fit(distiller)
    assert distiller.teacher is teacher
    helpers = [variable for helper in distiller.helpers for variable in helper.weights]
    factors = [distiller.label_weight, *distiller.objective_weights.values()]
    assert {id(w) for w in distiller.weights} == {id(w) for w in [*student.weights, *helpers, *factors]}
    assert {id(w) for w in distiller.trainable_weights} == {id(w) for w in [*student.trainable_weights, *helpers]}
    distiller.save_weights(tmp_path / "distiller.weights.h5")
    distiller.save(tmp_path / "distiller.keras")
    stored = arrays_in(tmp_path / "distiller.weights.h5")
    assert len(stored) == len(distiller.weights) + len(distiller.optimizer.variables)
    for weight in tiny.values(teacher):
        if np.ptp(weight):  # not the zeros and ones that anything may hold
            assert not any(array.shape == weight.shape and np.array_equal(array, weight) for array in stored)
    assert (tmp_path / "distiller.keras").stat().st_size < 2 * (tmp_path / "distiller.weights.h5").stat().st_size


@pytest.mark.every(2)
@pytest.mark.parametrize("student", [tiny.snn, tiny.plain])
def test_a_saved_distiller_goes_on_where_it_was(student, tmp_path):
    teacher = tiny.ann(9)
    distiller = tiny.compiled(student(), teacher, ["soft_targets", FeatureMap(weight=0.5)], "adam")
    distiller.set_weight("soft_targets", 0.25)
    tiny.fit(distiller)
    distiller.save(tmp_path / "distiller.keras")

    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert loaded.teacher is None
    assert loaded.describe() == distiller.describe()
    np.testing.assert_array_equal(loaded.predict(tiny.IMAGES, verbose=0), distiller.predict(tiny.IMAGES, verbose=0))
    with pytest.raises(ValueError, match=r"no teacher; give it one with distiller\.teach"):
        tiny.fit(loaded)
    loaded.teach(teacher)
    assert tiny.fit(loaded) == pytest.approx(tiny.fit(distiller), rel=1e-5)
    tiny.assert_equal_weights(loaded.student, tiny.values(distiller.student), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="feature_map was built for taps"):
        loaded.teach(tiny.ann(20, name="other"))


def test_another_teacher_teaches_from_the_next_fit_on():
    student, teacher = plain_pair()
    distiller = tiny.compiled(student, teacher, ["soft_targets"], keras.optimizers.SGD(0.0))
    other = tiny.plain(9, "other")
    first = tiny.fit(distiller)["soft_targets"]
    distiller.teach(other)
    assert distiller.teacher is other
    expected = tiny.fit(tiny.compiled(student, other, ["soft_targets"], keras.optimizers.SGD(0.0)))["soft_targets"]
    assert tiny.fit(distiller)["soft_targets"] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(first, rel=1e-3)
