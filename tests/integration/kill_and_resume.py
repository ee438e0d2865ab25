"""Kills real runs of `train.py` over and over, resumes them, and compares what they end with, bit by bit, with a run that nobody killed.

    python -m tests.integration.kill_and_resume --kills 20

Half of the kills come at random times over the whole duration of a run, the others at the moments in `MOMENTS`. After each kill, every
file under a final name has to be whole; a run that got to its end has to have the weights, histories and exported files of the other,
and nothing else. Prints a table of the kills; the exit status is 1 if anything did not hold.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
DATA = ["--batch-size", "200", "--augment", "shift", "--cache", "2", "--seed", "3", "--deterministic", "--out", "run"]
MODELS = ["--teacher", "mlp:24", "--student", "mlp:12", "-T", "2", "--epochs", "3", "--teacher-epochs", "3", "--learning-rate", "0.02"]
RATES = ["--teacher-learning-rate", "0.02"]
TINY = [*DATA, *MODELS, *RATES]

MOMENTS = {
    "before the first record of the first stage": {"event": "os.rename", "path": "run/teacher/settings.json"},
    "while the first checkpoint is written": {"event": "tempfile.mkdtemp", "path": "run/teacher/.unfinished-*", "count": 4, "delay": 0.01},
    "between the best weights and the checkpoint of an epoch": {"event": "os.rename", "path": "run/teacher/epoch-0002.weights.h5"},
    "while old checkpoints are removed": {"event": "os.remove", "path": "run/teacher/epoch-0002.weights.h5"},
    "before a stage's model gets its name": {"event": "os.rename", "path": "run/teacher/model.keras"},
    "between a stage's model and its record": {"event": "os.rename", "path": "run/teacher/stage.json"},
    "after a stage's record, before its checkpoints are removed": {"event": "os.remove", "path": "run/teacher/epoch-0003.weights.h5"},
    "before the next stage": {"event": "os.rename", "path": "run/*student_alone/settings.json"},
    "while the first part of the cache is written": {"event": "open", "path": "run/*.cache/*.bin", "count": 2, "delay": 0.001},
    "between a part of the cache and its record": {"event": "os.rename", "path": "run/*.cache/*/cache.json", "count": 3},
    "in the history of a distilled epoch": {"event": "os.rename", "path": "run/student_distilled/history.json", "count": 2},
    "while the cache is removed": {"event": "os.remove", "path": "run/*.cache/*/cache.json"},
    "while an export is made": {"event": "tempfile.mkdtemp", "path": "run/export/.unfinished-*/teacher/.unfinished-*", "delay": 3.0},
    "between two exported files": {"event": "os.rename", "path": "run/export/.unfinished-*/student_alone/model_float32.tflite"},
    "before the results": {"event": "os.rename", "path": "run/results.json"},
    "before the report": {"event": "os.rename", "path": "run/report.html"},
    "between the old folder on the shelf and the new one": {"event": "os.rename", "path": "saved_models/run", "count": 2},
}
"""Kills at named moments, in the order of a run; see `tests.integration.killed`."""


def train(arguments, folder, moment=None, seconds=None, resume=False):
    """Run `train.py`, killed at a moment or after so many seconds; whether it got to its end."""
    program = ["-m", "tests.integration.killed", json.dumps(moment), str(ROOT / "train.py")] if moment else [str(ROOT / "train.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *program, *arguments, *(["--resume"] if resume else [])]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode not in (0, -9):
            said.seek(0)
            raise AssertionError(f"{' '.join(command)} ended with {process.returncode}:\n{said.read()[-3000:]}")
    return process.returncode == 0


def files(folder):
    """All files below a folder, by relative path, but TensorBoard's logs, of which each start writes its own."""
    found = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if "/logs/" not in name}


def check_whole(folder):
    """Raise if a file under a final name is not whole; the parts of a cache are whole where its record says so."""
    import h5py

    import keras_snnkd as kd
    from keras_snnkd.files.lock import LOCK
    from keras_snnkd.files.staging import UNFINISHED, read_json

    for name, path in files(folder).items():
        if UNFINISHED in name or path.name == LOCK:
            continue
        if path.suffix == ".json":
            read_json(path)
        elif path.suffix == ".keras":
            kd.models.load(path)
        elif path.suffix == ".h5":
            with h5py.File(path) as stored:
                stored.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)
        elif path.suffix == ".tflite":
            kd.export.LiteRT(path)
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>"), path
        elif path.name == "saved_model.pb":
            kd.export.SavedModel(path.parent)
        else:
            assert path.suffix in (".bin", ".csv", ".md", ".pb", ".index", ".tex") or path.name.startswith("variables."), f"what is {path}?"
            assert path.stat().st_size, path


def check_equal(folder, reference):
    """Raise if a finished run differs from another: in its files, weights (every bit), histories or results."""
    from keras_snnkd.files.staging import read_json

    ours, theirs = files(folder), files(reference)
    assert set(ours) == set(theirs), f"other files: {sorted(set(ours) ^ set(theirs))}"
    for name, path in ours.items():
        if path.suffix == ".keras":
            for (key, weight), (_, other) in zip(weights(path), weights(theirs[name]), strict=True):
                assert weight.tobytes() == other.tobytes(), f"{name}: {key} differs by {np.abs(weight - other).max()}"
        elif path.suffix == ".tflite":
            assert path.read_bytes() == theirs[name].read_bytes(), name
        elif path.name in ("history.json", "stage.json", "results.json"):
            found, wanted = dict(leaves(read_json(path))), dict(leaves(read_json(theirs[name])))
            other = {key: (found.get(key), wanted.get(key)) for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)}
            assert not other, f"{name}: {other}"


def weights(path):
    """Names and values of what a `.keras` file holds, sorted by name."""
    import h5py

    found = []
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as stored, h5py.File(stored) as content:
        content.visititems(lambda name, item: found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None)
    assert found, path
    return sorted(found, key=lambda pair: pair[0])


PASSING = ("seconds", "resumed_at_epoch", "teacher_cached", "command", "folder", "sha256", "teacher_sha256", "start_from_sha256", "files")
"""Names in JSON files that tell of time, of the interruption, or of files with a date."""


def leaves(content, path=""):
    """All numbers and texts of a JSON file by their path, but those of `PASSING`.

    A SavedModel's size is left out too: the names in its graph count how many models its process has seen.
    """
    if isinstance(content, dict) and content.get("target") == "saved_model":
        content = {name: value for name, value in content.items() if name != "bytes"}
    if isinstance(content, (dict, list)):
        for name, value in content.items() if isinstance(content, dict) else enumerate(content):
            if name not in PASSING:
                yield from leaves(value, f"{path}/{name}")
    else:
        yield path, content


def trials(moments, folder, reference, duration, arguments=TINY):
    """Kill runs until all moments have come; yields what was done at each.

    Args:
        moments: Of each kill its name, and what `train` takes: a moment, or the share of a run's duration after which it is killed.
        folder: For the runs.
        reference: The folder of a run that nobody killed.
        duration: Its seconds.
        arguments: Of `train.py`.

    Yields:
        `(run, name, files that were there under their final names)` after each kill that hit, `(run, "finished", files)` after each end.
    """
    run, left = 0, list(moments)
    while left:
        run, started, over = run + 1, False, False
        place = Path(folder, f"run{run}")
        place.mkdir()
        while not over:
            name, moment = left.pop(0) if left and (not started or len(left) % 10) else ("finished", None)
            kind = {"seconds": moment * duration} if isinstance(moment, float) else {"moment": moment}
            over = train(arguments, place, resume=started, **kind)
            started = True
            check_whole(place)
            if over:
                check_equal(place, reference)
            yield run, "finished" if over else name, len(files(place))


def plan(kills, seed):
    """Half named moments, in the order of a run, then random times after a start; resumed runs get on, so that these are everywhere."""
    rng = random.Random(seed)
    named = sorted(rng.sample(range(len(MOMENTS)), min(kills - kills // 2, len(MOMENTS))))
    names = list(MOMENTS)
    chosen = [(names[index], MOMENTS[names[index]]) for index in named]
    return chosen + [("at a random time", rng.uniform(0.1, 0.6)) for _ in range(kills - len(chosen))]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    options = options.parse_args()
    print("| kill | run | moment | files then |\n| --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder, "reference")
        reference.mkdir()
        started = time.monotonic()
        assert train(TINY, reference)
        duration = time.monotonic() - started
        hits = runs = 0
        while hits < options.kills:  # a run may end before its kill comes
            place = Path(folder, f"from{hits}-{runs}")
            place.mkdir()
            for run, name, count in trials(plan(options.kills - hits, options.seed + runs), place, reference, duration):
                if name == "finished":
                    runs += 1
                    print(f"| | {run} | finished: equal in every bit | {count} |", flush=True)
                else:
                    hits += 1
                    print(f"| {hits} | {run} | {name} | {count} |", flush=True)
    print(f"\n{hits} kills of {runs} runs, each of which ended with the files, weights and histories of the run that nobody killed.")


if __name__ == "__main__":
    main()
