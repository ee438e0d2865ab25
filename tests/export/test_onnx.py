"""ONNX files in onnxruntime: the same logits and spikes, ONNX' own operators, and files that are refused."""

import importlib
import os
import sys

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ExportError, FileFormatError, ShapeError
from keras_snnkd.export import ONNX, _convert_onnx, freeze
from keras_snnkd.export.onnx_file import seal_onnx
from keras_snnkd.files.extras import MissingPackageError
from tests.export.conftest import BUILDS, SHAPE, busy
from tests.sampling import sampled

onnx = pytest.importorskip("onnx")
for needed in ("onnxruntime", "tf2onnx"):
    pytest.importorskip(needed)
MODULE = importlib.import_module("keras_snnkd.export.onnx")


@pytest.fixture
def in_process(monkeypatch):
    """Conversions in this process, which saves the import of TensorFlow."""
    monkeypatch.setattr(MODULE, "convert", lambda jobs: [_convert_onnx.convert(endpoint="serve", **job) for job in jobs])


@pytest.fixture(scope="module")
def file(tmp_path_factory, student, samples):
    """By the converter in its own process."""
    path = tmp_path_factory.mktemp("onnx") / "student.onnx"
    return path, kd.export.onnx(student, path, samples=samples)


@pytest.mark.merge
def test_the_file_gives_the_logits_of_the_model_for_any_batch_size(file, student, samples):
    path, report = file
    assert (report.target, report.agreement, report.bytes) == ("onnx", 1.0, path.stat().st_size)
    assert list(report.spike_differences) == ["block1_neuron", "block2_neuron"]
    assert max(report.spike_differences.values()) <= 1e-4
    expected = student.predict(samples, verbose=0)
    for size in (1, 7, 64):
        np.testing.assert_allclose(ONNX(path).predict(samples, batch_size=size), expected, atol=1e-4)
    assert os.listdir(path.parent) == ["student.onnx"]


@pytest.mark.merge
def test_the_file_needs_the_operators_of_onnx_alone_and_names_its_ends(file):
    path, report = file
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {"Conv", "MaxPool", "Floor"} <= set(report.operators)
    assert not {"Loop", "Scan", "If"} & set(report.operators)
    ends = [*model.graph.input, *model.graph.output]
    shapes = [(end.name, [size.dim_param or size.dim_value for size in end.type.tensor_type.shape.dim]) for end in ends]
    assert shapes == [("image", ["batch", 8, 8, 1]), ("logits", ["batch", 10])]


@pytest.mark.parametrize("name", sampled(["convnet_average_alif", "mlp_membrane_latency_plif"]))
def test_every_kind_of_neuron_encoder_and_readout_does_the_same(name, tmp_path, samples, in_process):
    model = busy(**BUILDS[name])
    report = kd.export.onnx(model, tmp_path / "student.onnx", samples=samples)
    assert report.agreement == 1.0
    assert report.max_logit_difference <= 1e-5 * report.logit_range
    assert max(report.spike_differences.values(), default=0) <= 1e-4


def refused(match, student, folder, samples):
    with pytest.raises(ExportError, match=match):
        kd.export.onnx(student, folder / "student.onnx", samples=samples)
    assert os.listdir(folder) == []


@pytest.mark.slow
def test_another_threshold_is_found(student, samples, tmp_path, monkeypatch, reference, in_process):
    monkeypatch.setattr(MODULE, "Reference", lambda model, samples: reference)
    other = models.build(**{**BUILDS["convnet_flatten"], "threshold": 1.01}, image_shape=SHAPE, num_classes=10)
    models.copy_weights(student, other)
    monkeypatch.setattr(MODULE, "freeze", lambda model, taps=(): freeze(other, taps=taps))
    refused(r"layer block1_neuron: \d+ of its .* spikes .* differ", student, tmp_path, samples)


@pytest.mark.merge
def test_lost_weights_torn_graphs_and_foreign_operators_are_found(file, student, samples, tmp_path, monkeypatch, reference):
    monkeypatch.setattr(MODULE, "Reference", lambda model, samples: reference)
    monkeypatch.setattr(MODULE, "write_archive", lambda *arguments: None)

    def lose(model):
        for tensor in model.graph.initializer:
            if len(tensor.dims) > 1:
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros([1] * len(tensor.dims), "float32"), tensor.name))

    def tear(model):
        del model.graph.initializer[:]

    def estrange(model):
        next(node for node in model.graph.node if node.op_type == "Floor").domain = "com.example"
        model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))

    faults = {
        lose: r"lost weights\. The model's kernels have 3,\d\d\d elements",
        tear: "the converter made a file that cannot be read",
        estrange: r"operators that are not ONNX' own: com\.example\.Floor",
    }
    for change, match in faults.items():
        model = onnx.load(file[0])
        change(model)
        monkeypatch.setattr(MODULE, "convert", lambda jobs, model=model: [onnx.save(model, job["output"]) for job in jobs])
        refused(match, student, tmp_path, samples)


def test_a_converter_that_crashes_is_refused(student, samples, tmp_path, monkeypatch, reference):
    monkeypatch.setattr(MODULE, "Reference", lambda model, samples: reference)
    monkeypatch.setattr(MODULE, "write_archive", lambda *arguments: None)
    script, folder = tmp_path / "crash.py", tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(MODULE._convert_onnx, "__file__", str(script))
    for program, match in [("import os; os.kill(os.getpid(), 9)", "the ONNX converter was killed by signal 9"), ("pass", "did not write")]:
        script.write_text(program)
        refused(match, student, folder, samples)


@pytest.mark.merge
def test_foreign_truncated_and_missing_files_are_refused(file, tmp_path):
    content, bad = file[0].read_bytes(), tmp_path / "bad.onnx"
    for piece in [b"", b"this is no model at all", *(content[:n] for n in range(100, len(content), len(content) // 9)), content[:-1]]:
        bad.write_bytes(piece)
        with pytest.raises(FileFormatError):
            ONNX(bad)
    with pytest.raises(FileFormatError, match="there is no file"):
        ONNX(tmp_path / "missing.onnx")
    model = onnx.load(file[0])
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(FileFormatError, match="keeps weights in other files"):
        ONNX(tmp_path / "outside.onnx")


@pytest.mark.merge
def test_images_of_another_shape_or_dtype_are_refused(file):
    with pytest.raises(ShapeError, match=r"expected images \[N, 8, 8, 1\]"):
        ONNX(file[0]).predict(np.zeros((2, 28, 28, 1), "float32"))
    with pytest.raises(ShapeError, match="images / 256"):
        ONNX(file[0]).predict(np.zeros((2, 8, 8, 1), "uint8"))


def test_without_the_packages_one_line_says_what_to_install(student, samples, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingPackageError, match=r"needs the package tf2onnx: pip install 'keras_snnkd\[onnx\]'"):
        kd.export.onnx(student, tmp_path / "student.onnx", samples=samples)


def foreign(path, outputs=("scores",), batch=None, argmax=False, shape=(4, 4, 1), classes=3):
    """A file as another program might write it: a matrix of ones and twos, flattened images to scores."""
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.arange(16 * classes, dtype="float32").reshape(16, classes) % 5, "weights")
    nodes = [helper.make_node("Flatten", ["picture"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], [outputs[0]])]
    kinds = {outputs[0]: (TensorProto.FLOAT, [batch or "n", classes])}
    for name in outputs[1:]:
        nodes.append(helper.make_node("Identity", [outputs[0]], [name]))
        kinds[name] = kinds[outputs[0]]
    if argmax:
        nodes.append(helper.make_node("ArgMax", [outputs[0]], ["class"], axis=1, keepdims=0))
        kinds = {"class": (TensorProto.INT64, [batch or "n"])}
    ends = [helper.make_tensor_value_info(name, kind, size) for name, (kind, size) in kinds.items()]
    start = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch or "n", *shape])
    model = helper.make_model(
        helper.make_graph(nodes, "foreign", [start], ends, [weights]), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.save(model, path)
    return path


PICTURES = np.random.default_rng(0).uniform(size=(5, 4, 4, 1)).astype("float32")
SCORES = PICTURES.reshape(5, 16) @ (np.arange(48, dtype="float32").reshape(16, 3) % 5)


@pytest.mark.parametrize("batch", [None, 1, 2, 8])
def test_a_foreign_file_with_another_name_and_a_fixed_batch_is_run(batch, tmp_path):
    found = ONNX(foreign(tmp_path / "foreign.onnx", batch=batch)).predict(PICTURES)
    np.testing.assert_allclose(found, SCORES, rtol=1e-5)


def test_of_several_outputs_the_logits_are_taken_or_named(tmp_path):
    named = foreign(tmp_path / "named.onnx", outputs=("features", "logits"))
    np.testing.assert_allclose(ONNX(named).predict(PICTURES), SCORES, rtol=1e-5)
    with pytest.raises(FileFormatError, match=r"has the outputs scores, more; expected one, or one that is called logits"):
        ONNX(foreign(tmp_path / "two.onnx", outputs=("scores", "more"))).predict(PICTURES)


def test_a_file_that_ends_in_an_argmax_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"gives int64 of shape \[N\], expected logits .*does it end in an argmax"):
        ONNX(foreign(tmp_path / "class.onnx", argmax=True)).predict(PICTURES)


def test_channels_that_stand_elsewhere_are_named(tmp_path):
    turned = ONNX(foreign(tmp_path / "first.onnx", shape=(1, 4, 4)))
    with pytest.raises(ShapeError, match=r"give images.transpose\(0, 3, 1, 2\)"):
        turned.predict(PICTURES)
    np.testing.assert_allclose(turned.predict(PICTURES.transpose(0, 3, 1, 2)), SCORES, rtol=1e-5)


def test_our_file_ends_in_its_checksum(tmp_path):
    """In the form of a field that readers pass over; any changed byte is told."""
    path = foreign(tmp_path / "sealed.onnx")
    seal_onnx(path)
    np.testing.assert_allclose(ONNX(path).predict(PICTURES), SCORES, rtol=1e-5)
    content = bytearray(path.read_bytes())
    place = content.index(np.float32(4).tobytes())
    content[place + 2] ^= 1  # a weight
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"sealed.onnx is damaged: it is not as it was written"):
        ONNX(path)


@pytest.mark.merge
def test_what_is_exported_is_sealed(file):
    content = file[0].read_bytes()
    assert b"SHA-256" in content[-100:]
