"""Whether twenty training steps still have the losses they had: `python -m benchmarks.same_losses REVISION`.

A git revision is checked out beside this tree, both train the same networks from the same seeds on the same images, and the table shows
each case's largest relative difference of a loss. Cases cover what optimisations touch: the scan at short and long T, bf16,
rematerialisation, batch norm, and a distilled step. The exit status is 1 if a difference is above `TOLERANCE`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

STEPS, BATCH, SIDE = 20, 16, 16

TOLERANCE = 2e-3
"""Additions in another order let single spikes at the threshold fall otherwise, and training carries that on; wrong gradients give 1e-1."""

CASES = {
    "T = 4": {"timesteps": 4},
    "T = 4, bf16": {"timesteps": 4, "precision": "mixed_bfloat16"},
    "T = 8, rematerialized": {"timesteps": 8, "remat": True},
    "T = 16": {"timesteps": 16},
    "T = 40": {"timesteps": 40},
    "T = 4, soft reset, residual": {"timesteps": 4, "reset": "soft", "builder": "ResNet", "widths": [8, 16], "blocks": [1, 1]},
    "T = 4, distilled": {"timesteps": 4, "distilled": True},
}

ROOT = Path(__file__).parents[1]


def losses(builder="ConvNet", widths=(8, "pool", 16), precision="float32", distilled=False, **arguments):
    """The losses of `STEPS` steps of Adam on noisy patterns, each step on its own batch; `None` where the package has no such thing."""
    import keras

    import keras_snnkd as kd
    from keras_snnkd.errors import UnknownNameError

    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(0)

    def build(factor):
        wide = [width if isinstance(width, str) else factor * width for width in widths]
        head = {"head": "average"} if builder == "ConvNet" else {}
        return kd.models.build({"builder": builder, "widths": wide, **head, **arguments}, (SIDE, SIDE, 3), 10)

    try:
        teacher, model = build(2), build(1)
    except UnknownNameError:
        return None
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, STEPS * BATCH)
    patterns, noise = rng.random((10, SIDE, SIDE, 3)), rng.random((STEPS * BATCH, SIDE, SIDE, 3))
    images = np.floor(128 * (patterns[labels] + noise)).astype("float32") / 256
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if distilled:
        labels = teacher.predict(images, verbose=0).argmax(-1)  # a teacher that only guesses is refused
        model = kd.Distiller(model, teacher, [kd.objectives.SoftTargets(temperature=4.0), kd.objectives.SpikeTrain(window=2)])
    model.compile(keras.optimizers.Adam(2e-2), loss)
    seen = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(logs["loss"]) * (batch + 1))  # Keras tells the mean so far

    model.fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[Losses()])
    return np.diff(seen, prepend=0.0).tolist()


def run(tree):
    """The losses of all cases with the package in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as work:
        output = Path(work, "losses.json")
        subprocess.run([sys.executable, "-P", __file__, "--write", str(output)], cwd=work, env=environment, check=True)
        found = json.loads(output.read_text())
    assert Path(found.pop("package")).is_relative_to(tree), f"the package was not taken from {tree}"
    return found


def main():
    """Run both trees and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", nargs="?", help="of git, such as HEAD~1")
    parser.add_argument("--write", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        import keras_snnkd

        found = {name: losses(**case) for name, case in CASES.items()}
        Path(options.write).write_text(json.dumps({"package": keras_snnkd.__file__, **found}))
        return
    if not options.revision:
        parser.error("name the revision to compare with")
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work, "before")
        worktree = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*worktree, "add", "--detach", str(tree), options.revision], check=True, capture_output=True)
        try:
            before, after = run(tree), run(ROOT)
        finally:
            subprocess.run([*worktree, "remove", "--force", str(tree)], check=True)
    from benchmarks.machine import vector_width  # not by the other revision's process, which may lack it

    print(f"| case ({vector_width()}) | first loss | last loss | largest relative difference |\n| --- | ---: | ---: | ---: |")
    worst = 0.0
    for name, now in after.items():
        if before[name] is None:
            print(f"| {name} | {now[0]:.4f} | {now[-1]:.4f} | not there before |")
            continue
        difference = float(np.abs(np.array(now) / before[name] - 1).max())
        worst = max(worst, difference)
        print(f"| {name} | {now[0]:.4f} | {now[-1]:.4f} | {difference:.1e} |")
    sys.exit(not worst <= TOLERANCE)


if __name__ == "__main__":
    main()
