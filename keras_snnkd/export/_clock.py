"""How long one run of an exported file takes. Run as a script in a process of its own, which holds nothing but the file's runtime.

python -P _clock.py '{"path": ..., "threads": [1, 2], "rounds": 5, "seconds": 0.1, "output": ...}'
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._types import Array


def litert(path: str, threads: int) -> Callable[[], Any]:
    """A function that runs a `.tflite` file once."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    for place in interpreter.get_input_details():
        interpreter.set_tensor(place["index"], anything(place["shape"], place["dtype"]))
    return interpreter.invoke


def onnx(path: str, threads: int) -> Callable[[], Any]:
    """A function that runs an `.onnx` file once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    feed = {}
    for place in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in place.shape]
        feed[place.name] = anything(shape, np.float32)
    return lambda: session.run(None, feed)


def saved_model(path: str, threads: int) -> Callable[[], Any]:
    """A function that runs a SavedModel once. TensorFlow takes its number of threads once in a process."""
    import tensorflow as tf

    if not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    feed = {}
    for name, spec in specs.items():
        shape = [size or 1 for size in spec.shape]
        feed[name] = tf.constant(anything(shape, spec.dtype.as_numpy_dtype))

    def run(loaded: Any = loaded) -> Any:  # which owns the variables, and must not go
        return [output.numpy() for output in signature(**feed).values()]

    return run


def anything(shape: Sequence[int], dtype: Any) -> Array:
    """Values of a kind that the file may get: 0..1, or all there are of an integer type."""
    draw, dtype = np.random.default_rng(0), np.dtype(dtype)
    if dtype.kind == "f":
        return draw.random(shape).astype(dtype)
    return draw.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape, dtype)


def clock(runs: Sequence[Callable[[], Any]], rounds: int, seconds: float) -> list[Any]:
    """For each function the milliseconds of its runs, an array per round. The functions take turns, so that drift meets all of them."""
    for run in runs:
        _times(run, seconds / 2)  # warm-up
    by_round = [[_times(run, seconds) for run in runs] for _ in range(rounds)]
    return list(zip(*by_round, strict=True))


def percentile(rounds: Any, q: float) -> float:
    """Of each round, then the median of these."""
    return float(np.median([np.percentile(times, q) for times in rounds]))


def _times(run: Callable[[], Any], seconds: float) -> Array:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return np.array(times)


def memory() -> int | None:
    """Bytes of anonymous memory of this process; `None` where the system does not tell."""
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return None
    return 1024 * int(line.split()[1])


def _loader(path: str) -> Callable[[str, int], Callable[[], Any]]:
    """What loads a file of this kind."""
    if Path(path).is_dir():
        return saved_model
    return onnx if path.endswith(".onnx") else litert


def main(path: str, threads: list[int], rounds: int, seconds: float, output: str) -> None:
    load = _loader(path)
    first = load(path, threads[0])  # stays, so that what a runtime takes once and for all is not counted below
    first()
    runs, held = [], []
    for number in threads:
        before = memory()
        runs.append(load(path, number))
        runs[-1]()
        held.append(None if before is None else max(0, (memory() or 0) - before))
    rows = []
    for number, bytes_held, times in zip(threads, held, clock(runs, rounds, seconds), strict=True):
        p50, p95 = (percentile(times, q) for q in (50, 95))
        rows.append({"threads": number, "p50_ms": p50, "p95_ms": p95, "runs": sum(map(len, times)), "memory_bytes": bytes_held})
    Path(output).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
