"""The same faults in a file of each form: each has to be found, with no file under the final name."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_snnkd.errors import ExportError, FileFormatError
from keras_snnkd.export import freeze
from keras_snnkd.files.staging import staged
from keras_snnkd.models import quantize_aware
from tests.export.conftest import LITERT, SHAPE, digits, trained
from tests.sampling import sampled

BYTES = digits()[0] * np.float32(16 * 15 / 256)
ROOT = Path(__file__).parents[2]
FORMS = ["float16", "dynamic", "int8", "int8 aware"]


@pytest.fixture(scope="module")
def references():
    """What the files of each form are compared with."""
    keras.utils.set_random_seed(0)
    student = trained("mlp:64")
    plain = LITERT.Reference(student, BYTES[:64])
    return {**dict.fromkeys(FORMS, plain), "int8 aware": LITERT.Reference(quantize_aware(student, BYTES[:128]), BYTES[:64])}


@pytest.fixture
def refused(references, tmp_path, monkeypatch, in_process):
    """Writes a file of a form, of another model if one is given, and expects an error."""

    def check(form, match, model=None, error=ExportError):
        if model is not None:
            monkeypatch.setattr(LITERT, "freeze", lambda _, batch_size=None, taps=(): freeze(model, batch_size, taps))
        final = tmp_path / "student.tflite"
        with pytest.raises(error, match=match), staged(final) as (file,):
            LITERT.write_litert(references[form], {form.split()[0]: file}, [final], calibration=BYTES[500:600])
        assert os.listdir(tmp_path) == []

    return check


def changed(reference, change=lambda layer: None):
    """A model with the reference's weights, and what `change(layer)` returns in place of some layers."""

    def make(layer):
        return change(layer) or type(layer).from_config(layer.get_config())

    other = keras.models.clone_model(reference.model, clone_function=make)
    for layer, source in zip(other.layers, reference.model.layers, strict=True):
        layer.set_weights(source.get_weights())
    return other


@pytest.mark.slow
@pytest.mark.parametrize("form", sampled(FORMS, "int8 aware"))
def test_a_swapped_threshold_is_found(form, references, refused):
    def halved(layer):
        if layer.name == "block1_neuron":
            return type(layer).from_config({**layer.get_config(), "threshold": 0.5})
        return None

    one_by_one = r"layer block1_neuron: \d+ of its .* spikes in 64 samples differ"
    refused(form, one_by_one if form == "int8 aware" else "of its spikes differ, allowed are", changed(references[form], halved))


@pytest.mark.slow
@pytest.mark.parametrize("form", sampled(["float16", "int8", "int8 aware"], "int8"))
def test_other_weights_are_found(form, references, refused):
    other = changed(references[form])
    kernel = other.get_layer("block1_dense").kernel
    kernel.assign(np.roll(kernel, 1, axis=0))  # as many, and of the same size: only what the file computes can tell
    refused(form, "block1_neuron: .* differ", other)


@pytest.mark.slow
def test_another_number_of_time_steps_is_found(references, refused):
    def longer(layer):
        return type(layer).from_config({**layer.get_config(), "timesteps": 5}) if layer.name == "encoder" else None

    refused("int8 aware", r"block1_neuron: shape \(5, 64\) of one sample, expected \(4, 64\)", changed(references["int8 aware"], longer))


@pytest.mark.slow
def test_numbers_out_of_range_are_found(references, refused):
    other = changed(references["dynamic"])
    other.get_layer("classifier").layer.bias.assign(np.full(10, 3e38))
    other.get_layer("classifier").layer.kernel.assign(np.full((64, 10), 3e38))
    refused("dynamic", "logits: NaN or infinite values", other)


@pytest.mark.slow
@pytest.mark.parametrize("form", sampled(["int8", "int8 aware"], "int8 aware"))
def test_floating_point_in_a_file_of_integers_is_found(form, refused, monkeypatch):
    """Of a step in other operators, and of a converter that was not told any ranges."""
    archive = LITERT.write_archive
    monkeypatch.setattr(LITERT, "write_archive", lambda *arguments, **more: archive(*arguments, **{**more, "spike": "floor"}))
    refused(form, r"left in floating point: .*(FLOOR|FULLY_CONNECTED)")


@pytest.mark.slow
@pytest.mark.parametrize("form", sampled(FORMS, "dynamic", "int8 aware"))
def test_a_file_that_is_cut_short_is_found(form, refused, monkeypatch):
    content = (ROOT / "saved_models" / "digits_student" / "model_dynamic.tflite").read_bytes()
    monkeypatch.setattr(LITERT, "write_archive", lambda *arguments, **more: None)
    monkeypatch.setattr(LITERT, "convert", lambda jobs: [job["output"].write_bytes(content[: len(content) // 2]) for job in jobs])
    refused(form, "damaged or truncated", error=FileFormatError)


@pytest.mark.slow
def test_operators_that_are_not_built_in_are_found_in_a_file_of_integers_too(refused, monkeypatch):
    @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), "float32", name="image")])
    def serve(image):
        return {"logits": tf.reduce_sum(tf.raw_ops.Erfinv(x=image), axis=(1, 2))}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()])
    converter.allow_custom_ops = True
    content = converter.convert()
    monkeypatch.setattr(LITERT, "write_archive", lambda *arguments, **more: None)
    monkeypatch.setattr(LITERT, "convert", lambda jobs: [job["output"].write_bytes(content) for job in jobs])
    refused("int8", "operators that LiteRT does not have built in: Erfinv")
