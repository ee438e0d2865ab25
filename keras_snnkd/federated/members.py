"""What an owner of data does in a round."""

import functools
from pathlib import Path

import keras
import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.federated.packets import packed_spikes, unpacked
from keras_snnkd.federated.setting import Setting
from keras_snnkd.files.staging import staged


class Network:
    """The network of all members in this process, who use it in turn.

    Args:
        setting: Of the federation.
    """

    def __init__(self, setting: Setting) -> None:
        self.model = setting.model()
        self.spikes = keras.Model(self.model.inputs[0], self.model.get_layer("output_neuron").output)
        self._variables = [*self.model.variables, *self.model.optimizer.variables]
        self._start = [variable.numpy() for variable in self._variables]

    def start(self) -> keras.Model:
        """The network as it is before the first round, and its optimizer."""
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)
        return self.model


@functools.lru_cache(maxsize=1)
def _network(setting: Setting) -> Network:
    return Network(setting)


class Member:
    """One owner of data, between whose rounds nothing stays in memory.

    Args:
        setting: Of the federation.
        number: Which member, from 0 on.
        folder: Where it keeps what stays with it.
    """

    def __init__(self, setting: Setting, number: int, folder: str | Path) -> None:
        self.setting, self.number, self.folder = setting, number, Path(folder)
        self.images, self.labels = setting.own(number)
        self.network = _network(setting)
        self.model = self.network.model

    def learn(self, images: Array, shares: Array, epochs: int, number: int) -> None:
        """Train on images and shares of classes `[N, C]`; the order is that of the round's number."""
        keras.utils.set_random_seed(self.setting.seed + 1000 * (self.number + 1) + number)
        self.model.fit(images, shares, batch_size=self.setting.batch_size, epochs=epochs, verbose=0)

    def learn_own(self, number: int) -> None:
        """Train on what it owns."""
        shares = np.eye(self.setting.data.num_classes, dtype="float32")[self.labels]
        self.learn(self.images, shares, self.setting.epochs, number)


class OutputMember(Member):
    """Learns from what all say of the public images, then from its own, and says what it makes of the public ones.

    Its weights stay in its folder. A round that it is asked for once more, since the server did not get to its end, is not learned twice.

    Example:
        >>> packet = kd.federated.OutputMember(setting, 0, "member_0").round(1, None)
    """

    def round(self, number: int, consensus: bytes | None) -> bytes:
        """A packet of its output spikes on the public images of the round, `[N, T, C]`.

        Args:
            number: Of the round, from 1 on.
            consensus: A packet of what all said in the round before; `None` at first.
        """
        if not self._has_learned(number):
            if consensus is not None:
                targets = self.setting.targets(unpacked(consensus))
                self.learn(self.setting.public_images[self.setting.places(number - 1)], targets, self.setting.public_epochs, number)
            self.learn_own(number)
            self._keep(number)
        images = self.setting.public_images[self.setting.places(number)]
        return packed_spikes(self.network.spikes.predict(images, batch_size=256, verbose=0))

    def _has_learned(self, number: int) -> bool:
        """Load the latest weights, or those of the start, and tell whether they are those after this round already."""
        kept = {int(file.name.split("_")[1].split(".")[0]): file for file in self.folder.glob("round_*.weights.h5")}
        latest = max(kept, default=0)
        if not 0 < latest <= number:  # none, or those of a federation that was before this one
            self.network.start()
            return False
        self.model.load_weights(kept[latest])
        return latest == number

    def _keep(self, number: int) -> None:
        """Write the weights after a round, in place of those before."""
        before = list(self.folder.glob("round_*.weights.h5"))
        final = self.folder / f"round_{number}.weights.h5"
        with staged(final) as (file,):
            self.model.save_weights(file)
        for old in before:
            if old != final:
                old.unlink()


class WeightMember(Member):
    """Learns from its own images, from the weights that came on, and gives back the weights (FedAvg).

    Its optimizer starts anew in every round.
    """

    def round(self, number: int, weights: list[Array]) -> tuple[list[Array], int]:
        """The weights after the round, and how many images it owns."""
        self.network.start().set_weights(weights)
        self.learn_own(number)
        return self.model.get_weights(), len(self.labels)
