"""The site: every page is in it, every public name is documented, and it is built strictly where MkDocs is installed (extra `docs`)."""

import importlib
import importlib.util
import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

import keras_snnkd as kd
from keras_snnkd.report.words import WORDS

ROOT = pathlib.Path(__file__).parents[1]


def public():
    """Every public name: those of the package, and those that its public modules export."""
    for name in kd.__all__:
        value = getattr(kd, name)
        if not inspect.ismodule(value):
            yield f"kd.{name}", value
            continue
        yield f"kd.{name}", value
        names = getattr(value, "__all__", None) or [
            own for own, defined in vars(value).items() if not own.startswith("_") and getattr(defined, "__module__", "") == value.__name__
        ]
        yield from ((f"kd.{name}.{own}", getattr(value, own)) for own in names)


def test_every_public_name_is_documented():
    documented = [(name, value) for name, value in public() if callable(value) or inspect.ismodule(value)]
    assert len(documented) > 150
    assert not [name for name, value in documented if not (inspect.getdoc(value) or "").strip()]


def test_public_classes_have_a_docstring_of_their_own():
    classes = [(name, value) for name, value in public() if inspect.isclass(value)]
    assert not [name for name, value in classes if not vars(value).get("__doc__")]


def test_messages_that_are_explained_are_those_that_are_raised():
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "keras_snnkd").rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # a message goes over several lines
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    heads = [head for head in re.findall(r"^\*\*(.+?)\*\*", page, re.MULTILINE) if "`" in head]
    assert len(heads) > 15
    for head in heads:
        parts = [part.strip(" .:") for code in re.findall(r"`([^`]+)`", head) for part in code.split("...")]
        told = [part for part in parts if len(part.split()) > 1]
        assert any(part in source for part in told), head


def test_the_glossary_is_in_order_and_holds_the_words_of_the_report():
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    terms = re.findall(r"^\*\*(.+?)\*\*", page, re.MULTILINE)
    assert terms == sorted(terms, key=str.lower)
    told = ", ".join(terms).lower()
    shared = ("accuracy", "firing rate", "silent", "saturated")
    assert set(shared) <= set(WORDS)
    assert not [word for word in shared if word not in told]


needs_mkdocs = pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the extra docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@needs_mkdocs
def test_the_site_is_built_strictly_and_every_public_name_is_in_it(site):
    found = set(re.findall(r'id="(keras_snnkd[\w.]+)"', "".join(page.read_text("utf-8") for page in (site / "api").glob("*.html"))))
    ours = {f"{value.__module__}.{value.__qualname__}" for _, value in public() if inspect.isclass(value) or inspect.isfunction(value)}
    assert not ours - found


@needs_mkdocs
def test_no_page_of_the_site_loads_anything_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        loads = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"', text) + re.findall(r'<link[^>]+href="(https?:[^"]+)"', text)
        assert not loads, page


@needs_mkdocs
def test_search_finds_the_pages(site):
    index = (site / "search" / "search_index.json").read_text("utf-8")
    for word in ("surrogate", "troubleshooting", "keras_snnkd.neurons.lif.LIF", "ANN twin"):
        assert word in index
