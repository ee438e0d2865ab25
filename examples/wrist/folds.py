"""Every person left out once: two teachers, rivals, and students of four neurons, alone and taught by each teacher.

    python examples/wrist/folds.py --data smartwatch_exercises.npz --json docs/results/data/smartwatch_exercises.json

Five folds of two people. Each arm is trained on the same people; one person chooses the epoch. An interrupted run goes on where it
stopped. The file holds an accuracy for each fold, and differences with the interval of 95 % over folds: to the same student alone, and of
each neuron alone to LIF alone. The arms `lif_distilled_int8` and `cnn_int8` are files of integers, run on the windows of the people
left out.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wrist  # beside this file

import keras_snnkd as kd
from keras_snnkd.files.staging import write_json
from keras_snnkd.run.comparing.ranking import paired
from keras_snnkd.run.finished.edge_export import EdgeExport
from keras_snnkd.run.finished.evaluation import measure, test_images
from keras_snnkd.run.watching.terminal import make_console

TOLERANCE = 0.01
"""What an answer before the end of the window may cost in accuracy, on the person that chooses the epoch."""


def options() -> argparse.ArgumentParser:
    """The arguments: those of `wrist.py`, but for one fold and one neuron."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--data", required=True, help="smartwatch_exercises.npz, or any file of series with groups (docs/data.md)")
    p.add_argument("--out", default="runs/wrist_folds", help="folder of the runs")
    p.add_argument("--json", help="where the figures go (default: folds.json in that folder)")
    p.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    p.add_argument("--neurons", nargs="+", default=list(wrist.NEURONS), choices=list(wrist.NEURONS))
    p.add_argument("--window", type=int, default=100)
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--teacher-epochs", type=int, default=20)
    p.add_argument("--int8-epochs", type=int, default=5, help="of fine-tuning with the rounding, for the files of integers")
    p.add_argument("--without-rivals", dest="rivals", action="store_false", help="no CNN, no GRU and no files of integers")
    p.add_argument("--without-spiking-teacher", dest="spiking_teacher", action="store_false")
    p.add_argument("--width", type=int, help="of all students (default: for about 8,000 parameters)")
    p.add_argument("--seed", type=int, default=0)
    return p


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Train all arms on all folds; the figures are written anew after each fold."""
    given = options().parse_args(arguments)
    command = shlex.join(["python", "examples/wrist/folds.py", *(sys.argv[1:] if arguments is None else arguments)])
    rows: list[dict[str, dict[str, Any]]] = []
    found: dict[str, Any] = {}
    for fold in given.folds:
        data = kd.data.load(given.data, window=given.window, fold=fold, augment=wrist.AUGMENT, batch_size=64, seed=given.seed)
        results = kd.Chain(stages(data, given), Path(given.out, f"fold{fold}")).run(data, resume=True)
        row = {name: {**figures(result.model, data), "seconds": result.record["seconds"]} for name, result in results.items()}
        if given.rivals:
            row.update(files_of_integers(row, {name: result.model for name, result in results.items()}, data, given, fold))
        rows.append(row)
        found = {"arms": arms(rows, given, command)}
        write_json(Path(given.json or Path(given.out, "folds.json")), found)
        print(*(f"fold {fold}, {name}: {row['accuracy']:.1%}" for name, row in rows[-1].items()), sep="\n", flush=True)
    print(json.dumps([{key: arm[key] for key in ("arm", "accuracy", "difference", "to_lif")} for arm in found["arms"]], indent=1))
    return found


def stages(data: kd.data.Data, given: argparse.Namespace) -> list[kd.Stage]:
    """Teacher, students of each neuron, rivals."""
    make, how = wrist.Models(data, given), wrist.training(data, given)
    found = [kd.Stage("teacher", make.teacher, **how["teacher"])]
    if given.spiking_teacher:
        found.append(kd.Stage("spiking_teacher", make.spiking_teacher, **how["student"]))
    for neuron in given.neurons:

        def student(neuron: str = neuron) -> Any:
            return make.student(neuron)

        found.append(kd.Stage(f"{neuron}_alone", student, **how["student"]))
        found.append(kd.Stage(f"{neuron}_distilled", student, teacher="teacher", objectives=[wrist.SOFT_TARGETS], **how["student"]))
        if given.spiking_teacher:
            taught = {"teacher": "spiking_teacher", "objectives": [wrist.SOFT_TARGETS], **how["student"]}
            found.append(kd.Stage(f"{neuron}_by_spiking", student, **taught))
    rivals = {"cnn": make.cnn, "gru": make.gru} if given.rivals else {}
    return [*found, *(kd.Stage(name, build, **how["rival"]) for name, build in rivals.items())]


def figures(model: Any, data: kd.data.Data) -> dict[str, Any]:
    """What one network does on the people who were left out, and what it costs."""
    row, _ = measure(model, data)
    operations = row["synaptic_operations"]
    early = None
    if model.name == "student":
        early = kd.metrics.anytime(model, *test_images(data), calibration=data.validation_arrays, tolerance=TOLERANCE)
    return {
        "accuracy": row["accuracy"],
        "parameters": row["parameters"],
        "operations": operations and operations["effective_macs"] + operations["effective_acs"],
        "spikes": row["spikes_per_image"],
        "steps_used": early and early.mean_steps,
        "accuracy_early": early and 100 * early.accuracy_at_threshold,
    }


def files_of_integers(
    row: dict[str, dict[str, Any]], trained: dict[str, Any], data: kd.data.Data, given: argparse.Namespace, fold: int
) -> dict[str, dict[str, Any]]:
    """The taught LIF student and the CNN as files of integers: accuracy on the people who were left out, bytes."""
    console, found = make_console(), {}
    for name, target in (("lif_distilled", "streaming_int8"), ("cnn", "int8")):
        if name not in trained:
            continue
        folder = Path(given.out, f"fold{fold}_files", name)
        aware = wrist.aware_of(trained[name], data, folder / "finetuned", given.int8_epochs, console)
        (entry,) = EdgeExport(trained[name], data, folder / "edge", [target], aware=aware, label=name, console=console).run()["targets"]
        if entry.get("test_accuracy") is not None:
            unknown = dict.fromkeys(("steps_used", "accuracy_early"))
            found[f"{name}_int8"] = {**row[name], **unknown, "accuracy": entry["test_accuracy"], "bytes": entry["bytes"]}
    return found


def arms(rows: Sequence[dict[str, dict[str, Any]]], given: argparse.Namespace, command: str) -> list[dict[str, Any]]:
    """The figures by arm, with differences over the folds that are done."""
    accuracy = {name: [100 * row[name]["accuracy"] for row in rows] for name in rows[0]}
    found = []
    for name in rows[0]:
        alone = re.sub("_(distilled|by_spiking)$", "_alone", name)
        found.append(
            {
                "arm": name,
                "command": command,
                "seeds": list(given.folds[: len(rows)]),
                "accuracy": accuracy[name],
                "difference": difference(accuracy[name], accuracy[alone]) if alone != name else None,
                "to_lif": difference(accuracy[name], accuracy["lif_alone"]) if name.endswith("_alone") and name != "lif_alone" else None,
                "timesteps": given.window,
                **{key: [row[name][key] for row in rows] for key in ("steps_used", "accuracy_early")},
                **{key: rows[0][name][key] for key in ("parameters", "operations", "spikes", "seconds")},
                "bytes": rows[0][name].get("bytes"),
                **dict.fromkeys(("recipe", "energy")),
            }
        )
    return found


def difference(values: Sequence[float], others: Sequence[float]) -> dict[str, float | None]:
    """The mean paired difference in points, and its interval of 95 %."""
    mean, interval = paired(values, others)
    low, high = interval or (None, None)
    return {"mean": mean, "low": low, "high": high}


if __name__ == "__main__":
    main()
