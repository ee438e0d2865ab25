"""NIR files: how their quantities translate into ours, and reading them without trust.

NIR describes a neuron by a differential equation; this package, as every importer known to us, runs it in Euler steps of `DT`. With the
current ``x`` and ``k = DT / tau``::

    NIR LIF      tau dv/dt = (v_leak - v) + r x         h[t] = v[t-1] + k (v_leak - v[t-1] + r x[t])
    LIF, PLIF    decay_input=True                       r = 1,           v_leak = v_reset
                 decay_input=False                      r = tau / DT,    v_leak = v_reset
    NIR IF       dv/dt = r x                            r = 1 / DT
    NIR LI       as LIF, without threshold              LeakyIntegrator

NIR's neurons fire above the threshold, ours at it: the thresholds are neighbours in float32, see `above` and `at`.
"""

from pathlib import Path

import numpy as np

from keras_snnkd.errors import FileFormatError
from keras_snnkd.extras import extra

DT = 1e-4
"""Seconds of one time step, which SpikingJelly, snnTorch and others assume. A file does not say it."""

LARGEST = 2**30
"""Bytes that the arrays of a file may have together, unpacked."""

MOST_OBJECTS = 100_000
"""Arrays and groups in a file, counted as often as they are linked."""

MOST_EDGES = 5_000
"""Edges of a graph; nir checks each one against all."""


def above(threshold: float) -> float:
    """The threshold of a neuron that fires above it, where ours fires at `threshold`: the float32 before."""
    return float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))


def at(threshold: float) -> float:
    """The inverse of `above`, in the shortest digits."""
    return float(str(np.nextafter(np.float32(threshold), np.float32(np.inf))))


def read_graph(path: str | Path):
    """The `nir.NIRGraph` in a file.

    Args:
        path: The file.

    Raises:
        FileFormatError: If it is missing, damaged, no NIR file, or made to harm: with links to other files, or larger unpacked than
            `LARGEST`.
        MissingPackageError: Without the package nir.
    """
    h5py, nir = extra("nir", "h5py", "nir")
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}; write it with keras_snnkd.export.nir(model, path, samples=...)")
    try:
        with h5py.File(path, "r") as file:
            _check_contents(h5py, path, file)
        graph = nir.read(path)
    except FileFormatError:
        raise
    except Exception as error:  # h5py and nir raise whatever they meet: OSError, KeyError, AssertionError, TypeError, ...
        raise FileFormatError(f"{path} is not a whole NIR file ({type(error).__name__}: {first_line(error)})") from error
    if not isinstance(graph, nir.NIRGraph):
        raise FileFormatError(f"{path} holds a single {type(graph).__name__}, expected a NIRGraph")
    return graph


def first_line(error: Exception) -> str:
    """The start of an error's text."""
    return (str(error).strip().splitlines() or [""])[0][:300]


def _check_contents(h5py, path, file):
    """Walk a file without reading its arrays."""
    pending, objects, size = [("/", file)], 0, 0
    while pending:
        name, item = pending.pop()
        objects += 1
        if isinstance(item, h5py.Group):
            for key in item:
                inside = f"{name.rstrip('/')}/{key}"
                if not isinstance(item.get(key, getlink=True), h5py.HardLink):
                    raise FileFormatError(f"{path} refers to other files or places at {inside}; a NIR file holds everything itself")
                pending.append((inside, item[key]))
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise FileFormatError(f"{path} keeps the array {name} in another file; a NIR file holds everything itself")
            size += item.size * item.dtype.itemsize
            if name.endswith("/edges") and item.size > 2 * MOST_EDGES:
                raise FileFormatError(f"{path} has {item.size // 2:,} edges at {name}, at most {MOST_EDGES:,} can be read")
        if objects + len(pending) > MOST_OBJECTS or size > LARGEST:
            raise FileFormatError(f"{path} unpacks to more than {MOST_OBJECTS:,} objects or {LARGEST:,} bytes, the most that can be read")
