"""Every script of `examples/` runs in its quick form and has a page that shows it; notebooks hold the scripts that they are made of."""

import importlib.util
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

from tests.sampling import sampled

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
SAYS = {
    "keras_to_spiking": r"the teacher is right on \d+\.\d% of \d+ (?s:.*)the student is right on \d+\.\d% of \d+ .*, with \d+ spikes",
    "multistage": r"student +\d+ parameters(?s:.*)trained again: \[\]",
    "own_objective": r"\[0\.0, 0\.0, 2\.0\](?s:.*)1 label \+ 0\.5 angle\(logits -> logits\) \+ 1 soft_targets",
    "compress_and_deploy": r"dynamic +\d+,\d+ bytes, \d+\.\d% of the answers are Keras'(?s:.*)energy an image",
    "anytime": r"sure at 50\.0%: 1\.\d+ of 4 steps(?s:.*)sure at 100\.0%: 4\.00 of 4 steps",
    "event_frames": r"by time: \[4, 0, 2\](?s:.*)by count: \[2, 2, 2\](?s:.*)on 6 frames: \d+\.\d% of \d+ tests on digits_simulated_events",
    "jax_training": r"backend: jax(?s:.*)TensorFlow imported: False",
}
"""What a script says when it has done what it is for."""

TRAINS = ("keras_to_spiking", "multistage", "own_objective", "event_frames", "jax_training")
"""Scripts that print how good what they trained is, and have to say that their quick form is too short for that."""


@pytest.fixture(scope="module")
def builder():
    """The module that makes the notebooks."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "examples/notebooks/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.every(2)
@pytest.mark.filterwarnings("default:::keras_snnkd")
@pytest.mark.parametrize("name", sampled([name for name in SCRIPTS if name != "jax_training"], "keras_to_spiking", "own_objective"))
def test_a_script_runs_in_its_quick_form(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--quick"])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert re.search(SAYS[name], said)
    assert ("too short for a good accuracy" in said) == (name in TRAINS)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_script_for_jax_runs_in_a_process_of_its_own():
    command = [sys.executable, "examples/jax_training.py", "--quick"]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(SAYS["jax_training"], done.stdout)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_a_page_that_shows_and_runs_it(name):
    page = (ROOT / "docs/examples" / f"{name}.md").read_text("utf-8")
    assert f"python examples/{name}.py" in page
    assert f'--8<-- "examples/{name}.py"' in page
    assert f"({name}.md)" in (ROOT / "docs/examples/README.md").read_text("utf-8")
    assert set(SAYS) == set(SCRIPTS)


@pytest.mark.parametrize("name", ["keras_to_spiking", "own_objective", "anytime"])
def test_a_notebook_holds_its_script_and_what_it_printed(name, builder):
    notebook = json.loads((ROOT / "examples/notebooks" / f"{name}.ipynb").read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    script = [text for _, text in builder.cells((ROOT / "examples" / f"{name}.py").read_text("utf-8")) if text]
    assert ["".join(cell["source"]) for cell in code] == script
    printed = "".join("".join(output["text"]) for cell in code for output in cell["outputs"])
    assert re.search(SAYS[name], printed)
    assert notebook["nbformat"] == 4
