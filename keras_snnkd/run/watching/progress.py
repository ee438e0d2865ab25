"""Progress of a stage, for a person at a terminal or reading a log."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from keras_snnkd._types import Logs
from keras_snnkd.run.watching.json_log import tell


class Progress(keras.callbacks.Callback):
    """Shows stage, epoch, accuracy and the time left: a moving bar on a terminal, one line per epoch elsewhere.

    Args:
        title: What is being trained.
        console: A `rich.console.Console`.
    """

    def __init__(self, title: str, console: Any) -> None:
        super().__init__()
        self.title = title
        self.console = console
        self.bar: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.started = time.monotonic()
        self.steps = self.params.get("steps") or 0
        self.first_epoch = -1  # not known yet
        if self.console.is_terminal:
            title = TextColumn("{task.description}", markup=False)
            columns = [title, BarColumn(), MofNCompleteColumn(), TextColumn("steps,"), TimeRemainingColumn(), TextColumn("left")]
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.params["epochs"] * self.steps)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.first_epoch < 0:
            self.first_epoch = epoch
            if epoch:
                text = f"{self.title}: resumed at epoch {epoch + 1} of {self.params['epochs']}"
                tell(self.console, "resumed", text, stage=self.title, epoch=epoch + 1, epochs=self.params["epochs"])
        if self.bar:
            title = f"{self.title}, epoch {epoch + 1}/{self.params['epochs']}"
            self.bar.update(self.task, completed=epoch * self.steps, description=title)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.bar:
            self.bar.update(self.task, advance=1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        done = epoch + 1 - self.first_epoch
        left = (time.monotonic() - self.started) / done * (self.params["epochs"] - epoch - 1)
        values = {name: float(value) for name, value in (logs or {}).items()}
        said = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        line = f"{self.title} epoch {epoch + 1}/{self.params['epochs']}: {said}, {clock(left)} left in this stage"
        told = {"stage": self.title, "epoch": epoch + 1, "epochs": self.params["epochs"], "seconds_left": round(left, 1)}
        tell(self.console, "epoch", line, **told, metrics=values)

    def on_train_end(self, logs: Logs = None) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the screen, also after an interruption."""
        if self.bar:
            self.bar.stop()
            self.bar = None


class Finished(keras.callbacks.Callback):
    """One line when a stage has been trained: how long it took.

    Args:
        title: What was trained.
        console: A `rich.console.Console`.
    """

    def __init__(self, title: str, console: Any) -> None:
        super().__init__()
        self.title, self.console = title, console

    def on_train_begin(self, logs: Logs = None) -> None:
        self.started = time.monotonic()

    def on_train_end(self, logs: Logs = None) -> None:
        seconds = time.monotonic() - self.started
        self.console.print(f"{self.title}: {seconds:.0f} s", highlight=False, markup=False, soft_wrap=True)


class Counter:
    """Shows how far a piece of work is: a line that changes on a terminal, one line at the end elsewhere.

    Args:
        text: With places for what is counted, how many are done, and of how many.
        console: A `rich.console.Console`.
    """

    def __init__(self, text: str, console: Any) -> None:
        self.text = text
        self.console = console
        self.status: Any = None

    def __call__(self, title: str, done: int, total: int) -> None:
        from rich.text import Text

        text = self.text.format(title, done, total)
        if done == total:
            self.close()
            tell(self.console, "counted", text, title=title, done=done)
        elif self.status:
            self.status.update(Text(text))
        else:
            self.status = self.console.status(Text(text))
            self.status.start()

    def close(self) -> None:
        """Take the line off the screen, also after an interruption."""
        if self.status:
            self.status.stop()
            self.status = None


@contextlib.contextmanager
def working(text: str, console: Any) -> Iterator[None]:
    """Says what the block does, and for how long: a line that moves on a terminal, one line in a log.

    Args:
        text: What is being done, such as `"measuring teacher"`; brackets in it are no markup.
        console: A `rich.console.Console`.
    """
    if console.is_terminal:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
        with Progress(*columns, console=console, transient=True) as shown:
            shown.add_task(text, total=None)
            yield
    else:
        tell(console, "working", f"{text} ...", what=text)
        yield


class Stopwatch:
    """How long a run took, over all the times that it was started."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def total(self, results: Iterable[Any]) -> float:
        """Seconds of the whole training, however often it was interrupted, and of everything else in this process.

        Args:
            results: Every `keras_snnkd.distill.chain.StageResult` of the run.
        """
        results = list(results)
        here = time.monotonic() - self._started
        in_all = sum(result.record.get("seconds") or 0.0 for result in results)
        in_this_process = sum(result.seconds for result in results)
        return round(here + in_all - in_this_process, 1)


def clock(seconds: float) -> str:
    """`3723` to `"1:02:03"`, `83` to `"1:23"`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
