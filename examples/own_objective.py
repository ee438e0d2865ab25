"""An objective of your own, in ten lines.

python examples/own_objective.py            # half a minute
python examples/own_objective.py --quick    # seconds, and no good accuracy
"""

# %% It compares a tap of the teacher with one of the student, and gives one number a sample.
import sys

import keras
import numpy as np
from keras import ops

import keras_snnkd as kd

QUICK = "--quick" in sys.argv


@keras.saving.register_keras_serializable(package="mine")
class Angle(kd.Objective):
    """1 - cos(z_S, z_T), with z the mean logits over time, less their own mean."""

    default_tap = "logits"

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        teacher, student = (
            ops.normalize(z - ops.mean(z, axis=-1, keepdims=True)) for z in (ops.mean(teacher_outputs, 1), ops.mean(student_outputs, 1))
        )
        return 1 - ops.sum(teacher * student, axis=-1)  # [B]


# %% By hand: equal logits cost nothing, whatever their size; opposite ones cost 2.
z = np.array([[[1.0, 2.0, 6.0]]], "float32")  # [B, T, C]
print([round(float(Angle().losses(z, other)[0]), 4) for other in (z, 5 * z, -z)])

# %% In a distiller, beside one that comes with the package.
data = kd.data.load("digits", batch_size=32, limit=320 if QUICK else None)
teacher = kd.models.load("digits_spiking_teacher")  # comes with the package
shape = {"widths": (4, "pool"), "timesteps": 2} if QUICK else {"widths": (8, "pool", 16), "timesteps": 4}
student = kd.models.ConvNet(data.image_shape, data.num_classes, **shape, name="student")

distiller = kd.Distiller(student, teacher, [Angle(weight=0.5), "soft_targets"])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
distiller.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
history = distiller.fit(data.train, validation_data=data.validation, epochs=2 if QUICK else 15, verbose=0, shuffle=False).history
print(distiller.describe())
print("angle, first and last epoch:", history["angle"][0], history["angle"][-1])
print(f"{history['val_accuracy'][-1]:.1%} of the validation images")
if QUICK:
    print("--quick trains on few images for a moment, too short for a good accuracy; leave it out for one")
