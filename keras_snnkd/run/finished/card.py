"""The card of a model: what it is, what its files do and what they cost; `card.json` for programs and `card.html` for people.

A card is plain JSON data. All parts may be missing, and so may any value in them; what is missing is left out of the page::

    schema     2
    title, command, machine: str      versions: {package: version}      notes: [str]
    dataset    {name, source, image_shape, num_classes, class_names, train, validation, test}; the last three are numbers of images,
               `source` is what `--dataset` takes; of sentences `vocabulary` [token], by their ids; of numbers `task` "regression"; where
               samples have several inputs, `image_shape` is a mapping {input: shape}; where pictures were brought to one size, `resize`
               {width, height, keep_aspect}; all of that in words, `described` [str]
    beside     what the run that made the model measured on the same test images: {teacher, student_alone: accuracy, null where it is not
               known; better: str, where the student alone is if it is the more accurate one, else empty}
    model      {name, label, accuracy, parameters, timesteps, spikes_per_image, ...}; T and spikes are null for an ANN, and the accuracy
               where there are `errors` {mae, rmse, r2} of numbers
    targets    [{target, label, state, ...}], in the order of the page. `state` is "written"; "left out" for what cannot be, with a
               `reason`; or "refused" for a file that failed its check, likewise. A written one has the keys of `ExportReport` and
                   runs_per_image          1, or T for a file of one time step
                   arithmetic              "float32" or "int8", in which it multiplies
                   test_accuracy, test_agreement, test_images      of the file on the whole test set; `test_errors` of numbers
                   latency                 [{threads, p50_ms, p95_ms, runs, memory_bytes}], a run each; see `keras_snnkd.export.Latency`
                   micro                   what `MicroReport.to_dict` gives, where the file runs on microcontrollers
                   energy                  what `Energy.to_dict` gives, in the file's arithmetic
    cost       {footprint, connection_sparsity, activation_sparsity, synaptic_operations {dense, effective_macs, effective_acs, layers},
               twin_dense, twin {name, accuracy, synaptic_operations} or null, energy}, see `keras_snnkd.metrics`
    anytime    what `Anytime.to_dict` gives; not for an ANN
    activity   what `Activity.to_dict` gives
    raster     {image, label, predicted, model, layers {layer: [T][N] of 0 and 1}, never_fire {layer: [silent, all]}}; not for an ANN
    training   {command, machine, versions, recipe}: how the model was trained, where that is known
"""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_snnkd import metrics, report
from keras_snnkd.errors import FileFormatError
from keras_snnkd.export.targets import TARGETS
from keras_snnkd.files.manifest import RUN, STUDENT, claimed, place_for, renewed
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.report.usage import SCALE
from keras_snnkd.run.recipes.checks import check_types
from keras_snnkd.run.recipes.recipe import Recipe
from keras_snnkd.run.watching.attempt import attempt

SCHEMA = 2

CARD, PAGE = "card.json", "card.html"

LARGEST = 1e12
"""Above any accuracy or number of images."""

FINETUNED = "finetuned"
"""Beside a card, the folder of a stage that made the model ready for integers: training, which is kept when all else is replaced."""


def save_card(content: Mapping[str, Any], folder: Path) -> Path:
    """Write `card.json` and `card.html`.

    Args:
        content: See this module; `schema` is added.
        folder: Where to.

    Returns:
        The path of the page.

    Raises:
        OutputError: If they cannot be written. A page that cannot be drawn becomes a note in `card.json`.
    """
    content = {"schema": SCHEMA, **content}
    notes: list[str] = []
    page = folder / PAGE
    with attempt(f"{PAGE} was not drawn", notes):
        report.write_card_page(page, content)
    if notes:
        content["notes"] = [*(content.get("notes") or []), *notes]
    write_json(folder / CARD, content)
    return page


def read_card(model_path: str | Path) -> dict[str, Any] | None:
    """The card beside a model, or `None` if there is none; one of schema 1 with its data set and training where schema 2 has them.

    Raises:
        FileFormatError: If it is not JSON, or what others read of it is of another kind.
    """
    path = Path(model_path).with_name(CARD)
    if not path.is_file():
        return None
    card = read_json(path)
    if not isinstance(card, dict):
        return {}
    try:
        if "schema" not in card and isinstance(card.get("recipe"), dict):
            dataset = {"source": card["recipe"].get("dataset"), **(card.get("dataset") or {})}
            card = {**card, "dataset": dataset, "training": _training(card)}
        _check_types(card)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path} is not a card as this package writes it ({type(error).__name__}: {error})") from error
    return card


def _check_types(card: dict[str, Any]) -> None:
    """A `TypeError` or `ValueError` unless the parts that others read are mappings of the values they expect."""
    expected: dict[str, dict[str, type]] = {
        "model": {"accuracy": float, "label": str},
        "beside": {"teacher": float, "student_alone": float, "better": str},
        "dataset": {"name": str, "source": str, "test": int},
        "training": {"command": str, "machine": str, "versions": dict, "recipe": dict},
    }
    for part, values in expected.items():
        found = card.get(part)
        if not isinstance(found, (dict, type(None))):
            raise TypeError(f"{part} is {found!r:.100}, expected a mapping")
        for name, kind in values.items():
            _check_type(f"{name} of {part}", (found or {}).get(name), kind)
    check_types(_known(((card.get("training") or {}).get("recipe")) or {}))


def _check_type(what: str, value: Any, kind: type) -> None:
    """Raise for a value of another kind; numbers are finite and not below 0, and truth is none."""
    if value is None:
        return
    allowed: Any = (int, float) if kind is float else kind
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise TypeError(f"{what} is {value!r:.100}")
    if kind in (int, float) and not 0 <= value < LARGEST:
        raise ValueError(f"{what} is {'no number of that size' if abs(value) >= LARGEST else repr(value)}")


def _known(recipe: dict[str, Any]) -> Recipe:
    """A recipe of those settings that there are today and are not left out."""
    fields = {field.name for field in dataclasses.fields(Recipe)}
    return Recipe(**{name: value for name, value in recipe.items() if name in fields and value is not None})


def write_card(results: dict[str, Any], run: Path, place: Path) -> Path:
    """Put the last student of a run, its exported files and a card into a folder of their own.

    Where another run's student, or anything else, stands at `place`, the next free of `<place>-2`, `<place>-3`, ... is taken. What the same
    run has put there before is replaced as a whole.

    Args:
        results: What `Experiment.run` returned.
        run: The run's folder.
        place: The folder for the student: `model.keras`, `model_float32.tflite`, `model_dynamic.tflite`, `saved_model/`, `card.json`,
            `card.html`, `README.md` and `manifest.json`.

    Returns:
        The folder.

    Raises:
        OutputError: If it cannot be written; what was there stays.
    """
    row = results["models"][-1]
    exports = [entry for entry in results["exports"] if entry["model"] == row["name"]]
    sources = [run / row["name"] / "model.keras", *(run / entry["path"] for entry in exports)]
    cost = _cost(results, row)
    content = {
        "title": f"{results['title']}, {row['label']}",
        "dataset": {**results["dataset"], "source": results["recipe"]["dataset"]},
        "beside": _beside({**results, "folder": run.as_posix()}),
        "model": row,
        "targets": [_target(entry, cost) for entry in exports],
        "cost": cost,
        "activity": (results.get("activity") or {}).get(row["name"]),
        "raster": results.get("raster"),
        "training": _training(results),
        "notes": row.get("notes"),
    }
    with claimed(run, RUN) as manifest:
        student = place_for(place, STUDENT, manifest.id)
        with renewed(student, f"{manifest.id}-", keep=(FINETUNED,)) as folder:
            for source in sources:
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / source.name)
            save_card(content, folder)
            (folder / "README.md").write_text(_readme(results, row, content), encoding="utf-8", errors="backslashreplace")
    return student.folder


def _target(entry: Mapping[str, Any], cost: dict[str, Any]) -> dict[str, Any]:
    """The card's entry of a file that a run has exported, with its energy."""
    target = TARGETS[str(entry["target"]).removeprefix("litert ").removesuffix(" float32").replace(" ", "_")]
    known = {"state": "written", "label": target.label, "path": Path(entry["path"]).name, "arithmetic": target.arithmetic}
    return {**entry, **known, "energy": energy_of(cost, target.arithmetic)}


def energy_of(cost: dict[str, Any], arithmetic: str = "float32") -> dict[str, Any] | None:
    """The estimate from what was counted, or `None` where nothing was.

    Args:
        cost: A card's `cost`, but for this.
        arithmetic: See `keras_snnkd.metrics.energy`.
    """
    if cost["synaptic_operations"] is None or cost["twin_dense"] is None:
        return None
    theirs = (cost["twin"] or {}).get("synaptic_operations")
    twin = metrics.Operations(**theirs) if theirs else None
    return metrics.energy(metrics.Operations(**cost["synaptic_operations"]), cost["twin_dense"], twin, arithmetic).to_dict()


def _cost(results: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """What a run counted of its student, and of the student's ANN twin if it trained one."""
    names = [rival["name"] for rival in results.get("rivals") or () if rival["name"] != row["name"]]
    twin = next((other for other in results["models"] if other["name"] in names), None)
    cost = {
        "synaptic_operations": row.get("synaptic_operations"),
        "twin_dense": row.get("twin_dense"),
        "twin": twin and {name: twin.get(name) for name in ("name", "accuracy", "synaptic_operations")},
    }
    return {**cost, "energy": energy_of(cost)}


def _beside(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the run measured of the teacher and of the student alone."""
    rows = results["models"]
    teacher: Mapping[str, Any] = next((row for row in rows if row.get("role") == "teacher"), {})
    alone = report.untaught(rows[-1], [row for row in rows[:-1] if row.get("role") == "student"]) or {}
    return {"teacher": teacher.get("accuracy"), "student_alone": alone.get("accuracy"), "better": report.better_alone(results)}


def _training(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: content[name] for name in ("command", "recipe", "machine", "versions") if name in content}


def _samples(data: Mapping[str, Any]) -> str:
    """What the model takes and gives."""
    told = f"{data['num_classes']} classes" if data["num_classes"] else "numbers"
    if data.get("vocabulary"):
        return f"Token ids `{data['image_shape']}` as int32, of the {len(data['vocabulary']):,} tokens that `card.json` lists, {told}"
    if isinstance(data["image_shape"], Mapping):
        inputs = ", ".join(f"`{name}` `{shape}`" for name, shape in data["image_shape"].items())
        return f"The inputs {inputs} as float32, images {SCALE}, {told}"
    if len(data["image_shape"]) != 3:
        return f"Samples `{data['image_shape']}` as float32, {told}"
    return f"Images `{data['image_shape']}`, {SCALE}, {told}"


def _readme(results: dict[str, Any], row: dict[str, Any], card: dict[str, Any]) -> str:
    better, usage = card["beside"]["better"], report.usage_markdown(card).rstrip()
    return "\n".join(
        [
            f"# {results['title']}, {row['label']}",
            "",
            f"{_samples(results['dataset'])}, T = {row['timesteps']}. Made by",
            "",
            f"    {results['command'] or 'keras_snnkd.experiment.Experiment'}",
            "",
            f"on {results['machine']} with " + ", ".join(f"{name} {version}" for name, version in results["versions"].items()) + ".",
            "Accuracies are of the whole test set; the epoch was chosen on validation images. One run, one seed.",
            *(["", f"**{better}**"] if better else []),
            "",
            report.markdown(results["models"]),
            "",
            *(["## How to run this", "", usage, ""] if usage else []),
            "`card.html` shows all figures; `card.json` has them as data, with the resolved recipe and each file's comparison with Keras.",
            "",
        ]
    )
