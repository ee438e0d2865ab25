"""Sentences: a transformer teaches a spiking one in two stages, as SpikeBERT does, and the student is written as a file for devices.

    python examples/text/two_stages.py movieReviewSnippets.tsv --unlabelled amazonReviewSnippets.tsv --seeds 3 --out runs/text

Trains the teacher once; then for each seed the student alone, by the second stage alone, and by both stages. Prints and writes
`results.json`: accuracy on test sentences, which share no document with the others, its difference to the student alone with a 95 %
interval over seeds, parameters and operations.
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
from keras_snnkd.training.feed import ArrayFeed

ARMS = {"alone": "the student alone", "one_stage": "the second stage alone", "two_stages": "both stages"}


@dataclasses.dataclass
class Sizes:
    """How large the two networks are, and how long they train."""

    length: int = 24
    vocabulary: int = 4000
    teacher_width: int = 64
    teacher_depth: int = 2
    student_width: int = 32
    student_depth: int = 1
    heads: int = 2
    timesteps: int = 4
    teacher_epochs: int = 6
    hidden_epochs: int = 4
    epochs: int = 6
    learning_rate: float = 2e-3


class Experiment:
    """All trainings on one data set.

    Args:
        data: From `kd.data.load_text`.
        unlabelled: More sentences for the first stage, as token ids.
        sizes: Of networks and trainings.
        folder: Of the run.
    """

    def __init__(self, data: kd.data.TextData, unlabelled: np.ndarray, sizes: Sizes, folder: Path) -> None:
        self.data, self.sizes, self.folder = data, sizes, folder
        sentences = np.concatenate([data.train[0], unlabelled])
        nothing = np.zeros(len(sentences), "int32"), np.zeros(len(data.validation[0]), "int32")
        self.sentences = ArrayFeed((sentences, nothing[0]), (data.validation[0], nothing[1]), 64, 0)

    def network(self, name: str, **arguments: object) -> keras.Model:
        """A network for the sentences of the data."""
        sizes, data = self.sizes, self.data
        return kd.models.SpikingTransformer(
            data.length, len(data.vocabulary), data.num_outputs, heads=sizes.heads, dropout=0.2, name=name, **arguments
        )

    def make_teacher(self) -> keras.Model:
        """The ordinary transformer, not trained."""
        return self.network("teacher", width=self.sizes.teacher_width, depth=self.sizes.teacher_depth, neuron="relu")

    def make_student(self) -> keras.Model:
        """The spiking one, not trained."""
        sizes = self.sizes
        return self.network("student", width=sizes.student_width, depth=sizes.student_depth, timesteps=sizes.timesteps)

    def train(self, name: str, data: object, stage: kd.Stage) -> keras.Model:
        """A trained model; one that is there already is read."""
        return kd.Chain([stage], self.folder / name).run(data, resume=True)[stage.name].model

    def teacher(self) -> keras.Model:
        """The trained teacher."""
        stage = kd.Stage("teacher", self.make_teacher, epochs=self.sizes.teacher_epochs, learning_rate=self.sizes.learning_rate)
        return self.train("teacher", self.data.feed(), stage)

    def arm(self, name: str, teacher: keras.Model, seed: int) -> keras.Model:
        """A student trained in one of the ways of `ARMS`."""
        common = {"student": self.make_student, "learning_rate": self.sizes.learning_rate, "seed": seed}
        if name == "alone":
            return self.train(f"alone_{seed}", self.data.feed(seed=seed), kd.Stage("student", epochs=self.sizes.epochs, **common))
        start = None
        if name == "two_stages":
            first = kd.methods.get("spikebert_hidden")
            stage = kd.Stage(
                "hidden", teacher=teacher, objectives=first.objectives, label_weight=first.label_weight, task="unlabelled",
                epochs=self.sizes.hidden_epochs, **common,
            )  # fmt: skip
            start = self.train(f"hidden_{seed}", self.sentences, stage)
        second = kd.methods.get("spikebert")
        stage = kd.Stage(
            "student", teacher=teacher, objectives=second.objectives, label_weight=second.label_weight, start_from=start,
            epochs=self.sizes.epochs, **common,
        )  # fmt: skip
        return self.train(f"{name}_{seed}", self.data.feed(seed=seed), stage)

    def accuracy(self, model: keras.Model) -> float:
        """On the test sentences."""
        ids, labels = self.data.test
        return kd.metrics.accuracy(model.predict(ids, batch_size=128, verbose=0), labels)

    def run(self, seeds: int) -> dict[str, object]:
        """Train all, measure all, write the student's file, and return what was found."""
        teacher = self.teacher()
        found: dict[str, list[float]] = {}
        for name in ARMS:
            for seed in range(seeds):
                student = self.arm(name, teacher, seed)
                found.setdefault(name, []).append(self.accuracy(student))
                print(f"{ARMS[name]}, seed {seed}: {found[name][-1]:.2%}", flush=True)
        report = kd.export.litert(student, self.folder / "student.tflite", samples=self.data.test[0][:64])
        file = kd.edge.Runner(self.folder / "student.tflite")
        counted = {model.name: kd.metrics.synaptic_operations(model, self.data.test[0][:200]) for model in (teacher, student)}
        return {
            "data": {"name": self.data.name, "train": len(self.data.train[1]), "test": len(self.data.test[1])},
            "sizes": dataclasses.asdict(self.sizes),
            "teacher": {"accuracy": self.accuracy(teacher), "parameters": teacher.count_params(), **_operations(counted["teacher"])},
            "arms": {name: _row(values, found["alone"]) for name, values in found.items()},
            "student": {"parameters": student.count_params(), **_operations(counted["student"])},
            "file": {"bytes": report.bytes, "accuracy": kd.metrics.accuracy(file.predict(self.data.test[0]), self.data.test[1])},
        }


def _operations(counted: object) -> dict[str, float]:
    return {"macs": round(counted.effective_macs), "accumulates": round(counted.effective_acs)}


def _row(values: list[float], alone: list[float]) -> dict[str, object]:
    difference, interval = paired(values, alone)
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"accuracies": values, "mean": statistics.mean(values), "deviation": deviation, "difference": difference, "interval": interval}


def main(arguments: list[str] | None = None) -> dict[str, object]:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path, help="rated sentences: .tsv or .csv")
    parser.add_argument("--unlabelled", type=Path, help="more sentences for the first stage: .tsv, .csv or .txt")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="of rated sentences")
    parser.add_argument("--out", type=Path, default=Path("runs/text"))
    for field in dataclasses.fields(Sizes):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    given = vars(parser.parse_args(arguments))
    sizes = Sizes(**{field.name: given[field.name] for field in dataclasses.fields(Sizes)})
    data = kd.data.load_text(given["sentences"], sizes.length, sizes.vocabulary, limit=given["limit"])
    more = kd.data.read_sentences(given["unlabelled"]).texts if given["unlabelled"] else []
    found = Experiment(data, data.ids(more) if more else data.train[0][:0], sizes, given["out"]).run(given["seeds"])
    (given["out"] / "results.json").write_text(json.dumps(found, indent=1))
    print(json.dumps({key: value for key, value in found.items() if key != "sizes"}, indent=1))
    return found


if __name__ == "__main__":
    main()
