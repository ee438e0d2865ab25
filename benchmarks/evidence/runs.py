"""The runs of which the evidence is made, data set by data set: as commands to start by hand, or one after the other.

    python -m benchmarks.evidence runs fashion_mnist              # the commands, and the one that collects them
    python -m benchmarks.evidence runs fashion_mnist --run        # starts them; a finished one is passed over, an interrupted one goes on
    python -m benchmarks.evidence runs fashion_mnist --size small # the same on 5,000 images with every method, for minutes instead of hours
    python -m benchmarks.evidence runs fashion_mnist --size tiny  # on 200 images for one epoch, to see that it works

Runs of each size have folders of their own. The student is the data set's default, a tenth of its teacher or less, or one that has
something to gain on few images. All arms of a run share seeds, epochs, images and augmentation, and a twin phase is everyone's. Where
methods are compared, the student alone and every taught one choose their learning rate on validation images among the same ones.
"""

import dataclasses
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_snnkd.teachers import shipped

FOLDER = Path("runs", "evidence")

SIZES = ("full", "small", "tiny")

TINY = ("--limit", "200", "--epochs", "1", "--twin-epochs", "1", "--labels", "0.1")
"""What makes a run one of seconds."""

SMALL = (
    "--limit 5000 --batch-size 64 --epochs 5 --twin-epochs 0 --optimizer sgd --schedule one_cycle --augment none --precision mixed_bfloat16"
)
"""And one of minutes."""

FEW_IMAGES = "5,000 images"
"""What is said of these beside the names of their arms."""

SPIKES = "distilling_spikes,distilling_spikes_counts,distilling_spikes_windows,distilling_spikes_filtered,distilling_spikes_hidden"


@dataclasses.dataclass(frozen=True)
class Planned:
    """One run, or one with several seeds.

    Args:
        name: Of its folder.
        shows: What for.
        arguments: Of `train.py`, without data set, folder and seeds.
        words: What its arms are called by beside their names.
        each_seed: Whether it is started once for each seed, since its mode has one.
    """

    name: str
    shows: str
    arguments: str
    words: str = ""
    each_seed: bool = False


METHODS = "hinton,logit_standardization,bkdsnn,w2s,dkd+bkdsnn"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The runs of a data set.

    Args:
        seeds: Of each arm.
        length: Epochs, of twin and student, and augmentation.
        rates: Learning rates of which each arm takes the best.
        few: The share of labels in the arms with few.
        views: Of each image, of which the teacher's logits are cached; features of as many would be gigabytes.
        methods: What is compared.
        images: What is said of them beside the names of the arms, if they are not all.
    """

    seeds: int
    length: str
    rates: str
    few: float = 0.1
    views: int = 4
    methods: str = METHODS
    images: str = ""

    def runs(self) -> tuple[Planned, ...]:
        """All runs, the cheapest and most telling first."""
        chosen = f"--mode compare {self.length} --rates {self.rates}"
        cached = f"--cache {self.views}"
        each = f"{self.length} --objective hinton {cached}"
        founding = f"{chosen} --objective {SPIKES}"
        found = (
            Planned("methods", "logit, feature and self methods, a combination", f"{chosen} --objective {self.methods}"),
            Planned(
                "few_labels", f"{self.few:.0%} of the labels", f"{chosen} --objective hinton {cached} --labels {self.few}", "few labels"
            ),
            Planned("twin", "the rival as an int8 file", f"--mode compare --rivals {each}"),
            Planned("chain", "through an assistant, and directly", f"--mode multistage {each}", "chain", each_seed=True),
            Planned("steps", "T 8, 4, 2, 1", f"--mode distill --timesteps 8,4,2,1 {each}", "from T = 8", each_seed=True),
            Planned("one_step", "T = 1 at once", f"{chosen} --objective hinton {cached} --timesteps 1", "T = 1"),
        )
        if self.images:
            return tuple(dataclasses.replace(one, words=", ".join(filter(None, [self.images, one.words]))) for one in found)
        distill = Planned("distill", "what the command does by itself", "--mode distill", "defaults", each_seed=True)
        return (distill, *found, Planned("spikes", "the founding paper's objectives", founding, "spiking teacher"))

    def small(self, networks: str, methods: str = f"{METHODS},{SPIKES}") -> "Plan":
        """The same runs on 5,000 images without a twin phase.

        Args:
            networks: Student and assistant that have something to gain there, as arguments.
            methods: What is compared.
        """
        length = f"{SMALL} {networks}".strip()
        return dataclasses.replace(self, length=length, rates="0.1,0.2", few=0.1, views=1, methods=methods, images=FEW_IMAGES)


PLANS = {
    "mnist": Plan(5, "--epochs 2 --twin-epochs 8 --augment crop", "2e-3,5e-3", few=0.01),
    "fashion_mnist": Plan(
        5,
        "--epochs 2 --twin-epochs 14 --augment flip",
        "0.05,0.1",
        few=0.02,
        views=2,  # an image and its mirror image
    ),
    "cifar10": Plan(
        3,
        "--epochs 2 --twin-epochs 16 --augment flip",
        "0.05,0.1",
        views=2,  # an image and its mirror image
    ),
}
"""By data set."""

SMALL_PLANS = {
    "mnist": PLANS["mnist"].small(""),
    "fashion_mnist": PLANS["fashion_mnist"].small(
        "--student convnet:16,pool,32,pool,64,pool,flatten --assistant fashion_mnist_student_65k", "all,dkd+bkdsnn"
    ),
    "cifar10": PLANS["cifar10"].small(""),
}
"""Likewise."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A command, and its folder.

    Args:
        folder: Of the run.
        arguments: Of `train.py`.
    """

    folder: Path
    arguments: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether it has finished."""
        return (self.folder / "results.json").exists()

    @property
    def command(self) -> str:
        """As it is typed."""
        return shlex.join(["python", "train.py", *self.arguments])


def plan(dataset: str, size: str = "full") -> Plan:
    """The runs of a data set in one of `SIZES`."""
    return (SMALL_PLANS if size == "small" else PLANS)[dataset]


def runs(dataset: str, planned: Planned, size: str = "full") -> Iterator[Run]:
    """The commands of one planned run.

    Args:
        dataset: Its name.
        planned: Of the data set's plan.
        size: See `SIZES`.
    """
    seeds = 1 if size == "tiny" else PLANS[dataset].seeds
    for seed in range(seeds) if planned.each_seed else [0]:
        words = [dataset, planned.name, *([] if size == "full" else [size]), *([f"seed{seed}"] if planned.each_seed else [])]
        folder = FOLDER / "_".join(words)
        arguments = ["--dataset", dataset, *planned.arguments.split(), "--seed", str(seed), "--out", folder.as_posix()]
        if "compare" in arguments:
            arguments += ["--seeds", str(seeds)]
        if size == "tiny":
            arguments += _tiny(arguments)
        yield Run(folder, (*arguments, "--saved-models", (FOLDER / "shelves" / folder.name).as_posix()))


def collecting(dataset: str, size: str = "full") -> str:
    """The command that makes the table's data of all of them."""
    parts = []
    for planned in plan(dataset, size).runs():
        folders = ",".join(run.folder.as_posix() for run in runs(dataset, planned, size))
        parts.append(f"{folders}:{planned.words}" if planned.words else folders)
    return shlex.join(["python", "-m", "benchmarks.evidence", "collect", dataset, *parts, *([] if size == "full" else ["--more"])])


def start(dataset: str, only: Sequence[str] = (), size: str = "full", more: Sequence[str] = ()) -> int:
    """Start the runs of a data set one after the other, at low priority; those that have finished are passed over.

    Args:
        dataset: Its name.
        only: Names of planned runs; all by default.
        size: See `SIZES`.
        more: Further arguments of `train.py`, such as `--dry-run`.

    Returns:
        How many have failed.
    """
    if not more and size != "tiny" and not shipped.has(dataset, spiking=False):
        raise SystemExit(
            f"no ANN teacher for {dataset} comes with the package, and every run would train one; ship one first, docs/teachers.md"
        )
    failed = 0
    for planned in plan(dataset, size).runs():
        for run in runs(dataset, planned, size) if not only or planned.name in only else ():
            if run.done and not more:
                continue
            resume = ["--resume"] if (run.folder / "recipe.json").exists() else []
            print(f"{run.command} {shlex.join([*resume, *more])}", flush=True)
            failed += subprocess.run(["nice", "-n", "10", sys.executable, "train.py", *run.arguments, *resume, *more]).returncode != 0
    return failed


def _tiny(arguments: Sequence[str]) -> list[str]:
    """The options of `TINY` that the run has a use for."""
    found = []
    for option, value in zip(TINY[::2], TINY[1::2], strict=True):
        if option in arguments or option in ("--limit", "--epochs"):
            found += [option, value]
    return found
