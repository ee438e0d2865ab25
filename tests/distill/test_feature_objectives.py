"""Objectives on features, relations and membrane potentials give the numbers of their formulas."""

import inspect
import math

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import TapModel
from keras_snnkd.distill.objective import Objective, taps_of
from keras_snnkd.distill.objectives.blurred import BlurredFeature
from keras_snnkd.distill.objectives.features import ActiveFeatures, AttentionMap, FeatureMap
from keras_snnkd.distill.objectives.heads import TeacherHead
from keras_snnkd.distill.objectives.logits import SoftTargets
from keras_snnkd.distill.objectives.membranes import Membrane
from keras_snnkd.distill.objectives.relations import SampleRelations
from keras_snnkd.distill.objectives.saliency import SaliencyMap
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny
from tests.harness import gradients, oracle_cases

RANDOM = np.random.default_rng(0)


def channels_last(array):
    """`[(T,) B, D, H, W]` as `[B, (T,) H, W, D]`."""
    return np.moveaxis(np.swapaxes(array, 0, 1) if array.ndim == 5 else array, -3, -1)


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def array(values, *shape):
    return np.array(values, "float32").reshape(shape)


def cases(*methods):
    return pytest.mark.parametrize("case", oracle_cases("losses_features.npz", *methods), ids=str)


def shapes_of(outputs):
    """The shapes of a tap, or of several."""
    return [shapes_of(x) for x in outputs] if isinstance(outputs, list) else (None, *outputs.shape[1:])


def value(objective, teacher, student):
    return float(objective.compute_loss(teacher, student))


def assert_close(found, expected, atol=1e-6):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=atol)


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


# Through a classifier


def conv(widths, head, name, **arguments):
    return kd.models.ConvNet((4, 4, 1), 3, widths=widths, head=head, name=name, **arguments)


def connected(objective, teacher, student):
    """What the objective reads of two models, for which it is built and connected."""
    pairs = [(TapModel(model, taps_of(tap)), tap) for model, tap in ((teacher, objective.teacher_tap), (student, objective.student_tap))]
    objective.build(*(model.shape(tap) for model, tap in pairs))
    objective.connect(teacher, student)
    outputs = [[model(tiny.IMAGES)[name] for name in taps_of(tap)] for model, tap in pairs]
    return [found[0] if isinstance(tap, str) else found for found, (_, tap) in zip(outputs, pairs, strict=True)]


@pytest.mark.parametrize(
    ("widths", "head", "grid"),
    [((2, 5), "average", (1, 1)), ((2, 5), "flatten", (4, 4)), ((2, 5, "pool"), "flatten", (2, 2))],
    ids=["average", "flatten", "pool and flatten"],
)
def test_every_place_of_a_map_is_weighed_by_the_classifiers_row_for_it(widths, head, grid):
    teacher, student = conv(widths, head, "teacher", neuron="relu"), conv((3,), "average", "student", timesteps=2)
    objective = SaliencyMap()
    (maps, logits), student_maps = connected(objective, teacher, student)
    maps, logits = np.array(maps), np.array(logits)
    rows = teacher.get_layer("classifier").kernel.numpy().reshape(*grid, 5, 3)
    expected = np.zeros((12, 4, 4))
    for b, h, w in np.ndindex(12, 4, 4):
        row = rows[h * grid[0] // 4, w * grid[1] // 4, :, np.argmax(logits[b])]
        expected[b, h, w] = max(0, maps[b, h, w] @ row)
    expected = (expected - expected.min()) / (np.ptp(expected) + 1e-3)
    found, _ = objective.maps([maps, logits], student_maps)
    assert_close(np.squeeze(found, axis=-1), expected, atol=5e-6)


def test_the_paper_multiplies_the_divergence_of_maps():
    teacher, student = conv((2, 5), "average", "teacher", neuron="relu"), conv((3,), "average", "student", timesteps=2)
    losses = {}
    for squared in (False, True):
        objective = SaliencyMap(temperature=3.0, squared=squared)
        losses[squared] = value(objective, *connected(objective, teacher, student))
    assert losses[True] == pytest.approx(9 * losses[False], rel=1e-5)
    assert losses[False] > 0


def test_a_students_class_map_follows_its_classifier():
    teacher, student = conv((2, 5), "average", "teacher", neuron="relu"), conv((3,), "average", "student", timesteps=2, threshold=0.1)
    objective = SaliencyMap("cam")
    teacher_taps, student_taps = connected(objective, teacher, student)
    before = value(objective, teacher_taps, student_taps)
    dense = student.get_layer("classifier").layer
    dense.kernel.assign(-dense.kernel)
    assert value(objective, teacher_taps, student_taps) != before


def test_the_teachers_head_judges_the_students_features():
    teacher, student = tiny.ann(width=6), tiny.snn(width=6)
    teacher.get_layer("classifier").bias.assign([1.0, -2.0, 3.0])
    objective = TeacherHead(temperature=2.0)
    (_, logits), features = connected(objective, teacher, student)
    assert features.shape == (12, 2, 6)
    weights, bias = teacher.get_layer("classifier").get_weights()
    expected = SoftTargets(temperature=2.0).compute_loss(logits, np.mean(features, axis=1) @ weights + bias)
    assert value(objective, [features, logits], features) == pytest.approx(float(expected), rel=1e-5)


def test_the_teachers_own_features_lose_nothing_in_its_head():
    objective, teacher = TeacherHead(), tiny.ann()
    teacher_taps, features = connected(objective, teacher, teacher)
    assert value(objective, teacher_taps, features) == pytest.approx(0, abs=1e-6)


def test_a_classifier_that_is_not_connected_gives_no_number():
    assert math.isnan(value(TeacherHead(), [normal(2, 5), normal(2, 3)], normal(2, 4, 5)))
    assert math.isnan(value(SaliencyMap(), [normal(2, 4, 4, 5), normal(2, 3)], normal(2, 2, 4, 4, 3)))
    objective = SaliencyMap("cam")
    with pytest.raises(ValueError, match=r"saliency_map: the student's classifier is not known; call connect\(teacher, student\)"):
        value(objective, [normal(2, 4, 4, 5), normal(2, 3)], [normal(2, 4, 4, 3), normal(2, 3)])


# Taps


@pytest.mark.parametrize(
    ("neuron", "arguments"),
    [
        ("lif", {"tau": 3.0, "detach_reset": False}),
        ("if", {"reset": "soft"}),
        ("plif", {"decay_input": False}),
        ("alif", {}),
    ],
)
@pytest.mark.parametrize("timesteps", [3, 20])
def test_a_membrane_is_what_fires_at_the_threshold(neuron, arguments, timesteps):
    model = kd.models.MLP((4, 4, 1), 3, widths=(6,), timesteps=timesteps, neuron=neuron, threshold=0.3, **arguments)
    taps = TapModel(model, ["neurons", "neurons.membrane", "block1_neuron.membrane"])
    found = taps(tiny.IMAGES)
    assert taps.shapes["neurons.membrane"] == (None, timesteps, 6)
    assert found["neurons.membrane"].dtype == "float32"
    np.testing.assert_array_equal(found["neurons.membrane"], found["block1_neuron.membrane"])
    if neuron != "alif":  # whose threshold rises
        np.testing.assert_array_equal(found["neurons.membrane"] >= np.float32(0.3), found["neurons"])
    assert 0 < np.mean(found["neurons"]) < 1


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("timesteps", [3, 20])
def test_the_gradient_of_a_membrane_goes_through_the_resets(graph, timesteps):
    layer = kd.neurons.LIF(tau=2.0, detach_reset=True, threshold=100.0)
    x = normal(2, timesteps, 3)
    _, (gradient,) = gradients(layer.membrane, x, graph=graph)
    # dh[t] / dx[s] = (1/2)^(t - s + 1) where nothing fires
    expected = [sum(0.5 ** (t - s + 1) for t in range(s, timesteps)) for s in range(timesteps)]
    assert_close(gradient, np.broadcast_to(array(expected, 1, timesteps, 1), x.shape))
    fires = kd.neurons.LIF(tau=2.0, detach_reset=True, threshold=0.01)
    _, (gradient,) = gradients(fires.membrane, np.abs(x) + 1, graph=graph)
    assert_close(gradient, np.full(x.shape, 0.5))  # after a reset nothing is left of the step before


def test_membranes_by_hand():
    student, teacher = (array(values, 1, 2, 2) for values in ([[0, 1], [2, 3]], [[0, 0], [2, 1]]))
    assert value(Membrane(), teacher, student) == (1 + 4) / 4


def test_a_membrane_teaches_the_weights_below():
    teacher, student = tiny.snn(9, name="teacher"), tiny.snn()
    objective = Membrane()
    target = TapModel(teacher, ["neurons.membrane"])(tiny.IMAGES)["neurons.membrane"]
    taps = TapModel(student, ["neurons.membrane"])
    kernel = student.get_layer("block1_dense").kernel
    _, (_, to_kernel) = gradients(
        lambda x: objective.compute_loss(target, taps(x)["neurons.membrane"]), tiny.IMAGES, variables=[kernel], graph=True
    )
    assert np.any(to_kernel)


def test_features_are_what_the_classifier_reads():
    taps = TapModel(tiny.snn(), ["features", "neurons"])(tiny.IMAGES)
    np.testing.assert_array_equal(taps["features"], taps["neurons"])
    assert TapModel(tiny.plain(), ["features"]).shapes["features"] == (None, 6)
    assert TapModel(conv((2, 5), "flatten", "net"), ["features"]).shapes["features"] == (None, 4, 80)


@pytest.mark.parametrize(
    ("model", "tap", "message"),
    [
        (tiny.snn(), "block1_norm.membrane", r"layer of student with membrane potentials 'block1_norm'\. Did you mean 'block1_neuron'"),
        (tiny.ann(), "neurons.membrane", r"layer of teacher with membrane potentials 'block1_neuron'\. Known: none"),
        (tiny.snn(), "block7_neuron.membrane", r"unknown tap of student 'block7_neuron'\. Did you mean 'block1_neuron'"),
        (keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="top")], name="linear"), "features", r"tap of linear 'features'"),
    ],
)
def test_taps_that_are_not_there(model, tap, message):
    with pytest.raises(UnknownNameError, match=message):
        TapModel(model, [tap])


# In a distiller

EVERY = {
    "blurred_feature": BlurredFeature(weight=1e-3, seed=0),
    "saliency_map": SaliencyMap(),
    "class maps": SaliencyMap("cam"),
    "feature_map": FeatureMap(teacher_tap=["block1_neuron", "block2_neuron"], distance="l1"),
    "active_features": ActiveFeatures(weight=1e-3),
    "attention_map": AttentionMap(teacher_tap=["block1_neuron", "block2_neuron"]),
    "teacher_head": TeacherHead(),
    "sample_relations": SampleRelations(),
    "membrane": Membrane(teacher_tap=["block1_neuron.membrane", "block2_neuron.membrane"]),
}


def fresh(objective):
    return type(objective).from_config(objective.get_config())


def pair(objective):
    spiking = isinstance(objective, Membrane)
    neurons = {"timesteps": 2, "threshold": 0.3} if spiking else {"neuron": "relu"}
    return conv((4, "pool", 6), "flatten", "teacher", **neurons), conv((2, "pool", 3), "flatten", "student", timesteps=2, threshold=0.3)


@pytest.mark.parametrize("objective", EVERY.values(), ids=EVERY)
def test_trains_a_student_and_comes_back_from_a_file(objective, tmp_path):
    teacher, student = pair(objective)
    distiller = tiny.compiled(student, teacher, [fresh(objective)], label_weight=0.0)
    before = [student.get_layer(f"block{block}_conv").get_weights()[0] for block in (1, 2)]
    frozen = [weight.numpy() for helper in distiller.helpers for weight in helper.non_trainable_weights]
    logs = tiny.fit(distiller)
    assert math.isfinite(logs[objective.name])
    assert logs[objective.name] > 0
    after = [student.get_layer(f"block{block}_conv").get_weights()[0] for block in (1, 2)]
    assert all(np.any(old != new) for old, new in zip(before, after, strict=True))
    for weight, old in zip([w for helper in distiller.helpers for w in helper.non_trainable_weights], frozen, strict=True):
        np.testing.assert_array_equal(weight, old)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    for helper, copy in zip(distiller.helpers, loaded.helpers, strict=True):
        for weight, same in zip(helper.weights, copy.weights, strict=True):
            np.testing.assert_array_equal(weight, same)
    loaded.teach(teacher)
    if getattr(objective, "student_map", None) == "cam":
        loaded.objectives[0].connect(teacher, loaded.student)
    assert math.isfinite(tiny.fit(loaded)[objective.name])


# Configs and errors

ARGUMENTS = {
    BlurredFeature: {"blur_ratio": 0.6, "use_clip": False, "seed": 3},
    SaliencyMap: {"student_map": "cam", "temperature": 4.0, "squared": True},
    FeatureMap: {"reduction": "sum", "distance": "l1", "temperature": 2.0},
    ActiveFeatures: {},
    AttentionMap: {},
    TeacherHead: {"temperature": 2.0},
    SampleRelations: {"relation": "distance"},
    Membrane: {},
}
COMMON = {"teacher_tap": ["a", "b"], "student_tap": ["c", "d"], "weight": 0.5, "name": "mine"}


@pytest.mark.parametrize("cls", ARGUMENTS)
def test_every_argument_is_in_the_config_and_comes_back(cls):
    arguments = {**ARGUMENTS[cls], **COMMON, **({"student_tap": "c"} if cls is TeacherHead else {})}
    parameters = {*inspect.signature(cls).parameters, *inspect.signature(Objective).parameters} - {"kwargs"}
    objective = cls(**arguments)
    assert objective.get_config() == arguments
    assert set(arguments) == parameters
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(copy) is cls
    assert copy.get_config() == arguments
    assert cls().get_config() == fresh(cls()).get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BlurredFeature(1.5), ValueError, r"BlurredFeature: blur_ratio must be in 0\.\.1, got 1.5"),
        (lambda: BlurredFeature(-0.1), ValueError, "BlurredFeature: blur_ratio must be a number of at least 0, got -0.1"),
        (lambda: SaliencyMap("came"), UnknownNameError, "unknown student_map 'came'. Did you mean 'cam'"),
        (lambda: SaliencyMap(temperature=0), ValueError, "SaliencyMap: temperature must be a number greater than 0"),
        (lambda: SaliencyMap(teacher_tap="neurons"), ValueError, "SaliencyMap: teacher_tap must name two taps, .* got 'neurons'"),
        (lambda: SaliencyMap(student_tap=["a", "b"]), ValueError, "student_tap must name one tap, of maps, with student_map='sum'"),
        (lambda: SaliencyMap("cam", student_tap="a"), ValueError, "student_tap must name two taps, .* with student_map='cam', got 'a'"),
        (lambda: FeatureMap(distance="msr"), UnknownNameError, "unknown distance 'msr'. Did you mean 'mse'"),
        (lambda: FeatureMap("sum", "kl"), ValueError, "FeatureMap: reduction='sum' goes with .* got distance='kl'"),
        (lambda: FeatureMap(temperature=-1), ValueError, "FeatureMap: temperature must be a number greater than 0"),
        (lambda: FeatureMap(teacher_tap=["a", "b"], student_tap="c"), ValueError, r"got 2 \(a, b\) and 1 \(c\)"),
        (lambda: TeacherHead(temperature=0), ValueError, "TeacherHead: temperature must be a number greater than 0"),
        (lambda: SampleRelations("angle"), UnknownNameError, "unknown relation 'angle'"),
    ],
)
def test_refuses_arguments_that_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("objective", "teacher", "student", "message"),
    [
        (BlurredFeature(), (2, 2, 2, 3), (2, 4, 3), r"\[B, 2, 2, 3\] .* \[B, 4, 3\]: the student's must be maps"),
        (BlurredFeature(), (2, 3, 2, 3), (2, 4, 2, 2, 3), "whole multiple"),
        (AttentionMap(), (2, 3), (2, 4, 2, 2, 3), r"\[B, 3\] .* \[B, 4, 2, 2, 3\]: both must be maps"),
        (Membrane(), (2, 3), (2, 4, 3), r"both must be membrane potentials \[B, T, ...\] of the same T"),
        (Membrane(), (2, 4, 3), (2, 2, 3), "of the same T"),
        (SaliencyMap(), [(2, 3), (2, 3)], (2, 4, 2, 2, 3), "the taps must be maps and logits of the teacher, maps of the student"),
        (SaliencyMap(), (2, 2, 2, 3), (2, 4, 2, 2, 3), "the taps must be maps and logits of the teacher"),
        (SaliencyMap("cam"), [(2, 2, 2, 3), (2, 3)], (2, 4, 2, 2, 3), "the taps must be maps and logits of both"),
        (TeacherHead(), (2, 3), (2, 4, 3), r"the teacher's taps must be \[B, \(T,\) F\] and its logits"),
        (TeacherHead(), [(2, 3), (2, 5)], (2, 4, 2, 2, 3), "the teacher's taps must be"),
    ],
)
def test_refuses_taps_that_do_not_fit(objective, teacher, student, message):
    with pytest.raises(ShapeError, match=message):
        objective.compute_loss(*(ones(shapes) for shapes in (teacher, student)))


def ones(shapes):
    return [np.ones(shape) for shape in shapes] if isinstance(shapes, list) else np.ones(shapes)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (SaliencyMap(teacher_tap=("block1_neuron", "logits")), r"teacher reads 24 features, .* tap 'block1_neuron', 4 x 4 x 4;"),
        (TeacherHead(teacher_tap=("output", "logits")), r"classifier of teacher reads 24 features, .* tap 'output', 3;"),
    ],
)
def test_refuses_a_classifier_that_reads_something_else(objective, message):
    teacher, student = pair(objective)
    with pytest.raises(ShapeError, match=message):
        kd.Distiller(student, teacher, [objective])


def test_a_teacher_without_a_classifier_is_an_error():
    teacher = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(40, 3, activation="relu"), keras.layers.Flatten()])
    teacher.add(keras.layers.Dense(3, name="top"))
    with pytest.raises(UnknownNameError, match=r"unknown layer of .* 'classifier'"):
        kd.Distiller(conv((2,), "average", "student", timesteps=2), teacher, [SaliencyMap(student_tap="neurons")])
