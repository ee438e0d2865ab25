"""Every test starts from the same seed and leaves the dtype policy as it was."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

if keras.backend.backend() == "tensorflow":
    # By default Keras compiles all of a model by XLA, which takes seconds for each. Tests of that ask for it: `jit_compile=True`.
    keras.Model._resolve_auto_jit_compile = lambda model: False


@pytest.fixture(autouse=True)
def _seed_and_dtype_policy():
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy(policy)
