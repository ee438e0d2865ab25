"""Batch norms' moving moments, estimated anew before they are used."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.training import strategy

STALE = 0.05
"""Share of moving moments that is older than one epoch, from which on they do not tell what the network has now."""

BATCHES = 100
"""On how many batches moments are estimated, at most."""

Moment = tuple[np.ndarray, np.ndarray]
"""Mean and variance of each channel."""


def _as_it_is(batch: Any) -> Any:
    return batch


class MomentEstimator:
    """The mean and variance of what each trainable batch norm of a model gets in training mode, over several batches.

    With the moments ``mean_b``, ``variance_b`` of batch b, all batches of one size::

        mean = average of mean_b,    variance = average of (variance_b + mean_b^2) - mean^2

    Args:
        model: A built model.
        inputs: From a batch's inputs to what the model takes of them.

    Example:
        >>> estimator = MomentEstimator(student)
        >>> estimator.assign(estimator(data.train))

    Source: "precise batch norm", Wu and Johnson (2021), arXiv:2105.07576.
    """

    def __init__(self, model: keras.Model, inputs: Callable[[Any], Any] = _as_it_is) -> None:
        self.model, self.inputs = model, inputs
        self.norms: list[keras.layers.BatchNormalization] = [
            layer
            for layer in all_layers(model)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and not layer.renorm
        ]
        self._run = _runner(model)

    def __call__(self, batches: Iterable[Any]) -> list[Moment]:
        """The moments by batch norm, in the order of `norms`; the model stays as it is.

        Args:
            batches: Images `[B, ...]`, or tuples of images and more, as they come from `Data.training`.
        """
        means = [np.zeros(norm.moving_mean.shape) for norm in self.norms]
        squares = [np.zeros(norm.moving_mean.shape) for norm in self.norms]
        count = 0
        with self._of_one_batch():
            for batch in batches:
                self._run(self.inputs(batch[0] if isinstance(batch, (tuple, list)) else batch))
                for place, (mean, variance) in enumerate(self.moving()):
                    means[place] += mean
                    squares[place] += variance + mean**2
                count += 1
        means = [mean / count for mean in means]
        return [(mean, np.maximum(square / count - mean**2, 0.0)) for mean, square in zip(means, squares, strict=True)]

    def moving(self) -> list[Moment]:
        """The moments that the batch norms hold now."""
        return [(_numpy(norm.moving_mean), _numpy(norm.moving_variance)) for norm in self.norms]

    def assign(self, moments: list[Moment]) -> None:
        """Give the batch norms these moments."""
        for norm, (mean, variance) in zip(self.norms, moments, strict=True):
            norm.moving_mean.assign(mean.astype("float32"))
            norm.moving_variance.assign(variance.astype("float32"))

    def stale(self, steps: int) -> bool:
        """Whether the moving moments, ``moving <- momentum moving + (1 - momentum) new``, are too old after so many steps."""
        return any(norm.momentum**steps > STALE for norm in self.norms)

    @contextlib.contextmanager
    def _of_one_batch(self) -> Iterator[None]:
        """In the block, moving moments are those of the last batch; afterwards they and the random layers are as before."""
        before = self.moving()
        momenta = [norm.momentum for norm in self.norms]
        seeds = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        states = [ops.convert_to_numpy(seed) for seed in seeds]
        for norm in self.norms:
            norm.momentum = 0.0
        try:
            yield
        finally:
            for norm, momentum in zip(self.norms, momenta, strict=True):
                norm.momentum = momentum
            self.assign(before)
            for seed, state in zip(seeds, states, strict=True):
                seed.assign(state)


class FreshMoments(keras.callbacks.Callback):
    """Before each validation, gives the student's batch norms the moments of the training images under the weights of now.

    A batch norm validates with moving moments, which follow the training's slowly: with a momentum of 0.9 (0.99 is Keras' default), they
    are to 81 % (98 %) what they were two steps before, whatever the network has learnt since. Where an epoch has so few
    steps that more than `STALE` of the moments are older than the epoch, they are estimated anew; else nothing is done. Training itself
    does not read them and is not changed.

    Args:
        data: Has `training(initial_epoch)` and `steps_per_epoch`, as `keras_snnkd.data.load` returns.

    Example:
        >>> distiller.fit(data.train, validation_data=data.validation, callbacks=[FreshMoments(data)])
    """

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data = data
        self._estimator: MomentEstimator | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Find the student's batch norms."""
        self._estimator = MomentEstimator(getattr(self.model, "student", self.model), getattr(self.model, "for_student", _as_it_is))

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Estimate, if the moments are stale."""
        steps = self.data.steps_per_epoch
        if self._estimator is not None and self._estimator.stale(steps):
            batches = itertools.islice(self.data.training(0), min(steps, BATCHES))
            self._estimator.assign(self._estimator(batches))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Evaluations from now on are no validation of a training run."""
        self._estimator = None


def _runner(model: keras.Model) -> Callable[[Tensor], Tensor]:
    """Runs a model in training mode for what that does to its batch norms."""
    if keras.backend.backend() != "tensorflow":
        return lambda images: model(images, training=True)
    import tensorflow as tf

    @tf.function(autograph=False, reduce_retracing=True)
    def run(images: Tensor) -> Tensor:
        if strategy.replicas() == 1:
            model(images, training=True)
        else:  # each replica has the whole batch, so that all moments are those of the batch
            tf.distribute.get_strategy().run(lambda part: (model(part, training=True), None)[1], (images,))

    return lambda images: run(tf.nest.map_structure(tf.convert_to_tensor, images))


def _numpy(weight: Any) -> np.ndarray:
    return ops.convert_to_numpy(weight).astype("float64")
