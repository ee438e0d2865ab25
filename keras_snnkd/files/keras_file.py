"""What a `.keras` file may hold: looked through before Keras makes anything of it.

Keras' safe mode refuses Lambda layers. It does not refuse to build layers of any size from a file of a few bytes, to import other
packages of its family, to follow what any of its built-in layers does with a path, or to read weights whose checksum it passes over.
"""

import copy
import io
import json
import math
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from keras_snnkd.errors import FileFormatError, nearest
from keras_snnkd.files.archives import check_archive
from keras_snnkd.keras_internals import FUNCTIONAL, OPERATIONS, without_memory

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = ("metadata.json", CONFIG, WEIGHTS)

LAYERS = frozenset(
    """
    Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D
    AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D
    Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Flatten GRU
    GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention Identity InputLayer
    LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum
    MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization RNN RandomBrightness RandomContrast
    RandomCrop RandomFlip RandomHue RandomRotation RandomSaturation RandomTranslation RandomZoom ReLU RepeatVector
    Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D
    SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells Subtract TimeDistributed UnitNormalization
    UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()  # noqa: SIM905
)
"""Layers of Keras that compute and do nothing else. Those that hold code or read files (Lambda, TFSMLayer, TorchModuleWrapper, JaxLayer,
FlaxLayer, StringLookup, ...) are not here, and what a later Keras adds is not either."""

PURE = ("activations", "constraints", "dtype_policies", "initializers", "losses", "quantizers", "regularizers")
"""Modules of Keras whose classes all just compute."""

OTHERS = {
    FUNCTIONAL,
    ("keras", "Sequential"),
    ("keras", "DTypePolicy"),
    ("keras.random", "SeedGenerator"),
}
KERAS = ".keras"

TENSORS = ("__tensor__", "__numpy__")
PLAIN = ("__keras_tensor__", "__slice__", "__ellipsis__", "__bytes__")


def check_keras_file(path: str | Path) -> None:
    """Refuse a `.keras` file that is damaged, or that would do more than make a model of known layers.

    Args:
        path: The file.

    Raises:
        FileFormatError: For a damaged archive (see `check_archive`); a class that is neither a computing layer of Keras nor registered by
            the running program, or a function; weights that refer to other files or claim more than the file holds; a model larger than
            the weights in the file.
    """
    check_archive(path, MEMBERS)
    with zipfile.ZipFile(path) as archive:
        config, weights = json.loads(archive.read(CONFIG)), archive.read(WEIGHTS)
    if not isinstance(config, dict):
        raise TypeError(f"{CONFIG} holds {type(config).__name__}, expected a mapping")
    config["compile_config"] = None  # never used
    check_config(config)
    stored, needed = check_weights(weights), _weights_of(config)
    if needed > stored:
        raise FileFormatError(f"the model has {needed:,} weights, and its file holds {stored:,}")


def check_config(config: Any) -> None:
    """Refuse a configuration that names anything but computing classes of Keras and what the program has registered.

    Args:
        config: Of a model or layer, as plain data.

    Raises:
        FileFormatError: With the name that is refused.
    """
    rest = [config]
    while rest:
        value = rest.pop()
        if isinstance(value, list):
            rest += value
        if isinstance(value, dict):
            rest += value.values()
            if "class_name" in value:
                _check_class(value)


def _check_class(config: Any) -> None:
    name, module, registered = (config.get(key) for key in ("class_name", "module", "registered_name"))
    if name in TENSORS:
        dtype = str(config["config"]["dtype"])
        allowed = dtype == "bfloat16" or (dtype in np.sctypeDict and np.dtype(dtype).kind in "biuf")
    elif name == "function":
        allowed = isinstance(config["config"], str) and (_registered(config["config"]) or _is_activation(module, config["config"]))
    else:
        allowed = name in PLAIN or _registered(registered) or _computes(module, name)
    if not allowed:
        found = config["config"] if name == "function" else name
        raise FileFormatError(
            f"it names {f'{module}.' if module else ''}{found}, which is no layer of Keras that only computes, and is not registered "
            f"(keras.saving.register_keras_serializable); Lambda and other layers with code or paths are refused. {_remedy(module, found)}"
        )


def _remedy(module: Any, name: Any) -> str:
    """What to do about a class that is refused."""
    if module == "keras.layers":
        return (
            "Write what it does with keras.ops, or as a registered layer of your own, whose module is imported first (--import my_module)"
        )
    return "Register a class of your own, and import its module first (--import my_module)"


def _registered(name: Any) -> bool:
    """Whether the running program offers this name to Keras; what a file says does not add to that."""
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _is_activation(module: Any, name: Any) -> bool:
    return module in ("builtins", "keras.activations") and callable(getattr(keras.activations, name, None)) and not name.startswith("_")


def _computes(module: Any, name: Any) -> bool:
    if not isinstance(module, str) or not isinstance(name, str):
        return False
    part = module.removeprefix("keras.")
    if part in PURE:
        return isinstance(getattr(getattr(keras, part), name, None), type)
    if module.startswith(OPERATIONS):  # operations between layers of a functional model; no module is imported for it
        found = vars(sys.modules.get(module, object)).get(name)
        return isinstance(found, type) and issubclass(found, keras.Operation)
    return (module, name) in OTHERS or (module == "keras.layers" and name in LAYERS)


def check_weights(content: bytes) -> int:
    """Refuse an HDF5 file that is more than arrays in groups: links to elsewhere, arrays in other files, sizes that are claimed only.

    Args:
        content: The file.

    Returns:
        The number of elements in all arrays.

    Raises:
        FileFormatError: With the name of what is refused.
        OSError: If it cannot be read.
    """
    with h5py.File(io.BytesIO(content), "r") as file:
        elements, seen, groups = 0, set(), [file]
        while groups:
            group = groups.pop()
            for name in group:
                link, place = group.get(name, getlink=True), f"{group.name}/{name}"
                if not isinstance(link, h5py.HardLink):
                    raise FileFormatError(f"its weights hold a link to elsewhere, {place}")
                entry = group[name]
                address = h5py.h5o.get_info(entry.id).addr
                if address in seen:
                    raise FileFormatError(f"its weights hold {place} twice")
                seen.add(address)
                if isinstance(entry, h5py.Group):
                    groups.append(entry)
                elif not isinstance(entry, h5py.Dataset) or entry.external or entry.is_virtual or entry.dtype.kind not in "biufV":
                    raise FileFormatError(f"{place} of its weights is no plain array of numbers")
                elif entry.id.get_storage_size() < entry.nbytes:
                    raise FileFormatError(f"{place} of its weights claims {entry.nbytes:,} bytes and holds {entry.id.get_storage_size():,}")
                else:
                    elements += entry.size
    return elements


def _weights_of(config: Any) -> int:
    """The number of a model's weights, without memory for them."""
    with without_memory():
        model = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
        if not isinstance(model, keras.Model):
            raise FileFormatError(f"it holds a {type(model).__name__}, expected a model")
        stored = [variable for variable in model.variables if not variable.path.endswith("seed_generator_state")]
        return sum(math.prod(variable.shape) for variable in stored)


_HDF5 = "is a file of the older HDF5 format; make a .keras file of it: keras.saving.load_model({name!r}, compile=False).save({new!r})"
_FOREIGN = "is of another framework; build the network in Keras, copy the weights, and save it: model.save({new!r})"

OTHER_FORMATS = {
    ".weights.h5": "holds weights alone; build the model, model.load_weights({name!r}), and save it whole: model.save({new!r})",
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".pb": "is a part of a SavedModel, which has no layers any more; save the model that it was made from: model.save({new!r})",
    ".tflite": "is a file for devices, which has no layers any more; give the model that it was made from, saved by model.save({new!r})",
    ".json": "holds no weights; give a model with them, saved by model.save({new!r})",
    **dict.fromkeys((".onnx", ".pt", ".pth", ".safetensors"), _FOREIGN),
}
"""What files of other formats are, by ending, and what to do with them."""

SAVED_MODEL = (
    "is a SavedModel, which has no layers any more; save the model that it was made from, model.save({new!r}), or distil in Python from "
    "keras.Model(image, keras.layers.TFSMLayer({name!r}, call_endpoint='serve')(image))"
)


def other_format(path: str | Path) -> str | None:
    """What a file or folder of another format is, and what to do with it; `None` if it looks like a `.keras` file, or like no file at all.

    Example:
        >>> other_format("teacher.h5")  # "teacher.h5 is a file of the older HDF5 format; make a .keras file of it: ..."
    """
    name = str(path)
    plain = name.rstrip("/")
    if Path(path).is_dir() and (Path(path) / "saved_model.pb").is_file():
        return f"{name} {SAVED_MODEL.format(name=name, new=f'{plain.removesuffix(KERAS)}.keras')}"
    if (Path(path) / "model.keras").is_file():
        return f"{name} is a folder; give the model in it, {Path(path) / 'model.keras'}"
    ending = next((ending for ending in OTHER_FORMATS if plain.lower().endswith(ending)), None)
    if ending is not None:
        return f"{name} {OTHER_FORMATS[ending].format(name=name, new=f'{plain[: -len(ending)]}.keras')}"
    if plain.lower().endswith(KERAS) and not plain.endswith(KERAS):
        return f"{name} has an ending that Keras does not know; rename it to {plain[: -len(KERAS)]}.keras"
    return None


def check_model_file(path: Path) -> None:
    """Refuse what cannot be the file of a model: one that is not there, or of another kind; the file itself is not read.

    Raises:
        FileFormatError: With what to do, and the `.keras` file beside it that may have been meant.
    """
    folder = path.parent if path.name == "model.keras" and not path.exists() else path  # of a folder that was given
    if told := other_format(folder):
        raise FileFormatError(told)
    if not path.is_file():
        raise FileFormatError(
            f"there is no model file {path}; train one first (train.py --mode teacher), or check the path{meant_beside(path)}"
        )
    if path.suffix != KERAS or not zipfile.is_zipfile(path):
        raise FileFormatError(
            f"{path} is not a .keras file, or it is cut short; models are saved with model.save('name.keras'){meant_beside(path)}"
        )


def meant_beside(path: str | Path) -> str:
    """The question after the `.keras` file that lies where a path points, of several that which is most like it; empty if none is there."""
    path = Path(path)
    names = [file.name for file in path.parent.glob(f"*{KERAS}") if file.is_file() and file != path]
    found = names[0] if len(names) == 1 else nearest(path.name, names)
    return f". Did you mean {str(path.with_name(found))!r}?" if found else ""
