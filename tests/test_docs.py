"""Every Python block of README and docs runs as written, and what it trains learns.

The blocks of a page run one after the other, as a reader would type them. A block behind `<!-- not run: why -->` is left out.
"""

import pathlib
import re

import keras
import numpy as np
import pytest

import keras_snnkd as kd

ROOT = pathlib.Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/guides/*.md"), *ROOT.glob("docs/methods/*.md")])
    if page.name != "your_model.md"  # which tests/integration/test_your_model.py runs
    and any(not left_out for left_out, _ in BLOCK.findall(page.read_text("utf-8")))
]

FIRST = ("README.md", "docs/data.md")
"""Pages that a reader types first."""

LEARNED = 0.95
"""Accuracy on test images that every model of a page reaches, which is what the command line's student reaches at least."""

MEANT_TO_BE_WEAK = ("weaker",)
"""Names of models that a page trains badly on purpose."""


class Trained:
    """Remembers which models were trained."""

    def __init__(self, monkeypatch):
        self.models = {}
        fit = keras.Model.fit

        def remembering(model, *arguments, **options):
            history = fit(model, *arguments, **{**options, "verbose": 0})
            student = getattr(model, "student", model)
            self.models[id(student)] = student
            return history

        monkeypatch.setattr(keras.Model, "fit", remembering)

    def accuracies(self, data):
        """Of each trained classifier of 8x8 pixels on the test images of the page's own data, if it has such, else of digits."""
        digits = kd.data.load("digits")
        own = isinstance(data, kd.data.Data) and data.image_shape == digits.image_shape
        images, labels = (data if own else digits).sample(359)
        for model in self.models.values():
            if model.input_shape[1:] == images.shape[1:]:
                yield model.name, np.mean(np.argmax(model.predict(images, verbose=0), axis=-1) == labels)


@pytest.mark.filterwarnings("default:::keras_snnkd")
@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.merge if page in FIRST else pytest.mark.slow) for page in PAGES])
def test_the_blocks_of_a_page_run_and_what_they_train_learns(page, tmp_path, monkeypatch):
    text = (ROOT / page).read_text("utf-8")
    (tmp_path / "saved_models").symlink_to(ROOT / "saved_models")
    monkeypatch.chdir(tmp_path)
    trained = Trained(monkeypatch)
    names = {"__name__": page}
    for match in BLOCK.finditer(text):
        if match[1] is None:
            line = text[: match.start(2)].count("\n")
            exec(compile("\n" * line + match[2], page, "exec"), names)
    found = trained.accuracies(names.get("data"))
    weak = {name: accuracy for name, accuracy in found if accuracy < LEARNED and name not in MEANT_TO_BE_WEAK}
    assert not weak
