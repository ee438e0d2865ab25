"""Depth across modalities: a teacher that sees images teaches a spiking student that sees events. All scenes are synthetic.

    python examples/depth/across_modalities.py --seeds 3 --out runs/depth

Scenes are rendered by `kd.data.synthetic_scenes`, their events simulated by `kd.data.simulate_events`: nothing here was recorded by a
camera. Prints and writes `results.json`: absolute relative error, RMSE and the share of places within 25 % on test scenes, of the teacher,
the student alone and the student taught, whose difference has a 95 % interval over seeds; and the student's file, compared with Keras.
"""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path

import keras
import numpy as np

import keras_snnkd as kd
from keras_snnkd.run.intervals import paired
from keras_snnkd.training.depth import DEPTH, absolute_relative_error, delta, depth_rmse

OBJECTIVES = [
    {"objective": "feature_map", "teacher_tap": "output", "distance": "l1", "weight": 0.5},
    {"objective": "feature_map", "teacher_tap": "up1_neuron", "weight": 0.1},
]
"""The teacher's depth, and what it knows of each place before that."""

FIGURES = {"abs_rel": absolute_relative_error, "rmse": depth_rmse, "delta": delta}


@dataclasses.dataclass
class Sizes:
    """How many scenes of which size, how large the networks are, and how long they train."""

    scenes: int = 800
    size: int = 32
    frames: int = 4
    teacher_width: int = 16
    student_width: int = 8
    teacher_epochs: int = 12
    epochs: int = 12
    learning_rate: float = 5e-3


class Scenes:
    """Images, their simulated events and their depths, in three parts by their order."""

    def __init__(self, sizes: Sizes) -> None:
        images, depths = kd.data.synthetic_scenes(sizes.scenes, sizes.size)
        events = np.minimum(kd.data.simulate_events(images, frames=sizes.frames), 4).astype("float32") / 4
        self.inputs = {"image": images.astype("float32") / 256, "events": events}
        self.depths = depths
        ends = int(0.7 * sizes.scenes), int(0.8 * sizes.scenes)
        self.parts = {"train": slice(0, ends[0]), "validation": slice(*ends), "test": slice(ends[1], None)}

    def part(self, name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Inputs by name, and depths."""
        return {key: value[self.parts[name]] for key, value in self.inputs.items()}, self.depths[self.parts[name]]


class Experiment:
    """All trainings on one set of scenes."""

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        self.sizes, self.folder, self.scenes = sizes, folder, Scenes(sizes)

    def make_teacher(self) -> keras.Model:
        """An ordinary network that sees images."""
        width = self.sizes.teacher_width
        shape = (self.sizes.size, self.sizes.size, 1)
        return kd.models.EncoderDecoder(shape, widths=(width, 2 * width, 4 * width), neuron="relu", name="teacher")

    def make_student(self) -> keras.Model:
        """A spiking one that sees events."""
        width, sizes = self.sizes.student_width, self.sizes
        shape = (sizes.frames, sizes.size, sizes.size, 2)
        return kd.models.EncoderDecoder(shape, widths=(width, 2 * width, 4 * width), input_name="events", name="student")

    def train(self, folder: str, stage: kd.Stage) -> keras.Model:
        """A trained model; one that is there already is read."""
        data = self.scenes.part("train"), self.scenes.part("validation")
        return kd.Chain([stage], self.folder / folder).run(data, resume=True)[stage.name].model

    def stage(self, name: str, make: object, epochs: int, **more: object) -> kd.Stage:
        """What all stages have in common."""
        return kd.Stage(name, make, epochs=epochs, learning_rate=self.sizes.learning_rate, task=DEPTH, inputs="named", **more)

    def figures(self, model: keras.Model) -> dict[str, float]:
        """On the test scenes."""
        inputs, depths = self.scenes.part("test")
        found = model.predict(inputs[model.inputs[0].name], batch_size=50, verbose=0)
        return {name: float(np.mean(figure(depths, found))) for name, figure in FIGURES.items()}

    def run(self, seeds: int) -> dict[str, object]:
        """Train all, measure all, write the student's file, and return what was found."""
        teacher = self.train("teacher", self.stage("teacher", self.make_teacher, self.sizes.teacher_epochs))
        rows: dict[str, list[dict[str, float]]] = {"alone": [], "taught": []}
        for seed in range(seeds):
            for arm, more in (("alone", {}), ("taught", {"teacher": teacher, "objectives": OBJECTIVES})):
                stage = self.stage("student", self.make_student, self.sizes.epochs, seed=seed, **more)
                student = self.train(f"{arm}_{seed}", stage)
                rows[arm].append(self.figures(student))
                print(f"{arm}, seed {seed}: {rows[arm][-1]}", flush=True)
        samples = self.scenes.part("test")[0]["events"][:16]
        report = kd.export.litert(student, self.folder / "student.tflite", samples=samples)
        file = kd.edge.Runner(self.folder / "student.tflite").predict(samples)
        return {
            "data": "synthetic scenes, simulated events",
            "sizes": dataclasses.asdict(self.sizes),
            "teacher": {**self.figures(teacher), "parameters": teacher.count_params()},
            "student": {"parameters": student.count_params()},
            **{arm: _means(found) for arm, found in rows.items()},
            "difference": {name: _difference(rows, name) for name in FIGURES},
            "file": {"bytes": report.bytes, "largest difference": float(np.abs(file - student.predict(samples, verbose=0)).max())},
        }


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.mean(row[name] for row in rows) for name in rows[0]}


def _difference(rows: dict[str, list[dict[str, float]]], name: str) -> dict[str, object]:
    difference, interval = paired(*([row[name] for row in rows[arm]] for arm in ("taught", "alone")))
    return {"mean": difference, "interval": interval}


def main(arguments: list[str] | None = None) -> dict[str, object]:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/depth"))
    for field in dataclasses.fields(Sizes):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    given = vars(parser.parse_args(arguments))
    found = Experiment(Sizes(**{field.name: given[field.name] for field in dataclasses.fields(Sizes)}), given["out"]).run(given["seeds"])
    (given["out"] / "results.json").write_text(json.dumps(found, indent=1))
    print(json.dumps({key: value for key, value in found.items() if key != "sizes"}, indent=1))
    return found


if __name__ == "__main__":
    main()
