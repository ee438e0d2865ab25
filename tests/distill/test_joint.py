"""Joint A-SNN: the whole loss of the official code, what the two modes share, and a training that moves both."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.joint import Joint, joint_loss
from keras_snnkd.models.joint import JointNet, without_exits
from tests.harness import gradients, oracle_cases

ORDER = (1, 2, 3, 0)  # the official final exit has number 0


def exits(case, name):
    """What the case has of each exit, batch first, the final one last."""
    arrays = [case[f"{name}_{number}"] for number in ORDER]
    arrays = [array.reshape(*array.shape[:-2]) if array.shape[-2:] == (1, 1) else array for array in arrays]
    return [np.swapaxes(array, 0, 1) if array.ndim == 3 else array for array in arrays]


@pytest.mark.parametrize("case", oracle_cases("losses_joint.npz", "joint_asnn"), ids=str)
def test_the_whole_loss_and_its_gradients_are_those_of_the_official_code(case):
    settings = case.settings
    learning = ("ann_logits", "snn_logits", "snn_features")  # no gradient flows to the ANN's features
    flat = [array for name in learning for array in exits(case, name)]

    def loss(*arrays):
        ann, student, features = (arrays[start : start + 4] for start in range(0, 12, 4))
        constants = settings["alpha"], settings["beta"], settings["temperature"]
        return joint_loss(case["labels"], ann, student, exits(case, "ann_features"), features, *constants)

    found, slopes = gradients(loss, *flat)
    np.testing.assert_allclose(found, case["loss"], rtol=1e-4)
    for place, name in enumerate(learning):
        for slope, wanted in zip(slopes[4 * place : 4 * place + 4], exits(case, f"grad_{name}"), strict=True):
            np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=5e-6)


@pytest.fixture(scope="module")
def pair():
    return JointNet((8, 8, 1), 3, widths=(4, 6), timesteps=2, threshold=0.5)


def test_factors_are_shared_and_scales_norms_and_classifiers_are_not(pair):
    ann, student = ({weight.path: weight for weight in model.trainable_variables} for model in pair)
    shared = {path for path in ann if any(ann[path] is other for other in student.values())}
    assert len(shared) == 4  # two stages, two factors
    assert all("_u/" in path or "_v/" in path for path in shared)
    apart = [path for path in ann if path not in shared]
    assert {path.split("/")[0] for path in apart} == {
        "stage1_scale", "stage1_norm", "exit1", "stage2_scale", "stage2_norm", "classifier",
    }  # fmt: skip


@pytest.mark.slow
def test_a_training_moves_both_and_leaves_a_network_that_is_exported(pair, tmp_path):
    images = np.random.default_rng(0).uniform(size=(12, 8, 8, 1)).astype("float32")
    joint = Joint(*pair)
    joint.compile(keras.optimizers.SGD(0.1))
    before = [[weight.numpy() for weight in model.trainable_variables] for model in pair]
    history = joint.fit(images, np.arange(12) % 3, batch_size=12, epochs=1, verbose=0, validation_data=(images, np.arange(12) % 3)).history
    assert {"loss", "accuracy", "ann_accuracy", "val_loss", "val_accuracy"} <= set(history)
    for model, old in zip(pair, before, strict=True):
        moved = [np.any(weight.numpy() != was) for weight, was in zip(model.trainable_variables, old, strict=True)]
        assert all(moved)
    student = without_exits(joint.student)
    np.testing.assert_allclose(joint.predict(images, verbose=0), student.predict(images, verbose=0), atol=1e-6)
    assert kd.export.litert(student, tmp_path / "student.tflite", samples=images).agreement == 1.0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: JointNet((8, 8, 1), 3, widths=(4,)), "two or more"),
        (lambda: JointNet((8, 8, 1), 3, rank=0), "rank must be"),
        (lambda: Joint(*(JointNet((8, 8, 1), 3, widths=(2, 2))[0],) * 2, share=2), "share must be"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
