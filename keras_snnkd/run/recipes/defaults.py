"""Defaults of a recipe that depend on the data: models, epochs, learning rates and augmentation."""

from typing import Any

SGD_RATE = 0.1
"""The learning rate of SGD by default."""

SOFT_TARGETS = {"objective": "soft_targets", "temperature": 4.0, "weight": 0.9}

TEMPERATURES = {"cifar10": 8.0}
"""Of the soft targets of an ANN that ships, by data set, where that is too sure of the images it was trained on (97.5 % of them right)."""

OWN_DATA: dict[str, Any] = {
    "teacher": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128], "head": "flatten"},
    "assistants": [{"builder": "ConvNet", "widths": [24, "pool", 48, "pool"], "head": "flatten"}],
    "student": {"builder": "ConvNet", "widths": [16, "pool", 32, "pool", 32], "head": "flatten"},
    "epochs": 30,  # one's own images are few as a rule, and an epoch is short
    "teacher_epochs": 20,
    "learning_rate": 5e-3,  # of few steps
    "augment": "crop",
}
"""Of images of one's own."""

OWN_INPUTS: dict[str, Any] = {"assistants": [], "epochs": 30}
"""Of samples of several inputs, whose networks come from files."""

OWN_SERIES: dict[str, Any] = {
    "teacher": {"builder": "SequenceNet", "widths": [64, 64, 64], "kernel": 5, "dilation": 2, "neuron": "relu"},
    "assistants": [{"builder": "SequenceNet", "widths": [96, 96], "neuron": "adlif", "coupling": "symplectic"}],
    "student": {"builder": "SequenceNet", "widths": [64, 64], "neuron": "adlif", "coupling": "symplectic"},
}
"""Of series of one's own."""

SERIES: dict[str, Any] = {
    "teacher_neuron": "relu",
    "objectives": [  # the teacher is an ANN; outputs leave out the padding
        {"objective": "soft_targets", "temperature": 4.0, "weight": 0.9, "teacher_tap": "output", "student_tap": "output"}
    ],
    "learning_rate": 2e-2,
    "teacher_learning_rate": 2e-3,
}
"""Of all series."""

OWN_TEXT: dict[str, Any] = {
    "teacher": {"builder": "SpikingTransformer", "width": 64, "depth": 2, "dropout": 0.2, "neuron": "relu"},
    "assistants": [{"builder": "SpikingTransformer", "width": 48, "depth": 2, "dropout": 0.2}],
    "student": {"builder": "SpikingTransformer", "width": 32, "depth": 1, "dropout": 0.2},
    "teacher_neuron": "relu",
    "objectives": ["spikebert"],
    "epochs": 6,
    "teacher_epochs": 6,
    "learning_rate": 2e-3,
    "teacher_learning_rate": 2e-3,
    "cache": 0,  # tables of embeddings are no answers to single sentences
}
"""Of sentences of one's own."""

TEXT_METHODS = ["hinton", "spikebert", "spikingbert"]
"""All methods that networks for text are compared by."""

OWN_MAPS: dict[str, Any] = {
    "teacher": {"builder": "EncoderDecoder", "widths": [16, 32, 64]},
    "assistants": [{"builder": "EncoderDecoder", "widths": [12, 24, 48]}],
    "student": {"builder": "EncoderDecoder", "widths": [8, 16, 32]},
    "epochs": 30,
    "teacher_epochs": 20,
}
"""Of images whose labels are maps."""

NUMBERS: dict[str, Any] = {
    "teacher_neuron": "relu",
    "objectives": [{"objective": "feature_map", "teacher_tap": "readout", "student_tap": "readout", "weight": 0.5}],
    "augment": "none",  # of images a changed place may change the number
}
"""Of all regressions: students learn the teacher's numbers, both in deviations of the labels."""

OF_OPTIMIZER = ("optimizer", "schedule", "learning_rate", "teacher_learning_rate", "weight_decay")
"""Defaults that belong together: who asks for another optimizer than that of the data set gets none of them."""

PATIENT: dict[str, Any] = {
    "epochs": 2,
    "optimizer": "sgd",
    "schedule": "one_cycle",
    "learning_rate": SGD_RATE,
    "teacher_learning_rate": SGD_RATE,
    "weight_decay": 2e-3,
    "augment": "flip",
    "cache": 2,  # an image and its mirror image
}
"""Of students that learn as their ANN twin first, for `twin_epochs`, and as spiking networks at the end."""

TAUGHT_BY_SPIKES = ("digits",)
"""Data sets whose shipped spiking teacher teaches where nothing is said on loss and teacher; elsewhere the ANN does, which is better."""

BY_DATA_SET: dict[str, dict[str, Any]] = {
    "digits": {"batch_size": 32, "epochs": 30, "teacher_epochs": 10, "learning_rate": 5e-3, "teacher_learning_rate": 2e-3},
    "mnist": {"epochs": 8, "teacher_epochs": 4, "augment": "shift"},
    "fashion_mnist": {
        **PATIENT,
        "student": "fashion_mnist_student_65k",
        "assistants": ["fashion_mnist_assistant_189k"],
        "twin_epochs": 14,
        "teacher_epochs": 5,
    },
    "japanese_vowels": {
        "batch_size": 32,
        "epochs": 40,
        "teacher_epochs": 30,
        "learning_rate": 1e-2,
        "teacher_learning_rate": 5e-3,
        "objectives": [{"objective": "soft_targets", "temperature": 1.0, "weight": 2.0, "teacher_tap": "output", "student_tap": "output"}],
    },
    "cifar10": {
        **PATIENT,
        "student": "cifar10_student_69k",
        "assistants": ["cifar10_assistant_114k"],
        "twin_epochs": 16,
        "teacher_epochs": 4,
        "ann_epochs": 10,
        "teacher_start": "ann",
    },
}
"""Of the data sets that are known by name."""
