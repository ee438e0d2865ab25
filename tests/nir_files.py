"""NIR files computed by the definitions of their nodes, in NumPy and NIR's own order of axes: nothing of the package's reader is used.

And `unpack_here`, which stands in for `nir_file.unpack` where a test reads many files, without the cost of a process.
"""

import graphlib

import h5py
import numpy as np

from keras_snnkd.errors import FileFormatError
from keras_snnkd.models import _nir_contents

STEP = 1e-4  # seconds


def run(path, frames):
    """The outputs `[N, T, ...]` of all nodes of the graph in a file, channels first.

    Args:
        path: The file.
        frames: What its input sees at each step, `[N, T, C, H, W]` or `[N, T, n]`.
    """
    with h5py.File(path) as file:
        nodes = {name: {key: value[()] for key, value in node.items()} for name, node in file["node/nodes"].items()}
        edges = [(source.decode(), target.decode()) for source, target in file["node/edges"][()]]
    sources = {name: [source for source, target in edges if target == name] for name in nodes}
    outputs = {}
    for name in graphlib.TopologicalSorter(sources).static_order():
        read = sum(outputs[source] for source in sources[name]) if sources[name] else frames
        outputs[name] = compute(nodes[name], read.astype("float32"))
    return outputs


def compute(node, x):
    match node["type"].decode():
        case "Input" | "Output":
            return x
        case "Affine":
            return x @ node["weight"].T + node["bias"]
        case "Flatten":
            assert (node["start_dim"], node["end_dim"]) == (0, -1)
            return x.reshape(*x.shape[:2], -1)
        case "Conv2d":
            windows = sliding(x, node["weight"].shape[2:], node["stride"], node["padding"])
            return np.einsum("ntchwij,ocij->ntohw", windows, node["weight"]) + node["bias"][:, None, None]
        case "AvgPool2d":
            return sliding(x, node["kernel_size"], node["stride"], node["padding"]).mean((-2, -1))
        case "LIF" | "IF" | "LI":
            return neurons(node, x)
        case other:
            raise AssertionError(f"no definition for {other}")


def sliding(x, size, stride, padding):
    x = np.pad(x, [(0, 0)] * 3 + [(int(p), int(p)) for p in padding])
    return np.lib.stride_tricks.sliding_window_view(x, tuple(size), (-2, -1))[..., :: stride[0], :: stride[1], :, :]


def neurons(node, x):
    """Euler's method; fires above the threshold and is reset in the same step."""
    value = {key: np.asarray(array, "float32") for key, array in node.items() if key != "type"}
    v = np.broadcast_to(value.get("v_reset", np.float32(0)), x[:, 0].shape)
    rows = []
    for current in np.moveaxis(x, 1, 0):
        leak = np.float32(STEP) / value["tau"] if "tau" in value else np.float32(STEP)
        v = v + leak * (value.get("v_leak", v) - v + value["r"] * current)
        if "v_threshold" in value:
            spikes = v > value["v_threshold"]
            v = np.where(spikes, value["v_reset"], v)
        rows.append(spikes.astype("float32") if "v_threshold" in value else v)
    return np.stack(rows, 1)


def channels_first(array, start):
    """Maps `[..., H, W, C]` as `[..., C, H, W]` if there are any behind axis `start`."""
    return np.moveaxis(array, -1, start) if array.ndim > start + 1 else array


def unpack_here(path):
    """What `nir_file.unpack` does, in this process."""
    try:
        return _nir_contents.contents(path)
    except Exception as error:
        raise FileFormatError(f"{path} is not a whole and harmless NIR file: {type(error).__name__}: {error}") from error
