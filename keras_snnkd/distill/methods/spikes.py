"""Presets of methods with a spiking teacher; equations in `objectives/spikes.py`, `rates.py`, `membranes.py`."""

from typing import Any

from keras_snnkd.distill.methods.method import Method, objective, soft_targets

_DISTILLING_SPIKES: dict[str, Any] = {
    "teacher": "snn",
    "source": "Kushawaha et al., ICPR 2020, arXiv:2005.00288",
}
METHODS = (
    Method(
        "distilling_spikes",
        (soft_targets(), objective("spike_train", window=2)),
        summary="Soft targets and rates in windows of two steps, the default of this package. Everything is our choice.",
        equation="CE + 0.9 tau^2 KL(p_T || p_S) + mean (c_S - c_T)^2, tau = 4",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_counts",
        (soft_targets(0.5, 5.0, reduction="elementwise", time="sum"),),
        0.5,
        summary="Soft targets on sums over time: spike counts, with the readout spike_count. Form and values of the snn_distill project.",
        equation="0.5 CE + 0.5 tau^2 KL(p_T || p_S) / C, z = sum_t s[t], tau = 5",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_windows",
        (objective("spike_train", window=2),),
        summary="Rates of single neurons in windows of two steps. Window and weight are our choice.",
        equation="CE + mean (c_S - c_T)^2",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_filtered",
        (objective("spike_train", filter_tau=2.0),),
        summary="Filtered spike trains, van Rossum's distance. Time constant and weight are our choice.",
        equation="CE + mean (e_S[t] - e_T[t])^2, e[t] = exp(-1 / 2) e[t-1] + s[t]",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_hidden",
        (objective("spike_train", window=1),),
        summary="Hidden spike trains, spike by spike, through a learned projection. The weight is our choice.",
        equation="CE + mean (s_S[t] - s_T[t])^2",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "firing_rate",
        (objective("firing_rate"),),
        teacher="snn",
        source="ours",
        summary="Mean firing rates of channels.",
        equation="CE + mean_d (r_S[d] - r_T[d])^2",
    ),
    Method(
        "md_snn",
        (soft_targets(), objective("membrane")),
        teacher="snn",
        source="Lee et al., DATE 2026, arXiv:2512.04443",
        summary="Membrane potentials before the reset, and soft targets. Weights and temperature are our choice; quantization is left out.",
        equation="CE + 0.9 tau^2 KL(p_T || p_S) + mean (u_S[t] - u_T[t])^2, tau = 4",
    ),
)
