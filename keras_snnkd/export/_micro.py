"""A `.tflite` file in LiteRT for Microcontrollers, beside LiteRT. Run as a script in a process of its own, which may hang.

python -P _micro.py '{"path": ..., "samples": ..., "output": ...}'
"""

import json
import os
import sys
from typing import Any

import numpy as np

LARGEST = 256 * 2**20
"""Bytes of the largest arena that is tried."""

GRAIN = 16
"""Bytes to which the arena is found; tensors in it are aligned so."""


def micro(content: bytes, arena: int) -> Any:
    """The file in an arena of so many bytes, or `None` if it is too small."""
    from tflite_micro import runtime

    try:
        return runtime.Interpreter.from_bytes(content, arena_size=arena)
    except RuntimeError:
        return None


def runs(content: bytes, arena: int) -> bool:
    """Whether the file runs in an arena of so many bytes; in a process of its own, since in one that is too small it may crash."""
    child = os.fork()
    if child == 0:
        small = micro(content, arena)
        if small is not None:
            small.invoke()
        os._exit(small is None)
    return os.waitpid(child, 0)[1] == 0


def smallest_arena(content: bytes) -> int | None:
    """Bytes of the smallest arena in which the file runs, found by trying; `None` if it does in none."""
    low, high = 1024, 65536  # in less it computes with sizes below zero
    while not runs(content, high):
        low, high = high, 4 * high
        if high > LARGEST:
            return None
    while high - low > GRAIN:
        middle = (low + high) // 2 // GRAIN * GRAIN
        low, high = (low, middle) if runs(content, middle) else (middle, high)
    return high


def shown(places: list[dict[str, Any]], images: np.ndarray) -> tuple[int, np.ndarray]:
    """Which input takes the images, and what of them: of a series whose file takes one sample a call, the first sample."""
    place = next((n for n, found in enumerate(places) if "image" in found["name"]), 0)
    of_one_step = images.ndim > len(places[place]["shape"])
    return place, images[:, 0] if of_one_step else images


def main(path: str, samples: str, output: str) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    images = np.load(samples)
    with open(path, "rb") as file:
        content = file.read()
    arena = smallest_arena(content)
    if arena is None:
        sys.exit("no arena is large enough")
    small = micro(content, arena)
    litert = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    litert.allocate_tensors()
    places, result = litert.get_input_details(), litert.get_output_details()
    image_place, images = shown(places, images)
    found: dict[str, Any] = {"micro": [], "litert": []}
    for image in images:
        for n, place in enumerate(places):
            scale, zero = place["quantization"]
            value = image[np.newaxis] if n == image_place else np.zeros(place["shape"], "float32")
            if scale:
                limits = np.iinfo(place["dtype"])
                value = np.clip(np.round(value / scale) + zero, limits.min, limits.max)
            value = value.astype(place["dtype"])
            litert.set_tensor(place["index"], value)
            small.set_input(value, n)
        litert.invoke()
        small.invoke()
        found["litert"].append(np.concatenate([litert.get_tensor(place["index"]).ravel().astype("float32") for place in result]))
        found["micro"].append(np.concatenate([np.ravel(small.get_output(n)).astype("float32") for n in range(len(result))]))
    kind = "f" if np.issubdtype(result[0]["dtype"], np.floating) else "i"
    np.savez(output, arena=arena, kind=kind, **found)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
