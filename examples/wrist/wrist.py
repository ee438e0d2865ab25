"""From recordings of a watch to a spiking network of fewer than 10,000 parameters that answers while the wrist moves.

    python examples/wrist/wrist.py --data smartwatch_exercises.npz

What is trained, all on the same people and with the same augmentation: a temporal convolutional teacher; a spiking student
alone and taught by it; and, as rivals of the student's size, an ordinary convolutional network for 8-bit integers and a GRU.
The people of the test are in no other part. An interrupted run goes on where it stopped.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

import keras_snnkd as kd
from keras_snnkd.data.series import statistics
from keras_snnkd.files.staging import write_json
from keras_snnkd.run.compressing.finetuning import finetune_int8
from keras_snnkd.run.finished.edge_export import EdgeExport
from keras_snnkd.run.finished.evaluation import measure, test_images
from keras_snnkd.run.watching.terminal import make_console

LIMIT = 10_000
"""Parameters that the student, and each rival, may have."""

AUGMENT = "jitter+scale+time_shift"

NEURONS: dict[str, dict[str, Any]] = {
    "lif": {"width": 80},
    "adlif": {"width": 76, "norm_scale": 5.0},
    "rlif": {"width": 48, "norm_scale": 5.0},
    "radlif": {"width": 47, "norm_scale": 5.0},
}
"""Widths at which a student has about 8,000 parameters. Neurons with long time constants need larger currents to fire at the start."""

DROPOUT = 0.2
"""Of students and rivals: seven people are few, and a network of this size learns them by heart."""

SOFT_TARGETS = {"objective": "soft_targets", "temperature": 4.0, "weight": 0.9, "student_tap": "output", "teacher_tap": "output"}


def options() -> argparse.ArgumentParser:
    """The arguments."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--data", required=True, help="smartwatch_exercises.npz, or any file of series with groups (docs/data.md)")
    p.add_argument("--out", default="runs/wrist", help="folder of the run")
    p.add_argument("--fold", type=int, default=0, help="which two of the ten people are left out")
    p.add_argument("--window", type=int, default=100, help="samples of a window, 2 s at 50 Hz")
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--teacher-epochs", type=int, default=20)
    p.add_argument("--int8-epochs", type=int, default=5, help="of fine-tuning with the rounding")
    p.add_argument(
        "--neuron",
        default="lif",
        choices=list(NEURONS),
        help="of the student; all but lif get files with 8-bit weights, and none in integers",
    )
    p.add_argument("--width", type=int, help="neurons of each of the student's two layers (default: for about 8,000 parameters)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--target", action="append", help="files of the student (default: the three of one step)")
    return p


class Models:
    """What is trained, for one data set.

    Args:
        data: The windows.
        given: The command line.
    """

    def __init__(self, data: kd.data.Data, given: argparse.Namespace) -> None:
        self.data, self.given = data, given

    def teacher(self) -> keras.Model:
        """A temporal convolutional network: causal convolutions that see further back from layer to layer."""
        return self._sequence(widths=(96, 96, 96), kernel=5, dilation=2, neuron="relu", dropout=0.3, name="teacher")

    def spiking_teacher(self) -> keras.Model:
        """A spiking network of five times the student's size, of adaptive neurons."""
        return self._sequence(widths=(192, 192), neuron="adlif", norm_scale=5.0, dropout=0.4, name="spiking_teacher")

    def student(self, neuron: str | None = None) -> keras.Model:
        """Two layers of neurons; a sample of the sensor is a time step."""
        neuron = neuron or self.given.neuron
        arguments = dict(NEURONS[neuron])
        width = self.given.width or arguments["width"]
        del arguments["width"]
        return self._sequence(widths=(width, width), neuron=neuron, dropout=DROPOUT, name="student", **arguments)

    def cnn(self) -> keras.Model:
        """The ordinary network that a microcontroller would run: three convolutions over the whole window."""
        x = series = keras.Input(self.data.image_shape, name="image")
        x = self._standardized(x)
        for width in (16, 24, 32):
            x = keras.layers.Conv1D(width, 5, strides=2, use_bias=False)(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.Dropout(DROPOUT)(keras.layers.Flatten()(keras.layers.MaxPooling1D(3)(x)))
        return keras.Model(series, keras.layers.Dense(self.data.num_classes)(x), name="cnn")

    def gru(self) -> keras.Model:
        """A gated recurrent network, one sample at a time."""
        series = keras.Input(self.data.image_shape, name="image")
        x = keras.layers.Dropout(DROPOUT)(keras.layers.GRU(48)(self._standardized(series)))
        return keras.Model(series, keras.layers.Dense(self.data.num_classes)(x), name="gru")

    def _sequence(self, **more: Any) -> keras.Model:
        model = kd.models.SequenceNet(self.data.image_shape, self.data.num_classes, padded=False, **more)
        model.get_layer("standardize").set_statistics(*statistics(self.data.train_arrays))
        return model

    def _standardized(self, x: Any) -> Any:
        """The channels with mean 0 and deviation 1, by the training part."""
        layer = kd.layers.Standardize(padded=False, name="standardize")
        x = layer(x)
        layer.set_statistics(*statistics(self.data.train_arrays))
        return x


def stages(data: kd.data.Data, given: argparse.Namespace) -> list[kd.Stage]:
    """Five networks, the same training for all but the teacher's loss and the rates."""
    make, how = Models(data, given), training(data, given)
    return [
        kd.Stage("teacher", make.teacher, **how["teacher"]),
        kd.Stage("student_alone", make.student, **how["student"]),
        kd.Stage("student_distilled", make.student, teacher="teacher", objectives=[SOFT_TARGETS], **how["student"]),
        kd.Stage("cnn", make.cnn, **how["rival"]),
        kd.Stage("gru", make.gru, **how["rival"]),
    ]


def training(data: kd.data.Data, given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """How teacher, students and rivals are trained."""
    common: dict[str, Any] = {"seed": given.seed, "weight_decay": 1e-4, "schedule": "one_cycle", "settings": {"data": data.fingerprint}}
    return {
        "teacher": {"epochs": given.teacher_epochs, "learning_rate": 2e-3, **common},
        "student": {"epochs": given.epochs, "learning_rate": 1e-2, **common},
        "rival": {"epochs": given.epochs, "learning_rate": 4e-3, **common},
    }


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Train, export and compare; returns the rows of the table, which also go to `wrist.json`."""
    given = options().parse_args(arguments)
    console, folder = make_console(), Path(given.out)
    data = kd.data.load(given.data, window=given.window, fold=given.fold, augment=AUGMENT, batch_size=64, seed=given.seed)
    console.print(*kd.data.describe(data), sep="\n", highlight=False, markup=False)
    check_sizes(data, given)
    results = kd.Chain(stages(data, given), folder / "training").run(data, resume=True)
    trained = {name: result.model for name, result in results.items()}
    rows = [{"model": name, **row_of(model, data)} for name, model in trained.items()]
    student = trained["student_distilled"]
    targets = given.target or ["streaming", "streaming_dynamic", "streaming_int8"]
    aware = None
    if "streaming_int8" in targets:
        aware = aware_of(student, data, folder / "int8", given.int8_epochs, console)
        targets = [target for target in targets if target != "streaming_int8" or aware is not None]
    facts = {"command": shlex.join(["python", "examples/wrist/wrist.py", *(sys.argv[1:] if arguments is None else arguments)])}
    card = EdgeExport(student, data, folder / "edge", targets, aware=aware, label="wrist student", facts=facts, console=console).run()
    rows += [file_row("student_distilled", entry) for entry in card["targets"]]
    if given.target is None:
        kd.export.c_step(student, folder / "student.h", samples=test_images(data)[0][:200])
        cnn = aware_of(trained["cnn"], data, folder / "cnn_int8", given.int8_epochs, console)
        files = EdgeExport(trained["cnn"], data, folder / "edge_cnn", ["int8"], aware=cnn, label="wrist CNN", facts=facts, console=console)
        rows += [file_row("cnn", entry) for entry in files.run()["targets"]]
    write_json(folder / "wrist.json", {**vars(given), "rows": rows, "anytime": card["anytime"]})
    show(rows, console)
    return rows


def check_sizes(data: kd.data.Data, given: argparse.Namespace) -> None:
    """Refuse a student or a rival that is not small, before anything is trained."""
    make = Models(data, given)
    for build in (make.student, make.cnn, make.gru):
        size = build().count_params()
        if size >= LIMIT:
            raise ValueError(f"{build.__name__} has {size:,} parameters, and the example is about fewer than {LIMIT:,}; take --width less")


def aware_of(model: keras.Model, data: kd.data.Data, folder: Path, epochs: int, console: Any) -> keras.Model | None:
    """The network that a file of integers computes, fine-tuned with the rounding; `None` where its neurons have no such form."""
    try:
        return finetune_int8(model, data, folder, epochs)
    except ValueError as error:
        console.print(f"no file of integers: {error}", highlight=False, markup=False, soft_wrap=True)
        return None


def row_of(model: keras.Model, data: kd.data.Data) -> dict[str, Any]:
    """What one network does on the people who were left out, and what it costs."""
    row, _ = measure(model, data)
    operations = row["synaptic_operations"]
    return {
        "accuracy": row["accuracy"],
        "parameters": row["parameters"],
        "operations": operations and operations["effective_macs"] + operations["effective_acs"],
        "windows": len(test_images(data)[1]),
    }


def file_row(model: str, entry: dict[str, Any]) -> dict[str, Any]:
    """What one file does, by its entry in the card."""
    latency = next(iter(entry.get("latency") or []), {})
    return {
        "model": f"{model}, {entry['label']}",
        "accuracy": entry.get("test_accuracy"),
        "bytes": entry.get("bytes"),
        "p50_ms": latency.get("p50_ms"),
        "p95_ms": latency.get("p95_ms"),
        "reason": entry.get("reason"),
    }


def show(rows: list[dict[str, Any]], console: Any) -> None:
    """Print the table."""
    from rich.table import Table

    table = Table("model", "accuracy", "parameters", "operations a window", "bytes", "ms a call, p50", "p95")
    for row in rows:
        forms = {
            "accuracy": "{:.1%}",
            "parameters": "{:,}",
            "operations": "{:,.0f}",
            "bytes": "{:,}",
            "p50_ms": "{:.3f}",
            "p95_ms": "{:.3f}",
        }
        table.add_row(row["model"], *(form.format(row[name]) if row.get(name) is not None else "-" for name, form in forms.items()))
    console.print(table)


if __name__ == "__main__":
    main()
