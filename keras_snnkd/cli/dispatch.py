"""From the options to what does it: a run of a recipe, or one look at a finished model."""

import argparse
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_snnkd import report
from keras_snnkd.cli.folders import check_shelf, run_folder
from keras_snnkd.cli.imports import import_classes
from keras_snnkd.cli.listing import NOTES, listing
from keras_snnkd.cli.options import OPTIONS, RUN_OPTIONS, parser
from keras_snnkd.cli.values import read_named, read_objective, read_setting
from keras_snnkd.distill.methods import COACHED
from keras_snnkd.errors import KDError, unknown_name
from keras_snnkd.run.comparing.comparison import Comparison
from keras_snnkd.run.comparing.rivals import Rivals
from keras_snnkd.run.comparing.sizes import Sizes
from keras_snnkd.run.compressing.stages import COMPRESS
from keras_snnkd.run.dry_run import FULL, SHORT, dry_run
from keras_snnkd.run.experiment import INTEGERS, Experiment
from keras_snnkd.run.finished import inspection
from keras_snnkd.run.finished.attacks import KIND
from keras_snnkd.run.finished.card import write_card
from keras_snnkd.run.recipes.modes import WITHOUT_TRAINING, Mode
from keras_snnkd.run.recipes.recipe import Recipe, ResolvedRecipe
from keras_snnkd.run.recipes.unused import unused
from keras_snnkd.run.watching.json_log import tell
from keras_snnkd.run.watching.progress import working
from keras_snnkd.tuning import Search


def dispatch(options: argparse.Namespace, arguments: Sequence[str], console: Any) -> int:
    """Do what the options ask for.

    Args:
        options: Of `keras_snnkd.cli.options.parser`.
        arguments: The words that they were read from, for the report.
        console: A `rich.console.Console`.

    Returns:
        The exit status.

    Raises:
        KDError, ValueError, OSError: For whatever ends the run.
    """
    if options.listed:
        console.print(listing(options.listed))
        if note := NOTES.get(options.listed):
            console.print(note, highlight=False, markup=False)
        return 0
    if options.dry_run not in (None, SHORT, FULL):
        raise unknown_name("form of --dry-run", options.dry_run, (SHORT, FULL))
    mode = options.mode or (None if options.recipe else Mode.DISTILL)
    command = shlex.join(["python", "train.py", *arguments])
    for module in options.imports or ():
        import_classes(module)
    if mode in WITHOUT_TRAINING:
        if options.dry_run:
            raise KDError(f"--mode {mode} has no dry run: without --finetune it trains nothing")
        _warn_of_unused(mode, options)
        options.attacks = [read_named(text, KIND, "attack") for text in options.attacks or ()]
        return inspection.evaluate(options, console) if mode == Mode.EVALUATE else inspection.export(options, console, command)
    if mode is not None and mode not in list(Mode):
        raise unknown_name("mode", mode, Mode)
    asked = _recipe(options, mode)
    recipe = asked.resolved()
    _warn_of_unused(recipe.mode, options, recipe)
    folder = run_folder(options, recipe)
    kind = _kind_of_run(recipe)
    experiment = kind(asked, folder, console, command)  # which tells what was asked for from what is a default
    if options.dry_run:
        return dry_run(experiment, console, options.dry_run)
    if kind is Experiment:
        check_shelf(Path(options.saved_models), folder)
    new = " (a new one: there is none yet to go on with)" if options.resume and not (folder / "recipe.json").exists() else ""
    tell(console, "folder", f"run folder: {folder}{new}", folder=str(folder))
    results = experiment.run(options.resume)
    if not results:  # of another worker: the chief measures and writes
        console.print("this worker is done; the chief writes the results")
        return 0
    _finish(results, folder, Path(options.saved_models), console)
    return 0


def _kind_of_run(recipe: Recipe) -> type[Experiment]:
    """The class of the recipe's mode."""
    if recipe.mode == Mode.TUNE:
        return Search
    if recipe.mode == Mode.COMPARE:
        if recipe.rivals:
            return Rivals
        return Sizes if recipe.sizes else Comparison
    return Experiment


def _recipe(options: argparse.Namespace, mode: str | None) -> Recipe:
    given = {name: value for name, value in vars(options).items() if name not in RUN_OPTIONS and value is not None}
    for setting in ("objectives", "first_objectives"):
        if getattr(options, setting) is not None:
            given[setting] = [_short(read_objective(name)) for text in getattr(options, setting) for name in _names(text)]
    first, *fewer = options.timesteps or [None]
    if first is not None:
        given["timesteps"] = first
    if fewer or options.compress:
        words = [read_named(text, COMPRESS, "way to compress") for text in options.compress or ()]
        given["compress"] = [*({COMPRESS: "steps", "timesteps": steps} for steps in fewer), *words]
    if options.search is not None:
        given["search"] = dict(read_setting(text) for text in options.search)
    base = Recipe.load(options.recipe) if options.recipe else Recipe()
    return Recipe.from_dict({**base.to_dict(), **given, **({"mode": mode} if mode else {})})


def _warn_of_unused(mode: str, options: argparse.Namespace, recipe: ResolvedRecipe | None = None) -> None:
    """Say which options on the command line do nothing in this mode."""
    standard = vars(parser().parse_args([]))
    given = [name for name, value in vars(options).items() if value != standard[name]]
    if len(options.timesteps or ()) > 1 and "compress" not in given:
        given.append("compress")  # fewer and fewer steps are words of it
    if idle := unused(mode, given, recipe):
        names = ", ".join(f"--{OPTIONS.get(name, name).replace('_', '-')}" for name in idle)
        warnings.warn(f"--mode {mode} does not use {names}", stacklevel=5)  # of who called `main`


def _names(text: str) -> list[str]:
    """`"hinton,coached:tks"` as two names; with arguments, it is one objective."""
    return [text] if ":" in text.replace(COACHED, "") else text.split(",")


def _short(objective: dict[str, Any]) -> Any:
    """`all` is a word of its own, in place of an objective."""
    return "all" if objective == {"objective": "all"} else objective


def _finish(results: dict[str, Any], folder: Path, shelf: Path, console: Any) -> None:
    """Print the table, and put the last student on the shelf."""
    console.print()
    if results["models"]:
        console.print(report.table(results["models"]))
        for sentence in report.summary(results):
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    if results.get("comparison"):
        console.print(report.comparison_table(results["comparison"]))
    if results.get("compression"):
        console.print(report.compression_table(results["compression"]))
    if results.get("rivals"):
        console.print(report.rivals_table(results["rivals"]))
        for sentence in results["verdict"]:
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
        if (folder / INTEGERS).is_dir():
            console.print(f"their int8 files: {folder / INTEGERS}", highlight=False, markup=False)
    if results.get("search"):
        console.print(report.search_table(results["search"]))
        console.print(
            f"train, test and export the chosen one: python train.py --recipe {results['search']['chosen_recipe']}", highlight=False
        )
    for note in results.get("notes", ()):
        console.print(f"note: {note}", highlight=False, markup=False)
    last = results["models"][-1] if results["models"] else {"role": None}
    if last["role"] == "student":
        with working(f"putting the student into {shelf}", console):
            place = write_card(results, folder, shelf / folder.resolve().name)
        tell(console, "student", f"{'exported student' if results['exports'] else 'student'}: {place}", folder=str(place))
    if (folder / "report.html").exists():
        tell(console, "report", f"report: {folder / 'report.html'}", file=str(folder / "report.html"))
