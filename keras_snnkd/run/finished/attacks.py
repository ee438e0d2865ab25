"""How right a finished model stays on images that were changed against it: `--mode evaluate --attack`."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import metrics
from keras_snnkd.errors import KDError, unknown_name
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES

KIND = "kind"
"""The key of an attack's name in an entry."""


def read_attacks(entries: Iterable[Mapping[str, Any]], variants: Sequence[str]) -> list[metrics.Attack]:
    """The attacks that were asked for.

    Args:
        entries: Mappings such as `{"kind": "pgd", "epsilon": 0.03}`.
        variants: Files of networks of which one answers at random.

    Raises:
        UnknownNameError: For an unknown attack or argument.
        ValueError: For values that cannot be.
        KDError: For variants without an attack.
    """
    known = [field.name for field in dataclasses.fields(metrics.Attack)]
    found = []
    for entry in entries:
        for name in entry:
            if name not in known:
                raise unknown_name("argument of an attack", name, known[1:])
        found.append(metrics.Attack(**entry))
    if variants and not found:
        raise KDError("--variant names who answers under an attack; name one too, such as --attack fgsm")
    return found


def under_attack(
    model: keras.Model, data: datasets.Data, attacks: Sequence[metrics.Attack], variants: Sequence[keras.Model]
) -> dict[str, Any]:
    """What `evaluate.json` holds of the attacks: of the model by itself, and of its variants if there are some.

    Args:
        model: The one that is attacked.
        data: Its data set; the first 1,000 test images are changed.
        attacks: How.
        variants: Networks of which one answers at random, the model among them.
    """
    images, labels = data.sample(MEASURED_IMAGES)
    rows = []
    for attack in attacks:
        row = {**dataclasses.asdict(attack), **metrics.attack_accuracy(model, images, labels, attack).to_dict()}
        if variants:
            moving = metrics.attack_accuracy(model, images, labels, attack, variants=[model, *variants])
            row["moving"] = moving.to_dict()
        rows.append(row)
    return {"attacks": rows}


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each attack."""
    for row in found.get("attacks", ()):
        line = (
            f"{row[KIND]}, each pixel by at most {row['epsilon']:.3g}: {row['attacked']:.2%} of {row['images']:,} test images are right, "
            f"{row['clean']:.2%} without"
        )
        if moving := row.get("moving"):
            line += f"; one of {moving['variants']} at random answers: {moving['attacked']:.2%}, {moving['clean']:.2%} without"
        yield line
