"""Frames of events: a teacher sees six of them, the student two.

python examples/event_frames.py            # a minute
python examples/event_frames.py --quick    # seconds, and no good accuracy
"""

# %% No camera at hand: the digits move along a triangle, and events are simulated where their brightness changes.
import sys

import keras
import numpy as np

import keras_snnkd as kd
from keras_snnkd.data.events import Frames, frames_of

QUICK = "--quick" in sys.argv
data = kd.data.simulate_events(kd.data.load("digits", batch_size=32, limit=160 if QUICK else None), frames=6)
print(data.name, data.image_shape, f"{data.train_arrays[0].sum(axis=(1, 2, 3, 4)).mean():.0f} simulated events a digit")

# %% A camera gives a list of events (time, x, y, polarity). Frames of equal length show how much happens, those of equal number how fast.
burst = np.array([(0, 3, 1, 1), (10, 3, 2, 1), (20, 4, 2, 0), (30, 4, 3, 0), (900, 5, 5, 1), (1000, 6, 5, 0)])
for by in ("time", "count"):
    print(f"events in frames cut by {by}:", frames_of(burst, (8, 8), Frames(3, by)).sum(axis=(1, 2, 3)).tolist())

# %% The teacher is an ANN on all six frames. The student spikes on two, each the mean of three, of the same batches.
shape, classes = data.image_shape, data.num_classes
widths = {"teacher": (8, "pool"), "student": (4, "pool")} if QUICK else {"teacher": (32, "pool", 64), "student": (8, "pool", 16)}
teacher = kd.models.ConvNet(shape, classes, widths=widths["teacher"], timesteps=6, neuron="relu", name="teacher")
student = kd.models.ConvNet(shape, classes, widths=widths["student"], timesteps=2, name="student")
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"], jit_compile=False)
teacher.fit(data.train, epochs=1 if QUICK else 10, verbose=0, shuffle=False)
soft = kd.objectives.SoftTargets(teacher_tap="output", student_tap="output")  # means over time: the numbers of steps differ
distiller = kd.Distiller(student, teacher, [soft])
distiller.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
distiller.fit(data.train, epochs=1 if QUICK else 20, verbose=0, shuffle=False)

# %% The same weights run on more frames, too.
for frames in (2, 3, 6):
    model = kd.models.with_timesteps(student, frames)
    model.compile(loss=loss, metrics=["accuracy"], jit_compile=False)
    right = model.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]
    print(f"student on {frames} frames: {right:.1%} of {len(data.test_arrays[1])} tests on {data.name}")
print(f"teacher on 6 frames: {teacher.evaluate(data.test, verbose=0, return_dict=True)['accuracy']:.1%}")
if QUICK:
    print("--quick trains on few images for a moment, too short for a good accuracy; leave it out for one")
