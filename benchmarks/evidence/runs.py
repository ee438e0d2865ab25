"""The runs of which the evidence is made, data set by data set: as commands to start by hand, or one after the other.

    python -m benchmarks.evidence runs fashion_mnist              # the commands, and the one that collects them
    python -m benchmarks.evidence runs fashion_mnist --run        # starts them; a finished one is passed over, an interrupted one goes on
    python -m benchmarks.evidence runs fashion_mnist --tiny       # the same on 200 images for one epoch, into folders of their own

The student is the data set's default, a tenth of its teacher or less. All arms of a run share seeds, epochs, images and augmentation, the
student alone and every taught one choose their learning rate on validation images among the same ones, and the twin phase is everyone's.
"""

import dataclasses
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_snnkd.teachers import shipped

FOLDER = Path("runs", "evidence")

TINY = ("--limit", "200", "--epochs", "1", "--twin-epochs", "1", "--teacher-epochs", "5", "--ann-epochs", "5", "--labels", "0.1")
"""What makes a run one of seconds."""

SPIKES = "distilling_spikes,distilling_spikes_counts,distilling_spikes_windows,distilling_spikes_filtered,distilling_spikes_hidden"


@dataclasses.dataclass(frozen=True)
class Planned:
    """One run, or one with several seeds.

    Args:
        name: Of its folder.
        shows: What for.
        arguments: Of `train.py`, without data set, folder and seeds.
        words: What its arms are called by beside their names.
        needs: The name of a run whose teacher, `teacher/model.keras`, teaches here.
        each_seed: Whether it is started once for each seed, since its mode has one.
        collected: Whether its arms stand in the table.
    """

    name: str
    shows: str
    arguments: str
    words: str = ""
    needs: str | None = None
    each_seed: bool = False
    collected: bool = True


@dataclasses.dataclass(frozen=True)
class Plan:
    """The runs of a data set.

    Args:
        seeds: Of each arm.
        length: Epochs, of twin and student.
        rates: Learning rates of which each arm takes the best.
        spiking_teacher: Arguments that train a spiking teacher from an ANN of the same shape.
        few: The share of labels in the arms with few.
        views: Of each image, of which the teacher's logits are cached; features of as many would be gigabytes.
    """

    seeds: int
    length: str
    rates: str
    spiking_teacher: str
    few: float = 0.1
    views: int = 4

    def runs(self) -> tuple[Planned, ...]:
        """All runs, the cheapest and most telling first."""
        chosen = f"--mode compare {self.length} --rates {self.rates}"
        cached = f"--cache {self.views}"
        each = f"{self.length} --objective hinton {cached}"
        spiking = f"--mode teacher --teacher-neuron lif --teacher-start ann {self.spiking_teacher}"
        return (
            Planned("distill", "what the command does by itself", "--mode distill", "defaults", each_seed=True),
            Planned(
                "few_labels", f"{self.few:.0%} of the labels", f"{chosen} --objective hinton {cached} --labels {self.few}", "few labels"
            ),
            Planned("methods", "the best logit, feature and self methods, a combination", f"{chosen} --objective {METHODS}"),
            Planned("twin", "the rival as an int8 file", f"--mode compare --rivals {each}"),
            Planned("chain", "through an assistant, and directly", f"--mode multistage {each}", "chain", each_seed=True),
            Planned("steps", "T 8, 4, 2, 1", f"--mode distill --timesteps 8,4,2,1 {each}", "from T = 8", each_seed=True),
            Planned("one_step", "T = 1 at once", f"{chosen} --objective hinton {cached} --timesteps 1", "T = 1"),
            Planned("spiking_teacher", "a spiking teacher", spiking, collected=False),
            Planned("spikes", "the founding paper's objectives", f"{chosen} --objective {SPIKES}", "spiking teacher", "spiking_teacher"),
        )


METHODS = "hinton,logit_standardization,bkdsnn,w2s,dkd+bkdsnn"

STRONG = "--optimizer sgd --schedule one_cycle --weight-decay 5e-3 --teacher-learning-rate 0.1 --precision mixed_bfloat16"

PLANS = {
    "mnist": Plan(
        5,
        "--epochs 2 --twin-epochs 8 --augment crop",
        "2e-3,5e-3",
        f"{STRONG} --teacher convnet:32,pool,64,64,pool,96,flatten --augment crop --ann-epochs 12 --teacher-epochs 4",
        few=0.01,
    ),
    "fashion_mnist": Plan(
        5,
        "--epochs 2 --twin-epochs 14 --augment flip",
        "0.05,0.1",
        f"{STRONG} --teacher convnet:48,pool,96,96,pool,192,192,flatten --augment flip+shift+cutout --ann-epochs 28 --teacher-epochs 6",
        few=0.02,
        views=2,  # an image and its mirror image
    ),
    "cifar10": Plan(
        3,
        "--epochs 2 --twin-epochs 16 --augment flip",
        "0.05,0.1",
        f"{STRONG} --teacher convnet:48,pool,96,96,pool,192,192,pool,192,flatten --augment flip+crop+cutout --ann-epochs 20 "
        "--teacher-epochs 8",
        views=2,  # an image and its mirror image
    ),
}
"""By data set."""


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


def runs(dataset: str, planned: Planned, tiny: bool = False) -> Iterator[Run]:
    """The commands of one planned run.

    Args:
        dataset: Its name.
        planned: Of `PLANS[dataset].runs()`.
        tiny: Whether it is to take seconds.
    """
    seeds = 1 if tiny else PLANS[dataset].seeds
    for seed in range(seeds) if planned.each_seed else [0]:
        folder = _folder(dataset, planned.name, tiny, seed if planned.each_seed else None)
        arguments = ["--dataset", dataset, *planned.arguments.split(), "--seed", str(seed), "--out", folder.as_posix()]
        if "compare" in arguments:
            arguments += ["--seeds", str(seeds)]
        if planned.needs:
            arguments += ["--teacher", (_folder(dataset, planned.needs, tiny, None) / "teacher" / "model.keras").as_posix()]
        if tiny:
            arguments += _tiny(arguments)
        yield Run(folder, (*arguments, "--saved-models", (FOLDER / "shelves" / folder.name).as_posix()))


def collecting(dataset: str) -> str:
    """The command that makes the table's data of all of them."""
    parts = []
    for planned in PLANS[dataset].runs():
        if planned.collected:
            folders = ",".join(run.folder.as_posix() for run in runs(dataset, planned))
            parts.append(f"{folders}:{planned.words}" if planned.words else folders)
    return shlex.join(["python", "-m", "benchmarks.evidence", "collect", dataset, *parts])


def start(dataset: str, only: Sequence[str] = (), tiny: bool = False, more: Sequence[str] = ()) -> int:
    """Start the runs of a data set one after the other, at low priority; those that have finished are passed over.

    Args:
        dataset: Its name.
        only: Names of planned runs; all by default.
        tiny: See `runs`.
        more: Further arguments of `train.py`, such as `--dry-run`.

    Returns:
        How many have failed.
    """
    if not more and not tiny and not shipped.has(dataset, spiking=False):
        raise SystemExit(
            f"no ANN teacher for {dataset} comes with the package, and every run would train one; ship one first, docs/teachers.md"
        )
    failed = 0
    for planned in PLANS[dataset].runs():
        for run in runs(dataset, planned, tiny) if not only or planned.name in only else ():
            if run.done and not more:
                continue
            resume = ["--resume"] if (run.folder / "recipe.json").exists() else []
            print(f"{run.command} {shlex.join([*resume, *more])}", flush=True)
            failed += subprocess.run(["nice", "-n", "10", sys.executable, "train.py", *run.arguments, *resume, *more]).returncode != 0
    return failed


def _folder(dataset: str, name: str, tiny: bool, seed: int | None) -> Path:
    words = [dataset, name, *(["tiny"] if tiny else []), *([] if seed is None else [f"seed{seed}"])]
    return FOLDER / "_".join(words)


def _tiny(arguments: Sequence[str]) -> list[str]:
    """The options of `TINY` that the run has a use for."""
    found = []
    for option, value in zip(TINY[::2], TINY[1::2], strict=True):
        if option in arguments or option in ("--limit", "--epochs"):
            found += [option, value]
    return found
