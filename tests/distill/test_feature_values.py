"""The values of objectives on features: official numbers, and hand-computed ones."""

import math

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.objectives.blurred import BlurredFeature
from keras_snnkd.distill.objectives.features import ActiveFeatures, AttentionMap, FeatureMap
from keras_snnkd.distill.objectives.relations import SampleRelations
from keras_snnkd.distill.objectives.saliency import SaliencyMap
from tests.distill.feature_cases import array, assert_close, conv, normal, value
from tests.harness import gradients, oracle_cases


def channels_last(array):
    """`[(T,) B, D, H, W]` as `[B, (T,) H, W, D]`."""
    return np.moveaxis(np.swapaxes(array, 0, 1) if array.ndim == 5 else array, -3, -1)


def cases(*methods):
    return pytest.mark.parametrize("case", oracle_cases("losses_features.npz", *methods), ids=str)


def shapes_of(outputs):
    """The shapes of a tap, or of several."""
    return [shapes_of(x) for x in outputs] if isinstance(outputs, list) else (None, *outputs.shape[1:])


# Official implementations


@cases("bkdsnn_blurred_feature")
def test_blurred_features_are_bkdsnns(case):
    said = case.settings
    objective = BlurredFeature(said["blur_ratio"], said["use_clip"])
    student = channels_last(case["student_features"])
    teacher = case["teacher_features"] if said["teacher"] == "vit" else channels_last(case["teacher_features"])
    objective.build(shapes_of(teacher), shapes_of(student))
    objective._mask = lambda features: channels_last(case["mask"]).astype("float32")
    names = [name for name in ("align", "generator1", "generator2") if f"{name}_weight" in case]
    assert [*names, "mask"] == list(objective.layers)
    for name in names:
        objective.layers[name].set_weights([case[f"{name}_weight"].transpose(2, 3, 1, 0), case[f"{name}_bias"]])
    found, (to_student, *to_weights) = gradients(
        lambda features: said["alpha"] * objective.compute_loss(teacher, features),
        student,
        variables=[weight for name in names for weight in objective.layers[name].weights],
    )
    assert_close(found, case["loss"], atol=5e-6)
    assert_close(to_student, channels_last(case["grad_student_features"]), atol=5e-6)
    for name, kernel, bias in zip(names, to_weights[::2], to_weights[1::2], strict=True):
        assert_close(kernel, case[f"grad_{name}_weight"].transpose(2, 3, 1, 0), atol=5e-6)
        assert_close(bias, case[f"grad_{name}_bias"], atol=5e-6)


def with_classifier(weights):
    """A model whose layer `classifier` has these weights `[C, D]`."""
    model = keras.Sequential([keras.Input((weights.shape[1],)), keras.layers.Dense(weights.shape[0], name="classifier")])
    model.layers[0].set_weights([weights.T, np.zeros(len(weights))])
    return model


@pytest.mark.every(3)
@pytest.mark.parametrize(
    ("case", "student_map"),
    [(case, "sum") for case in oracle_cases("losses_features.npz", "ckdsnn")]
    + [(case, "cam") for case in oracle_cases("losses_features.npz", "ckdsnn_student_cam")],
    ids=str,
)
def test_saliency_maps_are_ckdsnns(case, student_map):
    objective = SaliencyMap(student_map, temperature=case.settings["map_temperature"])
    teacher, student = [channels_last(case["teacher_features"]), case["teacher_logits"]], channels_last(case["student_features"])

    def tapped(maps):
        return [maps, case["logits"]] if student_map == "cam" else maps

    objective.build(shapes_of(teacher), shapes_of(tapped(student)))
    objective.connect(with_classifier(case["teacher_classifier"]), student_map == "cam" and with_classifier(case["student_classifier"]))
    found, (gradient,) = gradients(lambda maps: objective.compute_loss(teacher, tapped(maps)), student)
    assert_close(found, case["loss_samd"])
    assert_close(gradient, channels_last(case["grad_student_features"]))
    for maps, role in zip(objective.maps(teacher, tapped(student)), ("teacher", "student"), strict=True):
        assert_close(np.squeeze(maps, axis=-1), case[f"{role}_map"], atol=5e-6)


def weight_of_features(said):
    """SAKD's factor of the feature term."""
    if said["variant"] == "cifar":
        return said["feature_weight"]
    if said["use_logit"]:
        return 0
    return said["beta"] if said["epoch"] <= said["fea_epochs"] else 0.01


@cases("sakd")
def test_feature_maps_of_several_stages_are_sakds(case):
    said, stages = case.settings, range(case.settings["stages"])
    distance = "magnitude" if said["feature_distance"] == "mag" else said["feature_distance"]
    taps = [f"stage{stage}" for stage in stages]
    objective = FeatureMap(distance=distance, temperature=said.get("feature_kl_temperature", 1), teacher_tap=taps)
    teacher, student, expected = (
        [channels_last(case[f"{name}_{stage}"]) for stage in stages]
        for name in ("teacher_features", "student_features", "grad_student_features")
    )
    found, to_student = gradients(lambda *student: objective.compute_loss(teacher, list(student)), *student)
    assert_close(found, case["loss_feature"], atol=5e-6)
    for gradient, official in zip(to_student, expected, strict=True):
        assert_close(weight_of_features(said) * gradient, official, atol=5e-6)


@cases("joint_asnn")
def test_active_features_are_those_of_joint_asnn(case):
    taps = [f"exit{number}" for number in range(4)]
    objective = ActiveFeatures(teacher_tap=taps)
    teacher = list(case["ann_features"])
    student, expected = (list(np.swapaxes(case[name], 1, 2)) for name in ("snn_features", "grad_snn_features"))
    found, to_student = gradients(lambda *student: objective.compute_loss(teacher, list(student)), *student)
    assert_close(found, case["loss_feature"], atol=5e-6)
    for gradient, official in zip(to_student, expected, strict=True):
        assert_close(gradient, official / case.settings["beta"], atol=5e-6)


@cases("if", "lif", "plif")
def test_membranes_are_spikingjellys(case):
    said = case.settings
    soft = said["v_reset"] is None
    arguments = {"threshold": said["v_threshold"], "reset": "soft" if soft else "hard", "v_reset": 0.0 if soft else said["v_reset"]}
    if said.get("tau"):
        arguments |= {"tau": said["tau"], "decay_input": said["decay_input"]}
    layer = kd.neurons.get(case.name.split("/")[0])(**arguments)
    currents = case["x"].swapaxes(0, 1)
    layer.build(currents.shape)
    assert_close(layer.membrane(currents), case["v_before_reset"].swapaxes(0, 1))


# By hand


@pytest.mark.parametrize(
    ("arguments", "loss"),
    [
        ({}, (1 + 4) / 2),
        ({"reduction": "sum"}, 1 + 4),
        ({"distance": "l1"}, (1 + 2) / 2),
        ({"distance": "l1", "reduction": "sum"}, 1 + 2),
        ({"distance": "magnitude"}, 5 - math.sqrt(4 + 4)),
        # p = softmax(3/2, 4/2), q = (1/2, 1/2)
        ({"distance": "kl", "temperature": 2.0}, 4 * (math.log(2) - (math.log(1 + math.exp(-0.5)) + 0.5 / (1 + math.exp(0.5))))),
    ],
    ids=str,
)
def test_distances_of_features_by_hand(arguments, loss):
    assert value(FeatureMap(**arguments), array([3, 4], 1, 2), array([2, 2], 1, 2)) == pytest.approx(loss, rel=1e-5)


def test_transformed_features_by_hand():
    # W = 2: 2, 4, 6, 8, normalized over all places of the batch: mean 5, variance 5; then 3 times that, plus 1
    objective = FeatureMap(transform=1)
    objective.build((None, 2, 1, 1), (None, 3, 2, 1, 1))
    convolution, norm = objective.helpers
    convolution.set_weights([np.full((1, 1, 1, 1), 2.0)])
    norm.gamma.assign([3.0])
    norm.beta.assign([1.0])
    rates = array([1, 2, 3, 4], 2, 1, 2, 1, 1) * array([0.5, 1.0, 1.5], 1, 3, 1, 1, 1)  # means over time 1, 2, 3, 4
    expected = np.mean([(3 * (x - 5) / math.sqrt(5 + 1e-5) + 1) ** 2 for x in (2, 4, 6, 8)])
    assert value(objective, array([0] * 4, 2, 2, 1, 1), rates) == pytest.approx(expected, rel=1e-5)


def test_transforms_are_trained_convolutions_of_their_size_also_at_equal_widths():
    shapes = (None, 6, 6, 4), (None, 2, 6, 6, 4)
    for size in (1, 3):
        objective = FeatureMap(transform=size)
        objective.build(*shapes)
        assert [tuple(weight.shape) for weight in objective.helpers[0].weights] == [(size, size, 4, 4)]
    flat = FeatureMap(transform=3)
    flat.build((None, 5), (None, 2, 4))
    assert tuple(flat.helpers[0].kernel.shape) == (4, 5)
    assert value(flat, normal(3, 5), normal(3, 2, 4)) > 0
    with pytest.raises(ValueError, match="transform must be 1 or 3, the size of a convolution, or left out, got 2"):
        FeatureMap(transform=2)


def test_stages_are_the_last_neurons_of_each_map_size():
    widths = (3, 4, "pool", 5)
    objective = kd.objectives.get({"objective": "feature_map", "teacher_tap": "stages", "transform": 3})
    student, teacher = conv(widths, "flatten", "student", timesteps=2), conv(widths, "flatten", "teacher", neuron="relu")
    distiller = kd.Distiller(student, teacher, [objective])
    assert objective.teacher_tap == objective.student_tap == ["block2_neuron", "block3_neuron"]
    assert [shape for shape, _ in zip(*objective.built_shapes, strict=True)] == [(None, 4, 4, 4), (None, 2, 2, 5)]
    assert len(distiller.helpers) == 4
    assert (objective.get_config()["teacher_tap"], objective.get_config()["transform"]) == ("stages", 3)
    with pytest.raises(kd.errors.UnknownNameError, match="block2_neuron"):
        kd.Distiller(student, conv((3,), "flatten", "other", neuron="relu"), [objective])


def test_active_features_may_be_pooled_by_hand():
    teacher = array([1, 3], 1, 1, 2, 1)  # mean 2
    student = array([1, 2, 0, 1], 1, 2, 1, 2, 1)  # sums over time 1, 3: mean 2; then 4 of 2
    assert value(ActiveFeatures(pooled=True), teacher, student) == pytest.approx(0.0)
    assert value(ActiveFeatures(pooled=True), teacher, 2 * student) == pytest.approx((4 - 2) ** 2)


def test_active_features_by_hand():
    # time sums 2, 0, -1, -1; active are the first two (the student fires, the teacher fires) and the last
    student = array([[1, 0, -1, 0], [1, 0, 0, -1]], 1, 2, 4)
    teacher = array([0.5, 3, -5, 1], 1, 4)
    assert value(ActiveFeatures(), teacher, student) == 1.5**2 + 3**2 + 2**2
    twice = [np.concatenate([x, x]) for x in (teacher, student)]
    assert value(ActiveFeatures(), *twice) == 2 * (1.5**2 + 3**2 + 2**2)  # a sum over the batch


def test_attention_maps_by_hand():
    # squares summed over channels: teacher 9 + 16 and 0, student 0 and 4: all of the attention in the other place
    teacher = array([[3, 4], [0, 0]], 1, 1, 2, 2)
    student = array([[0], [2]], 1, 1, 2, 1)
    assert value(AttentionMap(), teacher, student) == pytest.approx(2)
    # student 3 and 4 of norm 5 against 1 and 0
    assert value(AttentionMap(), teacher, array(np.sqrt([3, 4]), 1, 1, 2, 1)) == pytest.approx(0.4**2 + 0.8**2)


def test_attention_does_not_see_scale_channels_or_time():
    teacher = np.abs(normal(2, 2, 2, 3))
    student = np.stack([2 * teacher[..., [2, 0, 1]]] * 4, axis=1)
    assert value(AttentionMap(), teacher, student) == pytest.approx(0, abs=1e-6)
    larger = np.kron(teacher, np.ones((1, 2, 2, 1), "float32"))  # every place four times
    assert value(AttentionMap(), teacher, larger) == pytest.approx(0, abs=1e-6)


def test_several_pairs_of_layers_add_up():
    teacher, student = [normal(2, 3), normal(2, 2, 2, 4)], [normal(2, 4, 3), normal(2, 4, 2, 2, 4)]
    single = [value(FeatureMap(), t, s) for t, s in zip(teacher, student, strict=True)]
    assert value(FeatureMap(teacher_tap=["a", "b"]), teacher, student) == pytest.approx(sum(single), rel=1e-5)


def test_every_pair_has_its_own_projection():
    objective = FeatureMap(teacher_tap=["a", "b"])
    objective.build([(None, 3), (None, 2, 2, 5)], [(None, 4, 2), (None, 4, 2, 2, 4)])
    assert [helper.kernel.shape for helper in objective.helpers] == [(2, 3), (4, 5)]


def relations(relation, teacher, student):
    return value(SampleRelations(relation), teacher, student)


def test_relations_by_hand():
    # cosines of the pairs 01, 02, 12: teacher 0, 1, 0; student 1, 0, 0
    teacher, student = array([1, 0, 0, 1, 2, 0], 3, 2), array([1, 0, 3, 0, 0, 2], 3, 2)
    assert relations("cosine", teacher, student) == pytest.approx((1 + 1 + 0) / 3)
    # distances: teacher 1, 1, 2 (mean 4/3), student 1, 5, 6 (mean 4)
    teacher, student = array([0, -1, 1], 3, 1), array([0, 1, -5], 3, 1)
    expected = [(3 / 4 - 1 / 4) ** 2 / 2, (3 / 4 - 5 / 4) ** 2 / 2, 0]
    assert relations("distance", teacher, student) == pytest.approx(np.mean(expected), rel=1e-5)
    # the largest differences count linearly: 0, 4, 4 (mean 8/3) against 4, 0, 4
    teacher, student = array([0, 0, 4], 3, 1), array([0, 4, 0], 3, 1)
    assert relations("distance", teacher, student) == pytest.approx((1.5 - 0.5 + 1.5 - 0.5) / 3, rel=1e-5)


@pytest.mark.parametrize("relation", ["cosine", "distance"])
def test_relations_are_blind_to_rotation_and_scale(relation):
    features = normal(5, 4)
    rotation, _ = np.linalg.qr(normal(4, 4))
    assert relations(relation, features, 3 * features @ rotation) == pytest.approx(0, abs=1e-6)
    assert relations(relation, features, normal(5, 4)) > 0.01


@pytest.mark.parametrize("relation", ["cosine", "distance"])
@pytest.mark.parametrize("size", [1, 3])
def test_relations_of_one_or_of_silent_samples_are_finite(relation, size):
    objective = SampleRelations(relation)
    loss, (gradient,) = gradients(lambda x: objective.compute_loss(normal(size, 2, 2, 3), x), np.zeros((size, 4, 5), "float32"), graph=True)
    assert loss == 0 if size == 1 else np.isfinite(loss)
    assert not np.any(gradient)


def test_a_silent_sample_among_others_gets_no_gradient():
    student = normal(3, 4)
    student[0] = 0
    _, (gradient,) = gradients(lambda x: SampleRelations().compute_loss(normal(3, 5), x), student)
    assert not np.any(gradient[0])
    assert np.all(np.any(gradient[1:], axis=1))


@pytest.mark.parametrize("objective", [AttentionMap(), FeatureMap(distance="magnitude")], ids=lambda o: o.name)
def test_silent_features_get_no_gradient(objective):
    loss, (gradient,) = gradients(lambda x: objective.compute_loss(normal(2, 2, 2, 3), x), np.zeros((2, 4, 2, 2, 3), "float32"))
    assert loss > 0
    assert not np.any(gradient)


# Blurring


def test_a_hidden_channel_is_hidden_everywhere_in_a_sample():
    objective = BlurredFeature(blur_ratio=0.5, seed=1)
    objective.build((None, 2, 2, 50), (None, 4, 2, 2, 50))
    features = np.ones((40, 2, 2, 50), "float32")
    masks = [np.array(objective._mask(features)) for _ in range(2)]
    assert masks[0].shape == (40, 1, 1, 50)
    assert set(np.unique(masks)) == {0, 1}
    assert np.mean(masks) == pytest.approx(0.5, abs=0.05)
    assert np.any(masks[0] != masks[1])  # new ones in each step
    assert len({mask.tobytes() for mask in masks[0]}) == 40  # and for each sample


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 1), (1.0, 0)])
def test_nothing_or_everything_is_hidden(ratio, kept):
    objective = BlurredFeature(ratio)
    objective.build((None, 2, 2, 3), (None, 2, 2, 3))
    np.testing.assert_array_equal(objective._mask(np.ones((5, 2, 2, 3), "float32")), np.full((5, 1, 1, 3), kept))


def test_blurred_maps_are_averaged_to_one_size():
    objective = BlurredFeature(blur_ratio=0.0)
    teacher, student = normal(2, 2, 2, 3), normal(2, 4, 4, 4, 3)
    small = student.reshape(2, 4, 2, 2, 2, 2, 3).mean(axis=(1, 3, 5))
    assert value(objective, teacher, student) == pytest.approx(value(objective, teacher, small), rel=1e-4)
    silent = value(objective, np.zeros_like(teacher), student)  # a teacher without features is no division by zero
    assert math.isfinite(silent)
