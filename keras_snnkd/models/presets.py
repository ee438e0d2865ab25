"""Named shapes of teachers, assistants and students for each data set.

A preset is plain data: the name of a builder and its arguments, without image shape, classes and T, which the data set and the run
decide. What each one reached is in `docs/results/`.
"""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # digits: 8x8x1, 1,797 images
    "digits_teacher": {"builder": "ConvNet", "widths": [32, 64, "pool", 64], "head": "flatten"},
    "digits_assistant": {"builder": "ConvNet", "widths": [16, "pool", 32], "head": "flatten"},
    "digits_student": {"builder": "ConvNet", "widths": [8, "pool", 16], "head": "flatten"},
    # MNIST and Fashion-MNIST: 28x28x1
    "mnist_teacher": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128], "head": "flatten"},
    "mnist_assistant": {"builder": "ConvNet", "widths": [16, "pool", 32, "pool"], "head": "flatten"},
    "mnist_student": {"builder": "ConvNet", "widths": [8, "pool", 16, "pool"], "head": "flatten"},
    "fashion_mnist_teacher": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128], "head": "flatten"},
    "fashion_mnist_assistant": {"builder": "ConvNet", "widths": [24, "pool", 48, "pool"], "head": "flatten"},
    "fashion_mnist_student": {"builder": "ConvNet", "widths": [16, "pool", 32, "pool"], "head": "flatten"},
    # a tenth of the shipped teacher, large enough to fit its labels
    "fashion_mnist_student_65k": {"builder": "ConvNet", "widths": [24, "pool", 56, "pool", 88, "pool"], "head": "flatten"},
    "fashion_mnist_assistant_189k": {"builder": "ConvNet", "widths": [40, "pool", 96, "pool", 160, "pool"], "head": "flatten"},
    # CIFAR-10: 32x32x3
    "cifar10_teacher": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128, 128, "pool"], "head": "flatten"},
    "cifar10_assistant": {"builder": "ConvNet", "widths": [24, "pool", 48, "pool", 96, "pool"], "head": "flatten"},
    "cifar10_student": {"builder": "ConvNet", "widths": [16, "pool", 32, "pool", 64, "pool"], "head": "flatten"},
    "cifar10_student_69k": {"builder": "ConvNet", "widths": [24, "pool", 48, "pool", 96, "pool"], "head": "flatten"},
    "cifar10_assistant_114k": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128, "pool"], "head": "flatten"},
    # Japanese vowels: series of up to 29 steps, 12 channels
    "japanese_vowels_teacher": {"builder": "SequenceNet", "widths": [64, 64], "kernel": 3, "dilation": 2, "neuron": "relu"},
    "japanese_vowels_assistant": {"builder": "SequenceNet", "widths": [96], "neuron": "adlif", "coupling": "symplectic"},
    "japanese_vowels_student": {
        "builder": "SequenceNet",
        "widths": [48],
        "neuron": "adlif",
        "coupling": "symplectic",
        "norm_scale": 2.5,
    },
    # a wrist's motion: windows of 100 steps, 6 channels
    "smartwatch_exercises_teacher": {"builder": "SequenceNet", "widths": [64, 64, 64], "kernel": 5, "dilation": 2, "neuron": "relu"},
    "smartwatch_exercises_assistant": {"builder": "SequenceNet", "widths": [96, 96], "neuron": "adlif", "coupling": "symplectic"},
    "smartwatch_exercises_student": {
        "builder": "SequenceNet",
        "widths": [64, 64],
        "neuron": "adlif",
        "coupling": "symplectic",
        "norm_scale": 5.0,
        "dropout": 0.2,
    },
    # Speech Commands: log-mel spectra of a second, 98 steps, 40 channels, 12 classes
    "speech_commands_teacher": {"builder": "SequenceNet", "widths": [128, 128, 128], "kernel": 5, "dilation": 2, "neuron": "relu"},
    "speech_commands_assistant": {"builder": "SequenceNet", "widths": [192, 192], "neuron": "adlif", "coupling": "symplectic"},
    "speech_commands_student": {"builder": "SequenceNet", "widths": [128, 128], "neuron": "adlif", "coupling": "symplectic"},
    # N-MNIST, in a folder of that name: frames of events, 34x34x2
    "nmnist_teacher": {"builder": "ConvNet", "widths": [32, "pool", 64, "pool", 128], "head": "flatten"},
    "nmnist_assistant": {"builder": "ConvNet", "widths": [16, "pool", 32, "pool"], "head": "flatten"},
    "nmnist_student": {"builder": "ConvNet", "widths": [8, "pool", 16, "pool"], "head": "flatten"},
    # the shapes of the literature, for machines with an accelerator
    "resnet18": {"builder": "ResNet", "widths": [64, 128, 256, 512], "blocks": [2, 2, 2, 2]},
    "resnet19": {"builder": "ResNet", "widths": [128, 256, 512], "blocks": [3, 3, 2], "normalization": "threshold"},
    "vgg9": {"builder": "ConvNet", "widths": [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool"], "head": "flatten"},
}
