"""The errors of this package, and the words in which they are told.

Every message says what came, what was expected and what to do. Errors that a person can mend derive from `KDError`, which the
command line prints without a traceback.
"""

import difflib
from collections.abc import Iterable


class KDError(Exception):
    """Something the user can put right; the message says how."""


class UnknownNameError(KDError, ValueError):
    """A name that is not in a table of names. The nearest ones are offered."""


class ShapeError(KDError, ValueError):
    """Two shapes that have to fit and do not."""


class InputError(KDError, ValueError):
    """Values that a model cannot take, such as NaN."""


class KindError(KDError, TypeError):
    """An argument of another kind than expected, such as a name in place of a model."""


class FileFormatError(KDError, ValueError):
    """A file that is damaged, foreign or of another version."""


class DatasetUnavailableError(KDError, RuntimeError):
    """A data set that is neither prepared on this machine nor reachable."""


class OutputError(KDError, OSError):
    """A folder that cannot be written, or a full disk."""


class DifferentSizesError(FileFormatError):
    """Pictures of different sizes where all must have one."""


class ForeignFolderError(OutputError):
    """A folder that holds what this package did not make, and would be replaced."""


class BusyError(OutputError):
    """A folder to which another process is writing."""


class NothingToGainError(KDError, ValueError):
    """A way to make a network smaller that would leave this one as it is."""


class UnhealthyTrainingError(KDError, RuntimeError):
    """Training that goes wrong in a way that was to stop it: an exploding loss, silent or saturated layers."""


class TrainingDivergedError(UnhealthyTrainingError):
    """The loss became NaN or infinite."""


class WorkerLostError(KDError, RuntimeError):
    """Another worker of a run on several machines is gone."""


class ExportError(KDError, RuntimeError):
    """An exported file that does not do what the Keras model does."""


class UnsupportedError(ExportError):
    """A model that a format or a runtime has no words for."""


def wrong_kind(what: str, came: object, expected: str) -> KindError:
    """The error for an argument of another kind than expected.

    Args:
        what: The argument, as a person calls it: `"the teacher"`.
        came: Its value.
        expected: What it should have been, and how to get that.

    Returns:
        The error, to be raised by the caller.
    """
    shown = " ".join(f"{came!r:.200}".split())[:60]
    return KindError(f"{what} must be {expected}; got {shown} ({type(came).__name__})")


def unknown_name(kind: str, name: object, names: Iterable[str], all_by: str = "") -> UnknownNameError:
    """The error for `name`, which is not one of `names`.

    Args:
        kind: What the name stands for, in the singular: `"data set"`, `"objective"`.
        name: What came.
        names: What was possible.
        all_by: Of many names, what shows them: where one is near, this takes the place of them all.

    Returns:
        The error, to be raised by the caller.
    """
    names = sorted(map(str, names))
    meant = did_you_mean(name, names)
    if meant and all_by:
        return UnknownNameError(f"unknown {kind} {name!r}.{meant} All: {all_by}.")
    return UnknownNameError(f"unknown {kind} {name!r}.{meant} Known: {', '.join(names) or 'none'}.")


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """The question after the nearest of `names`, to stand behind a sentence; empty if none is near.

    Example:
        >>> did_you_mean("soft_target", ["soft_targets", "spike_train"])  # " Did you mean 'soft_targets'?"
    """
    found = nearest(name, names)
    return f" Did you mean {found!r}?" if found else ""


def nearest(name: object, names: Iterable[str]) -> str | None:
    """The one of `names` that is most like `name`, whatever the case of their letters; `None` if none is."""
    by_letters = {known.lower(): known for known in names}
    near = difflib.get_close_matches(str(name).lower(), by_letters, n=1, cutoff=0.5)
    return by_letters[near[0]] if near else None
