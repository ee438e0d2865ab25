"""What a network's synaptic operations would cost in energy: an estimate from published constants, beside that of its ANN twin."""

import dataclasses
from typing import Any

from keras_snnkd.errors import unknown_name
from keras_snnkd.metrics.operations import Operations

SOURCE = "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, figure 1.1.9: 45 nm, 0.9 V"


@dataclasses.dataclass(frozen=True)
class Constants:
    """Energy of one operation in picojoules, with its source.

    Args:
        mac: Of a multiply-accumulate.
        ac: Of an accumulate.
        made_of: The terms of the source that they are sums of.
        source: Where these stand.
    """

    mac: float
    ac: float
    made_of: str
    source: str = SOURCE


CONSTANTS = {
    "float32": Constants(mac=4.6, ac=0.9, made_of="mac = 32-bit float multiply 3.7 + 32-bit float add 0.9; ac = 32-bit float add 0.9"),
    "int8": Constants(mac=0.3, ac=0.1, made_of="mac = 8-bit integer multiply 0.2 + 32-bit integer add 0.1; ac = 32-bit integer add 0.1"),
}
"""By arithmetic. The pair 4.6 and 0.9 is what most papers on spiking networks use."""

NOT_COUNTED = "memory access, the neurons' own arithmetic, biases and normalization, control, and everything else of a machine"
"""What the estimate leaves out. In most machines memory costs more than arithmetic: real figures are larger, and their ratio another."""


@dataclasses.dataclass(frozen=True)
class Energy:
    """Estimated energy for one image in nanojoules, of arithmetic alone.

    Args:
        effective: Of a machine that skips zeros and adds weights up for spikes.
        dense: Of a machine that skips nothing, and multiplies everywhere, in every time step: what a CPU does.
        twin_dense: Of the ANN twin, the same network with ReLU, where nothing is skipped.
        twin_effective: Of the ANN twin where zeros are skipped; `None` if the twin was not at hand.
        arithmetic: The key in `CONSTANTS`.
    """

    effective: float
    dense: float
    twin_dense: float
    twin_effective: float | None
    arithmetic: str

    @property
    def saving(self) -> float:
        """How many times less than its ANN twin the network needs where both skip what they can; below 1 the ANN wins.

        Against the twin's effective figure where that is at hand, else against its dense one, which flatters the spiking network.
        """
        twin = self.twin_dense if self.twin_effective is None else self.twin_effective
        return twin / self.effective if self.effective else float("inf")

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data, with the constants, their source, and what is not counted."""
        constants = dataclasses.asdict(CONSTANTS[self.arithmetic])
        return {**dataclasses.asdict(self), "unit": "nJ per image", "constants_pj": constants, "not_counted": NOT_COUNTED}


def energy(operations: Operations, twin_dense: float, twin: Operations | None = None, arithmetic: str = "float32") -> Energy:
    """Estimate the energy of a network's synaptic operations, and of its ANN twin's.

    ::

        effective = mac * effective_macs + ac * effective_acs
        dense     = mac * dense

    with the energies ``mac`` and ``ac`` of one operation from `CONSTANTS`. Memory is not counted, nor anything else in `NOT_COUNTED`: it is
    a comparison of arithmetic, no forecast of a battery's life.

    Args:
        operations: Of the network, from `synaptic_operations`.
        twin_dense: Multiply-accumulates of its ANN twin for one image, from `twin_operations`.
        twin: What `synaptic_operations` counted on the trained twin, if there is one.
        arithmetic: `"float32"` or `"int8"`.

    Returns:
        The `Energy`.

    Raises:
        UnknownNameError: For an unknown `arithmetic`.

    Example:
        >>> operations = kd.metrics.synaptic_operations(student, images)
        >>> kd.metrics.energy(operations, kd.metrics.twin_operations(student)).saving
    """
    if arithmetic not in CONSTANTS:
        raise unknown_name("arithmetic", arithmetic, CONSTANTS)
    constants = CONSTANTS[arithmetic]

    def effective(counted: Any) -> float:
        return (constants.mac * counted.effective_macs + constants.ac * counted.effective_acs) / 1000

    return Energy(
        effective=effective(operations),
        dense=constants.mac * operations.dense / 1000,
        twin_dense=constants.mac * twin_dense / 1000,
        twin_effective=None if twin is None else effective(twin),
        arithmetic=arithmetic,
    )
