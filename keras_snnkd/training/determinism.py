"""Runs that repeat to the last bit."""

import os

import keras

XLA_FLAG = "--xla_gpu_deterministic_ops=true"


def make_deterministic(seed: int) -> None:
    """Seed every random generator, and have the backend choose operations that add up in the same order each time.

    It holds for the rest of the process, costs some speed on GPUs, and comes before the first model is built. On CPUs two runs are then
    equal to the last bit on the same kind of processor with as many threads. JAX reads its flag when it first touches a device.

    Args:
        seed: Of Python, NumPy and the backend.

    Example:
        >>> kd.determinism.make_deterministic(0)
    """
    import tensorflow as tf  # for the data, whatever Keras runs on

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    if keras.backend.backend() == "jax" and XLA_FLAG not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {XLA_FLAG}".strip()
