"""Damaged files through each loader: an error of ours, or what the whole file gives; never a crash, a hang or something else.

python -m tests.integration.mutated_files --count 500
python -m tests.integration.mutated_files --count 500 --loader keras --seed 7
"""

import argparse
import collections
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import keras_snnkd as kd
from keras_snnkd.distill.cache import TeacherCache
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.errors import KDError
from keras_snnkd.files.staging import seal
from keras_snnkd.run.finished import inspection
from keras_snnkd.run.finished.card import read_card

SECONDS = 60
"""For one file; more is a hang."""

SHELF = Path(__file__).parents[2] / "saved_models" / "digits_student"
EQUAL, REFUSED, CHANGED = "as the whole file", "refused", "another valid file"


class Loader:
    """Files of one kind, and what a loader makes of them.

    `make(folder)` writes them and returns those that may be damaged; `read(folder)` gives what can be compared with `==`. With
    `checked = False` the format has no checksum: a changed digit of a recipe is a recipe.
    """

    checked = True

    def make(self, folder):
        raise NotImplementedError

    def read(self, folder):
        raise NotImplementedError


def network(width=4, shape=(4, 4, 1), classes=3, name="student"):
    return kd.models.MLP(shape, classes, widths=(width,), timesteps=2, name=name)


def values(model):
    return [weight.numpy().tobytes() for weight in model.weights]


class KerasFile(Loader):
    def make(self, folder):
        network().save(folder / "model.keras")
        return [folder / "model.keras"]

    def read(self, folder):
        model = kd.models.load(folder / "model.keras")
        return json.dumps(model.get_config(), sort_keys=True, default=str).replace(str(id(model)), ""), values(model)


class RecipeFile(Loader):
    checked = False

    def make(self, folder):
        kd.Recipe(objectives=["hinton", {"objective": "spike_train", "window": 2}]).resolved().save(folder / "recipe.json")
        return [folder / "recipe.json"]

    def read(self, folder):
        return kd.Recipe.load(folder / "recipe.json").resolved().to_dict()


class Card(Loader):
    checked = False

    def make(self, folder):
        shutil.copy2(SHELF / "card.json", folder / "card.json")
        return [folder / "card.json"]

    def read(self, folder):
        card = read_card(folder / "model.keras") or {}
        dataset = inspection._dataset(SimpleNamespace(dataset=None), folder / "model.keras", card)
        return dataset, inspection._beside_card(0.9, card, 360), str(card.get("training"))


class Checkpoint(Loader):
    def __init__(self):
        self.model = self._compiled()

    def _compiled(self):
        distiller = kd.Distiller(network(), None)
        distiller.compile("adam", "mse")
        distiller.optimizer.build(distiller.trainable_variables)
        return distiller

    def make(self, folder):
        checkpoints = Checkpoints(folder)
        checkpoints.set_model(self.model)
        for epoch, accuracy in enumerate([0.5, 0.7, 0.6]):
            checkpoints.on_epoch_end(epoch, {"val_accuracy": accuracy, "loss": 1.0 / (1 + epoch)})
        return sorted(folder.iterdir())

    def read(self, folder):
        checkpoints = Checkpoints(folder)
        epoch = checkpoints.resume(self.model)
        resumed = values(self.model)
        return epoch, checkpoints.history, resumed, checkpoints.load_best(self.model), values(self.model)


class Run(Loader):
    """A finished stage, on `--resume`."""

    def __init__(self):
        self.data = kd.data.load("digits", limit=60, batch_size=20)
        self.stage = kd.Stage("student", lambda: network(4, (8, 8, 1), 10), epochs=1)

    def make(self, folder):
        kd.Chain([self.stage], folder).run(self.data)
        return sorted((folder / "student").iterdir())

    def read(self, folder):
        result = kd.Chain([self.stage], folder).run(self.data, resume=True)["student"]
        return values(result.model), result.history, result.record


class Npz(Loader):
    def make(self, folder):
        rng = np.random.default_rng(0)
        arrays = {f"x_{part}": rng.integers(0, 256, (20, 6, 6), np.uint8) for part in ("train", "test")}
        np.savez_compressed(folder / "mine.npz", **arrays, **{f"y_{part}": np.arange(20) % 3 for part in ("train", "test")})
        return [folder / "mine.npz"]

    def read(self, folder):
        return contents(kd.data.load(folder / "mine.npz"))


class Images(Loader):
    suffix = "png"

    def make(self, folder):
        from PIL import Image

        rng = np.random.default_rng(0)
        for name in ("cat", "dog"):
            (folder / name).mkdir()
            for number in range(8):
                Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(folder / name / f"{number}.{self.suffix}")
        return [folder / "cat" / f"0.{self.suffix}", folder / "dog" / f"3.{self.suffix}"]

    def read(self, folder):
        return contents(kd.data.load(folder))


class Jpegs(Images):
    checked, suffix = False, "jpg"


class Cache(Loader):
    """What is damaged is computed anew, so that it is always as before."""

    def __init__(self):
        self.data = kd.data.load("digits", limit=60, batch_size=20)
        self.cache = TeacherCache(network(4, (8, 8, 1), 10), self.data, ["logits", "neurons"], "nowhere")

    def _build(self, folder):
        self.cache.folder = folder
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.cache.build()

    def make(self, folder):
        self._build(folder)
        self.sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
        return sorted(folder.iterdir())

    def read(self, folder):
        self._build(folder)
        rows = {file.name: file.read_bytes()[: self.sizes[file.name]] for file in folder.glob("*.bin")}  # what follows is not read
        return rows, json.loads((folder / "cache.json").read_text())


class TFLite(Loader):
    def __init__(self):
        self.images = np.random.default_rng(0).random((2, 8, 8, 1), "float32")

    def make(self, folder):
        path = folder / "model.tflite"
        path.write_bytes((SHELF / "model_float32.tflite").read_bytes())
        seal(path)
        return [path]

    def read(self, folder):
        return kd.export.LiteRT(folder / "model.tflite").predict(self.images).tobytes()


LOADERS = {
    "keras": KerasFile,
    "recipe": RecipeFile,
    "card": Card,
    "checkpoint": Checkpoint,
    "run": Run,
    "npz": Npz,
    "png": Images,
    "jpeg": Jpegs,
    "cache": Cache,
    "tflite": TFLite,
}


def contents(data):
    return [array.tobytes() for part in ("train", "validation", "test") for array in getattr(data, f"{part}_arrays")]


def mutate(content: bytes, number: int, count: int, rng: random.Random) -> tuple[str, bytes]:
    """The name of what is done, and the damaged file; every third is cut, at lengths spread over the whole file."""
    if number % 3 == 0:
        return "cut", content[: len(content) * number // count]
    start, length = rng.randrange(len(content)), rng.choice([1, 2, 8, 64])
    kind = rng.choice(["bits", "bits", "noise", "zeros", "gone", "more", "foreign", "digits"])
    if kind == "bits":
        changed = bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 8])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return kind, bytes(changed)
    if kind == "foreign":
        heads = [
            b"",
            b"PK\x03\x04",
            b"\x89HDF\r\n\x1a\n",
            b"\x89PNG\r\n\x1a\n",
            b"\x80\x04K\x01.",
            b"\x93NUMPY\x01\x00",
            b"[1]",
            b"null",
            b"{}",
        ]
        return kind, rng.choice(heads) + rng.choice([b"", rng.randbytes(300), content[:start]])
    if kind == "digits":
        return kind, content.replace(
            str(rng.randrange(10)).encode(), rng.choice([b"9", b"-1", b"1e999", b"NaN", b"[" * 5000, b'""', b"9" * 5000])
        )
    middle = {"noise": rng.randbytes(length), "zeros": bytes(length), "gone": b"", "more": rng.randbytes(length)}[kind]
    return kind, content[:start] + middle + content[start + (0 if kind == "more" else length) :]


def check(name: str, count: int, seed: int = 0) -> collections.Counter:
    """Damage `count` files for one loader.

    Returns:
        How often each outcome came.

    Raises:
        AssertionError: For a foreign error, a hang, or a result that is not the whole file's; it says how to get there again.
    """
    loader, outcomes = LOADERS[name](), collections.Counter()
    with tempfile.TemporaryDirectory() as work:
        whole = Path(work, "whole")
        whole.mkdir()
        files = [file.relative_to(whole) for file in loader.make(whole)]
        expected = loader.read(shutil.copytree(whole, Path(work, "same")))
        assert expected == loader.read(shutil.copytree(whole, Path(work, "again")))
        for number in range(count):
            rng = random.Random(f"{seed}/{number}")
            file = rng.choice(files)
            kind, damaged = mutate((whole / file).read_bytes(), number, count, rng)
            folder = shutil.copytree(whole, Path(work, "damaged"))
            (folder / file).write_bytes(damaged)
            outcome = _outcome(loader, folder, expected)
            assert outcome in (EQUAL, REFUSED) or (outcome == CHANGED and not loader.checked), (
                f"{name}, file {number} of {count} (seed {seed}), {kind} in {file}: {outcome}"
            )
            outcomes[outcome] += 1
            shutil.rmtree(folder)
    return outcomes


def _outcome(loader, folder, expected):
    def late(*_):
        raise TimeoutError(f"longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        return EQUAL if loader.read(folder) == expected else CHANGED
    except KDError:
        return REFUSED
    except ValueError as error:  # what a recipe's values raise, and nothing from below our code
        ours = "keras_snnkd" in traceback.extract_tb(error.__traceback__)[-1].filename
        return REFUSED if ours else traceback.format_exc()
    except Exception:
        return traceback.format_exc()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main():
    """Each loader in a process of its own, whose crash is told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="damaged files for each loader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loader", choices=LOADERS, help="one loader, in this process")
    options = parser.parse_args()
    if options.loader:
        print(f"{options.loader:<12}", dict(sorted(check(options.loader, options.count, options.seed).items())), flush=True)
        return 0
    failed = []
    for name in LOADERS:
        command = [sys.executable, "-m", "tests.integration.mutated_files", "--loader", name]
        command += ["--count", str(options.count), "--seed", str(options.seed)]
        try:
            status = subprocess.run(command, timeout=SECONDS * options.count, check=False).returncode
        except subprocess.TimeoutExpired:
            status = "hang"
        if status:
            failed.append(f"{name} ({status})")
    print(f"failed: {', '.join(failed)}" if failed else f"all {len(LOADERS)} loaders held, {options.count} files each")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
