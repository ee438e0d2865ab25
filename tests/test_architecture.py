"""What may import what, and what every public class and function has: a complete config, a docstring with an example."""

import ast
import copy
import inspect
import pathlib
import re
import sys

import keras
import pytest

from keras_snnkd import layers, models, neurons
from keras_snnkd._public import PACKAGE

ROOT = pathlib.Path(__file__).parents[1] / PACKAGE
FILES = sorted(ROOT.rglob("*.py"))

# Who may import whom

EVERYWHERE = (
    "_kernels",
    "_outputs",
    "_public",
    "_types",
    "_version",
    "errors",
    "files",
    "graphs",
    "keras_internals",
    "teachers",
    "training",
    "weights",
)
"""The lowest parts, which any part may import."""

BELOW = {
    **{name: set() for name in EVERYWHERE},
    "surrogates": set(),
    "neurons": {"surrogates"},
    "layers": {"surrogates", "neurons"},
    "models": {"surrogates", "neurons", "layers"},
    "distill": {"layers"},
    "metrics": {"surrogates", "neurons", "layers", "edge"},
    "data": set(),
    "edge": set(),
    "report": set(),
    "compress": {"neurons", "layers", "models", "metrics"},
    "export": {"surrogates", "neurons", "layers", "models", "metrics", "edge", "compress"},
    "federated": {"models", "data"},
    "run": {"neurons", "layers", "models", "distill", "metrics", "data", "report", "compress", "export"},
    "tuning": {"models", "distill", "metrics", "report", "export", "run"},
}
"""The parts of the package, and the parts each of them may import, besides the lowest ones. See docs/architecture.md."""

INSIDE_RUN = ("watching", "compressing", "recipes", "finished", "", "comparing")
"""The folders of `run`, lowest first; `""` stands for the files of `run` itself. A folder may import those before it."""

ON_TOP = ("__init__", "cli")
"""What may import anything."""

WITH_TENSORFLOW = (
    "distill/cache.py",
    "distill/distiller.py",
    "distill/moments.py",
    "distill/packing.py",
    "data/",
    "export/",
    "metrics/",
    "layers/rate_activation.py",
    "neurons/currents.py",
    "neurons/fake_quant.py",  # its operator, by which LiteRT's converter learns the ranges
    "neurons/loops.py",
    "neurons/recompute.py",
    "neurons/scan.py",
    "layers/batch_moments.py",
    "layers/normalization.py",
    "training/determinism.py",
    "training/feed.py",
    "training/strategy.py",
)


def imports(file, root=ROOT):
    """The full names of everything a file imports, wherever in the file."""
    package = [PACKAGE, *file.relative_to(root).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*start, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def part(file):
    """The part of the package a file belongs to."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def test_the_walk_sees_every_form_of_import(tmp_path):
    (tmp_path / "distill").mkdir()
    file = tmp_path / "distill" / "chain.py"
    file.write_text(
        "import tensorflow as tf\nfrom keras_snnkd import data\nfrom . import taps\ndef f():\n    from ..models.mlp import MLP\n"
    )
    assert set(imports(file, tmp_path)) == {"tensorflow", "keras_snnkd.data", "keras_snnkd.distill.taps", "keras_snnkd.models.mlp.MLP"}


@pytest.mark.parametrize("name", BELOW)
def test_no_import_goes_up(name):
    allowed = {name, *BELOW[name], *EVERYWHERE}
    arrows = [
        f"{file.relative_to(ROOT)} imports {imported}"
        for file in FILES
        if part(file) == name
        for imported in imports(file)
        if f"{imported}.".startswith(f"{PACKAGE}.") and imported.partition(".")[2].split(".")[0] not in allowed
    ]
    assert not arrows, f"{name} may import {', '.join(sorted(allowed))} only: {'; '.join(arrows)}"


def room(parts):
    """The folder of `run` that a file or an import belongs to, by what comes after `run`: `""` for the files of `run` itself."""
    return parts[0] if parts[0] in INSIDE_RUN else ""


def test_no_import_inside_run_goes_up():
    arrows = []
    for file in (file for file in FILES if part(file) == "run"):
        height = INSIDE_RUN.index(room(file.relative_to(ROOT / "run").parts))
        for imported in imports(file):
            package, _, inner = imported.partition(f"{PACKAGE}.run.")
            if not package and INSIDE_RUN.index(room(inner.split("."))) > height:
                arrows.append(f"{file.relative_to(ROOT)} imports {imported}")
    assert {folder.name for folder in (ROOT / "run").iterdir() if (folder / "__init__.py").is_file()} == set(INSIDE_RUN) - {""}
    assert not arrows


def test_every_part_has_its_place_in_the_table_and_on_the_page():
    parts = {part(file) for file in FILES}
    page = (ROOT.parent / "docs" / "architecture.md").read_text("utf-8")
    assert parts == {*BELOW, *ON_TOP}
    assert not [name for name in parts - {"__init__", "_version"} if f"`{name}/`" not in page and f"`{name}.py`" not in page]


def test_tensorflow_is_imported_only_where_it_must_be():
    places = [file.relative_to(ROOT).as_posix() for file in FILES if any(name.split(".")[0] == "tensorflow" for name in imports(file))]
    assert not [place for place in places if not place.startswith(WITH_TENSORFLOW)]


def test_what_runs_on_a_device_imports_numpy_litert_and_the_lowest_parts_alone():
    standard = sys.stdlib_module_names
    on_device = [file for file in FILES if part(file) == "edge"] + [
        ROOT / f"{name}.py"
        for name in ("__init__", "errors", "files/__init__", "files/staging", "files/pictures", "files/output", "files/logits")
    ]
    found = {name.split(".")[0] for file in on_device for name in imports(file)} - standard
    ours = {".".join(name.split(".")[:2]) for file in on_device for name in imports(file) if name.startswith(f"{PACKAGE}.")}
    assert found == {PACKAGE, "numpy", "ai_edge_litert", "PIL", "keras"}  # Keras only where it is installed, to register classes
    assert ours == {f"{PACKAGE}.{name}" for name in ("_kernels", "_outputs", "_types", "_version", "edge", "errors", "files")}


# Configs

REGISTERED = {
    name.split(">")[1]: cls
    for name, cls in keras.saving.get_custom_objects().items()
    if name.startswith(f"{PACKAGE}>") and cls.__module__.split(".")[1] in ("surrogates", "neurons", "layers")
}
REQUIRED = {
    "Channels": lambda: {"channels": 3},
    "OverTime": lambda: {"layer": keras.layers.Dense(3)},
    "RateActivation": lambda: {"neuron": neurons.LIF(), "timesteps": 3},
    "CausalConv1D": lambda: {"filters": 2, "kernel_size": 3},
    "KeptFrames": lambda: {"kept": [0, 2]},
    "QuantizedConv1D": lambda: {"filters": 2, "kernel_size": 3},
    "QuantizedConv2D": lambda: {"filters": 2, "kernel_size": 3},
    "QuantizedDense": lambda: {"units": 3},
    **dict.fromkeys(["Direct", "Poisson", "Latency", "Frames"], lambda: {"timesteps": 3}),
    "TensorTrainConv2D": lambda: {"filters": 2},
    "NoisyConv2D": lambda: {"filters": 2, "kernel_size": 3, "device": {"noise": 0.1}},
    "NoisyDense": lambda: {"units": 3, "device": {"noise": 0.1}},
    **{f"{kind}Conv2D": lambda: {"filters": 2, "kernel_size": 3} for kind in ("Masked", "Thresholded")},
    **{f"{kind}Dense": lambda: {"units": 3} for kind in ("Masked", "Thresholded")},
    **dict.fromkeys([name for name in REGISTERED if name.endswith("Cell")], lambda: {"units": 3}),
}
"""The arguments without which a class cannot be made."""

COMPUTED = {
    "ThresholdBatchNormalization": {"gamma_initializer"},
    "CausalConv1D": {"padding", "strides", "rank", "lora_rank", "lora_alpha", "activity_regularizer"},
    **{name: {"decay_input"} for name in ("IF", "IFCell")},
    **{
        f"{kind}{layer}": {"rank", "lora_rank", "lora_alpha", "activity_regularizer"}
        for kind in ("Masked", "Thresholded", "Noisy")
        for layer in ("Conv2D", "Dense")
    },
    **{name: {"decay_input", "v_reset"} for neuron in ("AdLIF", "RLIF", "RadLIF") for name in (neuron, f"{neuron}Cell")},
    **{
        name: {"use_bias", "rank", "lora_rank", "lora_alpha", "activity_regularizer"}
        for name in ("QuantizedConv1D", "QuantizedConv2D", "QuantizedDense")
    },
}
"""Arguments of a base class that a class sets itself, or that Keras does not store."""


def arguments(cls):
    """The constructor's arguments and their defaults, followed through `**kwargs` to Keras' own."""
    found = {}
    for base in cls.__mro__:
        if base is keras.Layer:
            return {"name": None, "trainable": True, "dtype": None, **found}
        parameters = inspect.signature(base.__init__).parameters.values() if "__init__" in vars(base) else ()
        found = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"} | found
        if hasattr(base, "layer_class"):
            found = arguments(base.layer_class) | found
            found.pop("return_state")
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


OTHERS = {"weight_bits": 4}
"""Values other than the default of arguments that take few."""


def another(value):
    """A value other than this default, where there is an obvious one."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value + 0.25 if isinstance(value, float) else value


def test_the_registry_holds_every_public_layer_and_neuron():
    public = [getattr(module, name) for module in (layers, neurons) for name in module.__all__]
    classes = {cls.__name__ for cls in public if isinstance(cls, type) and not cls.__subclasses__()}
    assert classes <= set(REGISTERED)
    assert {"ATan", "LIF", "LIFCell", "OverTime"} <= set(REGISTERED)


@pytest.mark.parametrize("name", REGISTERED)
def test_every_argument_comes_back_from_the_config(name):
    cls, required = REGISTERED[name], REQUIRED.get(name, dict)
    config = cls(**required()).get_config()
    assert set(arguments(cls)) - COMPUTED.get(name, set()) <= set(config)
    assert cls.from_config(copy.deepcopy(config)).get_config() == config


@pytest.mark.parametrize("name", REGISTERED)
def test_the_config_holds_what_was_given_and_not_the_default(name):
    cls, required = REGISTERED[name], REQUIRED.get(name, dict)
    own = {
        argument: OTHERS.get(argument, another(parameter.default))
        for argument, parameter in inspect.signature(cls).parameters.items()
        if isinstance(parameter.default, (int, float)) and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    config = cls(**required(), **own).get_config()
    assert own == {argument: config[argument] for argument in own}
    again = cls.from_config(copy.deepcopy(config)).get_config()
    assert own == {argument: again[argument] for argument in own}


# Docstrings


@pytest.mark.parametrize("module", [layers, models, neurons], ids=lambda module: module.__name__.split(".")[1])
def test_every_public_docstring_has_an_example_or_leads_to_one(module):
    public = {name: getattr(module, name) for name in module.__all__ if callable(getattr(module, name))}
    bases = {name for name, cls in public.items() if isinstance(cls, type) and cls.__subclasses__()}
    leads = re.compile("Example:|" + "|".join(f"`{name}[`(]" for name in public) + "|such as `")
    assert not [name for name in public.keys() - bases if not leads.search(inspect.getdoc(public[name]) or "")]
    assert all(vars(public[name]).get("__doc__") for name in bases)
