"""Normalization for spiking networks."""

import keras

from keras_snnkd._public import public


@public
class ThresholdBatchNormalization(keras.layers.BatchNormalization):
    """Threshold-dependent batch normalization (tdBN): moments over batch, time and space, scaled to the threshold.

    ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` with gamma starting at ``alpha threshold``, so that the currents fit the
    neurons' threshold. Zheng et al. (2021), "Going Deeper With Directly-Trained Larger Spiking Neural Networks", arXiv:2011.05280.

    Args:
        threshold: Of the neurons that follow.
        alpha: Factor; 1 by default, 1/sqrt(2) in the paper where two branches are added.
        **kwargs: Of `keras.layers.BatchNormalization`, but for `gamma_initializer`.

    Call arguments:
        inputs: Currents `[B, T, ..., C]` (or `[B, ..., C]`).

    Returns:
        Same shape.

    Example:
        >>> ThresholdBatchNormalization(threshold=1.0)(keras.ops.ones((2, 4, 8, 8, 3))).shape  # (2, 4, 8, 8, 3)
    """

    def __init__(self, threshold: float = 1.0, alpha: float = 1.0, **kwargs):
        super().__init__(gamma_initializer=keras.initializers.Constant(alpha * threshold), **kwargs)
        self.threshold = threshold
        self.alpha = alpha

    def get_config(self):
        config = {**super().get_config(), "threshold": self.threshold, "alpha": self.alpha}
        del config["gamma_initializer"]
        return config
