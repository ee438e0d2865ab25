"""A Keras classifier of your own teaches a small spiking student.

python examples/keras_to_spiking.py            # half a minute
python examples/keras_to_spiking.py --quick    # seconds, and no good accuracy
"""

# %% The teacher: any Keras model, here one with a softmax and with images of 0..255, as people make them.
import sys

import keras
import numpy as np

import keras_snnkd as kd

QUICK = "--quick" in sys.argv
data = kd.data.load("digits", batch_size=32, limit=320 if QUICK else None)
images, labels = data.train_arrays  # bytes

teacher = keras.Sequential(
    [
        keras.Input(data.image_shape),
        keras.layers.Rescaling(1 / 255),
        *([] if QUICK else [keras.layers.Conv2D(32, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(data.num_classes, activation="softmax"),
    ],
    name="mine",
)
teacher.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
teacher.fit(images.astype("float32"), labels, epochs=4 if QUICK else 15, batch_size=32, verbose=0)

# %% As a teacher: its logits in place of its probabilities, and images of 0..1 as the student sees them.
logits = kd.adapt_teacher(teacher, samples=(images[:200] / np.float32(256), labels[:200]))

# %% The student: spiking, far smaller.
student = (
    kd.models.MLP(data.image_shape, data.num_classes, widths=(12,), timesteps=2, name="student")
    if QUICK
    else kd.models.ConvNet(data.image_shape, data.num_classes, widths=(8, "pool", 16), timesteps=4, name="student")
)
print(f"teacher {teacher.count_params():,} parameters, student {student.count_params():,}")

# %% Distilled: Keras' compile and fit.
distiller = kd.Distiller(student, logits, [kd.objectives.SoftTargets(temperature=4.0, weight=0.9)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
distiller.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
distiller.fit(data.train, validation_data=data.validation, epochs=2 if QUICK else 20, verbose=0, shuffle=False)

# %% What came out, on images that nothing was chosen on.
test_images, test_labels = data.sample(10_000)
known, learned = (float(np.mean(model.predict(test_images, verbose=0).argmax(-1) == test_labels)) for model in (logits, student))
activity = kd.metrics.activity(student, test_images)
print(f"the teacher is right on {known:.1%} of {len(test_labels)} test images")
print(f"the student is right on {learned:.1%} of {len(test_labels)} test images, with {activity.spikes_per_image:.0f} spikes an image")
if QUICK:
    print("--quick trains on few images for a moment, too short for a good accuracy; leave it out for one")
