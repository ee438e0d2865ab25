"""The figures of finished runs, in one file: `docs/results/data/<name>.json`.

    {"arms": [{"arm", "command", "recipe", "seeds": [...], "accuracy": [...], "difference": {"mean", "low", "high"}, "parameters",
               "timesteps", "spikes", "operations", "bytes", "seconds", "energy"}]}

`accuracy` is in percent, one a seed. `difference` is in points, paired by seed with the student alone of the same run, with its interval
of 95 %; for the rivals, which are files of integers from a run without one, with the student alone of the same words. It is null for
teachers, the student alone, and where there is nothing to pair with, and its ends are null for a single seed. Of one image: `spikes`,
`operations` (synaptic, zeros skipped), and `energy` in nJ, an estimate for 8-bit arithmetic. `bytes` is the LiteRT file with 8-bit
weights, or, where the arm says int8, all in integers, the mean over seeds. `seconds` is the training. Arms of series have `steps_used` and
`accuracy_early` if they stop when they are sure. All but accuracy, spikes and seconds are of the first seed; null is what is not known.
"""

import dataclasses
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import export, metrics, models
from keras_snnkd.export.freeze import timesteps
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.metrics.energy import CONSTANTS
from keras_snnkd.run.comparing.choosing import Setting
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES, PARITY_SAMPLES, measure, test_images
from keras_snnkd.run.intervals import paired
from keras_snnkd.run.plan import ALONE
from keras_snnkd.run.recipes.recipe import Recipe

Arm = dict[str, Any]

AS_INTEGERS = ", int8 file"
"""How the arm of a rival ends."""


def collect(name: str, runs: Sequence[str], root: Path, more: bool = False) -> Path:
    """Write the figures of some runs; their recipes go to `docs/results/recipes`.

    Args:
        name: Of the file.
        runs: Folders of finished runs, each perhaps with `:` and words that its arms are called by too. Several with `,` between them are
            one run with several seeds.
        root: Of the repository.
        more: Whether the file's arms stay: those of other recipes beside the new ones, those of the same recipe with the new seeds. A
            comparison of some of its arms has the same recipe, since arms do not depend on each other.

    Returns:
        The file.

    Raises:
        ValueError: If two arms have the same name, or runs that are to be one differ in more than their seeds.
    """
    path = root / "docs" / "results" / "data" / f"{name}.json"
    known: list[Arm] = read_json(path)["arms"] if more else []
    arms: list[Arm] = []
    for run in runs:
        folders, _, words = run.partition(":")
        first, *others = (Path(folder) for folder in folders.split(","))
        recipe = _recipe_of(known, first / "recipe.json", root)
        if recipe is None:
            recipe = Path("docs", "results", "recipes", f"{first.name}.json")
            shutil.copyfile(first / "recipe.json", root / recipe)
        for arm in _Run(first, [_Run(other) for other in others]).arms():
            arms.append({**arm, "arm": _named(arm["arm"], words), "recipe": recipe.as_posix(), "words": words})
    arms = _joined(known, _teachers_once(arms, known))
    for arm in arms:
        _pair_rival(arm, arms)
    names = [arm["arm"] for arm in arms]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise ValueError(f"several arms are called {twice[0]!r}; tell the runs apart, such as {runs[-1].partition(':')[0]}:'T = 2'")
    write_json(path, {"arms": arms})
    return path


def _recipe_of(known: Sequence[Arm], run: Path, root: Path) -> Path | None:
    """The recipe of known arms that differs from a run's in seeds at most, or in arms that a comparison does not have again."""
    recipe = Recipe.load(run)
    for path in dict.fromkeys(arm["recipe"] for arm in known):
        other = Recipe.load(root / path)
        objectives = other.objectives
        if recipe.mode == "compare" and all(objective in _entries(objectives) for objective in _entries(recipe.objectives) or [None]):
            objectives = recipe.objectives
        if dataclasses.replace(other, seed=recipe.seed, seeds=recipe.seeds, objectives=objectives) == recipe:
            return Path(path)
    return None


def _entries(objectives: Sequence[Any] | None) -> list[Any]:
    """The objectives of a recipe in one form, also those that it has by name alone."""
    return [{"objective": objective} if isinstance(objective, str) else objective for objective in objectives or ()]


def _joined(known: Sequence[Arm], found: Sequence[Arm]) -> list[Arm]:
    """Known arms with the new seeds of the same arms, and arms that are new."""
    joined = {(arm["arm"], arm["recipe"]): arm for arm in known}
    changed = []
    for arm in found:
        words, key = arm.pop("words"), (arm["arm"], arm["recipe"])
        if key not in joined:
            joined[key] = arm
        elif new := [place for place, seed in enumerate(arm["seeds"]) if seed not in joined[key]["seeds"]]:
            if len(new) < len(arm["seeds"]):
                raise ValueError(
                    f"{arm['arm']} has some of the seeds {arm['seeds']} already, {joined[key]['seeds']}; collect a run of new ones"
                )
            joined[key] = _with_seeds(joined[key], arm)
            changed.append((key, _named("student alone", words)))
    for key, alone in changed:
        arm, other = joined[key], joined.get((alone, key[1]))
        if arm["difference"]:
            arm["difference"] = _to(other, arm)
    return list(joined.values())


def _with_seeds(arm: Arm, more: Arm) -> Arm:
    """An arm with the seeds of another run of its recipe."""
    count, new = len(arm["seeds"]), len(more["seeds"])
    seeds, accuracy = [*arm["seeds"], *more["seeds"]], [*arm["accuracy"], *more["accuracy"]]
    means = {}
    for field in ("spikes", "seconds"):
        known = arm[field] is not None and more[field] is not None
        means[field] = _rounded((count * arm[field] + new * more[field]) / (count + new)) if known else None
    return {**arm, "seeds": seeds, "accuracy": accuracy, **means}


def _named(arm: str, words: str) -> str:
    return ", ".join(filter(None, (arm, words)))


def _teachers_once(arms: Sequence[Arm], known: Sequence[Arm]) -> list[Arm]:
    """The arms without teachers of later runs that are those of earlier ones, or of known arms."""
    found: list[Arm] = []
    seen = {_figures(arm) for arm in known}
    for arm in arms:
        teacher = arm["arm"].removesuffix(f", {arm['words']}").endswith("teacher")
        if not teacher or _figures(arm) not in seen:
            found.append(arm)
        seen.add(_figures(arm))
    return found


def _figures(arm: Arm) -> tuple[Any, ...]:
    """By which a teacher is known, whatever a run calls it."""
    return arm["parameters"], arm["timesteps"], *arm["accuracy"]


def _pair_rival(arm: Arm, arms: Sequence[Arm]) -> None:
    """Give a rival its difference to the student alone of the same words, where it has none and that has the same seeds."""
    _, integers, words = arm["arm"].partition(AS_INTEGERS)
    if integers and not arm["difference"]:
        alone = _named("student alone", words.removeprefix(", "))
        arm["difference"] = _to(next((other for other in arms if other["arm"] == alone), None), arm)


def _to(alone: Arm | None, arm: Arm) -> dict[str, float | None] | None:
    """The difference of an arm to the student alone; `None` where that has not all of its seeds."""
    if alone is None or not set(arm["seeds"]) <= set(alone["seeds"]):
        return None
    by_seed = dict(zip(alone["seeds"], alone["accuracy"], strict=True))
    return _difference(arm["accuracy"], [by_seed[seed] for seed in arm["seeds"]], points=1)


def _difference(accuracies: Sequence[float], others: Sequence[float], points: float = 100) -> dict[str, float | None]:
    """The mean difference of pairs and its interval, in points."""
    mean, interval = paired(accuracies, others)
    low, high = interval or (None, None)
    return {name: None if value is None else round(points * value, 4) for name, value in (("mean", mean), ("low", low), ("high", high))}


TOLERANCE = 0.01
"""What an answer before a series ends may cost in accuracy, on the validation part."""


class _Run:
    """A finished run.

    Args:
        folder: Of the run.
        others: The same run with other seeds.

    Raises:
        ValueError: If one of them differs in more than its seed.
    """

    def __init__(self, folder: Path, others: Sequence["_Run"] = ()) -> None:
        self.folder, self.content = folder, read_json(folder / "results.json")
        self.recipe = Recipe.load(folder / "recipe.json")
        self.runs = [self, *others]
        for other in others:
            if dataclasses.replace(other.recipe, seed=self.recipe.seed) != self.recipe or other.recipe.mode == "compare":
                raise ValueError(
                    f"{folder} and {other.folder} are not one run with two seeds: their recipes differ in more, or compare arms"
                )
        self._data: datasets.Data | None = None

    @property
    def data(self) -> datasets.Data:
        """Of the run; it is loaded where a model is to be measured."""
        if self._data is None:
            r = self.recipe
            cut = {"window": r.window, "hop": r.hop, "fold": r.fold}
            self._data = datasets.load(r.dataset, batch_size=r.batch_size or 128, data_dir=r.data_dir, limit=r.limit, **cut)
        return self._data

    def arms(self) -> Iterator[Arm]:
        """Teachers, then students, as the run tells of them."""
        for row in self.content["models"]:
            yield self._of_model(row)
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

    def _row(self, name: str) -> dict[str, Any] | None:
        """The row of a model."""
        return next((row for row in self.content["models"] if row["name"] == name), None)

    def _of_model(self, row: dict[str, Any]) -> Arm:
        """A teacher, or a student of a run with one seed, or of several such runs; a given teacher is the same in all of them."""
        taught = row["role"] == "student" and row["name"] != ALONE
        given = row["role"] == "teacher" and row.get("seconds") is None
        rows = [row] if given else [found for run in self.runs if (found := run._row(row["name"]))]
        accuracies = [found["accuracy"] for found in rows]
        alone = [found["accuracy"] for run in self.runs if (found := run._row(ALONE))]
        difference = _difference(accuracies, alone) if taught and len(alone) == len(accuracies) else None
        size = (row.get("bytes") or {}).get("dynamic")
        return self._arm(
            row["label"],
            [run.recipe.seed for run in self.runs][: len(rows)],
            accuracies,
            difference=difference,
            parameters=row["parameters"],
            timesteps=row["timesteps"],
            spikes=_mean(rows, "spikes_per_image"),
            bytes=size,
            seconds=_mean(rows, "seconds"),
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
            **(_early(model, self.data) if self.data.is_series else {}),
        )

    def _rival(self, row: dict[str, Any]) -> Arm:
        """A student as a file of integers; of runs with one seed each, over all of them."""
        rows = [found for run in self.runs for found in run.content["rivals"] if found["name"] == row["name"]]
        accuracies = [accuracy for found in rows for accuracy in found["accuracies"]]
        alone = [found["accuracy"] for run in self.runs if (found := run._row(ALONE))]
        images = self.data.sample(MEASURED_IMAGES)[0]
        folders = [run.folder for run in self.runs]
        if self.recipe.mode == "compare":
            folders = [self.folder / f"seed{seed}" for seed in row["seeds"]]
        trained = [models.load(folder / row["name"] / "model.keras") for folder in folders]
        model = trained[0]
        operations = metrics.synaptic_operations(model, images)
        activities = [metrics.activity(one, images) for one in trained]
        return self._arm(
            f"{row['label']}{AS_INTEGERS}",
            [seed for found in rows for seed in found["seeds"]],
            accuracies,
            difference=_difference(accuracies, alone) if len(alone) == len(accuracies) else None,
            parameters=model.count_params(),
            timesteps=timesteps(model),
            spikes=_rounded(statistics.fmean(one.spikes_per_image for one in activities)) if activities[0].rates else None,
            bytes=round(row["bytes"]),
            **_costs(operations.to_dict()),
        )

    def _model_of(self, row: dict[str, Any]) -> Path:
        """The file of an arm's model with the first seed."""
        name, _, size = row["name"].partition("_size")
        folder = (self.folder / f"size{size}" if size else self.folder) / f"seed{row['seeds'][0]}"
        if row.get("learning_rate") is not None:
            folder /= Setting(row["learning_rate"], row["weight"] or 1.0).name
        return folder / name / "model.keras"

    def _size(self, model: keras.Model) -> int:
        """Bytes of the file with 8-bit weights, which is compared with the model first."""
        with tempfile.TemporaryDirectory() as folder:
            samples = self.data.sample(PARITY_SAMPLES)[0]
            return export.litert(model, Path(folder) / "model.tflite", "dynamic", samples=samples).bytes


def _early(model: keras.Model, data: datasets.Data) -> dict[str, list[float]]:
    """What a network for series does that stops when it is sure: its mean number of steps, and its accuracy in percent."""
    early = metrics.anytime(model, *test_images(data), calibration=data.validation_arrays, tolerance=TOLERANCE)
    return {"steps_used": [round(early.mean_steps, 1)], "accuracy_early": [_points(early.accuracy_at_threshold)]}


def _costs(operations: dict[str, Any] | None) -> dict[str, float | None]:
    """Operations and energy of what `Operations.to_dict` gives."""
    if operations is None:
        return {"operations": None, "energy": None}
    macs, acs = operations["effective_macs"], operations["effective_acs"]
    constants = CONSTANTS["int8"]
    return {"operations": round(macs + acs), "energy": round((constants.mac * macs + constants.ac * acs) / 1000, 3)}


def _mean(rows: Sequence[dict[str, Any]], field: str) -> float | None:
    """The mean of a field over seeds; `None` where one does not have it."""
    values = [row.get(field) for row in rows]
    known = [value for value in values if value is not None]
    return _rounded(statistics.fmean(known)) if known and len(known) == len(values) else None


def _points(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
