"""What the command line does without training: a dry run, `--mode evaluate` and `--mode export`."""

import json
from pathlib import Path

from keras_snnkd import data as datasets
from keras_snnkd import models
from keras_snnkd.distill.taps import TapModel, tap_names
from keras_snnkd.errors import FileFormatError, KDError, ShapeError
from keras_snnkd.experiment import Experiment, check_folder, export_checked, measure
from keras_snnkd.files import read_json, write_json


def dry_run(experiment: Experiment, console) -> int:
    """Build everything a run would train, and print shapes, parameters, taps, losses and the resolved recipe."""
    data = experiment.data
    counts = ", ".join(f"{len(getattr(data, f'{part}_arrays')[1]):,} {part}" for part in ("train", "validation", "test"))
    say = lambda text: console.print(text, highlight=False, markup=False)  # noqa: E731
    say(f"data: {data.name}, images {data.image_shape}, {data.num_classes} classes, {counts}")
    for name, distiller in experiment.check().items():
        student = distiller.student
        say(f"\nstage {name}: {student.count_params():,} parameters, loss = {distiller.describe()}")
        if distiller.teacher is not None:
            say(f"  taught by {distiller.teacher.name} ({distiller.teacher.count_params():,} parameters)")
        for tap, shape in sorted(TapModel(student, tap_names(student)).shapes.items(), key=lambda item: tap_names(student).index(item[0])):
            say(f"  {tap:<26} [{', '.join('B' if size is None else str(size) for size in shape)}]")
    say("\nrecipe:")
    say(json.dumps(experiment.recipe.to_dict(), indent=2))
    return 0


def run(mode: str, options, console) -> int:
    """`--mode evaluate` and `--mode export` of the model in `options.model`.

    Raises:
        KDError: Without a model, for a damaged one, or one that does not fit the data set.
    """
    from keras_snnkd import report

    if not options.model:
        raise KDError(f"--mode {mode} needs --model FILE.keras, such as saved_models/digits_student/model.keras")
    model = models.load(options.model)
    dataset = options.dataset or _dataset_of(options.model) or "digits"
    data = datasets.load(dataset, data_dir=options.data_dir, limit=options.limit)
    found, expected = (tuple(model.input_shape[1:]), model.output_shape[-1]), (tuple(data.image_shape), data.num_classes)
    if found != expected:
        raise ShapeError(
            f"{options.model} takes images {found[0]} and knows {found[1]} classes, {data.name} has images {expected[0]} of "
            f"{expected[1]} classes; name the model's data set (--dataset)"
        )
    folder = Path(options.out or Path("runs") / f"{mode}_{Path(options.model).parent.name or 'model'}")
    check_folder(folder)
    row, activity = measure(model, data)
    files, exports = export_checked(model, data, folder) if mode == "export" else ({}, [])
    row = {"name": model.name, "role": "student", "label": model.name.replace("_", " "), "taught_by": None, **row, **files}
    content = {"model": str(options.model), "dataset": data.name, **row, "activity": activity, "exports": exports}
    write_json(folder / f"{mode}.json", content)
    console.print(report.table([row]))
    for entry in exports:
        differing = max(entry["spike_differences"].values(), default=0.0)
        agreement = entry.get("test_agreement", entry["agreement"])
        line = f"{entry['target']:<16} {entry['bytes']:>9,} bytes, predictions equal to Keras' {agreement:.2%}"
        console.print(f"{line}, differing spikes at most {differing:.4%}: {folder / entry['path']}", highlight=False, soft_wrap=True)
    console.print(f"all figures: {folder / f'{mode}.json'}", highlight=False)
    return 0


def _dataset_of(model_path) -> str | None:
    """The data set that the card beside a model names, if there is one."""
    card = Path(model_path).with_name("card.json")
    if not card.is_file():
        return None
    try:
        return read_json(card)["recipe"]["dataset"]
    except (KeyError, TypeError):
        raise FileFormatError(f"{card} names no data set; give it with --dataset") from None
