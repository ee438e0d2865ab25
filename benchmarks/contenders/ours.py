"""keras_snnkd, in the way that `fit` and `predict` run it: Keras' compiled functions on an endless data set that holds one batch."""

import importlib
import inspect
import math
import os
from pathlib import Path

from benchmarks import network
from benchmarks.contenders import Contender, UnavailableError

POLICIES = {"fp32": "float32", "bf16": "mixed_bfloat16"}


def training(
    precision: str = "fp32",
    widths: tuple | str = network.CONV4,
    timesteps: int = network.TIMESTEPS,
    batch: int = network.BATCH,
    backend: str = "tensorflow",
    remat: bool = False,
    gradient: str = "bptt",
) -> Contender:
    """One training step. On JAX by `train_on_batch`, since there the state is handed from step to step."""
    kd = _import(backend)
    model = _model(kd, precision, widths, timesteps, **_remat(kd, remat))
    if gradient != "bptt":
        model = kd.Distiller(model, gradient=gradient)
    _compile(model, backend)
    images, labels = _batch(batch)
    if backend != "tensorflow":
        return Contender(lambda: model.train_on_batch(images, labels), _facts(model))
    return Contender(_train_function(model, _endless(images, labels)), _facts(model))


def inference(precision: str = "fp32", batch: int = network.BATCH) -> Contender:
    """Logits of one batch."""
    kd = _import()
    import tensorflow as tf

    model = _model(kd, precision)
    model.compile(jit_compile=False)
    model.make_predict_function()
    images = tf.constant(_batch(batch)[0])
    return Contender(lambda: model.predict_function([(images,)]).numpy(), _facts(model))


def student(taught: bool = False, cache: str | None = None) -> Contender:
    """A training step of the small student: alone, taught by conv4, or taught by what conv4 did before, kept in the folder `cache`.

    Here all three read their batches from a `Data` set in memory, since that is what a `TeacherCache` belongs to.
    """
    kd = _import()
    model, data = _model(kd, "fp32", network.STUDENT), _data(kd)
    if not taught:
        _compile(model)
        return Contender(_train_function(model, data.training()), _facts(model))
    if cache and not hasattr(kd, "TeacherCache"):
        raise UnavailableError("this version of keras_snnkd has no TeacherCache")
    teacher = _model(kd, "fp32")
    objectives = [
        kd.objectives.SoftTargets(temperature=network.TEMPERATURE, weight=network.SOFT_WEIGHT),
        kd.objectives.SpikeTrain(window=network.WINDOW),
    ]
    distiller = kd.Distiller(model, teacher, objectives)
    _compile(distiller)
    batches = data.training()
    if cache:
        batches = kd.TeacherCache(teacher, data, distiller.teacher_taps, cache).training()
    return Contender(_train_function(distiller, batches), _facts(model))


def input_pipeline(fixed: bool) -> Contender:
    """`fit` of the CIFAR-10 student preset, on augmented CIFAR-10 or on one fixed batch: the difference is what it waits for data."""
    if not Path(os.environ.get("TFDS_DATA_DIR", "."), "cifar10").is_dir():
        raise UnavailableError("needs CIFAR-10 as prepared by TensorFlow Datasets; set TFDS_DATA_DIR to the folder that holds it")
    kd = _import()
    data = kd.data.load("cifar10", batch_size=128, augment="flip+crop")
    model = kd.models.build("cifar10_student", data.image_shape, data.num_classes, timesteps=network.TIMESTEPS)
    _compile(model)
    batches = data.training()
    if fixed:
        batches = _endless(*next(iter(batches)))
    steps = 25
    return Contender(lambda: model.fit(batches, steps_per_epoch=steps, verbose=0), _facts(model), repeats=steps)


def write_litert(folder: str, widths: tuple = network.CONV4) -> Contender:
    """Writes a network as `.tflite` files, whole and of one step; nothing to be timed. Its weights are random: files are not compared."""
    kd = _import()
    from keras_snnkd.edge.tensors import STEP_SIGNATURE
    from keras_snnkd.export.litert import convert
    from keras_snnkd.export.saved_model import write_archive
    from keras_snnkd.export.stepper import one_step

    model = _model(kd, "fp32", widths)
    step = one_step(model)
    signature = STEP_SIGNATURE.format(readout=step.readout, timesteps=network.TIMESTEPS)
    whole, single = Path(folder, "whole"), Path(folder, "single")
    write_archive(kd.export.freeze(model, batch_size=1), whole, batch_size=1)
    write_archive(step.model, single, batch_size=1, endpoint=signature)
    jobs = [
        {"folder": whole, "endpoint": "serve", "quantize": name, "output": Path(folder, f"{name}.tflite")}
        for name in ("float32", "dynamic")
    ]
    convert([*jobs, {"folder": single, "endpoint": signature, "quantize": "dynamic", "output": Path(folder, "streaming.tflite")}])
    return Contender(lambda: None)


def litert(folder: str, quantize: str) -> Contender:
    """One image through a `.tflite` file, on one thread."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    path = Path(folder, f"{quantize}.tflite")
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    image = np.random.default_rng(0).random(interpreter.get_input_details()[0]["shape"], dtype="float32")
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def step():
        interpreter.set_tensor(source, image)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return Contender(step, {"bytes": path.stat().st_size})


def streaming(folder: str) -> Contender:
    """One image through the file of one time step, T times, by the runner."""
    import numpy as np

    kd = _import()
    path = Path(folder, "streaming.tflite")
    runner = kd.edge.Runner(path, threads=1)
    image = np.random.default_rng(0).random((1, *runner.image_shape), dtype="float32")
    return Contender(lambda: runner.predict(image), {"bytes": path.stat().st_size})


def trainable(batch: int):
    """conv4, compiled as for training, with a batch of images and labels."""
    model = _model(_import(), "fp32")
    _compile(model)
    return model, *_batch(batch)


def _import(backend="tensorflow"):
    """The package, on the backend that is asked for."""
    os.environ["KERAS_BACKEND"] = backend
    if backend == "jax":
        import jax  # noqa: F401 - says at once that it is not there
    kd = importlib.import_module("keras_snnkd")  # before Keras: it chooses TensorFlow's kernels
    import keras

    keras.utils.set_random_seed(0)
    return kd


def _model(kd, precision, widths=network.CONV4, timesteps=network.TIMESTEPS, **more):
    import keras

    keras.config.set_dtype_policy(POLICIES[precision])
    shape = (network.SIZE, network.SIZE, network.CHANNELS)
    if widths == network.RESNET18:
        return kd.models.build(widths, shape, network.CLASSES, timesteps=timesteps, **more)
    model = kd.models.ConvNet(shape, network.CLASSES, widths=widths, head="average", timesteps=timesteps, **more)
    if widths == network.CONV4 and _facts(model)["parameters"] != network.PARAMETERS:
        raise AssertionError(f"conv4 has {network.PARAMETERS:,} parameters, this model has {_facts(model)['parameters']:,}")
    return model


def _remat(kd, wanted):
    """The builder's argument that recomputes activations in the backward pass."""
    if wanted and "remat" not in inspect.signature(kd.models.ConvNet).parameters:
        raise UnavailableError("this version of keras_snnkd has no remat=True")
    return {"remat": True} if wanted else {}


def _facts(model):
    return {"parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights)}


def _compile(model, backend="tensorflow"):
    """On TensorFlow the neurons are compiled by themselves, see `Distiller.compile`; on JAX everything is."""
    import keras

    model.compile(
        keras.optimizers.SGD(network.LEARNING_RATE, momentum=network.MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False if backend == "tensorflow" else "auto",
    )


def _train_function(model, batches):
    """What `fit` calls for each step, and the wait for its loss."""
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    batches = iter(batches)
    return lambda: {name: float(value) for name, value in model.train_function(batches).items()}


def _batch(size):
    import numpy as np

    random = np.random.default_rng(0)
    shape = (size, network.SIZE, network.SIZE, network.CHANNELS)
    return random.random(shape, dtype="float32"), random.integers(0, network.CLASSES, size).astype("int32")


def _endless(images, labels):
    """The same batch again and again, as `fit` reads batches; it is not copied."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensors((images, labels)).repeat()


def _data(kd):
    """Random images as a data set: 16 batches to train on."""
    import numpy as np

    random = np.random.default_rng(0)
    shape = (16 * network.BATCH, network.SIZE, network.SIZE, network.CHANNELS)
    arrays = random.integers(0, 256, shape, dtype="uint8"), random.integers(0, network.CLASSES, shape[0]).astype("int32")
    return kd.data.Data(
        name="random",
        image_shape=shape[1:],
        num_classes=network.CLASSES,
        class_names=tuple(map(str, range(network.CLASSES))),
        batch_size=network.BATCH,
        augment="none",
        seed=0,
        train_arrays=arrays,
        validation_arrays=arrays,
        test_arrays=arrays,
    )
