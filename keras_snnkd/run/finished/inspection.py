"""What the command line does without training: `--mode evaluate` and `--mode export`."""

import argparse
import contextlib
import hashlib
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import graphs, models, report
from keras_snnkd.data.loaders import takes_resize
from keras_snnkd.errors import FileFormatError, ForeignFolderError, KDError, unknown_name
from keras_snnkd.export.litert import IO
from keras_snnkd.export.targets import OF_INTEGERS, select
from keras_snnkd.files.keras_file import check_model_file
from keras_snnkd.files.manifest import FIGURES, FILES, STUDENT, Manifest, claimed, place_for
from keras_snnkd.files.staging import write_json
from keras_snnkd.run.compressing.finetuning import finetune_int8
from keras_snnkd.run.finished.attacks import read_attacks, told, under_attack
from keras_snnkd.run.finished.card import CARD, FINETUNED, read_card
from keras_snnkd.run.finished.evaluation import check_fits, measure
from keras_snnkd.run.finished.twin import check_twin
from keras_snnkd.run.recipes.folder import check_folder
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.watching.progress import Progress, working

FIGURES_FILE = "evaluate.json"

OF_SERIES = ["window", "hop", "fold"]
"""Settings of data that have to be those of the training, or the test people may be among those that the model has seen."""

OF_EVENTS = ["fold", "frames", "frames_by"]
"""The same of events."""

OF_TASK = ["task", "tokens", "vocabulary"]
"""The same of labels that may be numbers, and of sentences."""

DATASET = "digits"
"""Of a model whose data set neither a card nor an option tells."""


def evaluate(options: argparse.Namespace, console: Any) -> int:
    """`--mode evaluate`: accuracy, size and activity of the model in `options.model`, beside what its card says.

    Raises:
        KDError: Without a model, for a damaged one, or one that does not fit the data set.
    """
    path = _path(Mode.EVALUATE, options.model)
    attacks = read_attacks(options.attacks or (), options.variants or ())
    variant_paths = [_path(Mode.EVALUATE, variant) for variant in options.variants or ()]
    card = read_card(path) or {}
    data = _data(options, path, card)
    if attacks and data.is_named:
        raise KDError(f"--attack changes the pixels of single images, and {data.name} has samples of several inputs; leave it out")
    variants = [_model(variant, data) for variant in variant_paths]
    model, folder = _model(path, data), _folder(Mode.EVALUATE, path, options, FIGURES)
    with claimed(folder, FIGURES) as manifest:
        check_folder(folder)
        manifest.take(FIGURES_FILE)
        with working(f"measuring {path}", console):
            row, activity = measure(model, data)
        row = {"name": model.name, "role": "student", "label": model.name.replace("_", " "), "taught_by": None, **row}
        console.print(report.table([row]))
        found: dict[str, Any] = {}
        if attacks:
            with working(f"attacking {path}", console):
                found = under_attack(model, data, attacks, variants)
        write_json(folder / FIGURES_FILE, {"model": str(path), "dataset": data.name, **row, "activity": activity, **found})
    for line in told(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    said = _beside_card(row["accuracy"], card, len(data.test_arrays[1]))
    notes = [f"note: {note}" for note in row.get("notes", ())]
    for line in filter(None, [*notes, said, f"all figures: {folder / FIGURES_FILE}"]):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def export(options: argparse.Namespace, console: Any, command: str) -> int:
    """`--mode export`: the files of `options.target` of the model in `options.model`, checked and measured, and their card.

    Raises:
        KDError: As `evaluate`; for an unknown target, or a file that failed its check.
    """
    from keras_snnkd.run.finished.edge_export import EdgeExport

    targets = (options.target or "all").split(",")
    _check(options, select(targets))  # before anything takes time
    path = _path(Mode.EXPORT, options.model)
    twin_path = _path(Mode.EXPORT, options.twin) if options.twin else None
    card = read_card(path) or {}
    data = _data(options, path, card)
    model, folder = _model(path, data), _folder(Mode.EXPORT, path, options, FILES)
    twin = _twin(model, twin_path, data) if twin_path else None
    facts = {"command": command, "dataset": {"source": _dataset(options, path, card)}}
    facts.update({part: card[part] for part in ("training", "beside") if card.get(part)})
    with claimed(folder, FILES, command, kinds=(STUDENT,)) as manifest:
        check_folder(folder)
        _check_student(manifest, path)
        aware = None
        if options.finetune:
            manifest.take(FINETUNED)
            aware = _finetuned(model, data, folder / FINETUNED, options.finetune, console)
        EdgeExport(
            model,
            data,
            folder,
            targets,
            io=options.io or "float32",
            aware=aware,
            twin=twin,
            label=(card.get("model") or {}).get("label") or "",
            facts=facts,
            console=console,
        ).run()
    return 0


def _check_student(manifest: Manifest, model: Path) -> None:
    """Refuse to put the files of one model beside the `model.keras` of another."""
    beside = manifest.folder / "model.keras"
    if manifest.kind == STUDENT and model.resolve() != beside.resolve():
        raise ForeignFolderError(
            f"{manifest.folder} is the place of {beside}, and the files would be those of {model}; choose another folder (--out)"
        )


def _check(options: argparse.Namespace, targets: list[str]) -> None:
    """Refuse what does not go together."""
    if options.io not in (None, *IO):
        raise unknown_name("type of input and output", options.io, IO)
    if options.finetune is not None and options.finetune < 1:
        raise KDError(f"--finetune must be at least 1 epoch, got {options.finetune}")
    if not OF_INTEGERS & set(targets) and (options.finetune or options.io == "int8"):
        option = "--finetune" if options.finetune else "--io int8"
        raise KDError(f"{option} is for files of integers; add one of {', '.join(sorted(OF_INTEGERS))} to --target")


def _finetuned(model: keras.Model, data: datasets.Data, folder: Path, epochs: int, console: Any) -> keras.Model:
    """The model made ready for integers by so many epochs."""
    with contextlib.closing(Progress("fine-tuning for int8", console)) as progress:
        return finetune_int8(model, data, folder, epochs, callbacks=[progress])


def _path(mode: Mode, model: str | None) -> Path:
    """The model's file, also for the folder of a finished student; refused before any data are read if it is none."""
    if not model:
        raise KDError(f"--mode {mode} needs --model FILE.keras, such as saved_models/digits_student/model.keras")
    path = Path(model)
    path = path / "model.keras" if path.is_dir() else path
    check_model_file(path)
    return path


def _data(options: argparse.Namespace, path: Path, card: dict[str, Any]) -> datasets.Data:
    """The data set, with batches and augmentation as the card's model was trained."""
    recipe = (card.get("training") or {}).get("recipe") or {}
    name, known = _dataset(options, path, card), ["batch_size", "augment"]
    size = {"resize": options.resize, "keep_aspect": bool(options.keep_aspect)} if options.resize or options.keep_aspect else {}
    if not size and takes_resize(name):
        known += ["resize", "keep_aspect"]
    if datasets.takes_numbers(name):
        known += OF_TASK
    if datasets.holds_series(name):
        known += OF_SERIES
    elif datasets.holds_events(name):
        known += OF_EVENTS
    trained = {key: recipe[key] for key in known if key in recipe}
    if words := (card.get("dataset") or {}).get("vocabulary"):
        trained["vocabulary"] = words  # ids are those that the model has learned, also of sentences of another file
    given = {key: getattr(options, key) for key in {*OF_SERIES, *OF_EVENTS, *OF_TASK} if getattr(options, key) is not None}
    return datasets.load(name, data_dir=options.data_dir, limit=options.limit, **{**trained, **size, **given})


def _dataset(options: argparse.Namespace, path: Path, card: dict[str, Any]) -> str:
    """The data set that was asked for, or that the card beside the model names."""
    beside = path.with_name(CARD)
    if options.dataset or not beside.is_file():
        return options.dataset or DATASET
    with contextlib.suppress(KeyError, TypeError):
        if card["dataset"]["source"]:
            return card["dataset"]["source"]
    raise FileFormatError(f"{beside} names no data set; give it with --dataset")


def _model(path: Path, data: datasets.Data) -> keras.Model:
    """A model from its file, for the images of the data."""
    model = models.load(path)
    check_fits(model, data, str(path))
    return graphs.sized(model, data.image_shape)


def _twin(model: keras.Model, path: Path, data: datasets.Data) -> keras.Model:
    """The model's ANN twin from its file."""
    twin = _model(path, data)
    check_twin(model, twin, str(path))
    return twin


def _folder(mode: Mode, path: Path, options: argparse.Namespace, kind: str) -> Path:
    """The folder that was asked for, or one that no other model of that name has."""
    if options.out:
        return Path(options.out)
    name = (path.resolve().parent.name or "model") if path.stem == "model" else path.stem
    owner = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return place_for(Path("runs") / f"{mode}_{name}", kind, owner).folder


def _beside_card(accuracy: float | None, card: dict[str, Any], images: int) -> str:
    """Whether an accuracy is that of the model's card."""
    told, counted = (card.get("model") or {}).get("accuracy"), (card.get("dataset") or {}).get("test")
    if told is None or accuracy is None:
        return ""
    if counted not in (None, images):
        return f"the card's accuracy, {told:.2%}, is of {counted:,} test images, this one of {images:,}"
    if abs(accuracy - told) * images < 0.5:
        return f"the accuracy is that of the card, {told:.2%} of {images:,} test images"
    return f"the accuracy is not that of the card, {told:.2%}: other data, other versions, or another model is beside this card"
