"""A training step of a spiking ResNet-18 on one accelerator: `python -m benchmarks.accelerator --out results`.

Ours on JAX and SpikingJelly's take turns on the same card, and the share of the card's bf16 rate is told, by its datasheet and as a large
matrix product reaches it here. Needs jax, torch and spikingjelly that see the card.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from benchmarks import arithmetic
from benchmarks.contenders import Contender, UnavailableError, resnet18
from benchmarks.worker import WARM_UP, Worker, take_turns

PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12}
"""Dense bf16 operations per second by the makers' datasheets, of the variant with the fastest interface."""

OURS, JELLY = "keras_snnkd on JAX", "SpikingJelly"


def matrix_product(size: int = 8192) -> Contender:
    """Operations a second of a large bf16 matrix product on JAX."""
    import os

    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import jax
    import jax.numpy as jnp

    a, b = (jax.random.normal(key, (size, size), jnp.bfloat16) for key in jax.random.split(jax.random.key(0)))
    product = jax.jit(jnp.matmul)
    product(a, b).block_until_ready()
    found = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(10):
            c = product(a, b)
        c.block_until_ready()
        found.append(20 * size**3 / (time.perf_counter() - start))
    device = jax.devices()[0]
    return Contender(lambda: None, {"device": device.device_kind, "operations a second": statistics.median(found), "jax": jax.__version__})


def measure(batch: int, rounds: int, turn: float) -> dict:
    """Both networks at one batch size."""
    workers, skipped = {}, {}
    try:
        for name, prepare in ((OURS, resnet18.ours), (JELLY, resnet18.spikingjelly)):
            try:
                workers[name] = Worker(prepare, {"batch": batch}, threads=None, verbose=True)
                workers[name].run(WARM_UP)
            except UnavailableError as error:
                skipped[name] = str(error)
                workers.pop(name, None)
        found = take_turns(workers, rounds, turn)
        facts = {name: worker.facts for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    result = {"batch": batch, "facts": facts, "skipped": skipped}
    for name in workers:
        result[name] = {"seconds": arithmetic.summary([times[name] for times in found])}
        result[name]["images a second"] = batch / result[name]["seconds"]["median"]
    if len(workers) == 2:
        result["SpikingJelly / keras_snnkd"] = arithmetic.summary(arithmetic.ratios(found, [JELLY], [OURS]))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write `accelerator.json`."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    p.add_argument("--batch", type=int, nargs="+", default=[256])
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--turn", type=float, default=1.0, help="seconds of a turn at least")
    p.add_argument("--out", type=Path, default=Path("."))
    options = p.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    card = Worker(matrix_product, {}, threads=None, verbose=True)
    card.close()
    peak = next((rate for name, rate in PEAKS.items() if name in card.facts["device"]), None)
    content = {"card": card.facts, "datasheet": peak, "runs": []}
    print(f"{card.facts['device']}: a large bf16 product runs at {card.facts['operations a second'] / 1e12:.0f} TFLOP/s")
    for batch in options.batch:
        run = measure(batch, options.rounds, options.turn)
        content["runs"].append(run)
        each = run["facts"].get(OURS, {}).get("operations")
        for name in (OURS, JELLY):
            if name not in run:
                print(f"batch {batch}: {name} is left out: {run['skipped'][name]}")
                continue
            rate = run[name]["images a second"]
            shares = [
                f"{each * rate / limit:.1%} of {what}"
                for limit, what in ((peak, "the datasheet"), (card.facts["operations a second"], "the product"))
                if each and limit
            ]
            run[name]["operations a second"] = each and each * rate
            print(f"batch {batch}: {name}: {rate:,.0f} images a second; {', '.join(shares)}; {run['facts'][name].get('setting', '')}")
        (options.out / "accelerator.json").write_text(json.dumps(content, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
