"""The command line: `python train.py --dataset cifar10 --mode distill`."""

import argparse
import functools
import logging
import re
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from keras_snnkd.errors import KDError
from keras_snnkd.files.output import unread_output
from keras_snnkd.run.imports import import_classes
from keras_snnkd.run.modes import WITHOUT_TRAINING, Mode

HELP = """\
Compress a spiking network by knowledge distillation and put it on an edge device.

  python train.py                                             digits, distill; needs no network
  python train.py --dataset cifar10 --mode distill            teacher, student alone, student distilled, exported student
  python train.py --dataset fashion_mnist --mode multistage   teacher -> assistant -> student
  python train.py --dataset my_images/ --teacher mine.keras   a Keras model of your own teaches (docs/your_model.md)
  python train.py --objective bkdsnn                          a published method: its objectives and weights (docs/methods)
  python train.py --mode compare --seeds 5                    one student under all methods, ranked against the student alone
  python train.py --mode compare --rivals                     is the spiking student worth it, beside its ANN twin on int8 files?
  python train.py --mode tune --max-params 4000               the most accurate student of at most 4,000 parameters, as a recipe
  python train.py --mode evaluate --model student.keras       accuracy, spikes and size of a model
  python train.py --mode export --model student.keras         files for devices, each checked and measured, and a page about them

The run's folder (runs/<name>) holds models, history, the resolved recipe, TensorBoard logs and report.html; a finished student's files go
to saved_models/<name>.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise KDError(f"{message}; see python train.py --help")


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    from keras_snnkd import neurons
    from keras_snnkd.distill import methods, objectives
    from keras_snnkd.export.targets import TARGETS

    formatter = argparse.RawDescriptionHelpFormatter
    p = _Parser(prog="train.py", usage="python train.py [options]", description=HELP, formatter_class=formatter)
    p.add_argument("--mode", metavar="MODE", help=f"{' | '.join(Mode)} (default: {Mode.DISTILL})")
    p.add_argument("--recipe", metavar="FILE", help="settings from a recipe.json; options on the command line override it")

    group = p.add_argument_group("data")
    group.add_argument(
        "--dataset",
        metavar="NAME",
        help="digits (default) | mnist | fashion_mnist | cifar10 | japanese_vowels | speech_commands | "
        "an .npz, a folder of images, series or events",
    )
    group.add_argument(
        "--data-dir", metavar="DIR", help="of prepared tensorflow-datasets (default: TFDS_DATA_DIR or ~/tensorflow_datasets)"
    )
    group.add_argument("--limit", type=int, metavar="N", help="use only N training and N test images")
    group.add_argument("--resize", metavar="SIZE", help="bring a folder's pictures to one size: 32, or WIDTHxHEIGHT such as 48x32")
    group.add_argument(
        "--keep-aspect", action="store_true", default=None,
        help="with --resize: pictures keep their proportions, the rest has the colour of their border (default: they are stretched)",
    )  # fmt: skip
    group.add_argument("--window", type=int, metavar="T", help="of series: cut longer ones into windows of T steps (default: 100)")
    group.add_argument("--hop", type=int, metavar="N", help="of series: steps from one window to the next (default: half a window)")
    group.add_argument(
        "--fold",
        type=int,
        metavar="K",
        help="of series and events: which fifth of the people, or of each class, is test (default: 0, the last)",
    )
    group.add_argument("--frames", type=int, metavar="N", help="of .bin files of events: frames made of each (default: 10)")
    group.add_argument("--frames-by", metavar="HOW", help="of .bin files of events: time (default) | count, equally many events in each")
    group.add_argument(
        "--augment", metavar="NAMES",
        help="none | of images: flip | crop | shift | cutout | of series: jitter | scale | time_shift | time_mask, joined by + "
        "(default: by data set)",
    )  # fmt: skip
    group.add_argument("--labels", type=float, metavar="S", help="share of labelled training images; the teacher answers on the others")
    group.add_argument("--mixup", type=float, metavar="A", help="train on mixtures of two images, with shares from Beta(A, A) (default: 0)")

    group = p.add_argument_group("models (a preset, convnet:16,pool,32,pool,flatten | mlp:256 | resnet:64,128/2,2)")
    group.add_argument(
        "--teacher",
        metavar="MODEL",
        help="default: the one that comes with the package, else train; shipped | train | a trained .keras file | a shape to train",
    )
    group.add_argument(
        "--assistant", metavar="MODEL", action="append", dest="assistants", help="for multistage; may be given several times, largest first"
    )
    group.add_argument("--student", metavar="MODEL", help="default: <dataset>_student")
    group.add_argument("--timesteps", "-T", type=int, metavar="T", help="time steps of the student (default: 4)")
    group.add_argument("--teacher-timesteps", type=int, metavar="T", help="time steps of the teacher (default: the student's)")
    group.add_argument("--neuron", metavar="NAME", help=" | ".join([*neurons.names(), "relu"]) + " (default: lif)")
    group.add_argument("--teacher-neuron", metavar="NAME", help="likewise for the teacher; relu for an ANN teacher")
    group.add_argument(
        "--teacher-scale", metavar="SCALE", type=read_scale,
        help="of the images that a teacher from a file was trained on: auto (default) | 0..1 | 0..255 | -1..1 | torch | standardized | "
        "LOW..HIGH",
    )  # fmt: skip
    group.add_argument("--teacher-outputs", metavar="KIND", help="of a teacher from a file: auto (default) | logits | probabilities")
    group.add_argument(
        "--import", metavar="MODULE", action="append", dest="imports",
        help="a Python module with your own layers and models, which --teacher, --model and --twin files may then hold; it is run",
    )  # fmt: skip
    group.add_argument("--teacher-start", metavar="HOW", help="scratch | ann: from the weights of its ANN twin, trained first")

    group = p.add_argument_group("distillation")
    group.add_argument(
        "--objective", "--objectives", metavar="NAME[:KEY=VALUE,...]", action="append", dest="objectives",
        help="an objective, such as soft_targets:temperature=2, or a published method; several as NAME,NAME or given several times; "
        "all (methods) with --mode compare. "
        f"Objectives: {', '.join(objectives.names())}. Methods: {', '.join(methods.names())}",
    )  # fmt: skip
    group.add_argument(
        "--cache", type=int, metavar="VIEWS",
        help="augmented views of each image on which the teacher runs once, before training; 0: it runs in each step "
        "(default: 1 without augmentation, else 0)",
    )  # fmt: skip
    group.add_argument(
        "--label-weight", type=float, metavar="W", help="weight of the label loss while distilling (default: the method's, or 1)"
    )
    group.add_argument(
        "--student-start", metavar="HOW", help="scratch | ann_twin, trained first | shrunk, the teacher's weights (default: the method's)"
    )
    group.add_argument(
        "--gradient", metavar="NAME",
        help="bptt: through time | rate: of firing rates, half the time, for losses of means over time | auto: rate where that fits "
        "(default: the method's, or bptt)",
    )  # fmt: skip
    group.add_argument("--twin-epochs", type=int, metavar="N", help="train the student's ANN twin first, in all arms (default: 0)")
    group.add_argument(
        "--rivals", action="store_const", const=True,
        help="with --mode compare: the spiking student and its ANN twin, distilled alike, as int8 files; is it worth it?",
    )  # fmt: skip
    group.add_argument(
        "--rates", metavar="R,R,...", type=read_numbers,
        help="with --mode compare: learning rates of which each arm takes the best on validation images",
    )  # fmt: skip
    group.add_argument(
        "--weights", metavar="W,W,...", type=read_numbers,
        help="likewise: factors of the objectives' weights; the student alone tries as many more rates",
    )  # fmt: skip
    group.add_argument("--seeds", type=int, metavar="N", help="with --mode compare: each method with N seeds from --seed on (default: 5)")

    group = p.add_argument_group("search, with --mode tune")
    group.add_argument("--tuner", metavar="NAME", help="bayesian (default) | hyperband")
    group.add_argument("--trials", type=int, metavar="N", help="candidates to train at most (default: 20)")
    group.add_argument(
        "--search", metavar="NAME=VALUES", action="append",
        help="values of a setting in place of the usual ones: width1=8,16 | timesteps=1,2,4 | tau=1.5..3 | soft_targets=true | "
        "soft_targets.temperature=2..6; see --dry-run for all",
    )  # fmt: skip
    group.add_argument("--max-params", type=int, metavar="N", help="parameters that the student may have")
    group.add_argument("--max-synops", type=float, metavar="N", help="effective synaptic operations per image that it may need")
    group.add_argument("--max-bytes", type=int, metavar="N", help="size that its float32 .tflite file may have")
    group.add_argument("--max-latency-ms", type=float, metavar="MS", help="time that this file may take for one image on one thread here")

    group = p.add_argument_group("training (defaults depend on the data set; see --dry-run)")
    group.add_argument("--epochs", type=int, metavar="N", help="of students and assistants")
    group.add_argument("--teacher-epochs", type=int, metavar="N", help="of the teacher")
    group.add_argument("--ann-epochs", type=int, metavar="N", help="of the teacher's ANN twin, with --teacher-start ann")
    group.add_argument("--batch-size", type=int, metavar="N", help="images in a step")
    group.add_argument("--teacher-stop", type=int, metavar="N", help="end the teacher after N of its epochs, before its rate is at 0")
    group.add_argument("--optimizer", metavar="NAME", help="adamw (default) | sgd, with Nesterov's momentum")
    group.add_argument("--schedule", metavar="NAME", help="of the learning rate: cosine (default) | warmup_cosine | one_cycle")
    group.add_argument("--learning-rate", type=float, metavar="R", help="of students and assistants, the highest")
    group.add_argument("--teacher-learning-rate", type=float, metavar="R", help="of the teacher, the highest")
    group.add_argument("--weight-decay", type=float, metavar="W", help="decoupled from the gradient (default: 1e-4)")
    group.add_argument("--label-smoothing", type=float, metavar="S", help="of the teacher's labels (default: 0)")
    group.add_argument(
        "--weight-bits", type=int, metavar="8|32", help="8 (default) rounds trained kernels to what an 8-bit file can hold; 32 does not"
    )
    group.add_argument("--precision", metavar="NAME", help="float32 (default) | mixed_bfloat16")
    group.add_argument(
        "--strategy",
        metavar="NAME",
        help="none (default) | mirrored: all devices here | multiworker: all machines in TF_CONFIG",
    )
    group.add_argument("--seed", type=int, metavar="N", help="of weights, order of images and augmentation (default: 0)")

    group.add_argument(
        "--deterministic", action=argparse.BooleanOptionalAction, help="two runs are equal to the last bit; slower on GPUs (default: no)"
    )
    group.add_argument(
        "--on-problem", metavar="WHAT", help="warn (default) | stop: an exploding loss, or a layer that is silent or always fires"
    )

    group = p.add_argument_group("run")
    group.add_argument("--name", help="of the run (default: <dataset>_<mode>)")
    group.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/<name>, with a number where that is taken)")
    group.add_argument("--saved-models", metavar="DIR", default="saved_models", help="where finished students go (default: saved_models)")
    group.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    group.add_argument(
        "--dry-run", action="store_true", help="build everything, print shapes, parameters, taps and the recipe; train nothing"
    )

    group = p.add_argument_group("evaluate and export")
    group.add_argument("--model", metavar="FILE", help="the .keras file, or the folder of a finished student")
    group.add_argument("--target", metavar="NAMES", help=f"what to export, joined by commas: {', '.join(TARGETS)}, all (default: all)")
    group.add_argument("--io", metavar="TYPE", help="of int8 files: float32 (default) | int8, integers in and out")
    group.add_argument(
        "--finetune", type=int, metavar="N",
        help="train N epochs more as the network that an int8 file computes, taught by the model; the int8 files are made of that",
    )  # fmt: skip
    group.add_argument("--twin", metavar="FILE", help="the model's trained ANN twin (--neuron relu), to stand beside it in the card")
    return p


OPTIONS = {"assistants": "assistant", "imports": "import", "objectives": "objective"}
"""Where an option's name is another than the setting's."""

RUN_OPTIONS = (
    "mode",
    "recipe",
    "name",
    "out",
    "saved_models",
    "resume",
    "dry_run",
    "imports",
    "model",
    "objectives",
    "target",
    "io",
    "finetune",
    "twin",
    "search",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        The exit status: 0, 1 for an error that the message explains, 130 after Ctrl-C.
    """
    with unread_output():
        return _main(sys.argv[1:] if arguments is None else arguments)


def _main(arguments: list[str]) -> int:
    from keras_snnkd.run.terminal import make_console

    console = make_console(width=None if sys.stdout.isatty() else 140)
    tell = functools.partial(make_console(stderr=True, width=console.width).print, highlight=False, markup=False)
    options = None
    try:
        options = parser().parse_args(joined(arguments))
        logging.getLogger("tensorflow").setLevel("ERROR")
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: tell(f"warning: {message}", style="yellow")
            return _dispatch(options, arguments, console)
    except KeyboardInterrupt:
        trains = options is None or options.mode not in WITHOUT_TRAINING
        console.print(f"\nstopped; what is finished is kept.{' Go on with the same command and --resume' if trains else ''}")
        return 130
    except (KDError, ValueError, OSError) as error:
        tell(f"error: {error}", style="bold red")
        return 1


def _dispatch(options: argparse.Namespace, arguments: Sequence[str], console: Any) -> int:
    mode = options.mode or (None if options.recipe else Mode.DISTILL)
    command = shlex.join(["python", "train.py", *arguments])
    for module in options.imports or ():
        import_classes(module)
    if mode in WITHOUT_TRAINING:
        from keras_snnkd.run import inspection

        if options.dry_run:
            raise KDError(f"--mode {mode} has no dry run: without --finetune it trains nothing")
        _warn_of_unused(mode, options)
        return inspection.evaluate(options, console) if mode == Mode.EVALUATE else inspection.export(options, console, command)
    from keras_snnkd.errors import unknown_name
    from keras_snnkd.run.comparison import Comparison
    from keras_snnkd.run.experiment import Experiment
    from keras_snnkd.run.folder import check_folder
    from keras_snnkd.run.rivals import Rivals
    from keras_snnkd.tuning import Search

    if mode is not None and mode not in list(Mode):
        raise unknown_name("mode", mode, Mode)
    recipe = _recipe(options, mode).resolved()
    _warn_of_unused(recipe.mode, options, recipe)
    folder = _folder(options, recipe)
    compared = Rivals if recipe.rivals else Comparison
    kind = {Mode.COMPARE: compared, Mode.TUNE: Search}.get(recipe.mode, Experiment)
    experiment = kind(recipe, folder, console, command)
    if options.dry_run:
        from keras_snnkd.run.inspection import dry_run

        return dry_run(experiment, console)
    if kind is Experiment:
        check_folder(Path(options.saved_models), "--saved-models")
    new = " (a new one: there is none yet to go on with)" if options.resume and not (folder / "recipe.json").exists() else ""
    console.print(f"run folder: {folder}{new}", highlight=False, soft_wrap=True)
    results = experiment.run(options.resume)
    if not results:  # of another worker: the chief measures and writes
        console.print("this worker is done; the chief writes the results")
        return 0
    _finish(results, folder, Path(options.saved_models), console)
    return 0


def _recipe(options: argparse.Namespace, mode: str | None) -> Any:
    from keras_snnkd.run.recipe import Recipe

    given = {name: value for name, value in vars(options).items() if name not in RUN_OPTIONS and value is not None}
    if options.objectives is not None:
        given["objectives"] = [_short(read_objective(name)) for text in options.objectives for name in _names(text)]
    if options.search is not None:
        given["search"] = dict(read_setting(text) for text in options.search)
    base = Recipe.load(options.recipe) if options.recipe else Recipe()
    return Recipe.from_dict({**base.to_dict(), **given, **({"mode": mode} if mode else {})})


def _warn_of_unused(mode: str, options: argparse.Namespace, recipe: Any = None) -> None:
    """Say which options on the command line do nothing in this mode."""
    from keras_snnkd.run.unused import unused

    standard = vars(parser().parse_args([]))
    given = [name for name, value in vars(options).items() if value != standard[name]]
    if idle := unused(mode, given, recipe):
        names = ", ".join(f"--{OPTIONS.get(name, name).replace('_', '-')}" for name in idle)
        warnings.warn(f"--mode {mode} does not use {names}", stacklevel=5)  # of who called `main`


def _names(text: str) -> list[str]:
    """`"hinton,tks"` as two names; with arguments, it is one objective."""
    return [text] if ":" in text else text.split(",")


def _short(objective: dict[str, Any]) -> Any:
    """`all` is a word of its own, in place of an objective."""
    return "all" if objective == {"objective": "all"} else objective


def read_objective(text: str) -> dict[str, Any]:
    """`"soft_targets:temperature=2,weight=0.9"` to a mapping for `keras_snnkd.objectives.get`."""
    import ast

    name, _, rest = text.partition(":")
    found: dict[str, Any] = {"objective": name}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"cannot read {part!r} in the objective {text!r}; expected name:key=value,key=value")
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[key] = value
    return found


def read_numbers(text: str) -> list[float]:
    """`"1e-3,3e-3"` to `[0.001, 0.003]`."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers with commas between them, such as 1e-3,3e-3, got {text!r}") from None


def read_scale(text: str) -> str | list[float]:
    """`"0..255"` as it is, and `"-2..2"` to `[-2.0, 2.0]`; what is neither is refused later, with the names there are."""
    from keras_snnkd.distill.scales import NAMES

    low, dots, high = text.partition("..")
    if text in NAMES or not dots:
        return text
    try:
        return [float(low), float(high)]
    except ValueError:
        return text


def joined(arguments: list[str]) -> list[str]:
    """Arguments in which a scale below 0 stands with its option, since argparse takes what begins with `-` for an option."""
    together: list[str] = []
    for argument in arguments:
        if together and together[-1] == "--teacher-scale":
            together[-1] += f"={argument}"
        else:
            together.append(argument)
    return together


def read_setting(text: str) -> tuple[str, list[Any] | dict[str, Any]]:
    """`"timesteps=1,2"` to `("timesteps", [1, 2])`, and `"tau=1.5..3"` to `("tau", {"low": 1.5, "high": 3.0})`."""
    import json

    name, equals, values = text.partition("=")
    if not equals or not values:
        raise ValueError(f"cannot read the setting {text!r} of a search; expected name=value,value or name=low..high")
    low, dots, high = values.partition("..")
    if dots:
        try:
            return name, {"low": float(low), "high": float(high)}
        except ValueError:
            raise ValueError(f"cannot read the range {values!r} of {name}; expected two numbers, low..high") from None
    found = []
    for value in values.split(","):
        try:
            found.append(json.loads(value.lower() if value.lower() in ("true", "false") else value))
        except ValueError:
            found.append(value)
    return name, found


def _folder(options: argparse.Namespace, recipe: Any) -> Path:
    """The run's folder: a new one, or with `--resume` the newest of that name.

    Raises:
        UnknownNameError: If there is no run of the name to go on with.
    """
    if options.out:
        return Path(options.out)
    name = options.name or f"{Path(recipe.dataset).stem}_{recipe.mode}"
    if options.resume:
        if not _numbers(name, anything=True):
            raise _no_run(name)
        return Path("runs", _numbered(name, max(_numbers(name) or _numbers(name, anything=True))))
    return Path("runs", _numbered(name, max(_numbers(name, anything=True), default=0) + 1))


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _numbers(name: str, anything: bool = False) -> list[int]:
    """The numbers of the runs of a name, also where some of them are gone; with `anything`, of all that is in the way."""
    found = []
    for place in Path("runs").glob("*"):
        match = re.fullmatch(rf"{re.escape(name)}(?:-([1-9]\d*))?", place.name)
        if match and match[1] != "1" and (_is_run(place) or (anything and _in_the_way(place))):
            found.append(int(match[1] or 1))
    return found


def _is_run(place: Path) -> bool:
    from keras_snnkd.files.manifest import MANIFEST

    return any((place / name).is_file() for name in (MANIFEST, "recipe.json"))


def _in_the_way(place: Path) -> bool:
    return not place.is_dir() or any(place.iterdir())


def _no_run(name: str) -> Exception:
    """The error for `--resume` without a run, with the nearest name that there is."""
    from keras_snnkd.errors import unknown_name

    runs = {re.sub(r"-[2-9]\d*$|-1\d+$", "", place.name) for place in Path("runs").glob("*") if _is_run(place)}
    return unknown_name("run to go on with (--resume; its name is --name)", name, runs)


def _finish(results: dict[str, Any], folder: Path, shelf: Path, console: Any) -> None:
    """Print the table, and put the last student on the shelf."""
    from keras_snnkd import report
    from keras_snnkd.run.card import write_card
    from keras_snnkd.run.progress import working

    console.print()
    if results["models"]:
        console.print(report.table(results["models"]))
    if results.get("comparison"):
        console.print(report.comparison_table(results["comparison"]))
    if results.get("rivals"):
        console.print(report.rivals_table(results["rivals"]))
        for sentence in results["verdict"]:
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
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
        console.print(f"{'exported student' if results['exports'] else 'student'}: {place}", highlight=False, soft_wrap=True)
    if (folder / "report.html").exists():
        console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
