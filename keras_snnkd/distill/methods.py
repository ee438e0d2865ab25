"""Published methods by name: which objectives, with which weights, from which teacher, and how far each one can be trusted."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from keras_snnkd.distill import objectives as registry
from keras_snnkd.distill.schedules import Weight
from keras_snnkd.errors import unknown_name

STARTS = ("scratch", "ann_twin", "shrunk")
TEACHERS = ("ann", "snn", "any", "self")
TRUST = ("official code", "paper", "reconstruction")


@dataclasses.dataclass(frozen=True)
class Method:
    """A published method as plain data::

        loss = label_weight L_label + sum over i of weight_i L_i

    Args:
        name: In recipes and on the command line.
        objectives: Mappings for `keras_snnkd.objectives.get`; a weight may be a schedule (`keras_snnkd.distill.schedules`).
        label_weight: Factor of the label loss, or a schedule; 0 where an objective takes its place.
        teacher: What teaches in the paper: `"ann"`, `"snn"`, `"any"`, or `"self"`: the student. Others work where their taps fit.
        start: Where the student's weights come from: `"scratch"`, `"ann_twin"`: its ANN twin, trained first, or `"shrunk"`: the
            teacher's, cut to its widths.
        source: Where it was published.
        trust: `"official code"`: the loss was checked against numbers that the authors' code computed; `"paper"`: made from the paper's
            own text; `"reconstruction"`: made from an idea, or from what others say, since equation or constants are not known to us.
        summary: What it does, and which values are our choice.
        equation: The loss in one line.
        chain: Whether it goes through assistants (`--mode multistage`).
        longer: For so many times its T the student runs as its own teacher; 0 for a teacher of another kind, or none.
        compared: Whether `--mode compare --objective all` takes it up.

    Example:
        >>> kd.Distiller(student, teacher, kd.methods.get("bkdsnn").objectives, kd.methods.get("bkdsnn").label_weight)
    """

    name: str
    objectives: tuple[Mapping[str, Any], ...]
    label_weight: Weight = 1.0
    teacher: str = "ann"
    start: str = "scratch"
    source: str = ""
    trust: str = "reconstruction"
    summary: str = ""
    equation: str = ""
    chain: bool = False
    longer: int = 0
    compared: bool = True

    @property
    def needs_teacher(self) -> bool:
        """Whether one of the objectives reads a teacher; one that is the student itself counts."""
        return any(registry.get(objective).uses_teacher for objective in self.objectives)


def names() -> list[str]:
    """The methods that `get` knows."""
    return list(_BY_NAME)


def compared() -> list[str]:
    """Those that `--mode compare --objective all` compares."""
    return [name for name, method in _BY_NAME.items() if method.compared]


def get(name: str) -> Method:
    """The method of a name.

    Raises:
        UnknownNameError: For an unknown one; the nearest is offered.

    Example:
        >>> kd.methods.get("full_range").equation
    """
    if name not in names():
        raise unknown_name("method", name, _BY_NAME)
    return _BY_NAME[name]


def combine(entries: Iterable[str | Mapping[str, Any]], label_weight: Weight | None = None) -> Method:
    """What a list of objectives and methods asks for, as one method: all objectives, and the label weight and start of the methods.

    A name that is both an objective and a method is the objective.

    Args:
        entries: Names or mappings of objectives, or names of methods.
        label_weight: Goes before those of the methods.

    Returns:
        The method; a known one as it is, but for the label weight.

    Raises:
        UnknownNameError: For a name that is neither, or an argument that an objective does not have.
        ValueError: For arguments to a method, and for methods that disagree on label weight, start or teacher.

    Example:
        >>> kd.methods.combine(["hsd", {"objective": "spike_train", "window": 2}]).objectives
    """
    parts = [_method(entry) for entry in entries]
    asked = [part for part in parts if part.source] or parts[:1]  # methods have a source, objectives none
    for field in ("label_weight", "start", "chain", "longer"):
        different = {str(getattr(part, field)) for part in asked}
        if len(different) > 1 and not (field == "label_weight" and label_weight is not None):
            hint = "give --label-weight" if field == "label_weight" else "take one of them"
            raise ValueError(f"the methods {', '.join(part.name for part in asked)} want another {field} each; {hint}")
    first = asked[0] if asked else Method("none", ())
    first = first if len(parts) == 1 else dataclasses.replace(first, name="+".join(part.name for part in parts))
    weight = first.label_weight if label_weight is None else label_weight
    return dataclasses.replace(first, objectives=tuple(o for part in parts for o in part.objectives), label_weight=weight)


_OF_SPIKES = ("spike_train", "membrane")
"""Objectives that only a spiking teacher has something for."""


def _method(entry) -> Method:
    """An objective, or a method's name, as a method."""
    mapping = {"objective": entry} if isinstance(entry, str) else entry
    name = mapping.get("objective")
    if name in registry.names() or name not in _BY_NAME:
        if name not in registry.names():
            raise unknown_name("objective", name, dict.fromkeys([*registry.names(), *names()]))
        registry.get(mapping)
        return Method(name, (entry,), teacher=_BY_NAME[name].teacher if name in _BY_NAME else "snn" if name in _OF_SPIKES else "any")
    if len(mapping) > 1:
        extra = ", ".join(str(key) for key in mapping if key != "objective")
        raise ValueError(f"the method {name} takes no arguments, got {extra}; give its objectives")
    return _BY_NAME[name]


def _o(objective: str, weight: Weight = 1.0, **arguments: Any) -> dict[str, Any]:
    return {"objective": objective, **arguments, "weight": weight}


def _soft(weight: float = 0.9, temperature: float = 4.0, **arguments: Any) -> dict[str, Any]:
    return _o("soft_targets", weight, temperature=temperature, **arguments)


_DISTILLING_SPIKES = {
    "teacher": "snn",
    "source": "Kushawaha et al., ICPR 2020, arXiv:2005.00288",
}
_FULL_RANGE = {
    "label_weight": 0.0,
    "source": "Yu et al., ICML 2025, arXiv:2501.15925",
    "equation": "mean_t CE(z_S[t]) + 0.2 mean_t tau^2 KL(p_T || p_S[t]) + 0.5 mean_t tau^2 KL(p_ens || p_S[t]), tau = 3",
}
_CONFIDENT = {"teacher": "self", "source": "Ding et al., NeurIPS 2025, arXiv:2510.07924", "trust": "paper"}

_METHODS = (
    # logits
    Method(
        "hinton",
        (_soft(),),
        0.1,
        teacher="any",
        source="Hinton et al., 2015, arXiv:1503.02531",
        trust="paper",
        summary="Soft targets on the mean logits. Weights and temperature are our choice.",
        equation="0.1 CE + 0.9 tau^2 KL(p_T || p_S), tau = 4",
    ),
    Method(
        "takd",
        (_soft(0.5, 5.0, reduction="elementwise"),),
        0.5,
        source="Mirzadeh et al., 2020, arXiv:1902.03393",
        trust="official code",
        summary="Soft targets averaged over classes too. Its weights come from a search; these are the authors' for one CIFAR-100 student.",
        equation="0.5 CE + 0.5 tau^2 KL(p_T || p_S) / C, tau = 5",
    ),
    Method(
        "takd_chain",
        (_soft(0.15, 2.0, reduction="elementwise"),),
        0.85,
        source="Mirzadeh et al., 2020, arXiv:1902.03393",
        trust="official code",
        summary="The same through assistants. Weights are the authors' for the last of three CIFAR-100 networks; for all, our choice.",
        equation="teacher -> assistant -> student, each 0.85 CE + 0.15 tau^2 KL(p_T || p_S) / C, tau = 2",
        chain=True,
    ),
    Method(
        "idsnn",
        (_soft(0.3),),
        start="shrunk",
        source="Fan et al., Biomimetics 2023, 8(4):375",
        trust="official code",
        summary="Soft targets, and a student that starts from the teacher's weights, cut to its widths.",
        equation="CE + 0.3 tau^2 KL(p_T || p_S), tau = 4",
    ),
    Method(
        "energy_efficient",
        (_soft(student_temperature=2.0),),
        0.1,
        teacher="any",
        source="Lee et al., 2021, arXiv:2106.07172",
        summary="A temperature of its own for the student. Temperatures, weights and the factor in front are our choice.",
        equation="0.1 CE + 0.9 tau_T tau_S KL(p_T^tau_T || p_S^tau_S), tau_T = 4, tau_S = 2",
    ),
    Method(
        "tser",
        (_o("step_labels", 0.5), _soft(0.5, time="per_step"), _o("step_entropy", 0.05)),
        0.0,
        source="Yu et al., CVPR 2025, arXiv:2503.03144",
        summary="Labels and soft targets at every step, and a reward for entropy. All weights and the temperature are our choice.",
        equation="0.5 mean_t CE(z_S[t]) + 0.5 mean_t tau^2 KL(p_T || p_S[t]) - 0.05 mean_t H(p_S[t]), tau = 4",
    ),
    Method(
        "full_range",
        (_o("step_labels"), _soft(0.2, 3.0, time="per_step"), _o("correct_steps", 0.5, temperature=3.0)),
        trust="official code",
        summary="Labels and soft targets at every step, and the mean of the right steps as one more teacher.",
        **_FULL_RANGE,
    ),
    Method(
        "full_range_all",
        (_o("step_labels"), _soft(0.2, 3.0, time="per_step"), _o("correct_steps", 0.5, temperature=3.0, ensemble="all")),
        trust="paper",
        summary="The same with the mean of all steps, as the paper describes it.",
        **_FULL_RANGE,
    ),
    Method(
        "seal",
        (_o("step_labels"), _o("error_alignment", 0.6, temperature=3.0), _o("step_alignment", 0.15, temperature=3.0)),
        0.0,
        source="Sun et al., 2026, arXiv:2605.14252",
        trust="official code",
        summary="Soft targets that leave out what the student confuses, and steps that learn from sure and similar ones.",
        equation="mean_t CE(z_S[t]) + 0.6 ELA + 0.15 STA, tau = 3",
    ),
    Method(
        "hta_kl",
        (_soft(distance="adaptive_head_tail_kl"),),
        0.1,
        source="Zhang et al., 2025, arXiv:2504.20445; through AKL, Wu et al., arXiv:2404.02657",
        summary="Forward and reverse divergence, weighed by the student's error on likely and unlikely classes. The weighing is AKL's (its "
        "code was checked); the weights and the temperature are our choice.",
        equation="0.1 CE + 0.9 tau^2 (g KL(p_T || p_S) + (1 - g) KL(p_S || p_T)), tau = 4",
    ),
    Method(
        "hsd",
        (_soft(1.0, 10.0, reduction="elementwise", time="per_step"),),
        source="Zhong et al., 2024, arXiv:2409.12507",
        trust="official code",
        summary="Soft targets at every step, averaged over classes too. Without the conversion from an ANN that comes before it there.",
        equation="CE + mean_t tau^2 KL(p_T || p_S[t]) / C, tau = 10",
    ),
    Method(
        "reverse_kl",
        (_soft(distance="reverse_kl"),),
        0.1,
        teacher="any",
        source="the reverse half of Wu et al., arXiv:2404.02657",
        summary="Soft targets by the reverse divergence, led by the teacher's likeliest classes. Weights and temperature are our choice.",
        equation="0.1 CE + 0.9 tau^2 KL(p_S || p_T), tau = 4",
    ),
    Method(
        "mixed_kl",
        (_soft(1.0, distance="mixed_kl"),),
        0.1,
        teacher="any",
        source="MAR / SBDS, arXiv:2601.21503",
        summary="Both divergences. The two factors are those of a language model, the others and the temperature are our choice.",
        equation="0.1 CE + tau^2 (0.2 KL(p_T || p_S) + 0.7 KL(p_S || p_T)), tau = 4",
    ),
    Method(
        "reverse_kd",
        (_soft(),),
        0.1,
        teacher="any",
        source="Xu et al., 2023, arXiv:2304.09500",
        summary="A weaker teacher: give a smaller one with --teacher. Its pruning is left out; the weights are our choice.",
        equation="0.1 CE + 0.9 tau^2 KL(p_T || p_S), tau = 4, with a teacher that is weaker than the student",
        compared=False,
    ),
    # spikes
    Method(
        "distilling_spikes",
        (_soft(), _o("spike_train", window=2)),
        summary="Soft targets and rates in windows of two steps, the default of this package. Everything is our choice.",
        equation="CE + 0.9 tau^2 KL(p_T || p_S) + mean (c_S - c_T)^2, tau = 4",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_counts",
        (_soft(0.5, 5.0, reduction="elementwise", time="sum"),),
        0.5,
        summary="Soft targets on sums over time: spike counts, with the readout spike_count. Form and values of the snn_distill project.",
        equation="0.5 CE + 0.5 tau^2 KL(p_T || p_S) / C, z = sum_t s[t], tau = 5",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_windows",
        (_o("spike_train", window=2),),
        summary="Rates of single neurons in windows of two steps. Window and weight are our choice.",
        equation="CE + mean (c_S - c_T)^2",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_filtered",
        (_o("spike_train", filter_tau=2.0),),
        summary="Filtered spike trains, van Rossum's distance. Time constant and weight are our choice.",
        equation="CE + mean (e_S[t] - e_T[t])^2, e[t] = exp(-1 / 2) e[t-1] + s[t]",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "distilling_spikes_hidden",
        (_o("spike_train", window=1),),
        summary="Hidden spike trains, spike by spike, through a learned projection. The weight is our choice.",
        equation="CE + mean (s_S[t] - s_T[t])^2",
        **_DISTILLING_SPIKES,
    ),
    Method(
        "firing_rate",
        (_o("firing_rate"),),
        teacher="snn",
        source="ours",
        summary="Mean firing rates of channels.",
        equation="CE + mean_d (r_S[d] - r_T[d])^2",
    ),
    Method(
        "md_snn",
        (_soft(), _o("membrane")),
        teacher="snn",
        source="Lee et al., DATE 2026, arXiv:2512.04443",
        summary="Membrane potentials before the reset, and soft targets. Weights and temperature are our choice; quantization is left out.",
        equation="CE + 0.9 tau^2 KL(p_T || p_S) + mean (u_S[t] - u_T[t])^2, tau = 4",
    ),
    # features
    Method(
        "kdsnn",
        (_o("feature_map", 10.0),),
        source="Xu et al., CVPR 2023, arXiv:2304.05627",
        summary="Rate features of the last layer. Layer and weight are our choice; its response part is the method hinton.",
        equation="CE + 10 mean (F_S - F_T)^2",
    ),
    Method(
        "bkdsnn",
        (_o("blurred_feature", 2e-3), _o("weighted_soft_targets", temperature=2.0)),
        source="Xu et al., ECCV 2024, arXiv:2407.09083",
        trust="official code",
        summary="Features restored from blurred ones, and soft targets for what the student gets wrong. Weights of its CIFAR code.",
        equation="CE + 0.002 sum (G(M F_S) - F_T)^2 + w tau^2 SoftCE(p_T, p_S), tau = 2",
    ),
    Method(
        "ckdsnn",
        (_o("saliency_map"), _o("noisy_soft_targets", temperature=2.0, noise=0.1)),
        source="Liu et al., AAAI 2026, arXiv:2511.06902",
        trust="official code",
        summary="Maps of what the class depends on (SAMD), and soft targets against noisy logits (NLD).",
        equation="CE + KL(M_T || M_S) + tau^2 KL(p_T || 0.9 p_S + 0.1 p_noise), tau = 2",
    ),
    Method(
        "sakd",
        (_o("feature_map", 100.0),),
        start="ann_twin",
        source="Qiu et al., Neural Networks 178, 2024",
        trust="official code",
        summary="A student that starts from its ANN twin, and rate features. Its CIFAR weight; the last layer alone is our choice.",
        equation="CE + 100 mean (F_S - F_T)^2",
    ),
    Method(
        "sakd_imagenet",
        (_o("feature_map", {"schedule": "switch", "before": 10.0, "after": 0.01, "at": 11}), _soft(1.0, 1.0)),
        start="ann_twin",
        source="Qiu et al., Neural Networks 178, 2024",
        trust="official code",
        summary="The same for long schedules: features for 11 epochs, then logits. The weight of the logits is our choice.",
        equation="CE + beta mean (F_S - F_T)^2 + KL(p_T || p_S), beta = 10, from epoch 11 on 0.01",
    ),
    Method(
        "lasnn",
        (_o("attention_map"),),
        start="ann_twin",
        source="Hong et al., 2023, arXiv:2304.09101",
        summary="Attention maps, after a start from the ANN twin. Distance, layers and weight are our choice.",
        equation="CE + |A_S / |A_S| - A_T / |A_T||^2, A = sum_d (mean_t F)^2",
    ),
    Method(
        "enof",
        (_o("teacher_head", temperature=4.0),),
        source="Guo et al., NeurIPS 2024",
        summary="The student's features through the teacher's frozen classifier (LAF). Weight and temperature are our choice; RepAct is "
        "left out.",
        equation="CE + tau^2 KL(p_T || softmax(W_T F_S / tau)), tau = 4",
    ),
    Method(
        "supersnn",
        (_o("sample_relations"),),
        source="Liang et al., IJCNN 2024",
        summary="Relations between the samples of a batch. Distance and weight are our choice.",
        equation="CE + mean (R_S - R_T)^2, R the relations of pairs of samples",
    ),
    Method(
        "joint_asnn",
        (_soft(0.1, 3.0, time="sum", distance="soft_cross_entropy"), _o("active_features", 1e-6)),
        0.9,
        source="Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099",
        summary="Soft targets on sums over time, and features where one of the two is active, with the weights of its code. There teacher "
        "and student share weights and train together, with exits; here the teacher is trained before.",
        equation="0.9 CE + 0.1 tau^2 SoftCE(p_T, p_S) + 1e-6 sum (F_S - F_T)^2 [F_S > 0 or F_T > 0], tau = 3",
    ),
    # self-distillation
    Method(
        "tks",
        (_o("temporal_knowledge_sharing", {"schedule": "ramp", "start": 0.0, "end": 0.7}, temperature=3.0),),
        {"schedule": "ramp", "start": 1.0, "end": 0.3},
        teacher="self",
        source="Dong et al., IEEE TAI 2024, arXiv:2304.06540",
        trust="official code",
        summary="Steps learn from the sum of the right ones, more and more.",
        equation="a CE + (1 - a) mean_t tau^2 SoftCE(q, p_S[t]), a = 1 - 0.7 epoch / epochs, tau = 3",
    ),
    Method(
        "s2w",
        (_o("confident_steps", direction="strong_to_weak", temperature=2.0),),
        summary="The surest step teaches the least sure one. Gradient to both and the factor tau^2 are our choice.",
        equation="CE + tau^2 KL(p[strong] || p[weak]), tau = 2",
        **_CONFIDENT,
    ),
    Method(
        "w2s",
        (_o("confident_steps", direction="weak_to_strong", temperature=2.0),),
        summary="The least sure step teaches the surest one. Gradient to both and the factor tau^2 are our choice.",
        equation="CE + tau^2 KL(p[weak] || p[strong]), tau = 2",
        **_CONFIDENT,
    ),
    Method(
        "s2w_cascade",
        (_o("confident_steps", direction="strong_to_weak", cascade=True, temperature=2.0),),
        summary="Each step teaches the next less sure one. Gradient to both and the factor tau^2 are our choice.",
        equation="CE + mean over neighbours in confidence of tau^2 KL(p[surer] || p[less sure]), tau = 2",
        **_CONFIDENT,
    ),
    Method(
        "tssd",
        (_soft(0.5), _o("exits", 0.5, target="final", temperature=4.0, label_weight=0.0, distillation_weight=1.0)),
        teacher="self",
        source="Zuo et al., 2024, arXiv:2406.07862",
        summary="The student run for twice its T is its teacher, and its output that of a weak classifier on its last neurons. Distances, "
        "weights, temperature, T and the place of the classifier are our choice.",
        equation="CE + 0.5 tau^2 KL(p[2T] || p[T]) + 0.5 tau^2 KL(p[T] || p_weak), tau = 4",
        longer=2,
    ),
    Method(
        "enhanced_sd",
        (_o("exits"),),
        teacher="self",
        source="Zhao et al., NeurIPS 2025, arXiv:2510.06254",
        trust="official code",
        summary="An exit and the output learn from the mean of those that are right. One exit, on the last neurons, is our choice; trained "
        "by surrogate gradients and not through rates; the division by T, which AdamW does not see, is left out.",
        equation="sum_i CE(p_i) + 0.3 sum_i tau^2 KL(p_right || p_i), tau = 3",
    ),
)

_BY_NAME = {method.name: method for method in _METHODS}
