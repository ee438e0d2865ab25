"""Data sets of TensorFlow Datasets, read in their order on disk."""

import functools
import os
import threading
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_snnkd.data.series import Series
from keras_snnkd.data.series_files import log_mel
from keras_snnkd.data.splits import Source
from keras_snnkd.errors import DatasetUnavailableError, FileFormatError

PROBE_SECONDS = 3.0
"""How long to wait for the download host before the data set counts as unreachable."""

SETS = {
    "mnist": "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
    "fashion_mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "speech_commands": "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
}
"""Name of each set, and one of the files that TensorFlow Datasets downloads for it."""

SOUNDS = ("speech_commands",)
"""Those that hold sounds, which are made into series."""

SOUND_RATE = 16_000
"""Samples per second of Speech Commands."""


class _Answer(NamedTuple):
    reached: bool
    reason: str


def read(name: str, data_dir: str | os.PathLike[str] | None = None, limit: int | None = None) -> Source:
    """Read a prepared data set, or prepare it where its download host can be reached.

    Args:
        name: A key of `SETS`.
        data_dir: Folder of TensorFlow Datasets; `None` means TFDS_DATA_DIR, or its default.
        limit: Read at most this many images of each split.

    Returns:
        The images and labels, in the order in which they lie on disk.

    Raises:
        DatasetUnavailableError: It is neither prepared nor reachable.
        FileFormatError: Its files are damaged.
    """
    names, (train, test) = _read(name, data_dir, ("train", "test"), functools.partial(_arrays, limit=limit))
    return Source(name, names, train, test)


def read_sounds(name: str, data_dir: str | os.PathLike[str] | None = None, limit: int | None = None) -> Series:
    """As `read`, the log-mel spectra of a data set of sounds, with the validation part that comes with it.

    Args:
        name: One of `SOUNDS`.
        data_dir, limit: See `read`.

    Raises:
        DatasetUnavailableError, FileFormatError: See `read`.

    Example:
        >>> read_sounds("speech_commands").train[0].shape  # (98, 40)
    """
    names, parts = _read(name, data_dir, ("train", "validation", "test"), functools.partial(_spectra, limit=limit))
    train, validation, test = parts
    series, labels = train
    return Series(name, names, series, labels, test=test, validation=validation)


def _read(name: str, data_dir: Any, parts: Sequence[str], read_part: Callable[..., Any]) -> tuple[tuple[str, ...], list[Any]]:
    """The names of the classes, and what `read_part(builder, part)` makes of each part."""
    import tensorflow as tf
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR") or tfds.core.constants.DATA_DIR
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if not builder.is_prepared():
            _prepare(name, builder)
        found = [read_part(builder, part) for part in parts]
    except (tf.errors.OpError, ParseError) as error:
        raise FileFormatError(
            f"{name}: its files in {data_dir} look damaged ({_first_line(error)}); delete that copy and prepare or copy the data set again."
        ) from error
    return tuple(builder.info.features["label"].names), found


def host_answers(url: str) -> _Answer:
    """Whether `url` can be reached (through the proxy of the environment, if there is one) within `PROBE_SECONDS`."""
    answer = []

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS).close()
            answer.append(_Answer(True, ""))
        except Exception as error:  # whatever goes wrong means: not reachable
            answer.append(_Answer(False, _first_line(error)))

    # In a thread, because the timeout of a socket does not cover looking up the name of the host.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    return answer[0] if answer else _Answer(False, f"no answer in {PROBE_SECONDS:.0f} s")


def _prepare(name: str, builder: Any) -> None:
    url = SETS[name]
    answer = host_answers(url)
    if not answer.reached:
        raise _unavailable(name, builder, f"{url} cannot be reached ({answer.reason})")
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, checksum, full disk: tfds has no common type for them
        raise _unavailable(name, builder, f"preparing it failed ({type(error).__name__}: {_first_line(error)})") from error


def _unavailable(name: str, builder: Any, reason: str) -> DatasetUnavailableError:
    return DatasetUnavailableError(
        f"data set {name!r} is not prepared in {builder.data_dir}, and {reason}.\n"
        f"Ways out: prepare it on a machine with a network (load({name!r}, data_dir=FOLDER)) and copy FOLDER here; "
        f"say where it is with --data-dir (data_dir=) or the environment variable TFDS_DATA_DIR; "
        f"or use --dataset digits, which needs no network."
    )


def _spectra(builder: Any, part: str, limit: int | None) -> tuple[list[np.ndarray], np.ndarray]:
    pairs = list(_in_order(builder, part, limit).as_numpy_iterator())
    spectra = [log_mel(sound.astype(np.float32) / 32768, SOUND_RATE) for sound, _ in pairs]
    return spectra, np.array([label for _, label in pairs], np.int64)


def _in_order(builder: Any, part: str, limit: int | None) -> Any:
    """The samples of a part as they lie on disk, a `tf.data.Dataset`."""
    import tensorflow_datasets as tfds

    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    wanted = part if limit is None else f"{part}[:{min(limit, builder.info.splits[part].num_examples)}]"
    return builder.as_dataset(split=wanted, as_supervised=True, shuffle_files=False, read_config=in_order)


def _arrays(builder: Any, part: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    dataset = _in_order(builder, part, limit)
    batches = list(dataset.batch(1000).as_numpy_iterator())
    return np.concatenate([images for images, _ in batches]), np.concatenate([labels for _, labels in batches])


def _first_line(error: BaseException) -> str:
    """What an error says, without TensorFlow's `{{function_node ...}}` before it and `[Op:...]` after it."""
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return line.rpartition("}} ")[2].partition(" [Op:")[0]
