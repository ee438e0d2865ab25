"""From how many spikes on a spiking network costs what its ANN twin does, where memory is counted too."""

from typing import Any

from keras_snnkd.report import formats

BREAK_EVEN = (0.057, 0.064)
"""Spikes a neuron and time step between which the two need the same energy, in 8-bit integers, where zeros are skipped: Yan et al.,
"Reconsidering the energy efficiency of spiking neural networks", 2024, arXiv:2409.08290."""


def break_even_sentence(rate: Any, whose: str) -> str:
    """Where a network stands beside the break-even; nothing of an ANN, or where its rate is not known.

    Args:
        rate: Spikes a neuron and time step, over all of its neurons.
        whose: What to call the network.

    Example:
        >>> break_even_sentence(0.12, "the student")
    """
    if not formats.number(rate):
        return ""
    low, high = BREAK_EVEN
    stands = "below it" if rate < low else "above it: there its twin needs less" if rate > high else "at it"
    return (
        f"In a time step {100 * rate:.1f} % of the neurons of {whose} fire. On hardware that skips zeros, where memory counts beside "
        f"arithmetic, the break-even with an 8-bit ANN twin is at about 6 % ({100 * low:.1f} to {100 * high:.1f} %, arXiv:2409.08290): "
        f"it is {stands}."
    )
