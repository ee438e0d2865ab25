"""Runs as small as they can be, for the tests of the command line."""

from pathlib import Path

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import cli
from keras_snnkd.export.report import ExportReport
from keras_snnkd.report import markup

DATA = ["--limit", "200", "--batch-size", "50"]
MODELS = ["--teacher", "mlp:24", "--student", "mlp:12", "-T", "2"]
TINY = [*DATA, *MODELS, "--epochs", "1", "--teacher-epochs", "1"]


def fake_export(model, folder, samples, quantizations=()):
    """In place of `keras_snnkd.export.export_all`: one folder, without the cost of converters."""
    place = Path(folder, "saved_model")
    place.mkdir(parents=True, exist_ok=True)
    (place / "saved_model.pb").write_text(model.name)
    return [ExportReport("saved_model", str(place), 4096, {}, len(samples), 1.0, 0.0, 1.0, {}, 0, {})]


def run(*arguments, pictures=False):
    """The exit status of `train.py` with these arguments, in this process; without pictures in its pages, which take seconds to draw."""
    with pytest.MonkeyPatch.context() as patch:
        if not pictures:
            patch.setattr(markup, "picture", lambda draw, description: "")
        return cli.main(list(map(str, arguments)))


def weights(path):
    """All weights of a `.keras` file."""
    return [weight.numpy() for weight in kd.models.load(path).weights]


def assert_equal_weights(path, other):
    ours, theirs = weights(path), weights(other)
    assert ours
    for weight, twin in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(weight, twin)
