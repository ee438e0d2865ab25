"""What all members of a federation agree on before they start: data, network, and how it learns."""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np

from keras_snnkd import data, models
from keras_snnkd._types import Array
from keras_snnkd.errors import UnknownNameError, unknown_name
from keras_snnkd.federated.split import dirichlet_split
from keras_snnkd.training.labels import LabelCrossEntropy

EXCHANGES = ("outputs", "weights")


@dataclasses.dataclass(frozen=True)
class Setting:
    """A federation as plain data, equal for all members.

    Args:
        exchange: `"outputs"` on public images, or `"weights"` (FedAvg).
        dataset: A name for `keras_snnkd.data.load`.
        members: How many own a part of its training images.
        alpha: How unequal the parts are; see `dirichlet_split`.
        public: Training images that all members have, without their labels.
        asked: How many of these a round is about, in turn, so that a message is small where there are many; 0 for all of them, as where
            there are fewer.
        student: Specification of the network; see `keras_snnkd.models.specification`.
        timesteps: T.
        rounds: Exchanges.
        epochs: Over a member's own images, in each round.
        public_epochs: Over the public images, in each round, where outputs are exchanged.
        temperature: Of the counts that become targets. Means over members who know few classes are small numbers, which a temperature
            above 1 makes nearly equal.
        learning_rate: Of Adam.
        batch_size: Of every training.
        seed: Of the split and of initial weights.

    Raises:
        UnknownNameError: For another exchange.
        ValueError: For a negative number of public images in a round.

    Example:
        >>> kd.federated.Setting(dataset="digits", members=4, alpha=0.5)
    """

    exchange: str = "outputs"
    dataset: str = "digits"
    members: int = 4
    alpha: float = 0.5
    public: int = 500
    asked: int = 250
    student: str = "mlp:64"
    timesteps: int = 8
    rounds: int = 10
    epochs: int = 3
    public_epochs: int = 10
    temperature: float = 0.5
    learning_rate: float = 5e-3
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.exchange not in EXCHANGES:
            raise unknown_name("exchange", self.exchange, EXCHANGES)
        if self.asked < 0:
            raise ValueError(f"asked must be a number of public images, or 0 for all of them, got {self.asked!r}")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Setting":
        """Of a mapping, such as Flower's run configuration; other keys are refused.

        Raises:
            UnknownNameError: For a key that is no setting.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in config:
            if name not in known:
                raise unknown_name("setting of a federation", name, known)
        return cls(**config)

    @functools.cached_property
    def data(self) -> data.Data:
        """The whole data set; a real member has only its part of it."""
        return data.load(self.dataset, seed=self.seed)

    @functools.cached_property
    def _order(self) -> Array:
        return np.random.default_rng(self.seed).permutation(len(self.data.train_arrays[1]))

    @functools.cached_property
    def public_images(self) -> Array:
        """Images that all have, float32 `[N, H, W, C]`."""
        return _scaled(self.data.train_arrays[0][self._order[: self.public]])

    def places(self, number: int) -> Array:
        """Which public images a round is about, numbered from 1 on."""
        if not 0 < self.asked < self.public:
            return np.arange(self.public)
        first = (number - 1) * self.asked
        return np.arange(first, first + self.asked) % self.public

    def own(self, member: int) -> tuple[Array, Array]:
        """Images and labels of one member.

        Raises:
            UnknownNameError: If there is no such member.
        """
        if not 0 <= member < self.members:
            raise UnknownNameError(f"member {member} is none of 0 to {self.members - 1}")
        images, labels = (part[self._order[self.public :]] for part in self.data.train_arrays)
        places = dirichlet_split(labels, self.members, self.alpha, self.seed)[member]
        return _scaled(images[places]), labels[places]

    def model(self) -> keras.Model:
        """A new network, with the same initial weights for every member."""
        keras.utils.set_random_seed(self.seed)
        made = models.build(
            self.student, self.data.image_shape, self.data.num_classes, timesteps=self.timesteps, readout="spike_count", name="member"
        )
        made.compile(keras.optimizers.Adam(self.learning_rate), LabelCrossEntropy())
        made.optimizer.build(made.trainable_variables)  # so that a file of weights brings its moments too
        return made

    def targets(self, counts: Array) -> Array:
        """Counts or logits `[N, C]` as shares of the classes: ``softmax(z / temperature)``."""
        powers = np.exp((counts - counts.max(axis=1, keepdims=True)) / self.temperature)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), "float32")

    def accuracy(self, model: keras.Model, part: str = "test") -> float:
        """On the test images of the data set, or on those of another part: `"validation"`, to choose settings by."""
        images, labels = getattr(self.data, f"{part}_arrays")
        return float(np.mean(model.predict(_scaled(images), batch_size=256, verbose=0).argmax(-1) == labels))


def _scaled(images: Array) -> Array:
    """Bytes as multiples of 1/256."""
    return images.astype("float32") / 256 if images.dtype == np.uint8 else np.asarray(images, "float32")
