"""What is said of JAX alone: `python -m tests.backends.on_jax FOLDER steps chain export` prints what it found as JSON."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import keras_snnkd as kd
from keras_snnkd.distill.objectives import Objective
from keras_snnkd.errors import ExportError
from tests.backends.program import Steps
from tests.distill import tiny

DATA = kd.data.load("digits", limit=64, batch_size=32)


def network(width, **arguments):
    return kd.models.MLP((8, 8, 1), 10, widths=(width,), **{"timesteps": 2, "name": f"width{width}", **arguments})


class Traced(Objective):
    """Counts how often it is traced; its value is the teacher's first logit, which changes with the random numbers alone."""

    traces = 0

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        self.traces += 1
        return keras.ops.mean(teacher_outputs, axis=1)[:, 0] + 0 * keras.ops.mean(student_outputs, axis=(1, 2))


def steps():
    """A teacher that draws random numbers, weights that change from epoch to epoch, and the same batch in every step."""
    objective, logs = Traced(), Steps()
    teacher = kd.models.MLP((4, 4, 1), 3, widths=(9,), timesteps=2, threshold=0.2, encoder="poisson", name="teacher")
    distiller = tiny.compiled(tiny.snn(), teacher, [objective], keras.optimizers.SGD(0.0), label_weight=0.0)
    ramp = kd.WeightSchedule({"traced": lambda epoch: 2.0 * epoch})
    tiny.fit(distiller, batch_size=12, epochs=3, callbacks=[logs, ramp])
    return {"traces": objective.traces, "values": [row["traced"] for row in logs.logs], "losses": [row["loss"] for row in logs.logs]}


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def chain(folder):
    """A chain on the package's own data, interrupted in its last stage and resumed, and its student's accuracy."""
    stages = [
        kd.Stage("teacher", lambda: network(12, neuron="relu"), epochs=1),
        kd.Stage("student", lambda: network(6), teacher="teacher", objectives=["soft_targets"], epochs=2),
    ]
    stopped = False
    try:
        kd.Chain(stages, folder / "run").run(DATA, callbacks=lambda stage: [Stop()] if stage.name == "student" else [])
    except KeyboardInterrupt:
        stopped = True
    result = kd.Chain(stages, folder / "run").run(DATA, resume=True)["student"]
    return {"stopped": stopped, "epochs": len(result.history), **result.record}


def export(folder):
    """What is said to who exports."""
    images = np.zeros((2, 8, 8, 1), "float32")
    calls = {
        "litert": lambda: kd.export.litert(network(6), folder / "x.tflite", samples=images),
        "saved_model": lambda: kd.export.saved_model(network(6), folder / "x", samples=images),
        "export_all": lambda: kd.export.export_all(network(6), folder, samples=images),
        "freeze": lambda: kd.export.freeze(network(6)),
    }
    return {name: refusal(call) for name, call in calls.items()}


def refusal(call):
    try:
        call()
    except ExportError as error:
        return str(error)
    return None


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    place, *wanted = sys.argv[1:]
    parts = {"steps": steps, "chain": lambda: chain(Path(place)), "export": lambda: export(Path(place))}
    print(json.dumps({name: parts[name]() for name in wanted}))
