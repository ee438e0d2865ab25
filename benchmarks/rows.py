"""The rows of the benchmark: who is compared with whom, and what is read off.

Each row is a function of a `Bench` that returns a `Row`. See docs/benchmarks.md for what they mean.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import arithmetic, check, network
from benchmarks.bench import Bench, Contenders, Row
from benchmarks.contenders import UnavailableError, floor, ours, peers, recipe, series
from benchmarks.worker import WARM_UP, environment

RATES = "keras_snnkd, by rates"
OURS, JAX, JELLY, SNNTORCH = "keras_snnkd", "keras_snnkd on JAX", "SpikingJelly", "snnTorch"
FLOOR, TORCH_FLOOR = "convolutions alone", "convolutions alone, in PyTorch"

ROOT = Path(__file__).parents[1]


def equality(bench: Bench) -> Row:
    """Whether the peers' networks are ours: the same losses in the first training steps from the same weights, and the same logits."""
    row = Row()
    for name, library in ((JELLY, "spikingjelly"), (SNNTORCH, "snntorch")):
        bench.say(f"  {name}")
        try:
            worker = bench.worker(check.equality, {"library": library})
        except UnavailableError as error:
            row.skipped[name] = str(error)
            continue
        worker.close()
        row.facts[name] = worker.facts
        row.measures[f"equality_{library}"] = [max(worker.facts["loss differences"])]
    return row


def training(bench: Bench, precision: str) -> Row:
    """A training step of conv4."""
    settings = bench.settings(peers.TRAINING_SETTINGS)
    contenders = {
        OURS: (ours.training, {"precision": precision}),
        RATES: (ours.training, {"precision": precision, "gradient": "rate"}),
        FLOOR: (floor.training, {"precision": precision}),
        TORCH_FLOOR: (floor.training_in_pytorch, {"precision": precision}),
        JELLY: (peers.training, {"library": "spikingjelly", "precision": precision, **settings}),
        SNNTORCH: (peers.training, {"library": "snntorch", "precision": precision, **settings}),
    }
    if not bench.quick:
        contenders[JAX] = (ours.training, {"precision": precision, "backend": "jax"})
    row = bench.compare(contenders)
    row.against_best(f"training_{precision}_floor", OURS, [FLOOR, TORCH_FLOOR])
    row.best_of(f"training_{precision}_peers", [JELLY, SNNTORCH], OURS)
    row.against_best(f"rates_{precision}_floor", RATES, [FLOOR, TORCH_FLOOR])
    row.ratio(f"rates_{precision}_bptt", [OURS], [RATES])
    row.best_of(f"rates_{precision}_peers", [JELLY, SNNTORCH], RATES)
    row.ratio(f"training_{precision}_jax", [JAX], [OURS])
    return row


STEPS = (2, 4, 8)
"""T of the networks in `by_steps`."""

NETWORKS = {"conv4": {"widths": network.CONV4}, network.RESNET18: {"widths": network.RESNET18, "batch": network.RESNET18_BATCH}}


def by_steps(bench: Bench, name: str, precision: str) -> Row:
    """Training steps through time and by rates at several T, beside SpikingJelly's compiled one."""
    total = Row()
    for timesteps in STEPS:
        through_time, by_rates, peer = (f"{who}, T = {timesteps}" for who in (OURS, RATES, JELLY))
        arguments = {**NETWORKS[name], "precision": precision, "timesteps": timesteps}
        settings = bench.settings(peers.TRAINING_SETTINGS[-1:])
        row = bench.compare(
            {
                through_time: (ours.training, arguments),
                by_rates: (ours.training, {**arguments, "gradient": "rate"}),
                peer: (peers.training, {**arguments, "library": "spikingjelly", **settings}),
            }
        )
        row.ratio(f"{name}_{precision}_{timesteps}_bptt", [through_time], [by_rates])
        row.ratio(f"{name}_{precision}_{timesteps}_peer", [peer], [by_rates])
        for field in ("values", "measures", "facts", "skipped"):
            getattr(total, field).update(getattr(row, field))
    return total


def inference(bench: Bench, precision: str) -> Row:
    """Logits of one batch by conv4."""
    settings = bench.settings(peers.INFERENCE_SETTINGS)
    row = bench.compare(
        {
            OURS: (ours.inference, {"precision": precision}),
            FLOOR: (floor.inference, {"precision": precision}),
            JELLY: (peers.inference, {"library": "spikingjelly", "precision": precision, **settings}),
            SNNTORCH: (peers.inference, {"library": "snntorch", "precision": precision, **settings}),
        }
    )
    row.ratio(f"inference_{precision}_floor", [OURS], [FLOOR])
    row.best_of(f"inference_{precision}_peers", [JELLY, SNNTORCH], OURS)
    return row


def distillation(bench: Bench) -> Row:
    """conv4 teaches the small student."""
    alone, teacher, live, cached = "student alone", "teacher forward", "distillation", "distillation, cached"
    with tempfile.TemporaryDirectory(prefix="benchmark") as folder:
        row = bench.compare(
            {
                alone: (ours.student, {}),
                teacher: (ours.inference, {}),
                live: (ours.student, {"taught": True}),
                cached: (ours.student, {"taught": True, "cache": folder}),
                JELLY: (peers.distillation, {"library": "spikingjelly", **bench.settings(peers.TRAINING_SETTINGS)}),
            }
        )
    row.facts["teacher's operations / student's"] = network.operations(network.CONV4) / network.operations(network.STUDENT)
    row.ratio("distillation_live", [live], [teacher, alone])
    row.ratio("distillation_cached", [cached], [alone])
    row.ratio("distillation_peers", [JELLY], [live])
    return row


def whole_recipe(bench: Bench) -> Row:
    """Distillation on augmented CIFAR-10 with a shipped teacher, from the images to the step, live and cached."""
    live, rates, cached = f"{OURS}, live teacher", f"{RATES}, live teacher", f"{OURS}, cached teacher"
    with tempfile.TemporaryDirectory(prefix="benchmark") as folder:
        try:
            bench.worker(recipe.write_images, {"folder": folder}).close()
        except UnavailableError as error:
            return Row(skipped={OURS: str(error)})
        row = bench.compare(
            {
                live: (recipe.distilled, {"folder": folder}),
                rates: (recipe.distilled, {"folder": folder, "gradient": "rate"}),
                cached: (recipe.distilled, {"folder": folder, "cached": True}),
                JELLY: (recipe.peer, {"library": "spikingjelly", "folder": folder, **bench.settings(peers.TRAINING_SETTINGS)}),
            }
        )
    row.facts["images a second"] = {name: recipe.BATCH / arithmetic.summary(values)["median"] for name, values in row.values.items()}
    row.ratio("recipe_live", [JELLY], [live])
    row.ratio("recipe_rates", [JELLY], [rates])
    row.ratio("recipe_cached", [JELLY], [cached])
    return row


def memory(bench: Bench) -> Row:
    """Peak resident memory of training beyond that after building the model, a fresh process for each T; growth by a straight line."""
    remat = f"{OURS}, rematerialized"
    contenders = {
        OURS: (ours.training, {}),
        remat: (ours.training, {"remat": True}),
        RATES: (ours.training, {"gradient": "rate"}),
        JELLY: (peers.training, {"library": "spikingjelly", "settings": ("channels_last",)}),
    }
    if not bench.quick:
        contenders[f"{JELLY}, compiled"] = (peers.training, {"library": "spikingjelly", "settings": ("compiled",)})
    row, growth = _against_steps(bench, contenders, (2, 8) if bench.quick else (2, 4, 8, 16))
    row.facts = {f"{name}: straight line against T": fit for name, fit in growth.items()}
    for measure, name in (("memory_growth", OURS), ("memory_growth_remat", remat), ("memory_growth_rates", RATES)):
        if name in growth and JELLY in growth:
            row.measures[measure] = [growth[name]["slope"] / growth[JELLY]["slope"]]
    return row


def _against_steps(bench: Bench, contenders: Contenders, steps: Sequence[int]) -> tuple[Row, dict[str, dict[str, float]]]:
    """Peak memory at each T in a fresh process, and of each contender that took part everywhere the straight line through it."""
    row, growth = Row(unit="bytes"), {}
    for name, (prepare, arguments) in contenders.items():
        found = []
        for timesteps in steps:
            bench.say(f"  {name}, T = {timesteps}")
            try:
                worker = bench.worker(prepare, {**arguments, "timesteps": timesteps})
                try:
                    found.append(worker.memory(WARM_UP))
                finally:
                    worker.close()
            except UnavailableError as error:
                row.skipped[name] = str(error)
                break
            row.values[f"{name}, T = {timesteps}"] = [found[-1]]
        if len(found) == len(steps):
            growth[name] = arithmetic.line(steps, found)
    return row, growth


def scaling(bench: Bench) -> Row:
    """A training step of ours against T, batch and operations: is it a straight line?"""
    series = {
        "timesteps": {f"T = {t}": (t, {"timesteps": t}) for t in (2, 4, 8, 16)},
        "batch": {f"B = {b}": (b, {"batch": b}) for b in (8, 16, 32, 64)},
        "width": {
            f"widths x {factor:g}": (network.operations(widths), {"widths": widths})
            for factor in (0.5, 1, 2)
            for widths in [network.scaled(network.CONV4, factor)]
        },
    }
    total = Row()
    for name, points in series.items():
        row = bench.compare({point: (ours.training, arguments) for point, (_, arguments) in points.items()})
        total.values |= row.values
        total.skipped |= row.skipped
        if not row.skipped:
            places = [place for place, _ in points.values()]
            fit = arithmetic.line(places, [arithmetic.summary(row.values[point])["median"] for point in points])
            total.facts[f"{name}: straight line"] = fit
            total.measures[f"scaling_{name}"] = [fit["r2"]]
    return total


def importing(bench: Bench) -> Row:
    """Seconds of `import keras` and of `import keras_snnkd` after it, each time in a fresh process; the first time does not count."""
    program = (
        "import time; start = time.perf_counter(); import keras; middle = time.perf_counter(); import keras_snnkd; "
        "print(middle - start, time.perf_counter() - middle)"
    )
    times = []
    for _ in range(1 + (3 if bench.quick else bench.rounds)):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=_variables(bench), capture_output=True, text=True, check=False)
        if done.returncode:
            return Row(skipped={OURS: done.stderr.strip()[-500:]})
        times.append([float(seconds) for seconds in done.stdout.split()[-2:]])
    keras, beyond = map(list, zip(*times[1:], strict=True))
    return Row(values={"import keras": keras, "import keras_snnkd after it": beyond}, measures={"import_seconds": beyond})


def start(bench: Bench) -> Row:
    """Seconds from `python train.py` on digits to its first line of progress, "epoch 1/1: ...".

    With the 32 training images that `--limit` leaves, the first epoch is one step (of the teacher), so the line comes after that step,
    validation and saving: a little later than the first step.
    """
    found = []
    for _ in range(2 if bench.quick else 5):
        seconds, printed = _seconds_to_first_epoch(bench)
        if seconds is None:
            return Row(skipped={OURS: f"train.py ended before its first epoch: {printed[-500:]}"})
        found.append(seconds)
    return Row(values={"train.py": found}, measures={"start_seconds": found})


def _seconds_to_first_epoch(bench):
    """The seconds, or `None` if no epoch came; and what was printed until then."""
    with tempfile.TemporaryDirectory(prefix="benchmark") as folder:
        command = [sys.executable, "-u", "train.py", "--dataset", "digits", "--limit", "36", "--teacher-epochs", "1"]
        command += ["--out", f"{folder}/run", "--saved-models", f"{folder}/models"]
        begin, printed = time.perf_counter(), ""
        with subprocess.Popen(
            command, cwd=ROOT, env=_variables(bench), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout:
                printed += line
                if "epoch 1/" in line:
                    process.kill()
                    return time.perf_counter() - begin, printed
    return None, printed


def edge(bench: Bench, name: str = "edge", widths: tuple = network.CONV4) -> Row:
    """One image through a network on one thread: the exported files in LiteRT, and SpikingJelly."""
    floating, dynamic, streaming = "LiteRT float32", "LiteRT dynamic int8", "LiteRT dynamic int8, one step a call"
    with tempfile.TemporaryDirectory(prefix="benchmark") as folder:
        bench.say("  writing the files")
        try:
            bench.worker(ours.write_litert, {"folder": folder, "widths": widths}).close()
        except UnavailableError as error:
            return Row(skipped={OURS: str(error)})
        settings = bench.settings(peers.INFERENCE_SETTINGS)
        row = bench.compare(
            {
                floating: (ours.litert, {"folder": folder, "quantize": "float32"}),
                dynamic: (ours.litert, {"folder": folder, "quantize": "dynamic"}),
                streaming: (ours.streaming, {"folder": folder}),
                JELLY: (peers.inference, {"library": "spikingjelly", "batch": 1, "widths": widths, **settings}),
            },
            threads=1,
        )
    row.ratio(f"{name}_dynamic", [floating], [dynamic])
    row.ratio(f"{name}_peers", [JELLY], [dynamic])
    row.ratio(f"{name}_streaming", [JELLY], [streaming])
    return row


def input_pipeline(bench: Bench) -> Row:
    """`fit` on augmented CIFAR-10, and on one batch again and again."""
    row = bench.compare({"CIFAR-10": (ours.input_pipeline, {"fixed": False}), "fixed batch": (ours.input_pipeline, {"fixed": True})})
    row.ratio("input_pipeline", ["CIFAR-10"], ["fixed batch"])
    return row


def of_series(bench: Bench, neuron: str, timesteps: int) -> Row:
    """A training step of a network for series."""
    settings = {"settings": series.QUICK_SETTINGS if bench.quick else series.SETTINGS}
    arguments = {"neuron": neuron, "timesteps": timesteps}
    row = bench.compare(
        {
            OURS: (series.training, arguments),
            JELLY: (series.peer, {"library": "spikingjelly", **arguments, **settings}),
            SNNTORCH: (series.peer, {"library": "snntorch", **arguments, **settings}),
        }
    )
    row.best_of(f"series_{neuron}_{timesteps}", [JELLY, SNNTORCH], OURS)
    return row


def memory_of_series(bench: Bench, neuron: str) -> Row:
    """Peak resident memory of training beyond that after building the model, in fresh processes at T = 100 and 250."""
    peer = {"library": "spikingjelly", "neuron": neuron, "settings": series.QUICK_SETTINGS[1:]}
    contenders = {OURS: (series.training, {"neuron": neuron}), JELLY: (series.peer, peer)}
    row, growth = _against_steps(bench, contenders, (100, 250))
    if len(growth) == len(contenders):
        row.facts = {f"{name}: straight line against T": fit for name, fit in growth.items()}
        row.measures[f"series_memory_{neuron}"] = [growth[OURS]["slope"] / growth[JELLY]["slope"]]
    return row


SERIES: dict[str, Callable[[Bench], Row]] = {
    **{
        f"series_{neuron}_{timesteps}": functools.partial(of_series, neuron=neuron, timesteps=timesteps)
        for neuron in series.NEURONS
        for timesteps in (100, 250)
    },
    **{f"series_memory_{neuron}": functools.partial(memory_of_series, neuron=neuron) for neuron in series.NEURONS},
}

ROWS: dict[str, Callable[[Bench], Row]] = {
    "equality": equality,
    "training_fp32": lambda bench: training(bench, "fp32"),
    "training_bf16": lambda bench: training(bench, "bf16"),
    **{
        f"steps_{name}_{precision}": functools.partial(by_steps, name=name, precision=precision)
        for name in NETWORKS
        for precision in ours.POLICIES
    },
    "inference_fp32": lambda bench: inference(bench, "fp32"),
    "inference_bf16": lambda bench: inference(bench, "bf16"),
    "distillation": distillation,
    "recipe": whole_recipe,
    "memory": memory,
    "edge": edge,
    "edge_student": lambda bench: edge(bench, "edge_student", network.SHELF),
    "import": importing,
    "start": start,
    "input": input_pipeline,
    "scaling": scaling,
    **SERIES,
}

QUICK = ("training_fp32", "inference_fp32", "import")
"""The rows of the quick form, where none are named."""


def _variables(bench):
    return {**os.environ, **environment(bench.threads), "KERAS_BACKEND": "tensorflow"}
