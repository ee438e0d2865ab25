"""What the server does between rounds: put together what came, judge it, and keep it, so that a federation can go on."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.errors import FileFormatError, KDError
from keras_snnkd.federated.packets import packed_logits, unpacked
from keras_snnkd.federated.setting import Setting
from keras_snnkd.files.staging import read_json, staged, write_json

RECORD = "rounds.json"

WEIGHTS = "server.weights.h5"
"""The file of the server's network."""

SAID = "said.npy"
"""The file of what all have said of the public images."""


class Rounds:
    """The rounds of a federation, in a folder that says after each of them how it went.

    Args:
        setting: Of the federation.
        folder: Where `rounds.json` and the server's weights are; rounds that are there already are not done again.

    Raises:
        KDError: If the folder holds a federation of other settings; only the number of rounds may be another.
    """

    def __init__(self, setting: Setting, folder: str | Path) -> None:
        self.setting, self.folder = setting, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model = setting.model()
        self.record: list[dict[str, Any]] = []
        self.arrays: dict[str, Array] = {}
        """What is kept beside the weights, by the names of its files."""
        self._agreed = {name: value for name, value in dataclasses.asdict(setting).items() if name != "rounds"}
        if (self.folder / RECORD).exists():
            known = read_json(self.folder / RECORD)
            self._check(known.get("setting", {}))
            self.record = known["rounds"]
            self.model.load_weights(self.folder / WEIGHTS)

    def _check(self, known: dict[str, Any]) -> None:
        """Refuse a folder of other settings."""
        for name, value in self._agreed.items():
            if known.get(name) != value:
                raise KDError(
                    f"{self.folder} holds a federation with {name}={known.get(name)!r}, and this one has {name}={value!r}; go on with the "
                    "same settings, or take another folder"
                )

    @property
    def next(self) -> int:
        """The number of the next round, from 1 on."""
        return len(self.record) + 1

    def finish(self, sent: Sequence[int], received: Sequence[int], lost: int) -> dict[str, Any]:
        """Write down a round: bytes to and from each member that answered, and how many did not.

        Raises:
            KDError: If nobody answered.
        """
        if not received:
            raise KDError(f"no member answered in round {self.next}; are the SuperNodes running?")
        row = {
            "round": self.next,
            "bytes_sent": int(sum(sent)),
            "bytes_received": int(sum(received)),
            "answered": len(received),
            "lost": lost,
            "validation_accuracy": self.setting.accuracy(self.model, "validation"),
            "accuracy": self.setting.accuracy(self.model),
        }
        self.record.append(row)
        self._keep()
        return row

    def _keep(self) -> None:
        """Write all, the record last, so that a server that is killed goes on from a whole round."""
        with staged(*(self.folder / name for name in (WEIGHTS, *self.arrays, RECORD))) as (weights, *files, record):
            self.model.save_weights(weights)
            for file, array in zip(files, self.arrays.values(), strict=True):
                np.save(file, array)
            write_json(record, {"setting": self._agreed, "rounds": self.record})


class OutputRounds(Rounds):
    """Outputs on public images: their mean over the members that answered is what all learn from, and the server's network too.

    A reconstruction of federal SNN distillation (Liu et al., 2022), whose details are not known to us: spike counts stand for logits, the
    mean weighs all members alike, and the server learns from it alone.
    """

    def __init__(self, setting: Setting, folder: str | Path) -> None:
        super().__init__(setting, folder)
        kept = self.folder / SAID
        nothing = np.full((setting.public, setting.data.num_classes), np.nan, "float32")
        self.said: Array = np.load(kept) if self.record and kept.exists() else nothing
        """The latest consensus on each public image, NaN where there was none yet, `[N, C]`."""
        self.arrays[SAID] = self.said

    def message(self) -> bytes | None:
        """The packet for all members: what all said in the round before."""
        if not self.record:
            return None
        consensus = self.said[self.setting.places(self.next - 1)]
        return packed_logits(consensus) if np.isfinite(consensus).all() else None

    def put_together(self, packets: Sequence[bytes]) -> int:
        """Of the members' packets, the consensus; and a training of the server's network on all that was said so far.

        Bytes that are no outputs on the images of the round are left out, as those of a member that is lost.

        Returns:
            How many packets were used.
        """
        places = self.setting.places(self.next)
        outputs = [found for packet in packets if (found := self._read(packet, len(places))) is not None]
        if not outputs:
            return 0
        self.said[places] = np.mean(outputs, axis=0)
        known = np.flatnonzero(np.isfinite(self.said[:, 0]))
        keras.utils.set_random_seed(self.setting.seed + self.next)
        self.model.fit(
            self.setting.public_images[known], self.setting.targets(self.said[known]), batch_size=self.setting.batch_size,
            epochs=self.setting.public_epochs, verbose=0,
        )  # fmt: skip
        return len(outputs)

    def _read(self, packet: bytes, count: int) -> Array | None:
        """Logits of a packet about so many images, or `None`."""
        try:
            found = unpacked(packet)
        except FileFormatError:
            return None
        return found if found.shape == (count, self.setting.data.num_classes) else None


class WeightRounds(Rounds):
    """Weights: their mean, by how many images a member owns, is the server's network (FedAvg, McMahan et al., AISTATS 2017)."""

    def message(self) -> list[Array]:
        """The weights for all members."""
        return list(self.model.get_weights())

    def put_together(self, answers: Sequence[tuple[list[Array], int]]) -> int:
        """The mean of the members' weights; returns how many there are."""
        if not answers:
            return 0
        total = sum(count for _, count in answers)
        means = [sum(weights[place] * (count / total) for weights, count in answers) for place in range(len(answers[0][0]))]
        self.model.set_weights(means)
        return len(answers)
