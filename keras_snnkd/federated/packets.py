"""Outputs on public images as bytes: spikes in one bit each, logits in 16."""

import json

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.errors import FileFormatError, ShapeError

LARGEST_PACKET = 1 << 28
"""Numbers in a packet, at most: more than that are no outputs on public images."""


def packed_spikes(spikes: Array) -> bytes:
    """Spikes `[N, T, C]`, each 0 or 1, as a packet of ``N T C / 8`` bytes and a line that tells the shape.

    Raises:
        ShapeError: For numbers that are no spikes.

    Example:
        >>> len(packed_spikes(np.ones((200, 8, 10))))  # 2,000 bytes and the line
    """
    spikes = np.asarray(spikes)
    if spikes.ndim != 3 or not np.all((spikes == 0) | (spikes == 1)):
        raise ShapeError(f"expected spikes [N, T, C] of 0 and 1, got an array of shape {spikes.shape}")
    return _head("spikes", spikes.shape) + np.packbits(spikes.astype(bool)).tobytes()


def packed_logits(logits: Array) -> bytes:
    """Logits `[N, C]` as a packet in float16.

    Raises:
        ShapeError: For other shapes, and for numbers that float16 does not hold.
    """
    logits = np.asarray(logits)
    if logits.ndim != 2 or not np.all(np.abs(logits) < np.finfo("float16").max):
        raise ShapeError(f"expected finite logits [N, C] that float16 holds, got an array of shape {logits.shape}")
    return _head("logits", logits.shape) + logits.astype("<f2").tobytes()


def unpacked(packet: bytes) -> Array:
    """Logits float32 `[N, C]` of a packet; of spikes their counts over time.

    Raises:
        FileFormatError: For bytes that are no packet, or one that was cut.
    """
    line, separator, body = packet.partition(b"\n")
    try:
        kind, shape = json.loads(line)
        size = int(np.prod(shape, dtype="int64"))
        fits = bool(separator) and all(isinstance(n, int) and n > 0 for n in shape) and 0 < size <= LARGEST_PACKET
        if fits and kind == "spikes" and len(shape) == 3 and len(body) == -(-size // 8):
            spikes = np.unpackbits(np.frombuffer(body, np.uint8), count=size).reshape(shape)
            return spikes.sum(axis=1, dtype="float32")
        if fits and kind == "logits" and len(shape) == 2 and len(body) == 2 * size:
            return np.frombuffer(body, "<f2").reshape(shape).astype("float32")
    except (ValueError, TypeError):
        pass
    raise FileFormatError(f"{len(packet)} bytes came that are no outputs as packed_spikes or packed_logits makes them")


def _head(kind: str, shape: tuple[int, ...]) -> bytes:
    return json.dumps([kind, list(shape)]).encode() + b"\n"
