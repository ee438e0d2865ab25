"""A finished student on the shelf: its files and a card that says what it is."""

import shutil
from pathlib import Path
from typing import Any

from keras_snnkd import report
from keras_snnkd.files import write_json


def write_card(results: dict[str, Any], run: Path, place: Path) -> Path:
    """Copy the last student of a run, its exported files and a card to `place`.

    Args:
        results: What `Experiment.run` returned.
        run: The run's folder.
        place: The folder for the student: `model.keras`, `model_float32.tflite`, `model_dynamic.tflite`, `saved_model/`, `card.json` and
            `README.md`.

    Returns:
        `place`.
    """
    row = results["models"][-1]
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy2(run / row["name"] / "model.keras", place / "model.keras")
    exports = [entry for entry in results["exports"] if entry["model"] == row["name"]]
    for source in (run / entry["path"] for entry in exports):
        if source.is_dir():
            shutil.copytree(source, place / source.name, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place / source.name)
    kept = {name: results[name] for name in ("dataset", "command", "recipe", "machine", "versions")}
    exports = [{**entry, "path": Path(entry["path"]).name} for entry in exports]
    write_json(place / "card.json", {"model": row, **kept, "exports": exports})
    (place / "README.md").write_text(_readme(results, row))
    return place


def _readme(results, row) -> str:
    data = results["dataset"]
    return "\n".join(
        [
            f"# {results['title']}, {row['label']}",
            "",
            f"Images `{data['image_shape']}` as float32 in 0..1, {data['num_classes']} classes, T = {row['timesteps']}. Made by",
            "",
            f"    {results['command'] or 'keras_snnkd.experiment.Experiment'}",
            "",
            f"on {results['machine']} with " + ", ".join(f"{name} {version}" for name, version in results["versions"].items()) + ".",
            "Accuracies are of the whole test set; the epoch was chosen on validation images. One run, one seed.",
            "",
            report.markdown(results["models"]),
            "",
            "`card.json` has all figures, the resolved recipe and the comparison of each exported file with Keras.",
            "",
        ]
    )
