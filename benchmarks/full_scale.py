"""CIFAR-10 at full scale on an accelerator: `KERAS_BACKEND=jax python -m benchmarks.full_scale --data cifar10.npz --out DIR`.

An ANN ResNet-18 teaches a small spiking student by soft targets (Hinton et al., arXiv:1503.02531); beside it the same student alone, with
the same seeds, images, epochs and schedule. `train.py` does the same and more; this script needs no TensorFlow, and keeps to a time limit.

The data are the arrays `x_train`, `y_train`, `x_test`, `y_test` of an `.npz` file, images as bytes. The last tenth of the training images
is validation: the epoch is chosen on it. Test images are classified once, by finished students. What is finished is in DIR, and is not
repeated.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np

import keras_snnkd as kd

BATCH = 256
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
TEMPERATURE, SOFT_WEIGHT = 4.0, 0.9


class Augmented(keras.utils.PyDataset):
    """Batches of flipped and shifted images, other ones in each epoch and the same ones for each seed."""

    def __init__(self, images, labels, seed):
        super().__init__(workers=4, max_queue_size=20)
        self.images, self.labels, self.random = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0))), labels, np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return len(self.labels) // BATCH

    def on_epoch_end(self):
        count = len(self.labels)
        self.order = self.random.permutation(count)
        self.shifts, self.flips = self.random.integers(0, 9, (count, 2)), self.random.random(count) < 0.5

    def __getitem__(self, index):
        chosen = self.order[index * BATCH : (index + 1) * BATCH]
        rows, columns = (self.shifts[chosen, axis, None] + np.arange(32) for axis in (0, 1))
        columns = np.where(self.flips[chosen, None], columns[:, ::-1], columns)
        images = self.images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        return images.astype("float32") / 256, self.labels[chosen]


def fit(model, data, epochs, rate, seed):
    """Train with a warmed-up half cosine, and keep the epoch with the best validation accuracy."""
    batches = Augmented(*data["train"], seed)
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate, warmup_steps=steps // 10)
    optimizer = keras.optimizers.SGD(schedule, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping("val_accuracy", patience=epochs, restore_best_weights=True, mode="max")
    images, labels = data["validation"]
    start = time.monotonic()
    history = model.fit(batches, epochs=epochs, validation_data=(images, labels), validation_batch_size=1000, callbacks=[best], verbose=2)
    return {"seconds": time.monotonic() - start, "validation_accuracy": max(history.history["val_accuracy"]), "history": history.history}


def accuracy(model, images, labels):
    """Share of images that a model classifies correctly."""
    logits = np.concatenate([np.asarray(model.predict_on_batch(images[start : start + 1000])) for start in range(0, len(images), 1000)])
    return float(np.mean(logits.argmax(-1) == labels))


def main(arguments: list[str] | None = None) -> int:
    """Train what is not there yet, while there is time."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.full_scale", description=__doc__.split("\n")[0])
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--teacher", default="resnet18")
    p.add_argument("--student", default="convnet:32,32,pool,64,64,pool,128,pool,flatten")
    p.add_argument("--teacher-epochs", type=int, default=24)
    p.add_argument("--epochs", type=int, default=50)
    p.add_argument("--rate", type=float, default=0.1, help="learning rate of the students, the highest after the warm-up")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--limit", type=int, help="use only so many images")
    p.add_argument("--minutes", type=float, default=float("inf"), help="start nothing that would probably end later")
    options = p.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    keras.config.set_dtype_policy("mixed_bfloat16")
    data = read(options.data, options.limit)
    shape = data["train"][0].shape[1:]

    teacher = kd.models.build(options.teacher, shape, 10, neuron="relu", name="teacher")
    path, facts_path = options.out / "teacher.weights.npz", options.out / "results.json"
    results = json.loads(facts_path.read_text()) if facts_path.exists() else {}
    if "teacher" in results:
        with np.load(path) as stored:
            teacher.set_weights([stored[str(index)] for index in range(len(teacher.weights))])
    else:
        results["teacher"] = {**fit(teacher, data, options.teacher_epochs, 0.2, 100), "test_accuracy": accuracy(teacher, *data["test"])}
        np.savez(path, **{str(index): weight.astype("float16") for index, weight in enumerate(teacher.get_weights())})
        print("teacher", results["teacher"]["test_accuracy"], flush=True)
    longest = 0.0
    for seed in range(options.seeds):
        for arm in ("alone", "distilled"):
            name = f"{arm}_{seed}"
            if name in results or (time.monotonic() - began + longest) / 60 > options.minutes:
                continue
            start = time.monotonic()
            keras.utils.set_random_seed(seed)
            student = kd.models.build(options.student, shape, 10, timesteps=4, name="student")
            taught = arm == "distilled"
            objectives = [kd.objectives.SoftTargets(temperature=TEMPERATURE, weight=SOFT_WEIGHT)]
            trained = kd.Distiller(student, teacher, objectives, label_weight=1 - SOFT_WEIGHT) if taught else student
            found = fit(trained, data, options.epochs, options.rate, seed)
            kd.models.round_weights(student)
            found["rounded_validation_accuracy"] = accuracy(student, *data["validation"])
            results[name] = {**found, "test_accuracy": accuracy(student, *data["test"]), "parameters": student.count_params()}
            student.save(options.out / f"{name}.keras")
            facts_path.write_text(json.dumps(results, indent=1))
            longest = max(longest, time.monotonic() - start)
            print(name, {key: value for key, value in results[name].items() if key != "history"}, flush=True)
    facts_path.write_text(json.dumps(results, indent=1))
    return 0


def read(path, limit):
    """Training, validation and test images and labels."""
    with np.load(path) as stored:
        images, labels, test, test_labels = (stored[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    images, labels, test, test_labels = images[:limit], labels[:limit], test[:limit], test_labels[:limit]
    cut = len(images) - len(images) // 10
    return {
        "train": (images[:cut], labels[:cut].astype("int32")),
        "validation": (images[cut:].astype("float32") / 256, labels[cut:].astype("int32")),
        "test": (test.astype("float32") / 256, test_labels.astype("int32")),
    }


if __name__ == "__main__":
    raise SystemExit(main())
