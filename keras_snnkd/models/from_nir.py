"""Models from NIR files."""

import warnings
from pathlib import Path

import keras

from keras_snnkd.errors import FileFormatError, unknown_name
from keras_snnkd.layers.encoders import check_timesteps
from keras_snnkd.models.network import ENCODERS
from keras_snnkd.models.nir_file import DT, FIRES, READOUTS, RESETS, WITHOUT_ENCODER, first_line, read_graph
from keras_snnkd.models.nir_reader import Reader
from keras_snnkd.neurons import SpikingLayer


def from_nir(
    path: str | Path,
    timesteps: int | None = None,
    *,
    encoder: str | None = None,
    readout: str | None = None,
    dt: float = DT,
    fires: str | None = None,
    reset: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Read a NIR file as a Keras model.

    The time axis, the encoder before it and the readout behind it are no part of NIR. Files by `keras_snnkd.export.nir` say all three in
    their metadata, and give back the model they were written from: the same neurons under the same names, its batch norms folded into
    the weights. The spikes are equal, and the logits too as far as folding is exact (see `round_weights`). What only training knows
    (surrogate, `detach_reset`) takes its defaults, a PLIF comes back as the LIF it has become.

    Args:
        path: The file.
        timesteps: Number of time steps T; that of the file by default.
        encoder: `"direct"`, `"poisson"`, `"latency"`, or `"none"` for inputs `[B, T, ...]`; that of the file, or `"direct"`.
        readout: `"mean"`, `"spike_count"` or `"last_step"`; that of the file, or `"mean"`.
        dt: Seconds of a time step for which the file was written.
        fires: `"above"` the threshold, as NIR's neurons do, or `"at"` it too, as SpikingJelly's and ours; that of the file, or
            `"above"`, with a warning: a file by others does not say what its network did.
        reset: `"hard"`, to `v_reset`, or `"soft"`, by subtracting the threshold; likewise, or `"hard"`.
        name: Of the model; that of the file by default.

    Returns:
        A functional model, images `[B, H, W, C]` (or `[B, N]`) to logits `[B, C]`, not compiled. Maps are channels last, as ever in Keras.

    Raises:
        FileFormatError: If the file is missing, damaged, foreign or harmful, holds what this package has no layer for (recurrence, CubaLIF,
            parameters that differ from neuron to neuron, ...), or says no T and none is given.
        UnknownNameError, ValueError: For an unknown encoder or readout, or T below 1.
        MissingPackageError: Without the package nir.

    Example:
        >>> student = kd.models.from_nir("student.nir")
        >>> foreign = kd.models.from_nir("other.nir", timesteps=8)

    Source: Pedersen et al. (2024), "Neuromorphic intermediate representation: a unified instruction set for interoperable brain-inspired
    computing", Nature Communications 15:8122.
    """
    for kind, given, known in (
        ("encoder", encoder, [*ENCODERS, WITHOUT_ENCODER]),
        ("readout", readout, READOUTS),
        ("kind of firing", fires, FIRES),
        ("reset", reset, RESETS),
    ):
        if given is not None and given not in known:
            raise unknown_name(kind, given, known)
    if timesteps is not None:
        check_timesteps(timesteps)
    graph = read_graph(path)
    said = {key: graph.metadata.get(key) for key in ("timesteps", "encoder", "readout", "fires", "reset")}
    if timesteps is None and said["timesteps"] is None:
        raise FileFormatError(f"{path} does not say the number of time steps T; give it, from_nir(path, timesteps=4)")
    try:
        timesteps = timesteps or check_timesteps(int(said["timesteps"]))
        encoder, readout = encoder or said["encoder"] or "direct", readout or said["readout"] or "mean"
        ours = said["readout"] is not None and said["encoder"] is not None
        open_ends: list[str] = []
        if not ours:
            answers = {"fires": fires or said["fires"], "reset": reset or said["reset"]}
            open_ends = [name for name, answer in answers.items() if not answer]
        fires, reset = fires or said["fires"] or "above", reset or said["reset"] or "hard"
        if encoder not in [*ENCODERS, WITHOUT_ENCODER] or readout not in READOUTS or fires not in FIRES or reset not in RESETS:
            raise ValueError(f"encoder {encoder!r}, readout {readout!r}, fires {fires!r}, reset {reset!r}")
    except (TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(f"{path} has metadata that mean nothing here: {first_line(error)}") from error
    model = Reader(Path(path), graph, timesteps, dt, fires, reset).model(encoder, readout, name or Path(path).stem)
    if open_ends and any(isinstance(layer, SpikingLayer) for layer in model.layers):
        warnings.warn(_open_ends(path, open_ends, fires, reset), stacklevel=2)
    return model


def _open_ends(path: str | Path, names: list[str], fires: str, reset: str) -> str:
    """What a file leaves open, how it is taken, and how to take it otherwise."""
    taken = {"fires": f"neurons that fire {fires} the threshold", "reset": f"a {reset} reset"}
    other = {"fires": 'fires="at" (SpikingJelly)', "reset": 'reset="soft" (snnTorch\'s default)'}
    return (
        f"{path} does not say how its neurons fire and are reset; it is read with {' and '.join(taken[name] for name in names)}. "
        f"If its network did otherwise, spikes differ: from_nir(path, ..., {', '.join(other[name] for name in names)})"
    )
