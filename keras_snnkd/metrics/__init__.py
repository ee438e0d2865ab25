"""What a network does beside being right or wrong: how much it fires, how soon it answers, how many operations it takes, what they cost."""

from keras_snnkd.metrics.accuracy import accuracy, agreement, predictions
from keras_snnkd.metrics.adversarial import Attack, AttackAccuracy, attack_accuracy, attacked
from keras_snnkd.metrics.anytime import Anytime, anytime
from keras_snnkd.metrics.energy import Energy, energy
from keras_snnkd.metrics.firing import Activity, ActivityMeter, activity, raster
from keras_snnkd.metrics.footprint import compressed_size, footprint
from keras_snnkd.metrics.numbers import number_errors
from keras_snnkd.metrics.operations import Operations, synaptic_operations, twin_operations
from keras_snnkd.metrics.sparsity import activation_sparsity, connection_sparsity

__all__ = [
    "Activity",
    "ActivityMeter",
    "Anytime",
    "Attack",
    "AttackAccuracy",
    "Energy",
    "Operations",
    "accuracy",
    "activation_sparsity",
    "activity",
    "agreement",
    "anytime",
    "attack_accuracy",
    "attacked",
    "compressed_size",
    "connection_sparsity",
    "energy",
    "footprint",
    "number_errors",
    "predictions",
    "raster",
    "synaptic_operations",
    "twin_operations",
]
