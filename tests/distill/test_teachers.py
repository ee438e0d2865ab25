"""Any Keras model as a teacher: the soft targets are those of its logits, its images are on its scale, and it knows the data."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_snnkd as kd
from keras_snnkd.distill import teachers
from keras_snnkd.distill.samples import LOOKED_AT, Samples, samples_of, samples_of_data
from keras_snnkd.distill.scales import scale_of
from keras_snnkd.distill.teachers import TeacherError, adapt_teacher
from keras_snnkd.errors import KDError, ShapeError, UnknownNameError
from tests.distill import tiny

pytestmark = pytest.mark.filterwarnings("ignore:the student .* is not smaller")

CLASSES = np.arange(120) % 3


def images():
    """Three classes, a bright row each, in 0..1 as bytes / 256."""
    found = np.random.default_rng(0).integers(0, 100, (120, 4, 4, 1))
    for image, label in zip(found, CLASSES, strict=True):
        image[label] += 120
    return (found / 256).astype("float32")


IMAGES = images()


def sure(activation=None, factor=1.0, offset=0.0, name="teacher"):
    """A network that reads the classes off the three rows, from images on the scale ``factor x + offset``."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Rescaling(1 / factor, -offset / factor),
            layers.ReLU(max_value=1.0),
            layers.Flatten(),
            layers.Dense(3, activation=activation, name="top"),
        ],
        name=name,
    )
    kernel = np.zeros((16, 3), "float32")
    for label in range(3):
        kernel[4 * label : 4 * label + 4, label] = 5
    model.layers[-1].set_weights([kernel, np.array([0, -3, -6], "float32")])  # unlike ones, so that the scale decides
    return model


class Closed(keras.Model):
    """A subclassed model, whose softmax nobody sees."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = sure()

    def call(self, x, training=False):
        return ops.softmax(self.inner(x))


class OwnSoftmax(layers.Layer):
    """A softmax that Keras does not know as one."""

    def call(self, x):
        return ops.softmax(x)


def closed():
    model = Closed(name="closed")
    model(IMAGES[:1])
    return model


def closed_on_bytes():
    model = Closed(name="closed")
    model.inner = sure(factor=256.0)
    model(IMAGES[:1])
    return model


def with_own_softmax():
    model = sure()
    return keras.Model(model.inputs[0], OwnSoftmax()(model.outputs[0]), name="own")


def soft_targets(teacher, **arguments):
    """The value in the first step of a student of known weights, of which real images and labels are given to `fit`."""
    keras.utils.set_random_seed(3)
    distiller = kd.Distiller(tiny.plain(), teacher, ["soft_targets"], **arguments)
    distiller.compile("sgd", tiny.crossentropy())
    return tiny.fit(distiller, IMAGES, CLASSES, batch_size=120)["soft_targets"]


@pytest.mark.slow
def test_a_softmax_teacher_teaches_as_its_logits_do():
    expected = soft_targets(sure())
    assert expected > 1
    assert soft_targets(sure("softmax")) == pytest.approx(expected, rel=1e-4)
    assert soft_targets(sure("softmax"), teacher_outputs="probabilities") == pytest.approx(expected, rel=1e-4)
    for unknown in (with_own_softmax, closed):
        with pytest.warns(UserWarning, match="its outputs add up to 1, so that their logarithms are its logits"):
            assert soft_targets(unknown()) == pytest.approx(expected, rel=1e-4)


def test_a_teacher_whose_outputs_are_said_to_be_logits_is_believed():
    assert soft_targets(with_own_softmax(), teacher_outputs="logits") < 0.5 * soft_targets(sure())


def test_the_cache_keeps_logits_too(tmp_path):
    data = kd.data.load("digits", limit=60, batch_size=30)
    image = keras.Input((8, 8, 1))
    x = layers.Dense(10, activation="softmax", name="top")(layers.Flatten()(image))
    cache = kd.TeacherCache(keras.Model(image, x, name="soft"), data, ["logits"], tmp_path)
    inputs, _ = next(iter(cache.training()))
    dense = cache.teacher.get_layer("top")
    expected = np.reshape(inputs["inputs"], (30, 64)) @ dense.kernel.numpy() + dense.bias.numpy()
    np.testing.assert_allclose(inputs["teacher"]["logits"], expected, atol=2e-3)


def accuracy(model):
    return np.mean(teachers.predict(model, IMAGES).argmax(-1) == CLASSES)


@pytest.mark.parametrize(("factor", "offset", "name"), [(256.0, 0.0, "0..255"), (2.0, -1.0, "-1..1")])
def test_the_scale_of_a_teachers_images_is_found(factor, offset, name):
    teacher = sure("softmax", factor, offset)
    assert accuracy(teacher) < 0.7
    with pytest.warns(UserWarning, match=f"its images are brought to the scale {re.escape(name)}"):
        adapted = adapt_teacher(teacher, samples=(IMAGES, CLASSES))
    assert accuracy(adapted) == 1


def test_a_teacher_that_was_brought_to_a_scale_is_not_brought_to_another():
    bytes_ = Samples(256 * IMAGES, CLASSES)
    assert teachers.adapted(sure(), samples=bytes_).changes
    for teacher in (sure("softmax", 256.0), closed_on_bytes()):
        with pytest.warns(UserWarning, match=r"brought to the scale 0..255"):
            adapted = adapt_teacher(teacher, samples=(IMAGES, CLASSES))
        again = teachers.adapted(adapted, samples=bytes_)
        assert (again.model, again.changes) == (adapted, ())


def test_a_teacher_is_looked_at_on_images_as_they_are_and_not_as_training_shows_them():
    data = kd.data.load("digits", limit=60, augment="shift", mixup=0.4)
    found, plain = samples_of_data(data), samples_of_data(kd.data.load("digits", limit=60))
    assert len(found.images) > len(data.validation_arrays[1])
    np.testing.assert_array_equal(found.images, plain.images)
    np.testing.assert_array_equal(found.labels, plain.labels)


def test_a_teacher_on_the_datas_scale_stays_as_it_is():
    teacher = sure()
    assert adapt_teacher(teacher, samples=(IMAGES, CLASSES)) is teacher


@pytest.mark.parametrize("scale", ["0..255", "-1..1", [0, 255], [-2, 2]])
def test_a_scale_that_is_given_is_taken(scale):
    low, high = {"0..255": (0, 255), "-1..1": (-1, 1)}.get(scale, scale) if isinstance(scale, str) else scale
    values = np.array([[0.0], [255 / 256]], "float32")
    np.testing.assert_allclose(scale_of(scale)(values), [[low], [high]], atol=1e-5)
    teacher = sure(factor=(high - low) * 256 / 255, offset=float(low))
    np.testing.assert_allclose(adapt_teacher(teacher, scale=scale)(IMAGES), sure()(IMAGES), atol=1e-4)


def test_images_of_another_size_and_colour_are_made():
    image = keras.Input((6, 6, 3))
    teacher = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(image)), name="coloured")
    with pytest.warns(UserWarning, match=r"images \(6, 6, 3\) are made of the data's \(4, 4, 1\)"):
        adapted = adapt_teacher(teacher, image_shape=(4, 4, 1))
    assert adapted.input_shape == (None, 4, 4, 1)
    grey = np.full((1, 4, 4, 1), 0.5, "float32")
    np.testing.assert_allclose(adapted(grey), teacher(np.full((1, 6, 6, 3), 0.5, "float32")), atol=1e-5)
    with pytest.raises(ShapeError, match=r"takes inputs \(6, 6, 3\), which cannot be made of the data's \(4, 4, 2\)"):
        adapt_teacher(teacher, image_shape=(4, 4, 2))


def behind(shape, *before, dtype="float32"):
    """The sure teacher behind layers that make its images of inputs of another form."""
    x = image = keras.Input(shape, dtype=dtype)
    for layer in before:
        x = layer(x)
    return keras.Model(image, sure()(x), name="other")


@pytest.mark.parametrize(
    "teacher",
    [
        lambda: behind((16,), layers.Reshape((4, 4, 1))),
        lambda: behind((1, 4, 4), layers.Permute((2, 3, 1))),
        lambda: behind((1, 8, 8), layers.Permute((2, 3, 1)), layers.MaxPooling2D()),
    ],
    ids=["flat", "channels first", "channels first and larger"],
)
def test_flat_images_and_those_with_channels_first_are_made(teacher):
    with pytest.warns(UserWarning, match=r"are made of the data's \(4, 4, 1\)"):
        adapted = adapt_teacher(teacher(), image_shape=(4, 4, 1), samples=(IMAGES, CLASSES))
    np.testing.assert_array_equal(np.argmax(adapted(IMAGES), -1), CLASSES)


def test_bytes_are_given_to_a_teacher_that_takes_them_however_few_images_there_are():
    teacher = behind((4, 4, 1), layers.Rescaling(1 / 256), dtype="uint8")
    with pytest.warns(UserWarning, match=r"brought to the scale 0\.\.255"):
        adapted = adapt_teacher(teacher, samples=(IMAGES[:3], CLASSES[:3]))
    np.testing.assert_array_equal(np.argmax(adapted(IMAGES), -1), CLASSES)


def test_a_clear_scale_is_found_on_few_images():
    with pytest.warns(UserWarning, match=r"brought to the scale 0\.\.255"):
        adapt_teacher(sure(factor=256.0), samples=(IMAGES[:9], CLASSES[:9]))


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda x: ops.argmax(sure()(x), -1), "the teacher wrong gives whole numbers int32, as behind an argmax"),
        (lambda x: layers.Reshape((1, 1, 3))(sure()(x)), r"gives \(1, 1, 3\) and the student .*; put keras.layers.Flatten\(\) behind"),
    ],
)
def test_a_teacher_without_scores_of_classes_is_told_what_is_wanted(teacher, message):
    image = keras.Input((4, 4, 1))
    with pytest.raises(ShapeError, match=message):
        kd.Distiller(tiny.plain(), keras.Model(image, teacher(image), name="wrong"), ["soft_targets"])


class Several(Closed):
    """A subclassed model with a mapping as its output."""

    def call(self, x, training=False):
        return {"logits": self.inner(x), "features": x}


def test_a_subclassed_teacher_of_several_outputs_is_told_what_to_give():
    teacher = Several(name="several")
    teacher(IMAGES[:2])
    said = r"the model several gives a mapping of 'logits', 'features'; expected one output"
    with pytest.raises(ShapeError, match=said):
        kd.Distiller(tiny.plain(), teacher, ["soft_targets"])
    with pytest.raises(ShapeError, match=said):
        adapt_teacher(teacher, samples=(IMAGES, CLASSES))


def test_a_teacher_of_two_inputs_is_told_how_it_can_teach():
    image, more = keras.Input((4, 4, 1), name="image"), keras.Input((3,), name="more")
    teacher = keras.Model([image, more], layers.Add()([sure()(image), more]), name="two")
    with pytest.raises(ShapeError, match=r'the teacher two takes 2 inputs, image \(4, 4, 1\), more \(3,\); .*inputs="named"'):
        adapt_teacher(teacher, image_shape=(4, 4, 1), samples=(IMAGES, CLASSES))


def test_a_teacher_of_other_images_is_told_how_it_is_adapted():
    with pytest.raises(ShapeError, match=r"kd\.adapt_teacher\(teacher, image_shape=\(4, 4, 1\)\)"):
        kd.Distiller(tiny.plain(), behind((16,), layers.Reshape((4, 4, 1))), ["soft_targets"])


def guessing():
    """A teacher that always says the same."""
    teacher = tiny.plain(9, "untrained")
    teacher.set_weights([np.zeros_like(weight) for weight in teacher.get_weights()])
    return teacher


def test_a_teacher_that_guesses_is_stopped_before_the_first_step():
    teacher, student = guessing(), tiny.plain()
    before = tiny.values(student)
    distiller = tiny.compiled(student, teacher, ["soft_targets"])
    with pytest.raises(TeacherError, match=r"the teacher untrained is right on 33\.3% of 120 samples, and guessing .* on 33\.3%"):
        tiny.fit(distiller, IMAGES, CLASSES)
    tiny.assert_equal_weights(student, before)


def test_validation_images_judge_a_teacher_too():
    distiller = tiny.compiled(tiny.plain(), guessing(), ["soft_targets"])
    with pytest.raises(TeacherError, match="has nothing to teach"):
        tiny.fit(distiller, tiny.IMAGES, tiny.LABELS, validation_data=(IMAGES, CLASSES))


@pytest.mark.parametrize(
    ("outputs", "given"), [(lambda x, y: [x, y], "gives 2 outputs"), (lambda x, y: {"classes": x}, "gives a mapping of 'classes'")]
)
def test_a_teacher_with_more_than_the_classes_is_told_what_to_give(outputs, given):
    image = keras.Input((4, 4, 1))
    teacher = keras.Model(image, outputs(sure()(image), layers.Flatten()(image)), name="more")
    with pytest.raises(ShapeError, match=rf"the teacher more {given}; expected one output, .* keras\.Model\(teacher\.inputs"):
        kd.Distiller(tiny.plain(), teacher, ["soft_targets"])
    with pytest.raises(ShapeError, match="expected one output"):
        adapt_teacher(teacher, samples=(IMAGES, CLASSES))


def test_a_few_images_judge_nobody():
    distiller = tiny.compiled(tiny.plain(), guessing(), ["soft_targets"])
    tiny.fit(distiller, tiny.IMAGES, tiny.LABELS)


def test_samples_of_one_class_judge_nobody():
    """A good teacher cannot be better on them than who guesses that class."""
    some = np.flatnonzero(CLASSES == 1)
    wrong_once = np.concatenate([IMAGES[some], IMAGES[:1]]), np.ones(len(some) + 1, int)
    assert adapt_teacher(sure(), samples=wrong_once) is not None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"outputs": "probs"}, UnknownNameError, "unknown kind of teacher outputs 'probs'. Did you mean 'probabilities'?"),
        ({"scale": "0-255"}, UnknownNameError, "unknown teacher scale '0-255'"),
        ({"scale": [255, 0]}, ValueError, "two numbers, the least and the largest"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        adapt_teacher(sure(), **arguments)


def test_a_cache_of_a_teacher_that_had_to_be_adapted_is_refused():
    """Its taps would be those of images on another scale."""
    teacher = sure(factor=256.0)
    batch = {"inputs": IMAGES, "teacher": {"logits": np.array(teacher(IMAGES))}}
    distiller = tiny.compiled(tiny.plain(), teacher, ["soft_targets"], run_eagerly=True)
    with pytest.warns(UserWarning, match="brought to the scale"), pytest.raises(KDError, match=r"distiller\.meet\(images, labels\)"):
        tiny.fit(distiller, batch, CLASSES, validation_data=(IMAGES, CLASSES))


# the student


def test_a_student_that_ends_in_a_softmax_learns_on_its_logits():
    student, twin = sure("softmax", name="student"), sure(name="student")
    values, teacher = [], tiny.plain(9, "teacher")
    for model, loss in ((student, "sparse_categorical_crossentropy"), (twin, tiny.crossentropy())):
        distiller = kd.Distiller(model, teacher, ["soft_targets"])
        distiller.compile(keras.optimizers.SGD(0.1), loss)
        values.append(tiny.fit(distiller, IMAGES[:12], CLASSES[:12], batch_size=12))
    assert values[0] == pytest.approx(values[1], rel=1e-3)
    tiny.assert_equal_weights(student, tiny.values(twin), atol=1e-4)


def test_an_own_loop_cannot_leave_the_objectives_out():
    distiller = tiny.compiled(tiny.plain(), tiny.plain(9, "teacher"), ["soft_targets"])
    with pytest.raises(ValueError, match=r"soft_targets cannot be computed; give what distiller\(x, training=True\) returns"):
        distiller.compute_loss(tiny.IMAGES, tiny.LABELS, distiller.student(tiny.IMAGES))
    whole = float(distiller.compute_loss(tiny.IMAGES, tiny.LABELS, distiller(tiny.IMAGES, training=True)))
    label = float(distiller.compute_loss(tiny.IMAGES, tiny.LABELS, distiller.student(tiny.IMAGES), training=False))
    assert whole == pytest.approx(label + float(distiller.objective_metrics[0].result()), rel=1e-5)


def test_an_unbuilt_sequential_model_is_named_as_teacher_and_as_student():
    unbuilt = keras.Sequential([layers.Flatten(), layers.Dense(3)], name="mine")
    for pair in ((unbuilt, tiny.plain()), (tiny.plain(), unbuilt)):
        with pytest.raises(ValueError, match="the Sequential model mine is not built"):
            kd.Distiller(*pair, ["soft_targets"])


def test_taps_inside_a_model_inside():
    inner = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(9, "relu", name="hidden")], name="backbone")
    teacher = keras.Sequential([keras.Input((4, 4, 1)), inner, layers.Dense(3, activation="softmax")], name="teacher")
    objective = {"objective": "feature_map", "teacher_tap": "hidden", "student_tap": "hidden"}
    distiller = tiny.compiled(tiny.plain(), teacher, [objective, "soft_targets", "teacher_head"])
    assert np.isfinite(list(tiny.fit(distiller).values())).all()
    assert kd.TapModel(teacher, ["neurons", "features", "backbone"]).shapes["features"] == (None, 9)


def test_a_teacher_is_looked_at_on_images_of_all_classes_also_where_they_come_one_class_after_the_other():
    labels = np.repeat(np.arange(3), 400)
    images = labels[:, None].astype("float32")
    batches = [(images[start : start + 100], labels[start : start + 100]) for start in range(0, 1200, 100)]
    for source in ((images, labels), batches):
        found = samples_of(source)
        assert len(found.images) == LOOKED_AT
        np.testing.assert_array_equal(found.images[:, 0], found.labels)
        assert np.ptp(np.bincount(found.labels)) <= 2
    assert samples_of((images[:7], labels[:7])).labels.tolist() == [0] * 7
