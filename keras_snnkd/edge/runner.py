"""Runs `.tflite` files, whole ones and step by step."""

import contextlib
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.edge.contents import read_contents
from keras_snnkd.edge.images import check_finite, check_images, check_samples
from keras_snnkd.edge.readout import likeliest, so_far, softmax
from keras_snnkd.edge.tensors import Tensor, signature
from keras_snnkd.errors import FileFormatError, InputError, ShapeError
from keras_snnkd.files.logits import LOGITS, NUMBERS, check_answers
from keras_snnkd.files.output import without_lines
from keras_snnkd.files.padding import lengths
from keras_snnkd.files.samples import Samples, count, rows
from keras_snnkd.files.staging import as_path, check_seal

MOST_THREADS = 1024
"""More than any device has cores; the interpreter itself takes numbers that no machine can start."""

_DELEGATE_SAID = threading.Lock()
"""Taken by the first interpreter of a process, in which LiteRT says that it made its delegate, as it always does."""


@dataclass(frozen=True)
class Answer:
    """What `Runner.run` found.

    Args:
        logits: The readout over the steps used, float32 `[C]`.
        prediction: The class with the largest.
        confidence: Its softmax probability, 0..1.
        steps: Time steps used.
    """

    logits: np.ndarray
    prediction: int
    confidence: float
    steps: int


class Runner:
    """A `.tflite` file in the LiteRT interpreter, one image at a time.

    Files of `keras_snnkd.export.litert` take an image, or several inputs by name, and give logits. Files
    of `keras_snnkd.export.streaming` compute one time step, with
    the neurons' state as inputs and outputs; the runner keeps that state from `step` to `step`. Integer inputs and outputs are converted
    by the file's own scales and zero points.

    Threads may share a runner. They take turns in the interpreter, so that a runner for each is faster; and each thread has a sequence of
    its own in a streaming file, which `reset` of another one leaves alone.

    Args:
        path: The file.
        threads: Number of threads, 1 by default: more did not help at the sizes of our students.

    Raises:
        InputError: For a number of threads that cannot be.
        FileFormatError: If the file is missing, truncated, damaged (it is not as it was written) or foreign, or takes something else than
            images of batch 1.

    Example:
        >>> runner = Runner("student.tflite")
        >>> accuracy = kd.metrics.accuracy(runner.predict(images), labels)
        >>> Runner("fused.tflite").predict({"left": left, "right": right})
        >>> Runner("student_streaming.tflite").run(images[0], until_confidence=0.9).prediction
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path = as_path(path, "the file of a Runner")
        if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
            raise InputError(f"threads must be a whole number from 1 to {MOST_THREADS}, got {threads!r:.30}")
        self.contents = read_contents(self.path)
        check_seal(self.path, required=False)
        self._interpreter = _interpreter(self.path, threads)
        self._turn, self._sequence = threading.Lock(), threading.local()
        found = signature(self._interpreter)
        self.readout, self.timesteps, self.padded = found.readout, found.timesteps, found.padded
        names = [name for name in found.inputs if name in found.outputs] if self.streaming else []
        self._states = {name: (found.inputs[name], found.outputs[name]) for name in names}
        self._inputs = {name: tensor for name, tensor in found.inputs.items() if name not in self._states}
        images = list(self._inputs.values())
        if open_sizes := [tensor for tensor in images if tensor.open_sizes]:
            raise FileFormatError(
                f"{self.path} leaves the size of its images open, {open_sizes[0].shape} for now; fix height and width when you convert it"
            )
        if not images or (self.streaming and len(images) > 1) or not all(map(_is_known, images)):
            came = ", ".join(f"{tensor.dtype} {tensor.shape}" for tensor in images)
            raise FileFormatError(f"{self.path} takes {came}; expected images of batch 1, as keras_snnkd.export.litert writes them")
        self._outputs = {name: tensor for name, tensor in found.outputs.items() if name not in self._states}
        self.gives_numbers = list(self._outputs) == [NUMBERS]
        if len(self._outputs) == 1:
            self._outputs = {LOGITS: next(iter(self._outputs.values()))}
        self.reset()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image.

        Raises:
            FileFormatError: Of a file of several inputs, which have a shape each; see `input_shapes`.
        """
        if len(self._inputs) > 1:
            told = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
            raise FileFormatError(f"{self.path} takes several inputs, {told}, and no single image; give predict a mapping of them by name")
        return next(iter(self.input_shapes.values()))

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample of each input, by name; of a streaming file without its state."""
        return {name: tensor.shape[1:] for name, tensor in self._inputs.items()}

    @property
    def _image(self) -> Tensor:
        """The one input of a file that has one."""
        return next(iter(self._inputs.values()))

    @property
    def streaming(self) -> bool:
        """Whether the file computes one time step."""
        return self.readout is not None

    def predict(self, batch: Samples) -> np.ndarray:
        """Run images one after the other, each from rest and for all T time steps.

        Args:
            batch: Images `[N, ...]`, scaled as in training, or already in the file's integers; for a streaming file also sequences of
                frames, `[N, T, ...]`; for a file of several inputs a mapping of such by the input's name.

        Returns:
            Logits, float32 `[N, C]`; numbers `[N, ...]` of a file that gives these.

        Raises:
            ShapeError, InputError, UnknownNameError: If the images do not fit, or hold NaN.
            FileFormatError: If the file has several outputs and none is called logits, or gives no logits, as behind an argmax.
        """
        if LOGITS not in self._outputs:
            raise FileFormatError(f"{self.path} has {len(self._outputs)} outputs; expected the logits alone")
        self._check_range(batch)
        answers = self._collect(batch, [LOGITS])[LOGITS]
        return check_answers({NUMBERS if self.gives_numbers else LOGITS: answers}, self.path)

    def outputs(self, batch: Samples) -> dict[str, np.ndarray]:
        """As `predict`, all outputs by name, `[N, ...]`; those of a streaming file `[N, T, ...]`, but for the logits."""
        return self._collect(batch, list(self._outputs))

    def reset(self) -> None:
        """Bring all neurons of a streaming file to rest; a new sequence of this thread can start."""
        self._sequence.state = {name: before.encode(np.zeros(before.shape, "float32")) for name, (before, _) in self._states.items()}

    @property
    def _state(self) -> dict[str, Array]:
        """The state of this thread's sequence, as the file stores it."""
        if not hasattr(self._sequence, "state"):
            self.reset()
        return self._sequence.state

    def step(self, frame: np.ndarray) -> np.ndarray:
        """Compute one time step of a streaming file; the state goes on from the step before.

        Args:
            frame: One image or frame, shape `image_shape`.

        Returns:
            The logits of this step alone, float32 `[C]`: the classifier's output; with `readout` `"sum"`, the output spikes; with
            `"last"`, the membrane potentials.

        Raises:
            ShapeError, InputError: If the frame does not fit, or holds NaN.
            FileFormatError: If the file is no streaming file.
        """
        self._check_streaming()
        (frame,) = check_images(np.asarray(frame)[np.newaxis], self.image_shape, self._image.dtype)
        return self._invoke(check_finite(frame), [LOGITS])[LOGITS][0]

    def run(self, frames: np.ndarray, until_confidence: float | None = 0.9, max_steps: int | None = None) -> Answer:
        """Compute time steps from rest until the answer is sure enough.

        Args:
            frames: One image, shown at every step, or frames `[T, ...]`.
            until_confidence: Stop at the first step at which a class has this softmax probability; `None` for all steps.
            max_steps: Largest number of steps; by default T of the model for one image, and all the frames there are for frames.

        Returns:
            The answer.

        Raises:
            ShapeError, InputError: If the frames do not fit, hold NaN, or the other arguments are out of range.
            FileFormatError: If the file is no streaming file.

        Example:
            >>> runner.run(image, until_confidence=0.8).steps
        """
        self._check_streaming()
        if until_confidence is not None and not 0 < until_confidence <= 1:
            raise InputError(f"until_confidence must be above 0 and at most 1, or None for all steps, got {until_confidence!r}")
        if max_steps is not None and (isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1):
            raise InputError(f"max_steps must be a whole number above 0, or None, got {max_steps!r}")
        self.reset()
        ((steps, sequence),) = self._sequences(np.asarray(frames)[np.newaxis], max_steps)
        total = 0.0
        for used, frame in enumerate(itertools.islice(sequence, steps), 1):
            latest = self._invoke(frame, [LOGITS])[LOGITS][0].astype("float64")
            total = total + latest
            logits = so_far(total, latest, used, str(self.readout))
            confidence = float(softmax(logits).max())
            if until_confidence is not None and confidence >= until_confidence:
                break
        return Answer(logits.astype("float32"), int(likeliest(logits)), confidence, used)

    def _check_range(self, batch: Samples) -> None:
        """Refuse images in 0..1 for a file that takes 0..255."""
        given = batch if isinstance(batch, Mapping) else {name: batch for name in self._inputs if len(self._inputs) == 1}
        for name, tensor in self._inputs.items():
            values, largest = np.asarray(given.get(name, ())), tensor.largest
            if values.dtype.kind == "f" and 16 < largest < np.inf and values.size and 0 < values.max() <= 1:
                raise InputError(
                    f"{self.path} takes values up to {largest:.0f}, and the images reach {values.max():g} only; scale them the same way"
                )

    def _checked(self, batch: Samples) -> Samples:
        """Samples that fit the inputs of the file."""
        return check_finite(check_samples(batch, {name: (one.shape[1:], one.dtype) for name, one in self._inputs.items()}, str(self.path)))

    def _check_streaming(self) -> None:
        if not self.streaming:
            raise FileFormatError(
                f"{self.path} computes all its time steps in one call, predict(images); reset, step and run take a file that "
                "keras_snnkd.export.streaming writes"
            )

    def _sequences(self, batch: np.ndarray, max_steps: int | None) -> Iterator[tuple[int | None, Iterator[np.ndarray]]]:
        """For each sample the number of steps, and its frames."""
        if batch.ndim <= 1 + len(self.image_shape):
            for image in check_finite(check_images(batch, self.image_shape, self._image.dtype)):
                yield max_steps or self.timesteps, itertools.repeat(image)
            return
        if batch.ndim > 2 + len(self.image_shape) or not batch.shape[1]:
            shape = ", ".join(map(str, self.image_shape))
            raise ShapeError(f"expected one image [{shape}] or frames [T, {shape}] with T of at least 1, got shape {batch.shape[1:]}")
        for frames in batch:
            frames = check_finite(check_images(frames, self.image_shape, self._image.dtype))
            steps = int(lengths(frames[np.newaxis])[0]) if self.padded else len(frames)
            yield min(max_steps or steps, steps), iter(frames)

    def _collect(self, batch: Samples, names: Sequence[str]) -> dict[str, Array]:
        """Outputs by name for a batch."""
        found = []
        if not self.streaming:
            batch = self._checked(batch)
            for place in range(count(batch)):
                found.append(self._invoke(rows(batch, place), names))
        else:
            for steps, frames in self._sequences(np.asarray(batch), None):
                self.reset()
                found.append(self._over_time([self._invoke(frame, names) for frame in itertools.islice(frames, steps)]))
                if self.padded:
                    found[-1] = {name: _filled_up(array, np.asarray(batch).shape[1], name) for name, array in found[-1].items()}
            self.reset()
        return {name: np.concatenate([row[name] for row in found]) for name in names}

    def _over_time(self, steps: Any) -> dict[str, Array]:
        """The outputs of one sample from those of its steps."""
        together = {name: np.concatenate([step[name] for step in steps], axis=1) for name in steps[0] if name != LOGITS}
        if LOGITS in steps[0]:
            logits = np.stack([step[LOGITS] for step in steps]).astype("float64")
            together[LOGITS] = so_far(logits.sum(0), logits[-1], len(steps), str(self.readout)).astype("float32")
        return together

    def _invoke(self, image: Samples, names: Sequence[str]) -> dict[str, Array]:
        """Outputs by name for one image, `[1, ...]` each; moves the state of this thread's sequence on."""
        with self._turn:
            return self._run_once(image, self._state, names)

    def _run_once(self, image: Samples, state: dict[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """As `_invoke`, of a thread whose turn it is."""
        given = image if isinstance(image, dict) else {next(iter(self._inputs)): image}
        for name, tensor in self._inputs.items():
            values = given[name][np.newaxis]
            self._interpreter.set_tensor(tensor.index, values if values.dtype == tensor.dtype else tensor.encode(values))
        for name, (before, _) in self._states.items():
            self._interpreter.set_tensor(before.index, state[name])
        try:
            self._interpreter.invoke()
        except RuntimeError as error:  # of an operator, in a foreign file
            raise FileFormatError(f"{self.path} does not run in LiteRT: {str(error).strip()[:300]}") from error
        for name, (before, after) in self._states.items():
            stored = self._interpreter.get_tensor(after.index)
            state[name] = stored if before.same_numbers(after) else before.encode(after.decode(stored))
        return {name: self._outputs[name].decode(self._interpreter.get_tensor(self._outputs[name].index)) for name in names}


def _is_known(tensor: Tensor) -> bool:
    """Whether an input takes one sample, of numbers that a runner can give it."""
    return bool(tensor.shape[:1] == (1,) and (tensor.dtype == np.float32 or tensor.scale or tensor.takes_bytes or tensor.takes_ids))


def _filled_up(array: Array, steps: int, name: str) -> Array:
    """The outputs of one sample `[1, t, ...]` with zeros for the steps of its padding; logits as they are."""
    if name == LOGITS:
        return array
    return np.pad(array, [(0, 0), (0, steps - array.shape[1]), *[(0, 0)] * (array.ndim - 2)])


def _interpreter(path: Path, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    first = _DELEGATE_SAID.acquire(blocking=False)
    try:
        with without_lines("INFO: Created TensorFlow Lite") if first else contextlib.nullcontext():
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise FileFormatError(f"{path} does not run in LiteRT: {str(error).strip()[:300]}") from error
    return interpreter
