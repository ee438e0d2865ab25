"""What may fail once a model is trained, without taking the training with it."""

import contextlib
from collections.abc import Iterator

from keras_snnkd.errors import KDError, OutputError
from keras_snnkd.training.ctrl_c import raise_if_heard


@contextlib.contextmanager
def attempt(what: str, notes: list[str]) -> Iterator[None]:
    """A block whose error becomes a note: what it would have measured, exported or drawn is left out.

    Args:
        what: What cannot be then, as the start of a sentence: `"spikes were not counted"`.
        notes: Gets the sentence, with the reason.

    Raises:
        OutputError: For a disk that cannot be written, which no later step can do without.
        KeyboardInterrupt: After Ctrl-C, whatever error it has become.

    Example:
        >>> with attempt("spikes were not counted", notes):
        ...     activity = metrics.activity(model, images)
    """
    try:
        yield
    except OutputError:
        raise
    except Exception as error:  # whatever layers, runtimes and plots raise on what they do not know
        raise_if_heard(error)
        note = f"{what}: {reason(error)}"
        if note not in notes:
            notes.append(note)


def reason(error: Exception) -> str:
    """An error in one line, with its kind where it is none of ours."""
    lines = str(error).strip().splitlines()
    if isinstance(error, KDError) or (type(error) is ValueError and lines):
        return " ".join(line.strip() for line in lines)
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
