"""Learning of many owners whose data stay with them: they exchange outputs on public images, or weights.

Nothing here sends anything: the parts turn messages into messages, and Flower carries them (examples/federated).
"""

from keras_snnkd.federated.members import OutputMember, WeightMember
from keras_snnkd.federated.packets import packed_logits, packed_spikes, unpacked
from keras_snnkd.federated.rounds import OutputRounds, Rounds, WeightRounds
from keras_snnkd.federated.setting import Setting
from keras_snnkd.federated.split import dirichlet_split

__all__ = [
    "OutputMember",
    "OutputRounds",
    "Rounds",
    "Setting",
    "WeightMember",
    "WeightRounds",
    "dirichlet_split",
    "packed_logits",
    "packed_spikes",
    "unpacked",
]
