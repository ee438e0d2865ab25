"""Presets of methods in which a network learns from itself; equations in `objectives/self_distillation.py` and `exits.py`."""

from typing import Any

from keras_snnkd.distill.methods.method import Method, objective, soft_targets

_CONFIDENT: dict[str, Any] = {"teacher": "self", "source": "Ding et al., NeurIPS 2025, arXiv:2510.07924", "trust": "paper"}

METHODS = (
    Method(
        "tks",
        (objective("temporal_knowledge_sharing", {"schedule": "ramp", "start": 0.0, "end": 0.7}, temperature=3.0),),
        {"schedule": "ramp", "start": 1.0, "end": 0.3},
        teacher="self",
        source="Dong et al., IEEE TAI 2024, arXiv:2304.06540",
        trust="official code",
        summary="Steps learn from the sum of the right ones, more and more.",
        equation="a CE + (1 - a) mean_t tau^2 SoftCE(q, p_S[t]), a = 1 - 0.7 epoch / epochs, tau = 3",
    ),
    Method(
        "s2w",
        (objective("confident_steps", direction="strong_to_weak", temperature=2.0),),
        summary="The surest step teaches the least sure one. Gradient to both and the factor tau^2 are our choice.",
        equation="CE + tau^2 KL(p[strong] || p[weak]), tau = 2",
        **_CONFIDENT,
    ),
    Method(
        "w2s",
        (objective("confident_steps", direction="weak_to_strong", temperature=2.0),),
        summary="The least sure step teaches the surest one. Gradient to both and the factor tau^2 are our choice.",
        equation="CE + tau^2 KL(p[weak] || p[strong]), tau = 2",
        **_CONFIDENT,
    ),
    Method(
        "s2w_cascade",
        (objective("confident_steps", direction="strong_to_weak", cascade=True, temperature=2.0),),
        summary="Each step teaches the next less sure one. Gradient to both and the factor tau^2 are our choice.",
        equation="CE + mean over neighbours in confidence of tau^2 KL(p[surer] || p[less sure]), tau = 2",
        **_CONFIDENT,
    ),
    Method(
        "tssd",
        (soft_targets(0.5), objective("exits", 0.5, target="final", temperature=4.0, label_weight=0.0, distillation_weight=1.0)),
        teacher="self",
        source="Zuo et al., 2024, arXiv:2406.07862",
        summary="The student run for twice its T is its teacher, and its output that of a weak classifier on its last neurons. Distances, "
        "weights, temperature, T and the place of the classifier are our choice.",
        equation="CE + 0.5 tau^2 KL(p[2T] || p[T]) + 0.5 tau^2 KL(p[T] || p_weak), tau = 4",
        longer=2,
    ),
    Method(
        "enhanced_sd",
        (objective("exits"),),
        teacher="self",
        source="Zhao et al., NeurIPS 2025, arXiv:2510.06254",
        trust="official code",
        summary="An exit and the output learn from the mean of those that are right, by rate-based backpropagation. One exit, on the last "
        "neurons, is our choice; the division by T, which AdamW does not see, is left out.",
        equation="sum_i CE(p_i) + 0.3 sum_i tau^2 KL(p_right || p_i), tau = 3",
        gradient="rate",
    ),
)
