"""What takes part. Each contender is a function that prepares something in a worker process and returns a `Contender`."""

import dataclasses
from collections.abc import Callable
from typing import Any


class UnavailableError(Exception):
    """A contender cannot take part, and why; the others go on."""


@dataclasses.dataclass
class Contender:
    """Something prepared and ready to be timed.

    Args:
        step: Does the work once and returns when it is done.
        facts: What is worth knowing about it, as JSON: parameters, chosen settings.
        repeats: How many times `step` does what is timed, such as 25 for one `fit` of 25 training steps.
    """

    step: Callable[[], Any]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    repeats: int = 1
