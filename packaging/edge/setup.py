"""Of the package's modules, those that a device needs; `tests/test_packaging.py` shows that they need no others."""

import pathlib
import re

from setuptools import setup
from setuptools.command.build_py import build_py

MODULES = {
    "keras_snnkd": {"__init__", "_kernels", "_outputs", "_types", "_version", "errors"},
    "keras_snnkd.edge": None,
    "keras_snnkd.files": {"__init__", "logits", "output", "padding", "pictures", "samples", "staging"},
}
"""By package; None: all."""


class DeviceModules(build_py):
    """Leaves out what stays on the machine that trains."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """The modules of one package that are packed."""
        found = super().find_package_modules(package, package_dir)
        wanted = MODULES[package]
        return [one for one in found if wanted is None or one[1] in wanted]


VERSION = pathlib.Path(__file__).parents[2].joinpath("keras_snnkd", "_version.py").read_text("utf-8")

if __name__ == "__main__":
    setup(version=re.search(r'"(.+)"', VERSION)[1], cmdclass={"build_py": DeviceModules})
