"""The same distillation on JAX: one variable in the environment, no line of code.

KERAS_BACKEND=jax python examples/jax_training.py            # about a minute on a CPU
KERAS_BACKEND=jax python examples/jax_training.py --quick    # seconds
"""

# %% Keras reads the backend before it is imported.
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

import keras_snnkd as kd

QUICK = "--quick" in sys.argv
print("backend:", keras.backend.backend())

# %% Arrays go straight in; TensorFlow is not even imported.
from sklearn.datasets import load_digits

digits = load_digits()
images, labels = (digits.images[..., None] / 16).astype("float32"), digits.target
if QUICK:
    images, labels = images[:256], labels[:256]

teacher = kd.models.load("digits_spiking_teacher")  # comes with the package
shape = {"widths": (4, "pool"), "timesteps": 2} if QUICK else {"widths": (8, "pool", 16), "timesteps": 4}
student = kd.models.ConvNet((8, 8, 1), 10, **shape, name="student")

# %% Distil. The whole step, teacher and student, is one compiled program.
distiller = kd.Distiller(student, teacher, ["soft_targets"])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
distiller.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
history = distiller.fit(images, labels, validation_split=0.2, epochs=1 if QUICK else 15, batch_size=32, verbose=0).history
if QUICK:
    print("--quick trains on few images for a moment, too short for a good accuracy; leave it out for one")
print(f"validation accuracy {history['val_accuracy'][-1]:.1%}; TensorFlow imported: {'tensorflow' in sys.modules}")

# %% The file is read on either backend, and spikes alike. Files for devices are written on TensorFlow.
path = pathlib.Path(tempfile.mkdtemp()) / "student.keras"
student.save(path)
print(f"python train.py --mode export --dataset digits --model {path.name}")
