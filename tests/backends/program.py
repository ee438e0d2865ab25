"""What every backend computes in the same way; `write(folder)` puts it into `<backend>.npz`, beside `teacher.keras` and `student.keras`."""

import keras
import numpy as np
from keras import ops

import keras_snnkd as kd
from tests.distill import tiny

NEURONS = {
    "LIF": {},
    "IF": {"reset": "soft", "detach_reset": False},
    "PLIF": {"v_reset": 0.1},
    "ALIF": {"decay_input": False},
    "LeakyIntegrator": {},
}
"""Every neuron, with arguments that between them reach each branch of the equations."""

RUNS = [(5, "float32"), (40, "float32"), (5, "mixed_bfloat16")]
"""T unrolled and in a loop, and the precision."""

EPOCHS, BATCH = 5, 16
EARLY = 8
"""Steps of training that agree to the last bits on all processors: two epochs, so that momentum and the schedule of weights have begun."""
IMAGES = np.random.default_rng(1).uniform(size=(64, 8, 8, 1)).astype("float32")
WEIGHTS = np.linspace(0.5, 1.5, 64, dtype="float32")


def models():
    """The teacher, sure of what it says, and the student of `distillation`."""
    teacher = kd.models.ConvNet((8, 8, 1), 3, widths=(8, "pool", 12), timesteps=4, threshold=0.5, name="teacher")
    kernel = teacher.get_layer("classifier").layer.kernel
    kernel.assign(8 * kernel)
    student = kd.models.ConvNet((8, 8, 1), 3, widths=(6, "pool", 8), timesteps=4, threshold=0.5, neuron="plif", name="student")
    return teacher, student


def labels_of(teacher):
    """What the teacher says about the images: one that is no better than guessing is refused."""
    return np.argmax(teacher.predict(IMAGES, verbose=0), axis=-1)


def gradients(function, *arrays):
    """The gradients of `function(*arrays)`, a scalar, for each array."""
    tensors = [ops.convert_to_tensor(array) for array in arrays]
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(jax.grad(function, argnums=range(len(tensors))))(*tensors)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return tape.gradient(value, tensors)


def neurons():
    """Outputs, last states and gradients of each neuron, started from a given state."""
    found = {}
    for name, arguments in NEURONS.items():
        for timesteps, policy in RUNS:
            rng = np.random.default_rng(0)
            layer = getattr(kd.neurons, name)(return_state=True, dtype=policy, **arguments)
            layer.build((3, timesteps, 4))
            currents = rng.normal(0.6, 0.8, (3, timesteps, 4)).astype("float32")
            states = [rng.uniform(0, 0.5, (3, 4)).astype("float32") for _ in range(layer.dynamics.state_size)]
            upstream = [rng.normal(size=shape).astype("float32") for shape in [(3, timesteps, 4), *[(3, 4)] * len(states)]]

            def outputs(currents, *rest, layer=layer):
                count = layer.dynamics.state_size
                inputs = ops.cast(currents, layer.compute_dtype)
                values, _ = layer.stateless_call(rest[count:], [], inputs, initial_state=list(rest[:count]))
                return [ops.cast(value, "float32") for value in values]

            def total(*tensors, outputs=outputs, upstream=upstream):
                return sum(ops.sum(value * u) for value, u in zip(outputs(*tensors), upstream, strict=True))

            arrays = [currents, *states, *(weight.numpy() for weight in layer.weights)]
            for kind, tensors in (("output", outputs(*arrays)), ("gradient", gradients(total, *arrays))):
                for number, tensor in enumerate(tensors):
                    found[f"{name} T={timesteps} {policy} {kind} {number}"] = ops.convert_to_numpy(ops.cast(tensor, "float32"))
    return found


def cells():
    """The losses of a network of stacked cells in `keras.layers.RNN`."""
    inputs = keras.Input((6, 4))
    stack = keras.layers.StackedRNNCells([kd.neurons.PLIFCell(4), kd.neurons.ALIFCell(4, threshold=0.3)])
    outputs = keras.layers.Dense(3)(keras.layers.RNN(stack)(inputs))
    model = keras.Model(inputs, outputs)
    model.layers[-1].kernel.assign(np.linspace(-1, 1, 12).reshape(4, 3))
    model.compile(keras.optimizers.SGD(0.5), tiny.crossentropy())
    currents = np.random.default_rng(2).uniform(0, 2, (12, 6, 4)).astype("float32")
    history = model.fit(currents, np.arange(12) % 3, batch_size=12, epochs=4, verbose=0).history
    return {"cells loss": np.array(history["loss"]), "cells w": model.layers[1].cell.cells[0].neuron.w.numpy()}


class Steps(keras.callbacks.Callback):
    """Keeps the logs of every step, and the weights after the early ones."""

    def __init__(self):
        super().__init__()
        self.logs = []
        self.weights = {}

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})
        if len(self.logs) == EARLY:
            self.weights = {f"early {weight.path}": ops.convert_to_numpy(weight).copy() for weight in self.model.weights}


def distillation(folder):
    """Twenty steps with everything a loss can have, and what the student is before and after them."""
    teacher, student = (kd.models.load(folder / f"{name}.keras") for name in ("teacher", "student"))
    student.get_layer("classifier").layer.kernel_regularizer = keras.regularizers.L2(0.1)
    objectives = [kd.objectives.SoftTargets(temperature=1.0), kd.objectives.SpikeTrain(window=2, weight=5.0), kd.objectives.FeatureMap()]
    distiller = kd.Distiller(student, teacher, objectives, label_weight=0.5, name="distiller")
    for helper in distiller.helpers:
        helper.kernel.assign(np.random.default_rng(3).normal(0, 0.3, helper.kernel.shape))
    distiller.compile(keras.optimizers.SGD(0.05, momentum=0.9), tiny.crossentropy(), metrics=["accuracy"])
    found = {"spikes": kd.TapModel(student, ["neurons"])(IMAGES)["neurons"], "logits": student.predict(IMAGES, verbose=0)}
    steps, ramp = Steps(), kd.WeightSchedule({"soft_targets": lambda epoch: 1.0 + epoch})
    labels = labels_of(teacher)
    more = {"sample_weight": WEIGHTS, "validation_data": (IMAGES, labels), "callbacks": [steps, ramp]}
    history = distiller.fit(IMAGES, labels, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, **more).history
    found |= {f"steps {name}": np.array([logs[name] for logs in steps.logs]) for name in steps.logs[0]}
    found |= {f"epochs {name}": np.array(values) for name, values in history.items()}
    found |= steps.weights
    found |= {f"weight {weight.path}": weight.numpy() for weight in distiller.weights}
    student.save(folder / f"trained_{keras.backend.backend()}.keras")
    evaluated = distiller.evaluate(IMAGES, labels, verbose=0, return_dict=True)
    found |= {f"evaluated {name}": np.array(value) for name, value in evaluated.items()}
    return {**found, "trained logits": student.predict(IMAGES, verbose=0)}


def by_rates(folder):
    """The losses of ten steps of rate-based backpropagation, and the weights to which they lead."""
    teacher, student = (kd.models.load(folder / f"{name}.keras") for name in ("teacher", "student"))
    distiller = kd.Distiller(student, teacher, [kd.objectives.SoftTargets(), kd.objectives.FiringRate()], gradient="rate")
    for helper in distiller.helpers:
        helper.kernel.assign(np.random.default_rng(3).normal(0, 0.3, helper.kernel.shape))
    distiller.compile(keras.optimizers.SGD(0.05, momentum=0.9), tiny.crossentropy())
    steps = Steps()
    distiller.fit(IMAGES, labels_of(teacher), batch_size=32, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[steps])
    weights = {f"rates weight {index}": weight.numpy() for index, weight in enumerate(student.weights)}
    return {**weights, **{f"rates {name}": np.array([logs[name] for logs in steps.logs]) for name in steps.logs[0]}}


def write(folder):
    """All results."""
    np.savez(folder / f"{keras.backend.backend()}.npz", **neurons(), **cells(), **distillation(folder), **by_rates(folder))
