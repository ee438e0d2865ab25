"""The last layer of a network of numbers: in the unit of the labels, and kept in files."""

import keras
import numpy as np
import pytest

from keras_snnkd.layers import Numbers, in_units, with_numbers


def test_numbers_are_handed_on_or_brought_to_their_unit():
    x = np.array([[0.0, 1.0], [-1.0, 2.0]], "float32")
    np.testing.assert_array_equal(Numbers()(x), x)
    np.testing.assert_allclose(Numbers([10.0, 0.5], [100.0, -1.0])(x), [[100, -0.5], [90, 0]])


def test_units_are_kept_and_the_config_of_earlier_versions_has_none(tmp_path):
    earlier = {key: value for key, value in Numbers().get_config().items() if key not in ("deviation", "mean")}
    assert Numbers.from_config(earlier).deviation is None
    inputs = keras.Input((3,))
    model = in_units(keras.Model(inputs, keras.layers.Dense(2)(inputs)), [10.0, 0.5], [100.0, -1.0])
    assert with_numbers(model) is model
    model.save(tmp_path / "model.keras")
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


def test_a_deviation_of_0_is_refused():
    with pytest.raises(ValueError, match="deviations must be above 0"):
        Numbers([1.0, 0.0])
