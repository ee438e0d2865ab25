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

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.extras import extra
from keras_snnkd.files.processes import run_script
from keras_snnkd.layers import LastStep, MeanOverTime, SpikeCount
from keras_snnkd.models import _nir_contents

DT = 1e-4
"""Seconds of one time step, which SpikingJelly, snnTorch and others assume. A file does not say it."""

READOUTS = {"mean": MeanOverTime, "spike_count": SpikeCount, "last_step": LastStep}
"""What a file may say in its metadata about the readout."""

FIRES = ("above", "at")
"""When a neuron fires: above the threshold (NIR's definition, snnTorch), or at it too (SpikingJelly, this package)."""

RESETS = ("hard", "soft")
"""What a spike does to the membrane: `v_reset`, or the threshold subtracted. NIR has a word for the first alone."""

WITHOUT_ENCODER = "none"
"""What it says of an encoder if the model's inputs have time themselves."""

TIMEOUT_SECONDS = 60
"""How long unpacking a file may take."""


def above(threshold: float) -> float:
    """The threshold of a neuron that fires above it, where ours fires at `threshold`: the float32 before."""
    return float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))


def at(threshold: float) -> float:
    """The inverse of `above`, in the shortest digits."""
    return float(str(np.nextafter(np.float32(threshold), np.float32(np.inf))))


def fifteen_digits(value: float) -> float:
    """`value` without the last bits, which change on the way through seconds and back."""
    return float(f"{value:.15g}")


def read_graph(path: str | Path) -> Any:
    """The `nir.NIRGraph` in a file, which is unpacked in a process of its own.

    Args:
        path: The file.

    Raises:
        FileFormatError: If it is missing, damaged, no NIR file, or made to harm: it refers to other files, is far larger unpacked, or
            makes its reader hang or crash.
        MissingPackageError: Without the package nir.
    """
    (nir,) = extra("nir", "nir")
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}; write it with keras_snnkd.export.nir(model, path, samples=...)")
    try:
        tree = _tree(unpack(path))
        graph = nir.dict2NIRNode({**tree["node"], "type_check": True})
    except FileFormatError:
        raise
    except Exception as error:  # nir raises whatever it meets: KeyError, AssertionError, TypeError, ...
        raise FileFormatError(f"{path} holds no NIR graph ({type(error).__name__}: {first_line(error)})") from error
    if not isinstance(graph, nir.NIRGraph):
        raise FileFormatError(f"{path} holds a single {type(graph).__name__}, expected a NIRGraph")
    return graph


def unpack(path: Path) -> dict[str, np.ndarray]:
    """The arrays in a file, by their paths in it.

    Raises:
        FileFormatError: If there are none, with the last words of the process.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder, "contents.npz")
        if failure := run_script(_nir_contents.__file__, str(path.resolve()), str(arrays), seconds=TIMEOUT_SECONDS):
            raise FileFormatError(f"{path} is not a whole and harmless NIR file: its reader {failure}")
        with np.load(arrays, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def first_line(error: Exception) -> str:
    """The start of an error's text."""
    return (str(error).strip().splitlines() or [""])[0][:300]


def _tree(arrays: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts, with texts and single numbers as Python's, as nir takes them."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *groups, last = name.strip("/").split("/")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        if array.ndim == 0:
            place[last] = array.item()
        else:
            place[last] = array.tolist() if last == "edges" else array
    return tree
