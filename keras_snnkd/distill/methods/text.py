"""Presets for networks that read text, in stages: sentences without labels first, then the task; equations in `objectives/tokens.py`."""

from typing import Any

from keras_snnkd.distill.methods.method import Method, objective, soft_targets

_SPIKEBERT: dict[str, Any] = {
    "source": "Lv et al., 2023, arXiv:2308.15122",
    "trust": "official code",
    "compared": False,
    "reads": "text",
}
_SPIKINGBERT: dict[str, Any] = {
    "source": "Bal and Sengupta, AAAI 2024, arXiv:2308.10873",
    "trust": "official code",
    "compared": False,
    "reads": "text",
}
_SPIKEBERT_FIRST = (objective("hidden_states", divide_by_batch=True),)
_SPIKINGBERT_FIRST = (objective("attention_scores"), objective("hidden_states", match="last", embedding=True))

METHODS = (
    Method(
        "spikebert_hidden",
        _SPIKEBERT_FIRST,
        0.0,
        summary="The first of two stages: hidden states on sentences, without labels. The loss is that of the code; the student here is "
        "our spiking transformer, and the teacher one that was trained here, not BERT.",
        equation="sum_i mean (W_i H_S[i] - H_T[1 + i k])^2 / B",
        **_SPIKEBERT,
    ),
    Method(
        "spikebert",
        (objective("embedding_table", 0.1), soft_targets(1.0, 1.0), objective("hidden_states", 0.1, divide_by_batch=True)),
        0.1,
        start="imitation",
        first=_SPIKEBERT_FIRST,
        summary="The second stage, on the task: embeddings, hidden states, logits and labels, with the weights of its script.",
        equation="0.1 CE + 0.1 mean (E_S - E_T)^2 + KL(p_T || p_S) + 0.1 sum_i mean (W_i H_S[i] - H_T[1 + i k])^2 / B, tau = 1",
        **_SPIKEBERT,
    ),
    Method(
        "spikingbert_hidden",
        _SPIKINGBERT_FIRST,
        0.0,
        summary="The first of two stages: attention scores and hidden states. The loss is that of the code; its training at the "
        "equilibrium of mean rates is left out, gradients go through time here.",
        equation="sum_i mean (A_S[i] - A_T[i k + k - 1])^2 + sum_i mean (W_i H_S[i] - H_T[i k])^2",
        **_SPIKINGBERT,
    ),
    Method(
        "spikingbert",
        (soft_targets(1.0, 1.0, distance="soft_cross_entropy", reduction="elementwise"),),
        0.0,
        start="imitation",
        first=_SPIKINGBERT_FIRST,
        summary="The second stage, on the task: soft targets alone, averaged over classes too.",
        equation="SoftCE(p_T, p_S) / C, tau = 1",
        **_SPIKINGBERT,
    ),
)
