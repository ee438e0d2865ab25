"""What is packed: the runner alone needs nothing that is left out, images are made of the lock, and the citation names this version."""

import ast
import importlib.util
import pathlib
import re
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
EDGE = ROOT / "packaging" / "edge"
LOCKS = {"train": ROOT / "pyproject.toml", "edge": EDGE / "pyproject.toml"}
KERAS_IF_THERE = {"keras_snnkd/__init__.py", "keras_snnkd/_outputs.py"}
"""Files that ask for Keras, and go on without."""


def packed():
    """The files of the runner's distribution."""
    spec = importlib.util.spec_from_file_location("edge_setup", EDGE / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for package, names in module.MODULES.items():
        folder = ROOT.joinpath(*package.split("."))
        yield from (path for path in folder.glob("*.py") if names is None or path.stem in names)


def imported(path):
    """What a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_runner_alone_needs_nothing_that_is_left_out():
    files = {path.relative_to(ROOT).with_suffix("").as_posix() for path in packed()}
    assert "keras_snnkd/edge/runner" in files
    for path in packed():
        for name in imported(path):
            if name.startswith("keras_snnkd."):
                assert module_of(name) in files, f"{path.name} imports {name}"


def module_of(name):
    """The module that holds an imported name, as a path without its ending."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        for place in ("/".join(parts[:end]), "/".join([*parts[:end], "__init__"])):
            if (ROOT / f"{place}.py").is_file():
                return place
    return name


def test_it_imports_no_package_that_it_does_not_bring():
    outside = {(path.relative_to(ROOT).as_posix(), name.split(".")[0]) for path in packed() for name in imported(path)}
    names = {name for path, name in outside if path not in KERAS_IF_THERE} - set(sys.stdlib_module_names)
    assert names <= {"keras_snnkd", "numpy", "ai_edge_litert", "PIL"}


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_holds_every_dependency_at_a_version_that_is_allowed(kind):
    lines = [line for line in (ROOT / "requirements" / f"{kind}.txt").read_text().splitlines() if not line.startswith("#")]
    versions = dict(line.split("==") for line in lines)
    project = tomllib.loads(LOCKS[kind].read_text())["project"]
    extra = project["optional-dependencies"]["pictures"] if kind == "edge" else []
    for requirement in map(Requirement, [*project["dependencies"], *extra]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement
    tested = (ROOT / "requirements" / "test.txt").read_text().splitlines()
    assert set(lines) <= set(tested)  # what is shipped is what was tested


@pytest.mark.parametrize("kind", LOCKS)
def test_an_image_is_made_of_its_lock_and_of_files_that_are_there(kind):
    text = (ROOT / "docker" / f"{kind}.Dockerfile").read_text()
    assert f"pip install --no-cache-dir -r /tmp/{kind}.txt" in text
    assert all("--no-deps" in line for line in re.findall("pip install.*/src.*", text))
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [part for line in re.findall("^COPY (.+)$", text, re.MULTILINE) for part in line.split()[:-1]]
    assert f"requirements/{kind}.txt" in sources
    for source in sources:
        assert (ROOT / source).exists()
        assert source.split("/")[0] in allowed
    assert "\nUSER " in text


def test_the_runners_version_and_the_citations_are_the_packages():
    version = re.search(r'"(.+)"', (ROOT / "keras_snnkd" / "_version.py").read_text())[1]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == version
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2005.00288"
