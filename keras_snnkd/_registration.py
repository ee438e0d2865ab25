"""Lets Keras find our classes in saved files although `import keras_snnkd` does not import Keras.

Keras looks up the classes of a file in a table, in which ours are entered as their modules are imported. Since the package imports its
parts only when they are used, a program that imports both packages and then loads a model might use none before. So: as soon as Keras
is there, all our modules that hold such classes are imported. If it is there first, that is at once; else, when the import of Keras, or of
the part of ours that imports it, is complete.
"""

import importlib
import importlib.abc
import sys
import threading

HOLDERS = ("surrogates", "neurons", "layers", "distill.distiller", "distill.ensemble", "distill.objectives")
"""The modules that hold classes which may appear in a saved file."""


def watch(package: str) -> None:
    """See to it that the classes of `package` are registered as soon as Keras has been imported."""
    if "keras" in sys.modules:
        _register(package)
    else:
        sys.meta_path.insert(0, _Watch(package))


def _register(package):
    for name in HOLDERS:
        importlib.import_module(f"{package}.{name}")


class _Watch(importlib.abc.MetaPathFinder):
    """Finds what the other finders find, and knows when the outermost import under way is complete."""

    def __init__(self, package):
        self.package = package
        self.under_way = 0
        self.lock = threading.Lock()

    def find_spec(self, name, path=None, target=None):
        if name != "keras" and name.rpartition(".")[0] != self.package:
            return None
        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Watched(spec.loader, self)
        return spec

    def starts(self):
        """Another import is under way."""
        with self.lock:
            self.under_way += 1

    def ends(self, complete):
        """One import less is under way; if it was the last one and Keras is there, the classes are registered."""
        with self.lock:
            self.under_way -= 1
            now = complete and not self.under_way and "keras" in sys.modules and self in sys.meta_path
            if now:
                sys.meta_path.remove(self)
        if now:
            _register(self.package)


class _Watched(importlib.abc.Loader):
    """A loader that tells when it starts and ends."""

    def __init__(self, loader, watch):
        self.loader = loader
        self.watch = watch

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.watch.starts()
        try:
            self.loader.exec_module(module)
        except BaseException:
            self.watch.ends(complete=False)
            raise
        self.watch.ends(complete=True)
