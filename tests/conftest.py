"""Every test starts from the same seed and leaves the dtype policy as it was."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

from tests.sampling import leave_out

if keras.backend.backend() == "tensorflow":
    # By default Keras compiles all of a model by XLA, which takes seconds for each. Tests of that ask for it: `jit_compile=True`.
    keras.Model._resolve_auto_jit_compile = lambda model: False


gc.freeze()  # what is imported stays


@pytest.fixture(autouse=True, scope="module")
def _looked_through_once():
    """What a file leaves behind is not looked through for garbage again and again: that is a tenth of the time of the whole suite."""
    yield
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before those marked are left out
def pytest_collection_modifyitems(items):
    leave_out(items)


@pytest.fixture(autouse=True)
def _seed_and_dtype_policy():
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy(policy)
