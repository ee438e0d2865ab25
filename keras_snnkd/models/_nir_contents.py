"""The arrays of a NIR file, as an `.npz` file. Run as a script in a process of its own: a damaged HDF5 file can hang or crash its reader.

python -P _nir_contents.py student.nir contents.npz
"""

import sys
from typing import Any

import h5py
import numpy as np

LARGEST = 2**30
"""Bytes that the arrays of a file may have together, unpacked."""

MOST_OBJECTS = 20_000
"""Arrays and groups in a file, counted as often as they are linked."""

MOST_EDGES = 5_000
"""Edges of a graph; nir checks each one against all."""


def contents(path: str) -> dict[str, np.ndarray]:
    """All arrays by their paths in the file, texts as NumPy's; nothing is read before everything is looked over.

    Args:
        path: The file.

    Raises:
        ValueError: If it refers to other files, or unpacks to more than the limits above.
        OSError, KeyError, ...: As h5py, for a damaged file.
    """
    with h5py.File(path, "r") as file:
        return {name: _read(array) for name, array in _arrays(file).items()}


def _arrays(file: h5py.File) -> dict[str, Any]:
    found, pending, objects, size = {}, [("", file)], 0, 0
    while pending:
        name, item = pending.pop()
        objects += 1
        if len(name) > 1000:
            raise ValueError(f"it nests groups deeper than a graph does, {name[:60]}...")
        if isinstance(item, h5py.Group):
            for key in item:
                if not isinstance(item.get(key, getlink=True), h5py.HardLink):
                    raise ValueError(f"it refers to other files or places at {name}/{key}")
                pending.append((f"{name}/{key}", item[key]))
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"it keeps the array {name} in another file")
            size += item.size * item.dtype.itemsize
            if name.endswith("/edges") and item.size > 2 * MOST_EDGES:
                raise ValueError(f"it has {item.size // 2:,} edges at {name}, at most {MOST_EDGES:,} can be read")
            found[name] = item
        if objects + len(pending) > MOST_OBJECTS or size > LARGEST:
            raise ValueError(f"it unpacks to more than {MOST_OBJECTS:,} objects or {LARGEST:,} bytes")
    return found


def _read(array: Any) -> Any:
    return np.array(array.asstr()[()], str) if h5py.check_string_dtype(array.dtype) else array[()]


if __name__ == "__main__":
    try:
        found: dict[str, Any] = contents(sys.argv[1])
        np.savez(sys.argv[2], **found)
    except Exception as error:  # whatever h5py meets in a damaged file
        sys.exit(f"{type(error).__name__}: {error}")
