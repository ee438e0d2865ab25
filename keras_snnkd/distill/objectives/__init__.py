"""The equations of distillation, one class each, by name.

Which of them make up a published method, and how much they weigh there, is in `keras_snnkd.distill.methods`.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from keras_snnkd.distill import schedules
from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.objectives.blurred import BlurredFeature
from keras_snnkd.distill.objectives.budget import SpikeBudget
from keras_snnkd.distill.objectives.coached import Coached
from keras_snnkd.distill.objectives.exits import Exits
from keras_snnkd.distill.objectives.features import ActiveFeatures, AttentionMap, FeatureMap
from keras_snnkd.distill.objectives.growing import MaskedTeacher, RunningMeans
from keras_snnkd.distill.objectives.heads import TeacherHead
from keras_snnkd.distill.objectives.keras_loss import KerasLoss
from keras_snnkd.distill.objectives.logits import NoisySoftTargets, SoftTargets, WeightedSoftTargets
from keras_snnkd.distill.objectives.membranes import Membrane
from keras_snnkd.distill.objectives.rates import FiringRate
from keras_snnkd.distill.objectives.refined import DecoupledTargets, SquaredLogits, StandardizedTargets
from keras_snnkd.distill.objectives.relations import SampleRelations
from keras_snnkd.distill.objectives.saliency import SaliencyMap
from keras_snnkd.distill.objectives.self_distillation import ConfidentSteps, CorrectSteps, StepAlignment, TemporalKnowledgeSharing
from keras_snnkd.distill.objectives.spikes import SpikeTrain
from keras_snnkd.distill.objectives.steps import ErrorAlignment, StepEntropy, StepLabels, SummedLabels
from keras_snnkd.distill.objectives.tokens import AttentionScores, EmbeddingTable, HiddenStates
from keras_snnkd.distill.objectives.views import TurnedTargets
from keras_snnkd.errors import unknown_name, wrong_kind

__all__ = [
    "ActiveFeatures",
    "AttentionMap",
    "AttentionScores",
    "BlurredFeature",
    "Coached",
    "ConfidentSteps",
    "CorrectSteps",
    "DecoupledTargets",
    "EmbeddingTable",
    "ErrorAlignment",
    "Exits",
    "FeatureMap",
    "FiringRate",
    "HiddenStates",
    "KerasLoss",
    "MaskedTeacher",
    "Membrane",
    "NoisySoftTargets",
    "Objective",
    "RunningMeans",
    "SaliencyMap",
    "SampleRelations",
    "SoftTargets",
    "SpikeBudget",
    "SpikeTrain",
    "SquaredLogits",
    "StandardizedTargets",
    "StepAlignment",
    "StepEntropy",
    "StepLabels",
    "SummedLabels",
    "TeacherHead",
    "TemporalKnowledgeSharing",
    "TurnedTargets",
    "WeightedSoftTargets",
    "get",
    "names",
]

_BY_NAME = {
    # logits
    "soft_targets": SoftTargets,
    "weighted_soft_targets": WeightedSoftTargets,
    "noisy_soft_targets": NoisySoftTargets,
    "standardized_targets": StandardizedTargets,
    "decoupled_targets": DecoupledTargets,
    "squared_logits": SquaredLogits,
    "masked_teacher": MaskedTeacher,
    "turned_targets": TurnedTargets,
    "error_alignment": ErrorAlignment,
    "step_labels": StepLabels,
    "summed_labels": SummedLabels,
    "step_entropy": StepEntropy,
    "coached": Coached,
    # spikes
    "spike_train": SpikeTrain,
    "firing_rate": FiringRate,
    "membrane": Membrane,
    "spike_budget": SpikeBudget,
    # features
    "feature_map": FeatureMap,
    "active_features": ActiveFeatures,
    "attention_map": AttentionMap,
    "blurred_feature": BlurredFeature,
    "saliency_map": SaliencyMap,
    "teacher_head": TeacherHead,
    "sample_relations": SampleRelations,
    # networks for text
    "hidden_states": HiddenStates,
    "attention_scores": AttentionScores,
    "embedding_table": EmbeddingTable,
    # the student teaches itself
    "correct_steps": CorrectSteps,
    "temporal_knowledge_sharing": TemporalKnowledgeSharing,
    "step_alignment": StepAlignment,
    "confident_steps": ConfidentSteps,
    "running_means": RunningMeans,
    "exits": Exits,
}


LISTED = "python train.py --list objectives"
"""What shows them all."""


def names() -> list[str]:
    """The names `get` knows."""
    return list(_BY_NAME)


def named(name: str) -> type[Objective]:
    """The class of a name that `names` has."""
    return _BY_NAME[name]


def get(identifier: "str | Mapping[str, Any] | Objective") -> Objective:
    """The objective for a name, a mapping, or an instance (returned as it is).

    Args:
        identifier: `"soft_targets"`, or `{"objective": "soft_targets", "temperature": 2.0, "weight": 0.9}`, or an instance, also of one
            of Keras' distillation losses. In a mapping the weight may be a schedule, such as
            `{"schedule": "ramp", "start": 0.0, "end": 1.0}` (see `keras_snnkd.distill.schedules`): the objective starts with its first
            value, and a `Stage` moves it from epoch to epoch; elsewhere, give `objective.weight_schedule` to a `WeightSchedule`.

    Raises:
        UnknownNameError: For an unknown objective or argument; the nearest is offered.
        KindError: If it is something else.

    Example:
        >>> kd.objectives.get({"objective": "spike_train", "window": 2})
    """
    if isinstance(identifier, Objective):
        return identifier
    if isinstance(identifier, keras.distillation.DistillationLoss):
        return KerasLoss(identifier)
    if isinstance(identifier, str):
        identifier = {"objective": identifier}
    if not isinstance(identifier, Mapping):
        made = f"; of the class write {identifier.__name__}()" if isinstance(identifier, type) else ""
        raise wrong_kind("an objective", identifier, f"a name, a mapping with the key 'objective', or an Objective{made}")
    arguments = dict(identifier)
    name = arguments.pop("objective", None)
    if not isinstance(name, str) or name not in _BY_NAME:
        raise unknown_name("objective", name, _BY_NAME, LISTED)
    objective = _BY_NAME[name]
    known = _arguments(objective)
    for argument in arguments:
        if argument not in known:
            raise unknown_name(f"argument of the objective {name}", argument, known)
    weight = arguments.get("weight")
    if not isinstance(weight, Mapping):
        return _made(objective, arguments)
    made = _made(objective, {**arguments, "weight": schedules.first(weight)})
    made.weight_schedule = dict(weight)
    return made


def arguments(name: str) -> list[str]:
    """What an objective can be given, by name.

    Example:
        >>> kd.objectives.arguments("soft_targets")  # ["temperature", "reduction", ...]
    """
    return _arguments(_BY_NAME[name])


def _arguments(objective: type[Objective]) -> list[str]:
    known = [*inspect.signature(objective).parameters, *inspect.signature(Objective).parameters]
    return [argument for argument in dict.fromkeys(known) if argument != "kwargs"]


def _made(objective: type[Objective], arguments: dict[str, Any]) -> Objective:
    """The objective, or a `ValueError` for an argument of a type that it cannot use, such as a list in place of a name."""
    try:
        return objective(**arguments)
    except TypeError as error:
        raise ValueError(f"cannot make the objective {objective.__name__} of {arguments!r:.200}: {error}") from error
