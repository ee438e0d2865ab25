"""A trained student as files for devices: each checked, measured and run without Keras.

python examples/compress_and_deploy.py            # half a minute
python examples/compress_and_deploy.py --quick    # one file
"""

# %% The digits student that ships with the repository, and images to check the files on.
import pathlib
import sys
import tempfile

import numpy as np

import keras_snnkd as kd

QUICK = "--quick" in sys.argv
ROOT = pathlib.Path(__file__).parents[1] if "__file__" in globals() else pathlib.Path("../..").resolve()
student = kd.models.load(ROOT / "saved_models/digits_student/model.keras")
data = kd.data.load("digits", batch_size=32)
images, labels = data.sample(359)

# %% Files of fewer and fewer bits. A file that does not answer as Keras does is an error, and leaves nothing behind.
folder = pathlib.Path(tempfile.mkdtemp())
forms = ["dynamic"] if QUICK else ["float32", "dynamic", "int8"]
for form in forms:
    path = folder / f"student_{form}.tflite"
    report = kd.export.litert(student, path, quantize=form, samples=images[: 32 if QUICK else 200])
    print(f"{form:<8} {report.bytes:>6,} bytes, {report.agreement:.1%} of the answers are Keras'")

# %% As the device runs them: NumPy and LiteRT alone.
for form in forms:
    runner = kd.edge.Runner(folder / f"student_{form}.tflite")
    accuracy = float(np.mean(runner.predict(images[:64] if QUICK else images).argmax(-1) == labels[: 64 if QUICK else None]))
    print(f"{form:<8} {accuracy:.1%} right")

# %% What it costs where zeros are skipped, and where nothing is, beside the ANN twin.
operations = kd.metrics.synaptic_operations(student, images[:64])
estimate = kd.metrics.energy(operations, kd.metrics.twin_operations(student), arithmetic="int8")
print(f"energy an image: {estimate.effective:.1f} nJ, {estimate.dense:.1f} nJ on a CPU; the twin there: {estimate.twin_dense:.1f} nJ")
