"""Training on several devices or machines by TensorFlow's own strategies, and what Keras needs to work under them.

Everything here follows `tf.distribute.get_strategy()`, the strategy whose scope is entered; without one there is one replica, which is the
chief, and nothing is different. A replica is one device that trains on its part of each batch; a worker is one process, with one replica or
more; the chief is the worker that writes files.
"""

import contextlib
import functools
import inspect
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_snnkd.errors import KDError, WorkerLostError, unknown_name
from keras_snnkd.files.staging import staged

NAMES = ("none", "mirrored", "multiworker")

TF_CONFIG = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'
"""An example of that variable of the environment, for two machines, on the first one."""


def get(name: str) -> Any:
    """The strategy of this name. Across machines it must be made before anything runs on TensorFlow, and waits for all workers.

    Args:
        name: `"none"`, `"mirrored"`: `MirroredStrategy`, all devices of this machine; or `"multiworker"`: `MultiWorkerMirroredStrategy`,
            all devices of the machines in the environment variable TF_CONFIG, of which each runs the same program.

    Returns:
        A `tf.distribute.Strategy`, or `None` for `"none"`.

    Raises:
        UnknownNameError: For another name.
        KDError: If the backend is not TensorFlow, or TF_CONFIG is missing or describes no cluster.
        WorkerLostError: If not all workers start.

    Example:
        >>> with strategy.scope(strategy.get("mirrored")):
        ...     kd.Chain(stages, "runs/mine").run(data)
    """
    if name not in NAMES:
        raise unknown_name("strategy", name, NAMES)
    if name == "none":
        return None
    if not _on_tensorflow():
        raise KDError(f"--strategy {name} needs KERAS_BACKEND=tensorflow, and the backend is {keras.backend.backend()}")
    import tensorflow as tf

    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    _check_cluster(os.environ.get("TF_CONFIG"))
    with _losses_told():
        return tf.distribute.MultiWorkerMirroredStrategy()


@contextlib.contextmanager
def scope(strategy: Any) -> Iterator[None]:
    """The scope of a strategy, or nothing for `None`. Models and whatever else has variables are made in it.

    Raises:
        WorkerLostError: From the block, if another worker is gone.
    """
    if strategy is None:
        yield
        return
    with strategy.scope(), _losses_told() if across_workers(strategy) else contextlib.nullcontext():
        yield


def replicas() -> int:
    """On how many devices a step runs, each on its part of the batch and with a loss of its own."""
    return _current().num_replicas_in_sync if _on_tensorflow() else 1


def sum_over_replicas(tensors: Any) -> Any:
    """Tensors summed over all replicas that run a step; as they are without a strategy, and while a model is being built."""
    if replicas() == 1:
        return tensors
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, tensors) if replica else tensors


def across_workers(strategy: Any = None) -> bool:
    """Whether there are several workers."""
    return len(_tasks(strategy)) > 1


def is_chief(strategy: Any = None) -> bool:
    """Whether this worker writes the files: the chief of TF_CONFIG, or else its first worker. Alone, it is."""
    tasks = _tasks(strategy)
    if len(tasks) < 2:
        return True
    resolver = (strategy or _current()).cluster_resolver
    return (resolver.task_type, resolver.task_id) == tasks[0]


def from_chief(number: float) -> float:
    """The chief's `number`, in all workers, once all have come here."""
    if not across_workers():
        return number
    import tensorflow as tf

    each = replicas() // len(_tasks())
    return float(_total(_current())(tf.constant(float(number) if is_chief() else 0.0))) / each


def barrier() -> None:
    """Wait until all workers have come here."""
    from_chief(0)


@contextlib.contextmanager
def chief_first() -> Iterator[None]:
    """A block that the other workers enter when the chief has left it: they find the files that it has written."""
    if not is_chief():
        barrier()
    yield
    if is_chief():
        barrier()


@contextlib.contextmanager
def saved(path: str | Path) -> Iterator[Path]:
    """Where to save a model: the chief's file becomes `path`, as `files.staged` does it, and that of another worker is thrown away.

    All workers save: Keras' writer makes an optimizer to see which attributes any has, and variables are made by all workers together.
    """
    if is_chief():
        with staged(path) as (file,):
            yield file
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder, Path(path).name)


def batches(source: Any, initial_epoch: int = 0) -> Any:
    """``source.training(initial_epoch)``, of which each worker makes only its own part.

    Args:
        source: A `keras_snnkd.data.Data` or a `TeacherCache`; of anything else each worker makes the whole batches, and Keras divides them.
        initial_epoch: The first epoch.

    Returns:
        What `fit` takes.

    Raises:
        ValueError: If a batch cannot be divided evenly among the replicas.
    """
    count = replicas()
    if count == 1 or "replicas" not in inspect.signature(source.training).parameters:
        return source.training(initial_epoch)

    def of_worker(context: Any) -> Any:
        each = count // context.num_input_pipelines
        first = context.input_pipeline_id * each
        return source.training(initial_epoch, replicas=range(first, first + each), of=count)

    return _current().distribute_datasets_from_function(of_worker)


def reducible(logs: dict[str, Any]) -> dict[str, Any]:
    """A step's metrics in the shape that Keras can reduce: across workers it takes means over the first axis."""
    if not across_workers():
        return logs
    import tensorflow as tf

    return {name: tf.reshape(value, [1]) for name, value in logs.items()}


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"


def _current() -> Any:
    import tensorflow as tf

    return tf.distribute.get_strategy()


@functools.cache
def _total(strategy: Any) -> Any:
    """The sum of a number over all replicas."""
    import tensorflow as tf

    return tf.function(lambda mine: strategy.reduce("SUM", strategy.run(tf.identity, (mine,)), axis=None), autograph=False)


def _tasks(strategy: Any = None) -> list[tuple[str, int]]:
    """The workers as (type, index), the chief first; empty for one process by itself."""
    resolver = getattr(strategy or _current(), "cluster_resolver", None) if _on_tensorflow() else None
    jobs = resolver.cluster_spec().as_dict() if resolver else {}
    return [(job, index) for job in ("chief", "worker") for index in range(len(jobs.get(job, ())))]


def _check_cluster(text: str | None) -> None:
    """Raise unless TF_CONFIG describes a cluster and a task in it."""
    try:
        config = json.loads(text or "")
        cluster, task = config["cluster"], config["task"]
        known = 0 <= task["index"] < len(cluster[task["type"]]) and set(cluster) <= {"chief", "worker"}
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise KDError(
            f"--strategy multiworker needs TF_CONFIG in the environment: every worker's address, and which of them this process is, "
            f"such as {TF_CONFIG}; got {text!r}"
        )


@contextlib.contextmanager
def _losses_told() -> Iterator[None]:
    """TensorFlow's errors of lost workers in words. It misses a worker after some ten seconds."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.InternalError) as error:
        lost = sorted({f"{job} {index}" for job, index in re.findall(r"^/job:(\w+)/replica:\d+/task:(\d+)", error.message, re.MULTILINE)})
        cause = re.findall(r"(?:aborted by: )*([^\n]*)", error.message[max(0, error.message.find("aborted by: ")) :])[0]
        told = f"lost {', '.join(lost)}" if lost else cause[:300]
        raise WorkerLostError(
            f"this worker cannot go on without the others: {told}. See what happened there; what is finished is kept. Go on by starting "
            "all workers again with the same commands and --resume"
        ) from error
