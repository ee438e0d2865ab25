"""NIR files in the frameworks that read them: SpikingJelly and snnTorch fire the same spikes, in every layer at every step.

Needs the extra `nir-peers`; without it, this file is skipped.
"""

import contextlib
import io

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.export.freeze import spiking_layers, tapped
from keras_snnkd.neurons import LIF
from tests import nir_files
from tests.export.conftest import trained

nir, torch = pytest.importorskip("nir"), pytest.importorskip("torch")
for needed in ("nirtorch", "spikingjelly", "snntorch"):
    pytest.importorskip(needed)
CASES = {
    "pooled": {"spec": "convnet:8,pool,16", "head": "flatten", "pooling": "average"},
    "pooled, whole current": {"spec": "convnet:8,pool,16", "pooling": "average", "decay_input": False, "tau": 3.0},
    "residual": {"spec": "resnet:8,16/1,1", "normalization": "threshold"},
    "learned leak": {"spec": "mlp:32,32", "neuron": "plif", "timesteps": 6},
}


@contextlib.contextmanager
def recorded(net):
    """The outputs of a graph's modules, step by step, by their names."""
    steps = {}

    def keep(name):
        return lambda module, inputs, output: steps.setdefault(name, []).append(output[0] if isinstance(output, tuple) else output)

    hooks = [module.register_forward_hook(keep(name)) for name, module in net.named_children()]
    with torch.no_grad():
        yield steps
    for hook in hooks:
        hook.remove()


def in_spikingjelly(path, frames):
    """The outputs of all nodes, `[N, T, ...]`, on frames `[N, T, ...]`."""
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    net, state = import_from_nir(path), None
    with recorded(net) as steps:
        for frame in torch.from_numpy(frames).unbind(1):
            _, state = net(frame.contiguous(), state)
    return {name: torch.stack(outputs, 1).numpy() for name, outputs in steps.items()}


def in_snntorch(path, frames):
    """The same; snnTorch takes one sample at a time, and keeps its state until it is reset."""
    from snntorch.import_nir import import_from_nir

    with contextlib.redirect_stdout(io.StringIO()):  # it prints its arrays
        net = import_from_nir(nir.read(path))
    rows = []
    for sample in torch.from_numpy(frames):
        for module in net.children():
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        with recorded(net) as steps:
            for frame in sample:
                net(frame.contiguous())
        rows.append({name: torch.stack(outputs) for name, outputs in steps.items()})
    return {name: torch.stack([row[name] for row in rows]).numpy() for name in rows[0]}


@pytest.fixture(scope="module", params=CASES)
def exported(request, tmp_path_factory, samples):
    keras.utils.set_random_seed(0)
    model = trained(**CASES[request.param], epochs=2)
    kd.models.round_weights(model)
    path = tmp_path_factory.mktemp("peers") / "student.nir"
    kd.export.nir(model, path, samples=samples)
    return model, path


@pytest.mark.parametrize("run", [in_spikingjelly, in_snntorch])
def test_no_spike_differs_in_any_layer_at_any_step(run, exported, samples):
    model, path = exported
    taps = spiking_layers(model)
    ours = tapped(model, taps)(samples)
    steps = model.get_layer("encoder").timesteps
    theirs = run(path, np.repeat(nir_files.channels_first(samples, 1)[:, np.newaxis], steps, 1))
    for tap in taps:
        spikes = nir_files.channels_first(np.asarray(ours[tap]), 2)
        assert 0.01 < spikes.mean() < 0.9
        assert int((theirs[tap] != spikes).sum()) == 0, f"{tap}: of {spikes.size} spikes"
    np.testing.assert_allclose(theirs["classifier"].mean(1), ours["logits"], atol=1e-5)


def one_neuron(path, threshold):
    """A file of a single LIF neuron, its threshold given as a number in NIR."""
    values = {"tau": 2e-4, "r": 2.0, "v_leak": 0.0, "v_threshold": threshold, "v_reset": 0.0}
    lif = nir.LIF(**{name: np.full(1, value) for name, value in values.items()})
    weight = nir.Affine(np.ones((1, 1), "float32"), np.zeros(1, "float32"))
    nir.write(path, nir.NIRGraph.from_list(nir.Input(np.array([1])), weight, lif, nir.Output(np.array([1]))))
    return path


def test_a_membrane_exactly_at_the_threshold_is_why_the_threshold_is_written_one_bit_below(tmp_path):
    frames = np.array([[[0.5], [0.75], [1.0], [0.5]]], "float32")
    # decay_input=False, tau = 2:  h = 0.5, 1.0 (at the threshold), 1.0, 0.5
    ours = LIF(tau=2.0, decay_input=False)(frames)
    np.testing.assert_array_equal(ours[0, :, 0], [0, 1, 1, 0])
    below, plain = one_neuron(tmp_path / "below.nir", models.nir_file.above(1.0)), one_neuron(tmp_path / "plain.nir", 1.0)
    for run in (in_spikingjelly, in_snntorch):
        np.testing.assert_array_equal(run(below, frames)["lif"], ours)
    np.testing.assert_array_equal(in_spikingjelly(plain, frames)["lif"], ours)
    assert (in_snntorch(plain, frames)["lif"] != np.asarray(ours)).any()  # it fires above, as NIR says


def test_integrate_and_fire_and_a_reset_potential_are_read_by_spikingjelly_and_not_by_snntorch(tmp_path, samples):
    for name, arguments in {"if": {"neuron": "if"}, "reset": {"v_reset": -0.25}}.items():
        model = models.build("mlp:16", (8, 8, 1), 10, **arguments)
        path = tmp_path / f"{name}.nir"
        kd.export.nir(model, path, samples=samples)
        frames = np.repeat(nir_files.channels_first(samples, 1)[:, np.newaxis], 4, 1)
        spikes = np.asarray(tapped(model, ["block1_neuron"])(samples)["block1_neuron"])
        assert spikes.any()
        np.testing.assert_array_equal(in_spikingjelly(path, frames)["block1_neuron"], spikes)
        with pytest.raises(AssertionError, match="not supported"):
            in_snntorch(path, frames)


def test_a_file_that_spikingjelly_wrote_is_read(tmp_path):
    from spikingjelly.activation_based import layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1, stride=2),
        neuron.LIFNode(tau=2.0, v_threshold=0.25),
        layer.Flatten(),
        layer.Linear(64, 5, bias=False),
        neuron.IFNode(),
    )
    export_to_nir(theirs, torch.rand(1, 2, 8, 8), save_path=tmp_path / "theirs.nir")
    x = np.random.default_rng(0).uniform(0, 2, (16, 8, 8, 2)).astype("float32")
    with torch.no_grad():
        steps = [theirs(torch.from_numpy(np.moveaxis(x, -1, 1).copy())) for _ in range(6)]
    expected = torch.stack(steps).sum(0).numpy()
    assert 0 < expected.mean() < 6
    np.testing.assert_array_equal(models.from_nir(tmp_path / "theirs.nir", 6, fires="at", reset="hard", readout="spike_count")(x), expected)
