"""What a teacher does on a data set, computed once."""

import contextlib
import dataclasses
import hashlib
import urllib.parse
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._types import Array, Config, Tensor
from keras_snnkd.distill import teachers
from keras_snnkd.distill.packing import Packing
from keras_snnkd.distill.samples import samples_of
from keras_snnkd.distill.taps import INPUTS, TEACHER, TapModel
from keras_snnkd.errors import FileFormatError, ForeignFolderError, KDError, OutputError, wrong_kind
from keras_snnkd.files.manifest import CACHE, MANIFEST, Manifest, claimed
from keras_snnkd.files.samples import of_each
from keras_snnkd.files.staging import as_path, check_space, read_json, write_json
from keras_snnkd.weights.transfer import fingerprint, restart_random_layers

FORMAT = 1
"""The version of the files."""

HEADER = "cache.json"

PART = 1024
"""Images that are written, and checked, together; an interrupted build loses no more."""


class TeacherCache:
    """The taps of a teacher for every view of every training image, in files, so that a student trains without running the teacher.

    Which pixels a view shows depends on the data's seed, the view and the image alone (see `keras_snnkd.data.Data.view`), so that the
    teacher has seen the very pixels that the student sees. Spikes take one bit each, anything else is rounded to float16 (see `Packing`).

    The folder gets one file per tap, with one row for each image and view, and `cache.json`: teacher, data, augmentation, seed, views,
    taps, and the SHA-256 of each part of the files. An interrupted build goes on where it was. What belongs to something else, or is
    damaged, is computed anew, with a warning. A folder of its own also gets a `manifest.json` of these files, and nothing else in it is
    ever touched.

    Args:
        teacher: A built model. What it gives is kept as logits, see `adapt_teacher`; one that was trained on images of another scale has to
            be adapted before.
        data: A `keras_snnkd.data.Data`, either with a number of `views` or without augmentation.
        taps: The teacher's taps to keep, such as `distiller.teacher_taps`.
        folder: Of the files.

    Raises:
        ValueError: If the data shows new views in each epoch, or there are no taps.
        UnknownNameError: If the teacher has no such tap.
        KindError: For an argument of another kind, such as the name of a data set.

    Example:
        >>> data = kd.data.load("fashion_mnist", augment="flip", views=2)
        >>> distiller = kd.Distiller(student, teacher, ["soft_targets"])
        >>> cache = kd.TeacherCache(teacher, data, distiller.teacher_taps, "teacher_cache")
        >>> distiller.fit(cache.training(), steps_per_epoch=data.steps_per_epoch, validation_data=data.validation, epochs=20)
    """

    def __init__(self, teacher: keras.Model, data: Any, taps: Iterable[str], folder: str | Path) -> None:
        if not all(hasattr(data, name) for name in ("views", "train_arrays", "view")):
            raise wrong_kind("the data of a TeacherCache", data, "a keras_snnkd.data.Data, such as kd.data.load(...) returns")
        if isinstance(taps, str) or not isinstance(taps, Iterable):
            raise wrong_kind("taps", taps, "a list of names, such as distiller.teacher_taps")
        if data.views is None and (data.augment != "none" or data.mixup):
            raise ValueError(
                f"the data shows new views of its images in each epoch (augment={data.augment!r}, mixup={data.mixup:g}), "
                "which cannot be cached; limit them, such as kd.data.load(..., views=4)"
            )
        self.teacher = teachers.adapted(teacher, scale=None, samples=samples_of(data.validation)).model
        self.data = dataclasses.replace(data, views=data.views or 1)
        self.taps = sorted(set(taps))
        if not self.taps:
            raise ValueError("there are no taps to cache; give those that the objectives read, distiller.teacher_taps")
        self.folder = as_path(folder, "the folder of a TeacherCache")
        taps_of_teacher = TapModel(self.teacher, self.taps, named=isinstance(data.train_arrays[0], Mapping))
        self._of_no_sample = [tap for tap in self.taps if taps_of_teacher.shapes[tap][0] is not None]
        self._forward = _compiled(taps_of_teacher)
        count = len(data.train_arrays[1])
        self._parts = [
            range(view * count + first, view * count + min(first + PART, count))
            for view in range(self.data.views)
            for first in range(0, count, PART)
        ]
        self._sums: list[dict[str, str] | None] = [None] * len(self._parts)
        self._packings: dict[str, Packing] = {}
        self._maps: dict[str, np.memmap] = {}

    def build(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Check what is in the folder, and compute what is missing.

        Args:
            progress: Called with the number of images done and of all (every view of each counts), at first and after each part.

        Raises:
            OutputError: If the folder cannot be written, less than half of the disk's free space would stay free, the folder holds what is
                no cache of ours, or another process is building one there.
            KDError: If the outputs cannot be stored: beyond float16's range, or spikes that are not always 0 or 1.
        """
        if self._of_no_sample:
            raise KDError(f"{', '.join(self._of_no_sample)} of the teacher belongs to no single image, and cannot be kept for each")
        with claimed(self.folder, CACHE) as manifest:
            self._build(manifest, progress)

    def _build(self, manifest: Manifest, progress: Callable[[int, int], None]) -> None:
        key = self._key()
        self._open(key, manifest)
        self.close()  # what is written anew may be another file
        missing = [number for number, sums in enumerate(self._sums) if sums is None]
        if not missing:
            return
        self._packings = self._packings or self._choose_packings()
        needed = sum(len(self._parts[number]) for number in missing) * sum(packing.bytes for packing in self._packings.values())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            check_space(self.folder, 2 * needed)
            manifest.take(HEADER, *(self._file(tap).name for tap in self.taps))
            for number in missing:
                progress(*self._done())
                self._sums[number] = self._write(number)
                write_json(self.folder / HEADER, {"key": key, "taps": self._packings, "parts": self._sums}, signed=True)
        except ForeignFolderError:
            raise
        except OSError as error:
            raise OutputError(
                f"cannot write {needed / 1e6:,.0f} MB of the teacher's outputs to {self.folder} and leave as much free: "
                f"{error.strerror or error}. Free some space, choose smaller taps or fewer views, or train without a cache (--cache 0)"
            ) from error
        progress(*self._done())

    def training(self, initial_epoch: int = 0, replicas: range = range(1), of: int = 1) -> Any:
        """The batches of `data.training(initial_epoch)` together with the teacher's taps. Builds the cache first, if need be.

        Args:
            initial_epoch: The first epoch.
            replicas: Which of the `of` parts of each batch are wanted, as in `Data.training`; no other rows are read.
            of: In how many parts each batch is divided.

        Returns:
            An infinite `tf.data.Dataset` of `({"inputs": images, "teacher": {tap: [B, ...]}}, labels)`, on which a `Distiller` trains.
        """
        import tensorflow as tf

        if None in self._sums:
            self.build()
        packings = [self._packings[tap] for tap in self.taps]

        def read(places: Any) -> Any:
            return [self._map(tap)[places] for tap in self.taps]

        def with_taps(images: Tensor, labels: Tensor, places: Any) -> Any:
            rows = tf.numpy_function(read, [places], [p.stored for p in packings], stateful=False)
            return {INPUTS: images, TEACHER: {tap: p.unpack(r) for tap, p, r in zip(self.taps, packings, rows, strict=True)}}, labels

        batches = self.data.training(initial_epoch, places=True, replicas=replicas, of=of)
        return batches.map(with_taps, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def close(self) -> None:
        """Let go of the files, which TensorFlow would keep as long as the process; who reads batches again opens them again."""
        self._maps.clear()

    def remove(self) -> None:
        """Remove the files that `build` has written, and the folder if nothing else is in it."""
        self.close()
        remove_cache(self.folder)

    def _map(self, tap: str) -> Array:
        """The rows of a tap, mapped into memory."""
        if tap not in self._maps:
            packing = self._packings[tap]
            self._maps[tap] = np.memmap(self._file(tap), packing.stored, "r", shape=(self._parts[-1].stop, packing.columns))
        return self._maps[tap]

    def _key(self) -> Config:
        """All that the files depend on."""
        return {
            "format": FORMAT,
            "teacher": fingerprint(self.teacher),
            "data": self.data.fingerprint,
            "augment": self.data.augment,
            "mixup": self.data.mixup,
            "seed": self.data.seed,
            "views": self.data.views,
            "taps": self.taps,
            "part": PART,
        }

    def _open(self, key: Config, manifest: Manifest) -> None:
        """Take over what is in the folder, as far as it belongs to `key` and is whole."""
        path = self.folder / HEADER
        self._sums, self._packings = [None] * len(self._parts), {}
        if not path.exists():
            return
        try:
            header = read_json(path, signed=True)
            other = [name for name, value in key.items() if header["key"].get(name) != value]
            if other:
                raise FileFormatError(f"made with other settings ({', '.join(other)})")
        except FileFormatError as error:
            self._warn(f"is computed anew: {error}")
            _remove_files(self.folder, manifest)
            return
        self._packings = {tap: Packing(kind, tuple(shape), dtype) for tap, (kind, shape, dtype) in header["taps"].items()}
        self._sums = [sums if sums == self._sums_of(part) else None for sums, part in zip(header["parts"], self._parts, strict=True)]
        damaged = sum(before != now for before, now in zip(header["parts"], self._sums, strict=True))
        if damaged:
            self._warn(f"is damaged in {damaged} of {len(self._parts)} parts, which are computed anew")

    def _sums_of(self, part: Any) -> dict[str, str]:
        """The SHA-256 of the rows that the files have for a part."""
        return {tap: _sha256(self._read(tap, part)) for tap in self.taps}

    def _read(self, tap: str, part: Any) -> bytes:
        try:
            with open(self._file(tap), "rb") as file:
                file.seek(part.start * self._packings[tap].bytes)
                return file.read(len(part) * self._packings[tap].bytes)
        except FileNotFoundError:
            return b""

    def _write(self, number: int) -> dict[str, str]:
        """Compute a part and write it; returns the SHA-256 of each tap's rows."""
        restart_random_layers(self.teacher, number)
        batches = list(self._outputs(self._parts[number]))
        sums = {}
        for tap in self.taps:
            rows = b"".join(batch[tap].tobytes() for batch in batches)
            with open(self._file(tap), "r+b" if self._file(tap).exists() else "wb") as file:
                file.seek(self._parts[number].start * self._packings[tap].bytes)
                file.write(rows)
            sums[tap] = _sha256(rows)
        return sums

    def _choose_packings(self) -> dict[str, Packing]:
        """By the outputs of the first batch."""
        first = self._parts[0][: self.data.batch_size]
        restart_random_layers(self.teacher, 0)
        outputs = self._run(first)
        if restart_random_layers(self.teacher, 1) and any(np.any(again != outputs[tap]) for tap, again in self._run(first).items()):
            self._warn(f"keeps one answer for each view, and the teacher {self.teacher.name} is random: no new answers in each epoch")
        return {tap: Packing.of(values) for tap, values in outputs.items()}

    def _outputs(self, part: Any) -> Iterator[dict[str, Array]]:
        """The packed taps of a part, batch by batch."""
        for first in range(0, len(part), self.data.batch_size):
            outputs = self._run(part[first : first + self.data.batch_size])
            try:
                yield {tap: self._packings[tap].pack(values) for tap, values in outputs.items()}
            except KDError as error:
                raise KDError(f"the taps {', '.join(outputs)} of {self.teacher.name} cannot be cached: {error}") from None

    def _run(self, places: Any) -> dict[str, Array]:
        """The taps of images of one view."""
        count = len(self.data.train_arrays[1])
        images = self.data.view(places.start // count, np.arange(places.start, places.stop) % count)
        outputs = self._forward(of_each(lambda values: ops.convert_to_tensor(np.asarray(values)), images))
        return {tap: ops.convert_to_numpy(outputs[tap]) for tap in self.taps}

    def _file(self, tap: str) -> Path:
        return self.folder / f"{urllib.parse.quote(tap, safe='')}.bin"

    def _done(self) -> tuple[int, int]:
        return sum(len(part) for part, sums in zip(self._parts, self._sums, strict=True) if sums), self._parts[-1].stop

    def _warn(self, what: str) -> None:
        warnings.warn(f"the cache of the teacher's outputs in {self.folder} {what}", stacklevel=5)


def remove_cache(folder: Path) -> None:
    """Remove the files of a cache, and its folder if nothing else is in it; what is no cache of ours stays."""
    with contextlib.suppress(OSError), claimed(folder, CACHE) as manifest:
        _remove_files(folder, manifest)
        manifest.clear_up()
        (folder / MANIFEST).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _remove_files(folder: Path, manifest: Manifest) -> None:
    """The rows first: their record is what makes them a cache."""
    for file in (*folder.glob("*.bin"), folder / HEADER):
        if manifest.whole or file.name in manifest.entries:
            file.unlink(missing_ok=True)


def _compiled(taps: TapModel) -> Callable[..., Any]:
    """The forward pass in inference mode, as one function where the backend has such."""
    if keras.backend.backend() != "tensorflow":
        return taps
    import tensorflow as tf

    return tf.function(lambda x: taps(x, training=False), reduce_retracing=True, autograph=False)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
