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

teacher = kd.models.MLP((8, 8, 1), 10, widths=(32,) if QUICK else (256, 128), timesteps=2 if QUICK else 4, name="teacher")
student = kd.models.MLP((8, 8, 1), 10, widths=(8,) if QUICK else (32,), timesteps=2 if QUICK else 4, name="student")
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
options = {"batch_size": 32, "verbose": 0}
teacher.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
teacher.fit(images, labels, epochs=4 if QUICK else 10, **options)

# %% Distil. The whole step, teacher and student, is one compiled program.
distiller = kd.Distiller(student, teacher, ["soft_targets"])
distiller.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
history = distiller.fit(images, labels, validation_split=0.2, epochs=1 if QUICK else 15, **options).history
print(f"validation accuracy {history['val_accuracy'][-1]:.1%}; TensorFlow imported: {'tensorflow' in sys.modules}")

# %% The file is read on either backend, and spikes alike. Files for devices are written on TensorFlow.
path = pathlib.Path(tempfile.mkdtemp()) / "student.keras"
student.save(path)
print(f"python train.py --mode export --dataset digits --model {path.name}")
