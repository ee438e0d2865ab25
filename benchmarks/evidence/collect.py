"""The figures of finished runs, in one file: `docs/results/data/<name>.json`.

    {"arms": [{"arm", "command", "recipe", "seeds": [...], "accuracy": [...], "difference": {"mean", "low", "high"}, "parameters",
               "timesteps", "spikes", "operations", "bytes", "seconds", "energy"}]}

`accuracy` is in percent, one a seed. `difference` is in points, paired with the student alone of the same run and seed, with its interval
of 95 %; null for teachers and the student alone, its ends null for a single seed. Of one image: `spikes`, `operations` (synaptic, zeros
skipped), and `energy` in nJ, an estimate for 8-bit arithmetic. `bytes` is the LiteRT file with 8-bit weights, or all in integers where
the arm says int8. `seconds` is the training. All but accuracy, spikes and seconds are of the first seed; null is what is not known.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import export, metrics, models
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.metrics.energy import CONSTANTS
from keras_snnkd.run.comparing.choosing import Setting
from keras_snnkd.run.comparing.ranking import paired
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES, PARITY_SAMPLES, measure
from keras_snnkd.run.plan import ALONE
from keras_snnkd.run.recipes.recipe import Recipe

Arm = dict[str, Any]


def collect(name: str, runs: Sequence[str], root: Path) -> Path:
    """Write the figures of some runs; their recipes go to `docs/results/recipes`.

    Args:
        name: Of the file.
        runs: Folders of finished runs, each perhaps with `:` and words that its arms are called by too.
        root: Of the repository.

    Returns:
        The file.

    Raises:
        ValueError: If two arms have the same name.
    """
    arms: list[Arm] = []
    for run in runs:
        folder, _, words = run.partition(":")
        recipe = Path("docs", "results", "recipes", f"{Path(folder).name}.json")
        shutil.copyfile(Path(folder, "recipe.json"), root / recipe)
        for arm in _Run(Path(folder)).arms():
            arms.append({**arm, "arm": ", ".join(filter(None, (arm["arm"], words))), "recipe": recipe.as_posix()})
    names = [arm["arm"] for arm in arms]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise ValueError(f"several arms are called {twice[0]!r}; tell the runs apart, such as {runs[-1].partition(':')[0]}:'T = 2'")
    path = root / "docs" / "results" / "data" / f"{name}.json"
    write_json(path, {"arms": arms})
    return path


class _Run:
    """A finished run.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.content = folder, read_json(folder / "results.json")
        self.recipe = Recipe.load(folder / "recipe.json")
        self._data: datasets.Data | None = None

    @property
    def data(self) -> datasets.Data:
        """Of the run; it is loaded where a model is to be measured."""
        if self._data is None:
            r = self.recipe
            self._data = datasets.load(r.dataset, batch_size=r.batch_size or 128, data_dir=r.data_dir, limit=r.limit)
        return self._data

    def arms(self) -> Iterator[Arm]:
        """Teachers, then students, as the run tells of them."""
        for row in self.content["models"]:
            yield self._of_one_seed(row)
        compared = sorted(self.content.get("comparison") or [], key=lambda row: (row["name"] != ALONE, -row["accuracy"]))
        for row in compared:
            yield self._of_seeds(row)
        for row in self.content.get("rivals") or []:
            yield self._rival(row)

    def _arm(self, name: str, seeds: list[int], accuracies: list[float], **more: Any) -> Arm:
        accuracy = [round(100 * value, 4) for value in accuracies]
        unknown = dict.fromkeys(("difference", "parameters", "timesteps", "spikes", "operations", "bytes", "seconds", "energy"))
        command = self.content["command"].removesuffix(" --resume")
        return {"arm": name, "command": command, "recipe": None, "seeds": seeds, "accuracy": accuracy, **unknown, **more}

    def _of_one_seed(self, row: dict[str, Any]) -> Arm:
        """A teacher, or a student of a run with one seed."""
        alone = next((other["accuracy"] for other in self.content["models"] if other["name"] == ALONE), None)
        taught = row["role"] == "student" and row["name"] != ALONE
        difference = {"mean": round(100 * (row["accuracy"] - alone), 4), "low": None, "high": None} if taught and alone else None
        size = (row.get("bytes") or {}).get("dynamic")
        return self._arm(
            row["label"],
            [self.recipe.seed],
            [row["accuracy"]],
            difference=difference,
            parameters=row["parameters"],
            timesteps=row["timesteps"],
            spikes=_rounded(row["spikes_per_image"]),
            bytes=size,
            seconds=row.get("seconds"),
            **_costs(row.get("synaptic_operations")),
        )

    def _of_seeds(self, row: dict[str, Any]) -> Arm:
        """An arm of a comparison; its model of the first seed is measured now."""
        difference = None
        if row["difference"] is not None:
            low, high = row["interval"] or (None, None)
            difference = {"mean": _points(row["difference"]), "low": _points(low), "high": _points(high)}
        model = models.load(self._model_of(row))
        measured, _ = measure(model, self.data)
        return self._arm(
            row["label"],
            row["seeds"],
            row["accuracies"],
            difference=difference,
            parameters=model.count_params(),
            timesteps=measured["timesteps"],
            spikes=_rounded(row["spikes_per_image"]),
            bytes=self._size(model),
            seconds=_rounded(row["seconds"]),
            **_costs(measured["synaptic_operations"]),
        )

    def _rival(self, row: dict[str, Any]) -> Arm:
        """A student as a file of integers, paired with the other one of the run: the ANN twin with the spiking student."""
        first = self.content["rivals"][0]
        difference = None
        if row["name"] != first["name"]:
            mean, interval = paired(row["accuracies"], first["accuracies"])
            low, high = interval or (None, None)
            difference = {"mean": _points(mean), "low": _points(low), "high": _points(high)}
        model = models.load(self.folder / f"seed{row['seeds'][0]}" / row["name"] / "model.keras")
        operations = metrics.synaptic_operations(model, self.data.sample(MEASURED_IMAGES)[0])
        activity = metrics.activity(model, self.data.sample(MEASURED_IMAGES)[0])
        return self._arm(
            f"{row['label']}, int8 file",
            row["seeds"],
            row["accuracies"],
            difference=difference,
            parameters=model.count_params(),
            timesteps=self.recipe.timesteps if activity.rates else None,
            spikes=_rounded(activity.spikes_per_image) if activity.rates else None,
            bytes=round(row["bytes"]),
            **{**_costs(operations.to_dict()), "energy": row["energy"]},
        )

    def _model_of(self, row: dict[str, Any]) -> Path:
        """The file of an arm's model with the first seed."""
        folder = self.folder / f"seed{row['seeds'][0]}"
        if row.get("learning_rate") is not None:
            folder /= Setting(row["learning_rate"], row["weight"] or 1.0).name
        return folder / row["name"] / "model.keras"

    def _size(self, model: keras.Model) -> int:
        """Bytes of the file with 8-bit weights, which is compared with the model first."""
        with tempfile.TemporaryDirectory() as folder:
            samples = self.data.sample(PARITY_SAMPLES)[0]
            return export.litert(model, Path(folder) / "model.tflite", "dynamic", samples=samples).bytes


def _costs(operations: dict[str, Any] | None) -> dict[str, float | None]:
    """Operations and energy of what `Operations.to_dict` gives."""
    if operations is None:
        return {"operations": None, "energy": None}
    macs, acs = operations["effective_macs"], operations["effective_acs"]
    constants = CONSTANTS["int8"]
    return {"operations": round(macs + acs), "energy": round((constants.mac * macs + constants.ac * acs) / 1000, 3)}


def _points(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
