"""Models from data: presets, short forms, mappings."""

import math

import pytest

from keras_snnkd.errors import ShapeError, UnknownNameError
from keras_snnkd.models import PRESETS, build, specification

IMAGE_SHAPES = {"digits": (8, 8, 1), "mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


@pytest.mark.every(3)
@pytest.mark.parametrize("neuron", ["lif", "relu"])
@pytest.mark.parametrize("dataset", IMAGE_SHAPES)
def test_a_student_is_smaller_than_its_assistant_and_that_than_its_teacher(dataset, neuron):
    roles = ["student", "assistant", "teacher"]
    models = [build(f"{dataset}_{role}", IMAGE_SHAPES[dataset], 10, timesteps=2, neuron=neuron) for role in roles]
    sizes = [model.count_params() for model in models]
    assert sizes[0] < sizes[1] < sizes[2]
    assert {model.output_shape for model in models} == {(None, 10)}


@pytest.mark.parametrize(
    ("dataset", "shape"),
    [("japanese_vowels", (20, 6)), ("smartwatch_exercises", (20, 6)), ("speech_commands", (20, 40)), ("nmnist", (4, 34, 34, 2))],
)
def test_presets_of_data_with_time_grow_with_their_role(dataset, shape):
    sizes = [build(f"{dataset}_{role}", shape, 7).count_params() for role in ("student", "assistant", "teacher")]
    assert sizes[0] < sizes[1] < sizes[2]


OF_DATA_SETS = ("digits", "mnist", "fashion", "cifar10", "japanese", "smartwatch", "speech", "nmnist")


@pytest.mark.every(3)
@pytest.mark.parametrize("name", [name for name in PRESETS if name.split("_")[0] not in OF_DATA_SETS])
def test_the_shapes_of_the_literature_are_built_for_cifar(name):
    model = build(name, (32, 32, 3), 10, timesteps=2)
    assert model.output_shape == (None, 10)
    if name == "resnet18":
        assert sum(math.prod(w.shape) for w in model.trainable_weights) == 11_173_962  # as everywhere


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("convnet:16,pool,32", {"builder": "ConvNet", "widths": [16, "pool", 32]}),
        ("convnet:16,pool,flatten", {"builder": "ConvNet", "widths": [16, "pool"], "head": "flatten"}),
        ("ConvNet: 16, pool, 32", {"builder": "ConvNet", "widths": [16, "pool", 32]}),
        ("mlp:256", {"builder": "MLP", "widths": [256]}),
        ("resnet:16,32/1,1", {"builder": "ResNet", "widths": [16, 32], "blocks": [1, 1]}),
        ("digits_student", PRESETS["digits_student"]),
        ({"builder": "MLP", "tau": 3.0, "timesteps": 2}, {"builder": "MLP", "tau": 3.0, "timesteps": 2}),
    ],
    ids=str,
)
def test_a_text_says_what_the_mapping_says(text, expected):
    assert specification(text) == expected


def test_a_specification_is_a_copy():
    specification("digits_student")["builder"] = "MLP"
    assert PRESETS["digits_student"]["builder"] == "ConvNet"


@pytest.mark.parametrize(
    "text", ["mlp:", "mlp:a", "mlp:2.5", "convnet:16,,32", "convnet:16,poll", "resnet:16/a", "resnet:16/1/1", "mlp:16;32"]
)
def test_a_short_form_that_cannot_be_read_is_refused_with_three_that_can(text):
    with pytest.raises(
        ValueError, match=f"cannot read the model '{text}'; expected .* convnet:16,pool,32,flatten or mlp:256 or resnet:64,128/2,2"
    ):
        specification(text)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digits_studnt", "unknown model preset 'digits_studnt'. Did you mean 'digits_student'?"),
        ("", "unknown model preset ''. Known: cifar10_assistant"),
        ("convent:16", "unknown model builder 'convent'. Did you mean 'convnet'?"),
        ("mlp:16/2", "unknown argument of MLP 'blocks'."),
        ({"widths": [4]}, "unknown model builder None."),
        ({"builder": "ConvNets"}, "unknown model builder 'ConvNets'. Did you mean 'ConvNet'?"),
        ({"builder": ["MLP"]}, "unknown model builder ['MLP']."),
        ({"builder": "MLP", "width": [4]}, "unknown argument of MLP 'width'. Did you mean 'widths'?"),
        ({"builder": "MLP", "image_shape": (8, 8, 1)}, "unknown argument of MLP 'image_shape'."),
        ({"builder": "MLP", "treshold": 1.0}, "unknown argument of MLP 'treshold'. Did you mean 'threshold'?"),
    ],
    ids=str,
)
def test_unknown_names_are_refused_with_the_nearest(spec, message):
    with pytest.raises(UnknownNameError) as error:
        specification(spec)
    assert message in str(error.value)


@pytest.mark.parametrize("spec", [None, 3, ["mlp:16"]], ids=str)
def test_what_is_neither_text_nor_mapping_is_refused(spec):
    with pytest.raises(ValueError, match="a model is a preset's name, a short form such as convnet:16,pool,32, or a mapping"):
        specification(spec)


def test_arguments_of_the_call_go_before_those_of_the_specification():
    spec = {"builder": "MLP", "widths": [4], "timesteps": 2, "tau": 3.0}
    model = build(spec, (4, 4, 1), 3, timesteps=5, tau=4.0)
    assert model.get_layer("block1_neuron").output.shape == (None, 5, 4)
    assert model.get_layer("block1_neuron").tau == 4.0
    assert spec == {"builder": "MLP", "widths": [4], "timesteps": 2, "tau": 3.0}


@pytest.mark.parametrize("overrides", [{"timestep": 5}, {"builder": "MPL"}], ids=str)
def test_unknown_arguments_of_the_call_are_refused_too(overrides):
    with pytest.raises(UnknownNameError, match=r"Did you mean '(timesteps|MLP)'"):
        build("mlp:4", (4, 4, 1), 3, **overrides)


@pytest.mark.parametrize("image_shape", [(8, 8), 8, None], ids=str)
def test_an_image_shape_that_is_none_is_refused(image_shape):
    with pytest.raises(ShapeError, match=r"image_shape must be \(H, W, C\), three whole numbers above 0, or .* of events, got"):
        build("mlp:4", image_shape, 3)


@pytest.mark.parametrize("odd", [{"head": {}}, {"neuron": []}, {"threshold": "high"}, {"tau": [2.0]}, {"surrogate": [1]}, {"reset": []}])
def test_a_value_of_another_type_is_a_value_error(odd):
    with pytest.raises(ValueError, match=r"\S"):
        build({"builder": "ConvNet", "widths": [4], **odd}, (8, 8, 1), 10)
