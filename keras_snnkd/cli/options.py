"""The options of `python train.py`, by group."""

import argparse
from typing import Any, NoReturn

from keras_snnkd import neurons
from keras_snnkd._version import __version__
from keras_snnkd.cli.help import Help
from keras_snnkd.cli.listing import KINDS
from keras_snnkd.cli.values import read_numbers, read_scale, read_timesteps, read_weights
from keras_snnkd.distill import methods, objectives
from keras_snnkd.errors import KDError, nearest
from keras_snnkd.export.targets import TARGETS
from keras_snnkd.run.compressing.ways import WORDS
from keras_snnkd.run.dry_run import SHORT
from keras_snnkd.run.recipes.modes import Mode

TEXT, JSON = "text", "json"
LOGS = (TEXT, JSON)
"""Forms in which a run is told."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise KDError(f"{message}; see python train.py --help")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; what it does not know is told with the nearest option."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            names = [name for action in self._actions for name in action.option_strings]
            raise KDError(f"unrecognized arguments: {' '.join(unknown)}.{_meant(unknown[0], names)} See python train.py --help")
        return options


def _meant(word: str, names: list[str]) -> str:
    """The option that an unknown word comes nearest to, or the argument of an objective, which is given with that."""
    if not word.startswith("-"):
        return ""
    written = word.partition("=")[0].lstrip("-").replace("_", "-")
    arguments = {argument.replace("_", "-"): argument for argument in objectives.arguments("soft_targets")}
    found = nearest(written, [*(name.lstrip("-") for name in names), *arguments])
    if f"--{found}" in names:
        return f" Did you mean '--{found}'?"
    return f" Did you mean '--objective soft_targets:{arguments[found]}=...'?" if found in arguments else ""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    options = _Parser(prog="train.py", usage="python train.py [options]", add_help=False)
    options.add_argument("--help", "-h", action=Help, help="one screen, or the options of a group")
    options.add_argument("--version", action="version", version=f"keras_snnkd {__version__}")
    options.add_argument("--list", metavar="KIND", dest="listed", help=f"a table of {' | '.join(KINDS)}")
    _add_run(options.add_argument_group("run"))
    _add_data(options.add_argument_group("data"))
    _add_models(options.add_argument_group("models: a preset, convnet:16,pool,32,pool,flatten | mlp:256 | resnet:64,128/2,2"))
    _add_distillation(options.add_argument_group("distillation"))
    _add_search(options.add_argument_group("search, with --mode tune"))
    _add_training(options.add_argument_group("training: defaults depend on the data set, see --dry-run full"))
    _add_finished_models(options.add_argument_group("export, and evaluate"))
    return options


def _add_data(group: Any) -> None:
    group.add_argument(
        "--dataset",
        metavar="NAME",
        help="digits (default) | mnist | fashion_mnist | cifar10 | japanese_vowels | speech_commands | "
        "an .npz, a folder of images, series or events, a .tsv or .csv of sentences",
    )
    group.add_argument("--task", metavar="TASK", help="classes (default) | regression: the labels of an .npz or the ratings are numbers")
    group.add_argument(
        "--data-dir", metavar="DIR", help="folder of prepared tensorflow-datasets (default: TFDS_DATA_DIR or ~/tensorflow_datasets)"
    )
    group.add_argument("--limit", type=int, metavar="N", help="use only N training and N test images")
    group.add_argument("--resize", metavar="SIZE", help="bring a folder's pictures to one size: 32, or WIDTHxHEIGHT such as 48x32")
    group.add_argument(
        "--keep-aspect", action="store_true", default=None,
        help="with --resize: pictures keep their proportions, the rest has the colour of their border (default: they are stretched)",
    )  # fmt: skip
    group.add_argument("--window", type=int, metavar="T", help="for series: cut longer ones into windows of T steps (default: 100)")
    group.add_argument("--hop", type=int, metavar="N", help="for series: steps from one window to the next (default: half a window)")
    group.add_argument(
        "--fold",
        type=int,
        metavar="K",
        help="for series and events: which fifth of the people, or of each class, is the test set (default: 0, the last)",
    )
    group.add_argument("--frames", type=int, metavar="N", help="for .bin files of events: frames made of each (default: 10)")
    group.add_argument("--frames-by", metavar="HOW", help="for .bin files of events: time (default) | count, equally many events in each")
    group.add_argument(
        "--augment", metavar="NAMES",
        help="none | of images: flip | crop | shift | cutout | of series: jitter | scale | time_shift | time_mask, joined by + "
        "(default: by data set)",
    )  # fmt: skip
    group.add_argument(
        "--labels", type=float, metavar="S", help="share of training images with labels; on the others only the teacher teaches"
    )
    group.add_argument("--tokens", type=int, metavar="L", help="for sentences: tokens of each (default: 24)")
    group.add_argument("--vocabulary", type=int, metavar="N", help="for sentences: ids of tokens (default: 4000)")
    group.add_argument("--unlabelled", metavar="FILE", help="for sentences: more of them, for the first stage (.tsv, .csv or .txt)")
    group.add_argument("--mixup", type=float, metavar="A", help="train on mixtures of two images, with shares from Beta(A, A) (default: 0)")


def _add_models(group: Any) -> None:
    group.add_argument(
        "--teacher",
        metavar="MODEL",
        help="default: the one that comes with the package, else train; shipped | train | twin, the student's own ANN twin | "
        "a trained .keras file | a shape to train",
    )
    group.add_argument(
        "--assistant", metavar="MODEL", action="append", dest="assistants", help="for multistage; may be given several times, largest first"
    )
    group.add_argument(
        "--student", metavar="MODEL", help="default: by data set, such as <dataset>_student; or a .keras file, a network of your own"
    )
    group.add_argument(
        "--timesteps", "-T", type=read_timesteps, metavar="T[,T...]",
        help="time steps of the student (default: 4); 8,4,2,1: trained with 8, then step by step with fewer, each taught by the one before",
    )  # fmt: skip
    group.add_argument("--teacher-timesteps", type=int, metavar="T", help="time steps of the teacher (default: the student's)")
    group.add_argument("--neuron", metavar="NAME", help=" | ".join([*neurons.names(), "relu"]) + " (default: lif)")
    group.add_argument("--teacher-neuron", metavar="NAME", help="likewise for the teacher; relu for an ANN teacher")
    group.add_argument(
        "--teacher-scale", metavar="SCALE", type=read_scale,
        help="scale of the images that a teacher from a file was trained on: auto (default) | 0..1 | 0..255 | -1..1 | torch | "
        "standardized | LOW..HIGH",
    )  # fmt: skip
    group.add_argument(
        "--teacher-outputs", metavar="KIND", help="what a teacher from a file returns: auto (default) | logits | probabilities"
    )
    group.add_argument(
        "--import", metavar="MODULE", action="append", dest="imports",
        help="a Python module with your own layers and models, which is run; --teacher, --model and --twin files may then contain them",
    )  # fmt: skip
    group.add_argument(
        "--teacher-start",
        metavar="HOW",
        help="scratch | ann: from its ANN twin, trained first | shipped: from the ANN that ships | taught: likewise, and taught by it",
    )


def _add_distillation(group: Any) -> None:
    group.add_argument(
        "--objective", "--objectives", metavar="NAME[:KEY=VALUE,...]", action="append", dest="objectives",
        help="an objective, such as soft_targets:temperature=2, or a published method; several as NAME,NAME or given several times; "
        "with --mode compare each by itself, NAME+NAME together, all for all methods. "
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
        "--student-start",
        metavar="HOW",
        help="scratch | ann_twin, trained first | shrunk, the teacher's weights | converted, from a clip-floor ANN | kept_frames | "
        "longer, itself for more steps | imitation, after a stage without labels (default: the method's)",
    )
    group.add_argument(
        "--first-objective", metavar="NAME[:KEY=VALUE,...]", action="append", dest="first_objectives",
        help="what the student learns from the teacher first, without labels, such as hidden_states (default: the method's)",
    )  # fmt: skip
    group.add_argument("--first-epochs", type=int, metavar="N", help="of that stage (default: as many as --epochs)")
    group.add_argument(
        "--gradient", metavar="NAME",
        help="bptt: through time | rate: of firing rates, half the time, for losses of means over time | auto: rate where that fits "
        "(default: the method's, or bptt)",
    )  # fmt: skip
    group.add_argument("--twin-epochs", type=int, metavar="N", help="train the student's ANN twin first (default: by data set)")
    group.add_argument(
        "--twin-activation", metavar="NAME", help="of that twin: rates (default), the firing rates of the student's neurons, or relu"
    )
    group.add_argument(
        "--rivals", action="store_const", const=True,
        help="the spiking student and its ANN twin, distilled alike, as int8 files; is it worth it? With --mode compare in place of "
        "methods, with several seeds",
    )  # fmt: skip
    group.add_argument(
        "--rates", metavar="R,R,...", type=read_numbers,
        help="with --mode compare: learning rates of which each arm takes the best on validation images",
    )  # fmt: skip
    group.add_argument(
        "--weights", metavar="W,W,...", type=read_numbers,
        help="likewise: factors of the objectives' weights; the student alone tries as many more rates",
    )  # fmt: skip
    group.add_argument(
        "--sizes", metavar="F,F,...", type=read_numbers,
        help="with --mode compare: factors of the student's widths, to see at which size teaching gains most",
    )  # fmt: skip
    group.add_argument(
        "--max-spikes", type=float, metavar="R", help="share of its neurons that may fire in a step of the distilled student, such as 0.05"
    )
    group.add_argument("--max-synops-target", type=float, metavar="N", help="operations an image that the spikes of this student may cause")
    group.add_argument(
        "--compress", metavar="NAME[:KEY=VALUE,...]", action="append",
        help="what the student goes through once it is trained, taught by itself as it was; several in this order: "
        f"{' | '.join(WORDS)}, such as stds:sparsity=0.9 or spikes:rate=0.05",
    )  # fmt: skip
    group.add_argument(
        "--pareto", action="store_const", const=True,
        help="keep the epochs of each student that no other one beats in both accuracy and operations, in the run's folder pareto/",
    )  # fmt: skip
    group.add_argument("--seeds", type=int, metavar="N", help="with --mode compare: each method with N seeds from --seed on (default: 5)")


def _add_search(group: Any) -> None:
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


def _add_training(group: Any) -> None:
    group.add_argument("--epochs", type=int, metavar="N", help="of students and assistants")
    group.add_argument("--teacher-epochs", type=int, metavar="N", help="of the teacher")
    group.add_argument("--ann-epochs", type=int, metavar="N", help="of the ANN that the teacher starts from (--teacher-start)")
    group.add_argument("--batch-size", type=int, metavar="N", help="images per step")
    group.add_argument(
        "--teacher-stop", type=int, metavar="N", help="stop the teacher after N of its epochs, before its learning rate reaches 0"
    )
    group.add_argument("--optimizer", metavar="NAME", help="adamw | sgd, with Nesterov's momentum (default: by data set)")
    group.add_argument(
        "--schedule", metavar="NAME", help="how the learning rate changes: cosine | warmup_cosine | one_cycle (default: by data set)"
    )
    group.add_argument("--learning-rate", type=float, metavar="R", help="the highest, of students and assistants")
    group.add_argument("--teacher-learning-rate", type=float, metavar="R", help="the highest, of the teacher")
    group.add_argument("--weight-decay", type=float, metavar="W", help="decoupled from the gradient (default: by data set)")
    group.add_argument(
        "--class-weights", metavar="W,W,...", type=read_weights, help="factors of the label loss for each class | balanced: all weigh alike"
    )
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


def _add_run(group: Any) -> None:
    group.add_argument("--mode", metavar="MODE", help=f"{' | '.join(Mode)} (default: {Mode.DISTILL})")
    group.add_argument("--recipe", metavar="FILE", help="settings from a recipe.json; options on the command line override it")
    group.add_argument("--name", help="the run's name (default: <dataset>_<mode>)")
    group.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/<name>, with a number if that is taken)")
    group.add_argument("--saved-models", metavar="DIR", default="saved_models", help="where finished students go (default: saved_models)")
    group.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    group.add_argument(
        "--dry-run", nargs="?", const=SHORT, metavar="HOW",
        help="build everything, train nothing: stages, time and memory; full: taps, shapes and the resolved recipe too",
    )  # fmt: skip
    group.add_argument("--log", metavar="FORM", default=TEXT, help="text (default) | json: what happens as one JSON object a line")


def _add_finished_models(group: Any) -> None:
    group.add_argument("--model", metavar="FILE", help="the .keras file, or the folder of a finished student")
    group.add_argument("--target", metavar="NAMES", help=f"what to export, joined by commas: {', '.join(TARGETS)}, all (default: all)")
    group.add_argument("--io", metavar="TYPE", help="inputs and outputs of int8 files: float32 (default) | int8")
    group.add_argument(
        "--finetune", type=int, metavar="N",
        help="train N more epochs as the network that an int8 file computes, taught by the model; the int8 files are made from the result",
    )  # fmt: skip
    group.add_argument(
        "--attack", metavar="NAME[:KEY=VALUE,...]", action="append", dest="attacks",
        help="with --mode evaluate: images changed to mislead the model: fgsm | pgd, such as pgd:epsilon=0.03,steps=10",
    )  # fmt: skip
    group.add_argument(
        "--variant", metavar="FILE", action="append", dest="variants",
        help="with --attack: another .keras file of this student; one of them and the model, drawn at random, answers. May be given "
        "several times",
    )  # fmt: skip
    group.add_argument("--twin", metavar="FILE", help="the model's trained ANN twin (--neuron relu), to be shown beside it in the card")


OPTIONS = {
    "assistants": "assistant",
    "attacks": "attack",
    "variants": "variant",
    "imports": "import",
    "objectives": "objective",
    "first_objectives": "first_objective",
}
"""Where an option's name is another than the setting's."""

RUN_OPTIONS = (
    "mode",
    "recipe",
    "name",
    "out",
    "saved_models",
    "resume",
    "dry_run",
    "listed",
    "log",
    "imports",
    "model",
    "attacks",
    "variants",
    "objectives",
    "first_objectives",
    "compress",
    "timesteps",
    "target",
    "io",
    "finetune",
    "twin",
    "search",
)


def joined(arguments: list[str]) -> list[str]:
    """Arguments in which a scale below 0 stands with its option, since argparse takes what begins with `-` for an option."""
    together: list[str] = []
    for argument in arguments:
        if together and together[-1] == "--teacher-scale":
            together[-1] += f"={argument}"
        else:
            together.append(argument)
    return together
