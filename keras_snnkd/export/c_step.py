"""Export to C: one time step of a network for series as plain C, without a runtime.

``state, logits[t] = step(state, input[t])`` in float32 and C99. Synapses pass over inputs that are 0, so that a step costs what its spikes
cost. What stands in the header is compiled here, run on whole series and compared with Keras before the header gets its name.
"""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.errors import ExportError
from keras_snnkd.export.c_array import identifier
from keras_snnkd.export.c_source import Source
from keras_snnkd.export.freeze import check_one_input, freeze
from keras_snnkd.export.parity import EXACT, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.files.extras import MissingPackageError
from keras_snnkd.files.logits import LOGITS
from keras_snnkd.files.padding import lengths
from keras_snnkd.files.staging import staged

COMPILERS = ("cc", "gcc", "clang")
"""The first that is there compiles what is checked."""

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
"""Without contraction, which would round other than the equations are written."""

SECONDS = 120
"""How long compiling, or a run, may take."""


def c_step(model: keras.Model, path: str | Path, *, samples: np.ndarray, name: str | None = None) -> ExportReport:
    """Write a C header of one time step of a network for series, and compare it with the model on whole series.

    With `NAME` for its name, the header has ``NAME_INPUTS``, ``NAME_CLASSES`` and ``NAME_STEPS`` (the T of the training), and::

        NAME_state state;                        membranes, adaptations, spikes, and the sum of what came so far
        NAME_reset(&state);                      to rest; a new series starts
        NAME_step(&state, input, logits);        one sample of the sensor, float[NAME_INPUTS], to the logits of this step
        int label = NAME_answer(&state, &sure);  the class by all steps so far, and its softmax probability

    It needs `math.h` and `string.h` alone, no heap, and the same memory for each step. See `examples/wrist/main.c`.

    Args:
        model: A network for series `[B, T, C]` of `Standardize`, `Dense`, batch norms and neurons of any kind one behind the other, such
            as `keras_snnkd.models.SequenceNet` with `kernel=1`, with a readout as its last layer.
        path: The header; one that exists is replaced.
        samples: Real series to compare on, float `[N, T, C]`.
        name: Start of the names; made of the header's name by default.

    Returns:
        What the comparison found.

    Raises:
        UnsupportedError: At the first layer that has no form here, which is named.
        MissingPackageError: If there is no C compiler to check with.
        ExportError, ShapeError, OutputError: See `keras_snnkd.export.streaming`.
        ValueError: If `name` is no identifier in C.

    Example:
        >>> kd.export.c_step(student, "student.h", samples=series)
    """
    path = Path(path)
    called = identifier(path.stem) if name is None else name
    if identifier(called) != called:
        raise ValueError(f"name must be an identifier in C, such as {identifier(called)!r}, got {name!r}")
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise MissingPackageError(f"{path} not written: checking it takes a C compiler, one of {', '.join(COMPILERS)}")
    reference = Reference(model, samples)
    check_one_input(
        reference.model, "C of one step", "export it with keras_snnkd.export.litert; its int8 file fits keras_snnkd.export.c_array"
    )
    source = Source(freeze(reference.model, batch_size=1), called)
    text = source.header()
    with tempfile.TemporaryDirectory() as work, staged(path) as (file,):
        file.write_text(text, "ascii")
        program = _compiled(compiler, source, text, Path(work))
        return verify(
            reference,
            target="c_step",
            path=path,
            size=len(text),
            operators={},
            predict=lambda images: _run(program, source, images)[LOGITS],
            outputs=functools.partial(_run, program, source) if reference.taps else None,
            limits=EXACT,
        )


def _compiled(compiler: str, source: Source, text: str, work: Path) -> Path:
    """A program that reads series and writes logits and spikes."""
    name = source.name
    spikes = [f"      fwrite(state.{layer}_spikes, sizeof(float), {width}, stdout);" for layer, width in source.spikes.values()]
    main = [
        "#include <stdio.h>",
        '#include "step.h"',
        "int main(void) {",
        f"  static {name}_state state;",
        f"  float input[{source.inputs}], logits[{source.classes}], confidence;",
        "  unsigned steps;",
        "  while (fread(&steps, sizeof steps, 1, stdin) == 1) {",
        f"    {name}_reset(&state);",
        "    for (unsigned t = 0; t < steps; t++) {",
        f"      if (fread(input, sizeof(float), {source.inputs}, stdin) != {source.inputs}) return 1;",
        f"      {name}_step(&state, input, logits);",
        *spikes,
        "    }",
        f"    (void){name}_answer(&state, &confidence);",
        f"    {name}_logits(&state, logits);",
        f"    fwrite(logits, sizeof(float), {source.classes}, stdout);",
        "  }",
        "  return 0;",
        "}",
    ]
    (work / "step.h").write_text(text, "ascii")
    (work / "main.c").write_text("\n".join([*main, ""]), "ascii")
    command = [compiler, *FLAGS, "-o", str(work / "main"), str(work / "main.c"), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise ExportError(f"the C text of {source.model.name} was not compiled: {done.stderr.strip()[:300]}")
    return work / "main"


def _run(program: Path, source: Source, images: Array) -> dict[str, Array]:
    """Logits `[n, C]`, and by layer the spikes `[n, T, N]`, which are 0 in padded steps."""
    ends = lengths(images) if source.padded else np.full(len(images), images.shape[1])
    pieces = [
        np.uint32(end).tobytes() + np.ascontiguousarray(one[:end], "float32").tobytes() for one, end in zip(images, ends, strict=True)
    ]
    done = subprocess.run([str(program)], input=b"".join(pieces), capture_output=True, timeout=SECONDS, check=False)
    numbers, place = np.frombuffer(done.stdout, "float32"), 0
    fired = sum(width for _, width in source.spikes.values())
    if done.returncode or len(numbers) != sum(ends) * fired + len(images) * source.classes:
        raise ExportError(f"the C program of {source.model.name} ended with {done.returncode} after {len(numbers)} numbers")
    found: dict[str, Array] = {LOGITS: np.zeros((len(images), source.classes), "float32")}
    found |= {layer: np.zeros((*images.shape[:2], width), "float32") for layer, (_, width) in source.spikes.items()}
    for row, end in enumerate(ends):
        for step in range(end):
            for layer, (_, width) in source.spikes.items():
                found[layer][row, step] = numbers[place : place + width]
                place += width
        found[LOGITS][row] = numbers[place : place + source.classes]
        place += source.classes
    return found
