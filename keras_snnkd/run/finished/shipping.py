"""Put a trained teacher among those that come with the package.

python -m keras_snnkd.run.finished.shipping runs/mnist_teacher teacher_ann
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import models
from keras_snnkd.errors import KDError
from keras_snnkd.files.archives import pack
from keras_snnkd.files.staging import read_json, staged
from keras_snnkd.run.finished.card import save_card
from keras_snnkd.run.finished.evaluation import describe_data, machine, measure, versions
from keras_snnkd.run.recipes.recipe import Recipe
from keras_snnkd.teachers import shipped


def ship(run: str | Path, stage: str, data: datasets.Data | None = None) -> Path:
    """Copy the model of a finished stage to the package, as float32, packed and with a card, and measure it on the test set for that.

    Args:
        run: The folder of a run of `--mode teacher`.
        stage: `"teacher"`, or `"teacher_ann"`, the ANN twin that a spiking teacher started from.
        data: Its data set; loaded by default.

    Returns:
        The folder, named after the data set and the kind of network.

    Raises:
        KDError: If the stage has not finished.
    """
    run = Path(run)
    if not (run / stage / "stage.json").is_file():
        raise KDError(f"{run / stage} is no finished stage; finish the run first (--resume)")
    recipe, record = Recipe.load(run / "recipe.json"), read_json(run / stage / "stage.json")
    data = data or datasets.load(recipe.dataset, batch_size=recipe.batch_size or 128, data_dir=recipe.data_dir)
    trained = models.load(run / stage / "model.keras")
    spec = record["settings"]["model"]
    model = models.build(spec, data.image_shape, data.num_classes, name="teacher")  # in float32, whatever it was trained in
    model.set_weights(trained.get_weights())
    place = shipped.FOLDER / shipped.name_of(recipe.dataset, spiking=spec["neuron"] != "relu")
    row, activity = measure(model, data)
    row |= {"name": place.name, "label": place.name.replace("_", " "), "validation_accuracy": record["validation_accuracy"]}
    _write(model, recipe, place)
    about = {"command": command_of(recipe), "stage": stage, "recipe": recipe.to_dict(), "seconds": record["seconds"]}
    save_card(
        {
            "title": place.name.replace("_", " "),
            "dataset": {**describe_data(data), "source": recipe.dataset, "fingerprint": data.fingerprint},
            "model": {**row, "role": "teacher"},
            "activity": activity,
            "training": {**about, "machine": machine(), "versions": versions()},
        },
        place,
    )
    (place / "card.html").unlink()  # the data are enough in a package
    return place


def command_of(recipe: Recipe) -> str:
    """The command line of a recipe, without what it fills in by itself."""
    standard = Recipe(mode=recipe.mode, dataset=recipe.dataset).resolved().to_dict()
    words = ["python", "train.py", "--mode", recipe.mode, "--dataset", recipe.dataset]
    for name, value in recipe.to_dict().items():
        if value != standard[name] and value is not None and not isinstance(value, (dict, list, bool)):
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def _write(model: keras.Model, recipe: Recipe, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    with staged(place / "model.keras") as (file,):
        model.save(file)
        pack(file)
    recipe.save(place / "recipe.json")


def main(arguments: list[str]) -> Any:
    """Ship one stage of a run."""
    run, stage = arguments
    place = ship(run, stage)
    print(place, read_json(place / "card.json")["model"]["accuracy"])


if __name__ == "__main__":
    main(sys.argv[1:])
