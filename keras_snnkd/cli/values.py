"""Values of options that are more than one word or number."""

import argparse
import ast
import itertools
import json
from typing import Any

from keras_snnkd.distill.scales import NAMES


def read_objective(text: str) -> dict[str, Any]:
    """`"soft_targets:temperature=2,weight=0.9"` to a mapping for `keras_snnkd.objectives.get`."""
    from keras_snnkd.distill.methods import COACHED

    if text.startswith(COACHED):
        inner = read_objective(text.removeprefix(COACHED))
        return {**inner, "objective": f"{COACHED}{inner['objective']}"}
    return read_named(text, "objective", "objective")


def read_named(text: str, key_of_name: str, called: str) -> dict[str, Any]:
    """`"name:key=value,key=value"` to a mapping, in which the name stands under a key; `called` is what errors call it."""
    name, _, rest = text.partition(":")
    found: dict[str, Any] = {key_of_name: name}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"cannot read {part!r} in the {called} {text!r}; expected name:key=value,key=value")
        if key in found:
            raise ValueError(f"the {called} {text!r} says {key} twice; leave one of them out")
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[key] = value
    return found


def read_timesteps(text: str) -> list[int]:
    """`"4"` to `[4]`, and `"8,4,2,1"` to those four, which have to become fewer."""
    try:
        steps = [int(part) for part in text.split(",")]
    except ValueError:
        expected = "a whole number of steps, or several with commas, such as 8,4,2,1"
        raise argparse.ArgumentTypeError(f"expected {expected}; got {text!r}") from None
    if any(later >= earlier for earlier, later in itertools.pairwise(steps)):
        raise argparse.ArgumentTypeError(f"each number of steps must be below the one before, got {text!r}")
    return steps


def read_numbers(text: str) -> list[float]:
    """`"1e-3,3e-3"` to `[0.001, 0.003]`."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers with commas between them, such as 1e-3,3e-3, got {text!r}") from None


def read_weights(text: str) -> str | list[float]:
    """`"0.5,2"` to `[0.5, 2.0]`, and a word as it is."""
    return read_numbers(text) if any(sign.isdigit() for sign in text) else text


def read_scale(text: str) -> str | list[float]:
    """`"0..255"` as it is, and `"-2..2"` to `[-2.0, 2.0]`; what is neither is refused later, with the names there are."""
    low, dots, high = text.partition("..")
    if text in NAMES or not dots:
        return text
    try:
        return [float(low), float(high)]
    except ValueError:
        return text


def read_setting(text: str) -> tuple[str, list[Any] | dict[str, Any]]:
    """`"timesteps=1,2"` to `("timesteps", [1, 2])`, and `"tau=1.5..3"` to `("tau", {"low": 1.5, "high": 3.0})`."""
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise ValueError(f"cannot read the setting {text!r} of a search; expected name=value,value or name=low..high")
    low, dots, high = values.partition("..")
    if dots:
        try:
            return name, {"low": float(low), "high": float(high)}
        except ValueError:
            raise ValueError(f"cannot read the range {values!r} of {name}; expected two numbers, low..high") from None
    found = []
    for value in values.split(","):
        try:
            found.append(json.loads(value.lower() if value.lower() in ("true", "false") else value))
        except ValueError:
            found.append(value)
    return name, found
