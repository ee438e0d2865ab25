"""Trains a student for twenty steps with each of some seeds and prints what came out: `python -m tests.integration.twenty_steps 0 1`."""

import hashlib
import json
import sys
import tempfile

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.training.determinism import make_deterministic


def train(seed, folder):
    """The SHA-256 of all weights, and the losses, after twenty steps: convolutions, batch norm, random encoder, augmentation, teacher."""
    make_deterministic(seed)
    teacher = {"builder": "MLP", "widths": [16], "neuron": "relu"}
    student = {"builder": "ConvNet", "widths": [8, "pool", 8], "encoder": "poisson"}
    recipe = kd.Recipe(
        teacher=teacher, student=student, limit=200, batch_size=9, augment="shift", timesteps=2, seed=seed, deterministic=True
    )
    recipe = kd.Recipe.from_dict(
        {**recipe.to_dict(), "epochs": 1, "teacher_epochs": 1, "objectives": ["soft_targets", "noisy_soft_targets"]}
    )
    experiment = Experiment(recipe, folder)
    assert experiment.data.steps_per_epoch == 20
    results = Chain([stage for stage in experiment.stages() if stage.name != "student_alone"], folder).run(experiment.data)
    digest = hashlib.sha256(b"".join(weight.tobytes() for result in results.values() for weight in result.model.get_weights()))
    return {"weights": digest.hexdigest(), "histories": [result.history for result in results.values()]}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        print(json.dumps([train(seed, f"{work}/{seed}") for seed in map(int, sys.argv[1:])]))
