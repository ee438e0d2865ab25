"""The locked test environment is one that pyproject.toml allows, and whole."""

import pathlib
import re
import tomllib
import warnings

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked():
    lines = [line for line in (ROOT / "requirements" / "test.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[^ ]+", line) for line in lines)
    return dict(line.split("==") for line in lines)


def wanted(texts):
    for requirement in map(Requirement, texts):
        if canonicalize_name(requirement.name) == canonicalize_name(PROJECT["name"]):
            for extra in requirement.extras:
                yield from wanted(PROJECT["optional-dependencies"][extra])
        else:
            yield requirement


def test_every_locked_version_is_one_that_the_project_allows():
    versions = locked()
    requirements = list(wanted([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]))
    assert len(requirements) > 15
    for requirement in requirements:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("module", ["keras_snnkd", "keras_snnkd.distill.chain"])
def test_a_warning_from_our_code_is_an_error_in_tests(module):
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module=module)


def test_a_warning_from_other_code_is_none():
    with pytest.warns(DeprecationWarning, match="old"):
        warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module="somebody.else")
