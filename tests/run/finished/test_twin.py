"""What passes for the ANN twin of a network."""

import keras
import pytest

from keras_snnkd import models
from keras_snnkd.errors import ShapeError
from keras_snnkd.run.finished.twin import check_twin

SPECS = ["mlp:8,6", "convnet:4,pool,6,flatten", "resnet:4,6/1,1"]


def build(spec, neuron, **arguments):
    return models.build(spec, (8, 8, 1), 3, timesteps=2, neuron=neuron, name=f"{neuron}_net", **arguments)


@pytest.mark.every(3)
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("options", [{}, {"readout": "spike_count"}, {"readout": "membrane"}, {"encoder": "latency"}], ids=str)
def test_what_the_builders_call_a_twin_is_one(spec, options):
    check_twin(build(spec, "lif", **options), build(spec, "relu", **options))
    check_twin(build(spec, "relu"), build(spec, "relu"))


@pytest.mark.parametrize(
    ("spec", "other"),
    [
        ("mlp:8,6", "mlp:8,7"),
        ("mlp:8,6", "mlp:8"),
        ("mlp:8,6", "mlp:8,6,6"),
        ("convnet:4,pool,6,flatten", "convnet:4,6,flatten"),
        ("convnet:4,pool,6,flatten", "convnet:4,6,pool,flatten"),
        ("convnet:4,pool,6,flatten", "mlp:8,6"),
        ("resnet:4,6/1,1", "resnet:4,6/1,2"),
    ],
)
def test_another_network_is_refused(spec, other):
    with pytest.raises(ShapeError, match=r"relu_net is not the ANN twin of lif_net: where the model has .* it has "):
        check_twin(build(spec, "lif"), build(other, "relu"))


def test_a_spiking_network_is_no_twin():
    with pytest.raises(ShapeError, match="is of spiking neurons; train the twin with --neuron relu"):
        check_twin(build("mlp:8,6", "lif"), build("mlp:8,6", "if"))


def test_another_activation_and_no_activation_are_refused_and_a_relu_inside_a_layer_will_do():
    def ann(*layers):
        return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), *layers])

    dense = keras.layers.Dense
    check_twin(build("mlp:8", "lif"), ann(dense(8, activation="relu"), dense(3)))
    for wrong in ([dense(8), dense(3)], [dense(8), keras.layers.Activation("tanh"), dense(3)]):
        with pytest.raises(ShapeError, match="where the model has neurons or ReLU"):
            check_twin(build("mlp:8", "lif"), ann(*wrong))
