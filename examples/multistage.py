"""Teacher, assistant, student: a chain that can be interrupted at any time.

python examples/multistage.py            # about a minute
python examples/multistage.py --quick    # seconds, and no good accuracy
"""

# %% Three stages; each model is made by a function, and taught by an earlier stage.
import functools
import pathlib
import sys
import tempfile

import keras_snnkd as kd

QUICK = "--quick" in sys.argv
data = kd.data.load("digits", batch_size=32, limit=320 if QUICK else None)
make = functools.partial(kd.models.build, image_shape=data.image_shape, num_classes=data.num_classes, timesteps=2 if QUICK else 4)
shapes = ("mlp:24", "mlp:16", "mlp:8") if QUICK else ("digits_teacher", "digits_assistant", "digits_student")
taught = functools.partial(kd.Stage, objectives=["soft_targets"], epochs=1 if QUICK else 15, learning_rate=5e-3)

stages = [
    kd.Stage("teacher", functools.partial(make, shapes[0]), epochs=2 if QUICK else 8, learning_rate=5e-3),
    taught("assistant", functools.partial(make, shapes[1]), teacher="teacher"),
    taught("student", functools.partial(make, shapes[2]), teacher="assistant"),
]

# %% Run it. Killed and started again with resume=True it goes on after the last full epoch.
folder = pathlib.Path(tempfile.mkdtemp()) / "chain"
chain = kd.Chain(stages, folder)
results = chain.run(data)

# %% Each stage is a folder with its model, its history and what it was trained with.
for name, result in results.items():
    accuracy = result.record["validation_accuracy"]
    print(f"{name:<10} {result.model.count_params():>7,} parameters, {accuracy:.1%} of the validation images, {folder / name}")

# %% A second run finds all of it done.
again = kd.Chain(stages, folder).run(data, resume=True)
print("trained again:", [name for name, result in again.items() if result.seconds])
if QUICK:
    print("--quick trains on few images for a moment, too short for a good accuracy; leave it out for one")
