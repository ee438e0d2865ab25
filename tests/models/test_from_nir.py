"""NIR files as others write them: read by the definitions of their nodes, and refused where they cannot be, are damaged or mean harm."""

import itertools
import warnings

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models, neurons
from keras_snnkd.errors import FileFormatError, UnknownNameError
from keras_snnkd.models import nir_file
from tests import nir_files

h5py, nir = pytest.importorskip("h5py"), pytest.importorskip("nir")
DT = 1e-4


@pytest.fixture(autouse=True)
def _quick_reader(request, monkeypatch):
    if "own_process" not in request.fixturenames:
        monkeypatch.setattr(nir_file, "unpack", nir_files.unpack_here)


@pytest.fixture
def own_process():
    """For tests of the reader's process itself."""


def lif(shape=(3,), tau=2 * DT, r=1.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0):
    values = {"tau": tau, "r": r, "v_leak": v_leak, "v_threshold": v_threshold, "v_reset": v_reset}
    return nir.LIF(**{name: np.full(shape, value) for name, value in values.items()})


def affine(outputs=3, inputs=2, value=1.0):
    return nir.Affine(np.full((outputs, inputs), value, "float32"), np.zeros(outputs, "float32"))


def chain(path, *nodes, shape, metadata=None):
    """A file of nodes, one after the other."""
    names = ["input", *(f"{index}" for index in range(len(nodes))), "output"]
    ends = nir.Input(np.array(shape)), nir.Output(np.array(nodes[-1].output_type["output"]))
    nodes = dict(zip(names, [ends[0], *nodes, ends[1]], strict=True))
    nir.write(path, nir.NIRGraph(nodes, list(itertools.pairwise(names)), metadata=metadata or {}))
    return path


@pytest.fixture
def path(tmp_path):
    """A small whole file: 2 inputs, a matrix of ones, 3 LIF neurons."""
    return chain(tmp_path / "small.nir", affine(), lif(), shape=(2,), metadata={"timesteps": 4})


def test_a_neuron_fires_above_the_threshold_and_not_at_it(path):
    # x = 2, tau = 2:  v 1.0 (not above 1)  1.5 -> spike, reset 0  1.0  1.5 -> spike
    back = models.from_nir(path, readout="spike_count")
    np.testing.assert_array_equal(back(np.ones((1, 2), "float32")), [[2, 2, 2]])
    # ours, with the threshold 1, fire at 1.0:  1 1 1 1
    ours = neurons.LIF(tau=2.0, threshold=1.0)(np.full((1, 4, 1), 2.0, "float32"))
    np.testing.assert_array_equal(ours[0, :, 0], [1, 1, 1, 1])


@pytest.mark.parametrize("after", ["affine", "neuron", "output"])
def test_maps_are_flattened_in_nirs_order_whatever_reads_them(after, tmp_path):
    rng = np.random.default_rng(0)
    conv = nir.Conv2d(
        (5, 5), rng.normal(size=(3, 2, 3, 3)).astype("float32"), (2, 2), (1, 1), (1, 1), 1, rng.normal(size=3).astype("float32")
    )
    flatten = nir.Flatten(np.array([3, 3, 3]), 0, -1)
    tail = {
        "affine": [nir.Affine(rng.normal(size=(4, 27)).astype("float32"), np.zeros(4, "float32"))],
        "neuron": [lif((27,))],
        "output": [],
    }
    file = chain(tmp_path / f"{after}.nir", conv, lif((3, 3, 3), v_threshold=0.5), flatten, *tail[after], shape=(2, 5, 5))
    x = rng.normal(size=(6, 5, 5, 2)).astype("float32")
    expected = nir_files.run(file, np.repeat(np.moveaxis(x, -1, 1)[:, None], 4, 1))
    assert 0 < expected["1"].mean() < 1
    np.testing.assert_allclose(models.from_nir(file, timesteps=4)(x), expected["output"].mean(1), atol=1e-5)


def test_edges_that_meet_are_added(tmp_path):
    nodes = {"in": nir.Input(np.array([2])), "a": affine(value=0.5), "b": affine(value=1.0), "lif": lif(), "out": nir.Output(np.array([3]))}
    edges = [("in", "a"), ("in", "b"), ("a", "lif"), ("b", "lif"), ("lif", "out")]
    nir.write(tmp_path / "sum.nir", nir.NIRGraph(nodes, edges))
    # 0.5 + 0.5 + 1 + 1 = 3: v 1.5 at each step
    np.testing.assert_array_equal(models.from_nir(tmp_path / "sum.nir", 5, readout="spike_count")(np.ones((1, 2), "float32")), [[5, 5, 5]])


def test_average_pooling_and_strings_of_padding(tmp_path):
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(2, 1, 3, 3)).astype("float32")
    pool = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([1, 1]))
    conv = nir.Conv2d((4, 4), weight, 1, "same", 1, 1, np.zeros(2, "float32"))
    nodes = {
        "in": nir.Input(np.array([1, 4, 4])),
        "conv": conv,
        "pool": pool,
        "lif": lif((2, 3, 3)),
        "out": nir.Output(np.array([2, 3, 3])),
    }
    nir.write(tmp_path / "pool.nir", nir.NIRGraph(nodes, [("in", "conv"), ("conv", "pool"), ("pool", "lif"), ("lif", "out")]))
    x = rng.normal(size=(3, 4, 4, 1)).astype("float32") * 4
    same = nir_files.compute(
        {"type": b"Conv2d", "weight": weight, "bias": np.zeros(2), "stride": (1, 1), "padding": (1, 1)}, np.moveaxis(x, -1, 1)[:, None]
    )
    mean = nir_files.sliding(same, (2, 2), (2, 2), (1, 1)).mean((-2, -1))
    spikes = models.from_nir(tmp_path / "pool.nir", 1)(x)
    np.testing.assert_array_equal(np.moveaxis(spikes, -1, 1), (mean[:, 0] / 2 > 1).astype("float32"))
    assert 0 < np.mean(spikes) < 1


def test_what_the_file_does_not_say_has_to_be_given_and_what_is_given_goes_first(tmp_path, path):
    file = chain(tmp_path / "foreign.nir", affine(), lif(), shape=(2,))
    with pytest.raises(FileFormatError, match=r"does not say the number of time steps T; give it, from_nir\(path, timesteps=4\)"):
        models.from_nir(file)
    assert models.from_nir(file, 3).get_layer("encoder").timesteps == 3
    back = models.from_nir(path, 7, encoder="latency", readout="last_step", name="mine")
    assert (back.name, back.get_layer("encoder").timesteps, type(back.get_layer("readout")).__name__) == ("mine", 7, "LastStep")
    assert models.from_nir(path, encoder="none").input_shape == (None, 4, 2)
    with pytest.raises(UnknownNameError, match=r"unknown readout 'men'\. Did you mean 'mean'"):
        models.from_nir(path, readout="men")
    with pytest.raises(ValueError, match="number of time steps T must be a whole number above 0, got 0"):
        models.from_nir(path, 0)


def test_the_model_is_in_float32_under_a_mixed_policy(path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert {layer.compute_dtype for layer in models.from_nir(path).layers[1:]} == {"float32"}


def test_each_neuron_may_have_a_time_constant_of_its_own(tmp_path):
    file = chain(tmp_path / "taus.nir", affine(), lif(tau=np.array([2, 3, 4]) * DT), shape=(2,))
    layer = next(layer for layer in models.from_nir(file, 4).layers if isinstance(layer, neurons.LIF))
    np.testing.assert_allclose(layer.leak, [1 / 2, 1 / 3, 1 / 4], rtol=1e-6)


# What a file leaves open

AT_THRESHOLD = np.ones((1, 2), "float32")
"""With it each neuron of `path` gets the current 2, and is at its threshold after one step."""


@pytest.mark.parametrize(
    ("fires", "reset", "expected"),
    [("above", "hard", [0, 1, 0, 1]), ("at", "hard", [1, 1, 1, 1]), ("above", "soft", [0, 1, 1, 1]), ("at", "soft", [1, 1, 1, 1])],
)
def test_when_a_neuron_fires_and_what_that_does_is_as_given(tmp_path, fires, reset, expected):
    """x = 2, tau = 2: 1.0; then 1.5, which a soft reset makes 0.5, of which comes 1.25."""
    file = chain(tmp_path / "foreign.nir", affine(), lif(), shape=(2,))
    back = models.from_nir(file, 4, fires=fires, reset=reset, readout="spike_count")
    spikes = keras.Model(back.input, back.get_layer("1").output)(AT_THRESHOLD)
    np.testing.assert_array_equal(np.asarray(spikes)[0, :, 0], expected)


def test_what_is_decided_for_a_foreign_file_is_said(tmp_path):
    file = chain(tmp_path / "foreign.nir", affine(), lif(), shape=(2,))
    with pytest.warns(UserWarning, match=r"neurons that fire above the threshold and a hard reset.*fires=\"at\".*reset=\"soft\""):
        models.from_nir(file, 4)
    with pytest.warns(UserWarning, match="read with a hard reset"):
        models.from_nir(file, 4, fires="at")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.from_nir(file, 4, fires="at", reset="hard")
        said = {"fires": "at", "reset": "soft"}
        layer = models.from_nir(chain(tmp_path / "said.nir", affine(), lif(), shape=(2,), metadata=said), 4).get_layer("1")
    assert (layer.dynamics.threshold, layer.get_config()["reset"]) == (1.0, "soft")


def test_our_own_files_say_all_of_it(tmp_path):
    model = models.MLP((2, 2, 1), 3, widths=(4,), timesteps=2, name="student")
    kd.export.nir(model, tmp_path / "student.nir", samples=np.zeros((4, 2, 2, 1), "float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.from_nir(tmp_path / "student.nir")
    metadata = nir.read(tmp_path / "student.nir").metadata
    assert (metadata["fires"], metadata["reset"]) == ("above", "hard")


def test_an_unknown_way_is_refused(path):
    with pytest.raises(UnknownNameError, match=r"unknown reset 'sof'\. Did you mean 'soft'"):
        models.from_nir(path, reset="sof")


def test_sum_pooling_adds_up(tmp_path):
    rng = np.random.default_rng(1)
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([1, 1]))
    nodes = {"in": nir.Input(np.array([2, 4, 4])), "pool": pool, "lif": lif((2, 3, 3)), "out": nir.Output(np.array([2, 3, 3]))}
    nir.write(tmp_path / "pool.nir", nir.NIRGraph(nodes, [("in", "pool"), ("pool", "lif"), ("lif", "out")]))
    x = rng.normal(size=(3, 4, 4, 2)).astype("float32")
    total = nir_files.sliding(np.moveaxis(x, -1, 1)[:, None], (2, 2), (2, 2), (1, 1)).sum((-2, -1))
    back = models.from_nir(tmp_path / "pool.nir", 1)
    np.testing.assert_array_equal(np.moveaxis(back(x), -1, 1), (total[:, 0] / 2 > 1).astype("float32"))
    assert not back.trainable_weights


def test_a_file_of_steps_of_one_second_is_read_with_them(tmp_path):
    file = chain(tmp_path / "seconds.nir", affine(), nir.IF(np.ones(3), np.full(3, 3.0), np.zeros(3)), shape=(2,))
    back = models.from_nir(file, 4, dt=1.0, fires="at", readout="spike_count")
    np.testing.assert_array_equal(back(AT_THRESHOLD), [[2, 2, 2]])  # 2, 4 -> spike, 2, 4 -> spike


# Refused

UNREADABLE = {
    "other thresholds": ([lif(v_threshold=np.array([1.0, 2.0, 3.0]))], "3 different values"),
    "no memory in one": ([lif(tau=np.array([2, 1, 4]) * DT)], "time constants from 1 to 4 steps, expected more than 1"),
    "no memory": ([lif(tau=DT)], "tau must be greater than 1"),
    "another rest": ([lif(v_leak=0.5)], r"rests at 0\.5 and is reset to 0\.0; here both are one"),
    "another resistance": ([lif(r=3.0)], r"r = 3, expected 1 or tau / dt = 2; was it written for another step \(dt=6\.66667e-05\)\?"),
    "another step": (
        [nir.IF(np.ones(3), np.ones(3))],
        r"r = 1, expected 1 / dt = 10000; was it written for steps of 1 s\? Then read it with dt=1",
    ),
    "negative threshold": ([lif(v_threshold=-1.0)], "threshold must be greater than 0"),
    "nan": ([affine(3, 3, np.nan)], "where finite numbers are expected"),
    "infinite leak": ([lif(tau=np.inf)], "expected a finite one"),
    "currents": ([nir.CubaLIF(*[np.full(3, 2 * DT)] * 2, *[np.ones(3)] * 3)], "is a CubaLIF, for which there is no layer"),
    "delay": ([nir.Delay(np.ones(3))], "is a Delay, for which there is no layer"),
    "scale": ([nir.Scale(np.ones(3))], "is a Scale, for which there is no layer"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_there_is_no_layer_for_is_refused_by_the_nodes_name(name, tmp_path):
    nodes, match = UNREADABLE[name]
    file = chain(tmp_path / "foreign.nir", affine(), *nodes, shape=(2,))
    with pytest.raises(FileFormatError, match=rf"foreign.nir cannot be read as a Keras model: node '1'.*{match}"):
        models.from_nir(file, 4)


def test_recurrence_is_refused(tmp_path):
    nodes = {"in": nir.Input(np.array([2])), "a": affine(), "lif": lif(), "back": affine(3, 3), "out": nir.Output(np.array([3]))}
    edges = [("in", "a"), ("a", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "out")]
    nir.write(tmp_path / "loop.nir", nir.NIRGraph(nodes, edges))
    with pytest.raises(FileFormatError, match="it is recurrent"):
        models.from_nir(tmp_path / "loop.nir", 4)


def edited(path, edit):
    with h5py.File(path, "r+") as file:
        edit(file)


def replace(file, name, **arguments):
    del file[name]
    file.create_dataset(name, **arguments)


def laugh(file):
    """Groups that hold the next one twice: few bytes, 2^40 places."""
    file["node/nodes/0/x0"] = inner = file.create_group("end")
    for depth in range(40):
        outer = file.create_group(f"level{depth}")
        outer["a"] = outer["b"] = inner
        inner = outer


HARMFUL = {
    "a link to another file": (
        lambda f: f["node/nodes/0"].__setitem__("more", h5py.ExternalLink("other.h5", "/")),
        "refers to other files",
    ),
    "a soft link": (lambda f: f["node"].__setitem__("more", h5py.SoftLink("/node")), "refers to other files or places"),
    "itself": (lambda f: f["node"].__setitem__("more", f["node"]), "nests groups deeper"),
    "groups in groups": (laugh, "unpacks to more than"),
    "weights elsewhere": (
        lambda f: replace(f, "node/nodes/0/weight", shape=(3, 2), dtype="f4", external=[("/etc/hostname", 0, 24)]),
        "keeps the array .* in another file",
    ),
    "an array of terabytes": (
        lambda f: replace(f, "node/nodes/0/weight", shape=(2**20, 2**20), dtype="f4", chunks=(1024, 1024)),
        "unpacks to more than",
    ),
    "a million edges": (lambda f: replace(f, "node/edges", shape=(10**6, 2), dtype=h5py.string_dtype()), "edges"),
    "weights of text": (lambda f: replace(f, "node/nodes/0/weight", data=np.array([[b"a", b"b"]] * 3)), "finite numbers are expected"),
    "no weights": (lambda f: replace(f, "node/nodes/0/weight", data=h5py.Empty("f4")), "not a whole"),
    "a missing array": (lambda f: f.__delitem__("node/nodes/0/weight"), "holds no NIR graph"),
    "a bias too short": (lambda f: replace(f, "node/nodes/0/bias", data=np.zeros(2, "f4")), "makes no layer"),
    "an unknown kind": (lambda f: replace(f, "node/nodes/0/type", data="__import__"), "holds no NIR graph"),
    "a single node": (
        lambda f: (f.move("node/nodes/0", "alone"), f.__delitem__("node"), f.move("alone", "node")),
        "holds no NIR graph|single Affine",
    ),
    "steps that are text": (lambda f: replace(f, "node/metadata/timesteps", data="many"), "metadata that mean nothing here"),
    "no steps": (lambda f: replace(f, "node/metadata/timesteps", data=-4), "metadata that mean nothing here"),
    "an unknown readout": (lambda f: f["node/metadata"].create_dataset("readout", data="eval"), "metadata that mean nothing here"),
    "two inputs": (lambda f: f.copy("node/nodes/input", "node/nodes/second"), "expected one of each|holds no NIR graph"),
}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_or_senseless_file_is_refused(name, path):
    edit, match = HARMFUL[name]
    edited(path, edit)
    with pytest.raises(FileFormatError, match=match):
        models.from_nir(path)


def test_a_truncated_file_is_refused_wherever_it_ends(path, tmp_path):
    content, short = path.read_bytes(), tmp_path / "short.nir"
    for length in [0, 8, 100, *range(500, len(content), len(content) // 23), len(content) - 1]:
        short.write_bytes(content[:length])
        with pytest.raises(FileFormatError, match="not a whole"):
            models.from_nir(short)


def test_foreign_and_missing_files_are_refused(tmp_path):
    (tmp_path / "text.nir").write_text("this is no graph")
    with pytest.raises(FileFormatError, match="not a whole"):
        models.from_nir(tmp_path / "text.nir")
    with h5py.File(tmp_path / "foreign.nir", "w") as file:
        file["weights"] = np.ones(3)
    with pytest.raises(FileFormatError, match="holds no NIR graph"):
        models.from_nir(tmp_path / "foreign.nir")
    with pytest.raises(FileFormatError, match="there is no file"):
        models.from_nir(tmp_path / "missing.nir")


@pytest.mark.slow
def test_a_file_on_which_hdf5_hangs_is_refused_in_time(path, own_process, monkeypatch):
    monkeypatch.setattr(nir_file, "TIMEOUT_SECONDS", 3)
    content = bytearray(path.read_bytes())
    content[content.index(b"LIF\0") - 8] = 255  # the length of this text; HDF5 1.14 then looks for the next one for ever
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"its reader (took longer than 3 s and was stopped|failed with exit code 1)"):
        models.from_nir(path)


def test_the_reader_of_its_own_process_gives_the_same_model_and_tells_why_it_failed(path, own_process, tmp_path):
    assert models.from_nir(path).get_layer("1").threshold == pytest.approx(1, abs=1e-6)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FileFormatError, match=r"its reader failed with exit code 1. Its last lines:\nOSError: .*truncated"):
        models.from_nir(path)


@pytest.mark.slow
def test_a_file_with_a_wrong_byte_is_read_or_refused_and_nothing_else(path, own_process, tmp_path, monkeypatch):
    monkeypatch.setattr(nir_file, "TIMEOUT_SECONDS", 3)
    rng, content, wrong = np.random.default_rng(0), path.read_bytes(), tmp_path / "wrong.nir"
    places = rng.choice(np.flatnonzero(np.frombuffer(content, "uint8")), 12, replace=False)
    refused = 0
    for place in places:
        wrong.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        try:
            models.from_nir(wrong)
        except FileFormatError:
            refused += 1
    assert refused > 0
