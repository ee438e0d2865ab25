"""Several files of one student, of which each image is answered by one at random."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.edge.runner import Runner
from keras_snnkd.errors import InputError, ShapeError


class Variants:
    """Variants of one student, such as files with other approximate arithmetic; which one answers, nobody can foresee.

    Whoever tries out changes of an image to mislead a network meets another one each time: a moving target.

    Args:
        paths: At least two `.tflite` files for the same images and classes.
        threads: See `Runner`.
        seed: Of the draws, for a sequence that can be repeated; by default they come from the operating system's own randomness.

    Raises:
        InputError: For fewer than two files.
        ShapeError: If the files take other images or know other classes.
        FileFormatError: See `Runner`.

    Example:
        >>> variants = Variants(["exact.tflite", "adder2.tflite", "adder3.tflite"])
        >>> variants.pick().predict(images[:1])  # one of them
        >>> variants.predict(images)             # for each image another draw

    Source: MTSpike, Siddique and Hoque (TCAD 2024, doi:10.1109/TCAD.2023.3327093), whose variants differ in thresholds and time steps too.
    """

    def __init__(self, paths: Sequence[str | Path], threads: int = 1, seed: int | None = None) -> None:
        if len(paths) < 2:
            raise InputError(f"variants are at least two files of one student, got {len(paths)}; run a single one by Runner")
        self.runners = [Runner(path, threads) for path in paths]
        first = self.runners[0]
        for other in self.runners[1:]:
            if other.image_shape != first.image_shape:
                raise ShapeError(f"{other.path} takes images {other.image_shape}, and {first.path} {first.image_shape}; give one student's")
        self._random = random.SystemRandom() if seed is None else random.Random(seed)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.runners[0].image_shape

    def pick(self) -> Runner:
        """One of the runners, drawn anew in each call."""
        return self._random.choice(self.runners)

    def predict(self, batch: Array) -> Array:
        """Run each image by a file that is drawn for it.

        Args:
            batch: See `Runner.predict`.

        Returns:
            Logits, float32 `[N, C]`.

        Raises:
            ShapeError, InputError, FileFormatError: See `Runner.predict`; a `ShapeError` too if the files know other classes.
        """
        rows = [self.pick().predict(image[np.newaxis])[0] for image in np.asarray(batch)]
        widths = {row.shape for row in rows}
        if len(widths) > 1:
            raise ShapeError(f"the variants give logits of shapes {', '.join(map(str, sorted(widths)))}; give files of one student")
        return np.stack(rows)
