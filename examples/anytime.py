"""Answers before the last time step: a streaming file stops when it is sure.

python examples/anytime.py            # seconds
python examples/anytime.py --quick    # a few images
"""

# %% The streaming file of the shipped student: one call is one time step. NumPy and LiteRT are all it needs.
import pathlib
import sys

import numpy as np

import keras_snnkd as kd

QUICK = "--quick" in sys.argv
ROOT = pathlib.Path(__file__).parents[1] if "__file__" in globals() else pathlib.Path("../..").resolve()
runner = kd.edge.Runner(ROOT / "saved_models/digits_student/model_streaming_dynamic.tflite")
images, labels = kd.data.load("digits").sample(40 if QUICK else 359)

# %% Step by step on one image: the membrane potentials are the memory.
runner.reset()
steps = [runner.step(images[0]) for _ in range(4)]
print(f"a {labels[0]}; the largest of the mean logits after each step:", [int(np.mean(steps[:t], axis=0).argmax()) for t in (1, 2, 3, 4)])

# %% Sooner or surer: the confidence at which it stops decides.
for confidence in (0.5, 0.7, 0.856, 0.95, 1.0):
    answers = [runner.run(image, until_confidence=confidence) for image in images]
    right = np.mean([answer.prediction == label for answer, label in zip(answers, labels, strict=True)])
    print(f"sure at {confidence:.1%}: {np.mean([answer.steps for answer in answers]):.2f} of 4 steps, {right:.1%} right")

# %% 0.856 is the card's: the smallest at which stopping early costs at most half a point on validation images.
