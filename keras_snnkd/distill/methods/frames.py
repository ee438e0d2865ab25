"""Presets of methods about how many steps, or which frames, a network sees."""

from keras_snnkd.distill.methods.method import Method, soft_targets

METHODS = (
    Method(
        "hsd_complete",
        (soft_targets(1.0, 10.0, reduction="elementwise", time="per_step"),),
        start="converted",
        frames=2,
        source="Zhong et al., 2024, arXiv:2409.12507",
        summary="HSD from end to end: an ANN with clip-floor activations on twice the frames, its weights converted, then soft targets at "
        "every step (hsd). Twice, 8 levels, and potentials that start at rest and not at half the threshold are our choice; its neurons "
        "are --neuron if with a soft reset.",
        equation="CE + mean_t tau^2 KL(p_T || p_S[t]) / C, tau = 10, after conversion",
        compared=False,
    ),
    Method(
        "razor",
        (soft_targets(),),
        start="kept_frames",
        source="Zhang et al., ICANN 2023, arXiv:2306.17597",
        summary="A learned number for each frame decides which of them count; the student is the network of these alone. Score, penalty, "
        "threshold, and the soft targets of its second phase are our choice.",
        equation="CE + 0.1 mean_t sigmoid(e[t]); then CE + 0.9 tau^2 KL(p_T || p_S) on frames with sigmoid(e[t]) >= 1/2, tau = 4",
        compared=False,
    ),
    Method(
        "long_to_short",
        (soft_targets(),),
        teacher="self",
        source="SpikeSCR, 2024, arXiv:2412.12858",
        summary="The student is trained for four times its steps, then for twice and for its own, each stage from the weights of the one "
        "before and taught by it. Factors, weights and temperature are our choice.",
        equation="CE at 4 T; CE + 0.9 tau^2 KL(p[4T] || p[2T]); CE + 0.9 tau^2 KL(p[2T] || p[T]), tau = 4",
        start="longer",
        longer=4,
        compared=False,
    ),
)
