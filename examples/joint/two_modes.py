"""Joint A-SNN: one network in two modes, an ANN and a spiking one, that train together; beside it the spiking mode trained alone.

    python examples/joint/two_modes.py --dataset digits --seeds 5 --out runs/joint

Both arms have the same network, seeds, batches, epochs, optimizer and schedule, and keep the epoch that is best on validation images.
Prints and writes `results.json`: test accuracy of both, their difference with a 95 % interval over seeds, the accuracy of the ANN mode,
parameters and operations; and the spiking mode's file for devices, compared with Keras. A run that was interrupted goes on.
"""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path

import keras

import keras_snnkd as kd
from keras_snnkd.run.finished.evaluation import test_images
from keras_snnkd.run.intervals import paired
from keras_snnkd.training import optimizers

ARMS = ("alone", "joint")


@dataclasses.dataclass
class Sizes:
    """The network, and how long it trains."""

    width: int = 16
    stages: int = 3
    rank: float = 0.5
    timesteps: int = 4
    epochs: int = 30
    learning_rate: float = 5e-3


class Experiment:
    """All trainings on one data set."""

    def __init__(self, dataset: str, sizes: Sizes, folder: Path) -> None:
        self.sizes, self.folder = sizes, folder
        self.data = kd.data.load(dataset)
        self.images, self.labels = test_images(self.data)

    def networks(self, seed: int) -> tuple[keras.Model, keras.Model]:
        """Both modes, not trained."""
        keras.utils.set_random_seed(seed)
        sizes = self.sizes
        widths = [sizes.width * 2**stage for stage in range(sizes.stages)]
        return kd.models.JointNet(
            self.data.image_shape, self.data.num_classes, widths, rank=sizes.rank, timesteps=sizes.timesteps, name="student"
        )

    def trained(self, arm: str, seed: int) -> tuple[keras.Model, keras.Model | None]:
        """The spiking mode with one output, and the ANN mode where it trained too."""
        ann, student = self.networks(seed)
        files = [self.folder / f"{arm}_{seed}{end}.keras" for end in ("", "_ann")]
        if files[0].exists():
            return kd.models.load(files[0]), kd.models.load(files[1]) if files[1].exists() else None
        one_output = kd.models.without_exits(student)
        self.fit(kd.Joint(ann, student) if arm == "joint" else kd.Distiller(one_output), seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = kd.models.without_exits(ann) if arm == "joint" else None
        if beside is not None:
            beside.save(files[1])
        one_output.save(files[0])
        return one_output, beside

    def fit(self, model: keras.Model, seed: int) -> None:
        """Train, and keep the weights of the best epoch."""
        data, epochs = dataclasses.replace(self.data, seed=seed), self.sizes.epochs
        rate = optimizers.schedule("cosine", self.sizes.learning_rate, epochs * data.steps_per_epoch)
        optimizer = optimizers.optimizer("adamw", rate, 1e-4)
        if isinstance(model, kd.Joint):
            model.compile(optimizer)
        else:
            model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=epochs, restore_best_weights=True)
        model.fit(
            data.training(),
            steps_per_epoch=data.steps_per_epoch,
            validation_data=data.validation,
            epochs=epochs,
            callbacks=[best],
            verbose=0,
        )

    def accuracy(self, model: keras.Model) -> float:
        """On the test images."""
        return kd.metrics.accuracy(model.predict(self.images, batch_size=250, verbose=0), self.labels)

    def run(self, seeds: int) -> dict[str, object]:
        """Train all, measure all, write the spiking mode's file, and return what was found."""
        found: dict[str, list[float]] = {arm: [] for arm in ARMS}
        of_ann = []
        for seed in range(seeds):
            for arm in ARMS:
                student, ann = self.trained(arm, seed)
                found[arm].append(self.accuracy(student))
                print(f"{arm}, seed {seed}: {found[arm][-1]:.2%}", flush=True)
            of_ann.append(self.accuracy(ann))
        report = kd.export.litert(student, self.folder / "student.tflite", samples=self.images[:64])
        file = kd.edge.Runner(self.folder / "student.tflite").predict(self.images)
        operations = kd.metrics.synaptic_operations(student, self.images[:200])
        difference, interval = paired(found["joint"], found["alone"])
        return {
            "data": self.data.name,
            "sizes": dataclasses.asdict(self.sizes),
            "arms": {arm: {"accuracies": values, "mean": statistics.mean(values)} for arm, values in found.items()},
            "ann": {"accuracies": of_ann, "mean": statistics.mean(of_ann)},
            "difference": {"mean": difference, "interval": interval},
            "student": {"parameters": student.count_params(), "macs": operations.effective_macs, "accumulates": operations.effective_acs},
            "file": {"bytes": report.bytes, "accuracy": kd.metrics.accuracy(file, self.labels)},
        }


def main(arguments: list[str] | None = None) -> dict[str, object]:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits", help="a name or path that kd.data.load takes")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/joint"))
    for field in dataclasses.fields(Sizes):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    given = vars(parser.parse_args(arguments))
    sizes = Sizes(**{field.name: given[field.name] for field in dataclasses.fields(Sizes)})
    found = Experiment(given["dataset"], sizes, given["out"]).run(given["seeds"])
    (given["out"] / "results.json").write_text(json.dumps(found, indent=1))
    print(json.dumps({key: value for key, value in found.items() if key != "sizes"}, indent=1))
    return found


if __name__ == "__main__":
    main()
