from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from keras_snnkd.edge import Runner
from keras_snnkd.edge.tensors import Tensor
from keras_snnkd.errors import FileFormatError, InputError, ShapeError
from tests.edge.conftest import WHOLE


def test_predict_gives_the_logits_of_keras(student, digits):
    images, _ = digits
    np.testing.assert_allclose(Runner(WHOLE).predict(images[:20]), student.predict(images[:20], verbose=0), atol=1e-5)


def test_steps_give_per_step_logits_whose_mean_is_the_whole_file(stream, digits):
    image = digits[0][0]
    runner = Runner(stream)
    steps = [runner.step(image) for _ in range(4)]
    assert steps[0].shape == (10,)
    assert np.abs(steps[0] - steps[3]).max() > 0.1, "the state does not go on"
    np.testing.assert_allclose(np.mean(steps, axis=0), Runner(WHOLE).predict(image[np.newaxis])[0], atol=1e-5)
    runner.reset()
    np.testing.assert_array_equal(runner.step(image), steps[0])


def test_predict_on_a_streaming_file_runs_t_steps_from_rest(stream, digits):
    runner = Runner(stream)
    runner.step(digits[0][7])
    np.testing.assert_allclose(runner.predict(digits[0][:5]), Runner(WHOLE).predict(digits[0][:5]), atol=1e-5)


def test_run_stops_at_the_first_step_that_is_sure_enough(stream, digits):
    runner = Runner(stream)
    for image in digits[0][:20]:
        answers = [runner.run(image, until_confidence=None, max_steps=t) for t in range(1, 5)]
        assert [answer.steps for answer in answers] == [1, 2, 3, 4]
        found = runner.run(image, until_confidence=0.9)
        sure = [answer.steps for answer in answers if answer.confidence >= 0.9] + [4]
        assert found.steps == sure[0]
        assert found.prediction == found.logits.argmax() == answers[found.steps - 1].prediction
        powers = np.exp(found.logits.astype(float))
        assert found.confidence == pytest.approx(powers.max() / powers.sum(), rel=1e-5)


def test_frames_are_taken_one_by_one_and_all_by_default(stream, digits):
    images, runner = digits[0], Runner(stream)
    answer = runner.run(images[:6], until_confidence=None)
    runner.reset()
    np.testing.assert_allclose(answer.logits, np.mean([runner.step(image) for image in images[:6]], axis=0), atol=1e-5)
    assert answer.steps == 6
    assert runner.run(images[:6], until_confidence=None, max_steps=3).steps == 3
    assert runner.run(np.repeat(images[:1], 3, axis=0), until_confidence=None, max_steps=9).steps == 3
    np.testing.assert_array_equal(runner.predict(images[np.newaxis, :6])[0], answer.logits)


@pytest.mark.slow
def test_integers_go_in_and_out_by_the_scales_of_the_file(integers, stream, digits):
    images, labels = digits
    runner = Runner(integers)
    assert runner._image.dtype == np.int8
    assert all(value.dtype == np.int8 for value in runner._state.values())
    logits = runner.predict(images[:100])
    assert logits.dtype == np.float32
    assert np.mean(logits.argmax(-1) == labels[:100]) >= 0.9
    assert np.mean(logits.argmax(-1) == Runner(stream).predict(images[:100]).argmax(-1)) >= 0.9
    stored = runner._image.encode(images[:3])
    np.testing.assert_array_equal(runner.predict(stored), logits[:3])


def test_quantization_by_hand():
    # real = 0.5 (q + 1): 0 -> -1, 0.75 -> 1.5 steps -> 2 - 1, out of range -> the nearest
    tensor = Tensor(0, (1,), np.dtype("int8"), 0.5, -1)
    np.testing.assert_array_equal(tensor.encode(np.array([0.0, 0.75, -0.25, 1000, -1000])), [-1, 1, -2, 127, -128])
    np.testing.assert_array_equal(tensor.decode(np.array([-1, 1], "int8")), [0.0, 1.0])


@pytest.mark.parametrize(
    ("images", "error", "match"),
    [
        (np.zeros((2, 9, 8, 1)), ShapeError, r"expected images \[N, 8, 8, 1\].*got shape \(2, 9, 8, 1\)"),
        (np.zeros((8, 8, 1)), ShapeError, "got shape"),
        (np.zeros((1, 8, 8, 1), "uint8"), ShapeError, "got uint8; for bytes try images / 256"),
        (np.zeros((1, 8, 8, 1), complex), ShapeError, "got complex128"),
        (np.full((1, 8, 8, 1), np.nan), InputError, "NaN or infinite"),
        (np.full((1, 8, 8, 1), np.inf), InputError, "NaN or infinite"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, error, match, stream):
    for runner in (Runner(WHOLE), Runner(stream)):
        with pytest.raises(error, match=match):
            runner.predict(images)


def test_calls_that_do_not_fit_the_file_are_refused(stream, integers, digits):
    image = digits[0][0]
    for call in (lambda runner: runner.step(image), lambda runner: runner.run(image)):
        with pytest.raises(FileFormatError, match=r"predict\(images\).*keras_snnkd.export.streaming"):
            call(Runner(WHOLE))
    runner = Runner(stream)
    with pytest.raises(ShapeError, match="got shape"):
        runner.step(digits[0][:2])
    with pytest.raises(InputError, match="NaN"):
        runner.step(image * np.nan)
    with pytest.raises(ShapeError, match=r"one image \[8, 8, 1\] or frames"):
        runner.run(np.zeros((0, 8, 8, 1), "float32"))
    for arguments in ({"until_confidence": 1.5}, {"until_confidence": 0}, {"max_steps": 0}, {"max_steps": 1.5}):
        with pytest.raises(InputError, match=next(iter(arguments))):
            runner.run(image, **arguments)
    with pytest.raises(ShapeError, match=r"float32 \(or int8, as the file stores them\)"):
        Runner(integers).step((image * 255).astype("uint8"))


def test_foreign_missing_and_truncated_files_are_refused(stream, tmp_path):
    content, path = stream.read_bytes(), tmp_path / "file.tflite"
    with pytest.raises(FileFormatError, match="there is no file"):
        Runner(path)
    path.write_text("this is no model at all")
    with pytest.raises(FileFormatError, match="identifier"):
        Runner(path)
    for length in (0, 6, 200, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(FileFormatError):
            Runner(path)


def test_memory_stays_flat_over_many_steps(stream, digits):
    runner, image = Runner(stream), digits[0][0]

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    for _ in range(2_000):
        runner.step(image)
    before = resident()
    for _ in range(20_000):
        runner.step(image)
    assert resident() - before < 2 * 2**20, "one small array kept at each step would be 3 MB"


THREADS = 6


def in_threads(work, parts):
    """What `work` gives for each part, all at the same time."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, parts))


@pytest.mark.parametrize("form", ["whole", "stream", "integers"])
def test_threads_that_share_a_runner_get_their_own_answers(form, stream, integers, digits):
    runner = Runner({"whole": WHOLE, "stream": stream, "integers": integers}[form])
    images = digits[0][:240]
    expected = runner.predict(images)
    found = in_threads(runner.predict, np.array_split(images, THREADS * 8))
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_each_thread_has_a_sequence_of_its_own(stream, digits):
    runner, images = Runner(stream), digits[0][:120]
    expected = [runner.run(image, until_confidence=None) for image in images]

    def steps(image):
        runner.reset()
        return [runner.step(image) for _ in range(4)]

    for found, alone in zip(in_threads(steps, images), expected, strict=True):
        np.testing.assert_allclose(np.mean(found, axis=0), alone.logits, rtol=1e-6)
    for found, alone in zip(in_threads(lambda image: runner.run(image, until_confidence=None), images), expected, strict=True):
        np.testing.assert_array_equal(found.logits, alone.logits)


def test_a_reset_in_one_thread_leaves_the_sequence_of_another_alone(stream, digits):
    runner, image = Runner(stream), digits[0][0]
    first = [runner.step(image) for _ in range(2)]
    in_threads(lambda _: (runner.step(digits[0][1]), runner.reset()), range(3))
    together = [*first, runner.step(image), runner.step(image)]
    np.testing.assert_allclose(np.mean(together, axis=0), runner.run(image, until_confidence=None).logits, rtol=1e-6)


# Files by others


def converted(tmp_path, function, shape=(1, 4, 4, 1), dtype="float32", **settings):
    """A `.tflite` file of a function of TensorFlow."""
    concrete = tf.function(function, input_signature=[tf.TensorSpec(shape, dtype, name="picture")]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    for name, value in settings.items():
        setattr(converter, name, value)
    path = tmp_path / "foreign.tflite"
    path.write_bytes(converter.convert())
    return path


KERNEL = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
PICTURES = (np.random.default_rng(1).integers(0, 256, (8, 4, 4, 1)) / 256).astype("float32")
SCORES = PICTURES.reshape(8, 16) @ KERNEL


def scores(picture, scale=1.0):
    return tf.reshape(tf.cast(picture, "float32") * scale, (1, 16)) @ KERNEL


def test_a_file_that_takes_bytes_is_given_bytes(tmp_path):
    """It scales them itself; images are multiples of 1/256, or bytes."""
    runner = Runner(converted(tmp_path, lambda picture: scores(picture, 1 / 256), dtype="uint8"))
    np.testing.assert_allclose(runner.predict(PICTURES), SCORES, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(runner.predict((PICTURES * 256).astype("uint8")), SCORES, rtol=1e-4, atol=1e-5)


def quantized(tmp_path, scale):
    """Whole numbers inside, uint8 at both ends; `scale` times 0..1 is what it takes."""

    def representative():
        for picture in PICTURES:
            yield [picture[None] * np.float32(scale)]

    settings = {"optimizations": [tf.lite.Optimize.DEFAULT], "representative_dataset": representative}
    ends = {"inference_input_type": tf.uint8, "inference_output_type": tf.uint8}
    return converted(tmp_path, lambda picture: scores(picture, 1 / scale), **settings, **ends)


def test_a_file_that_starts_in_uint8_is_scaled_by_its_own_scale(tmp_path):
    found = Runner(quantized(tmp_path, 1.0)).predict(PICTURES)
    np.testing.assert_allclose(found, SCORES, atol=0.1 * np.abs(SCORES).max())


def test_a_file_scaled_for_255_refuses_images_in_0_to_1(tmp_path):
    runner = Runner(quantized(tmp_path, 255.0))
    with pytest.raises(InputError, match=r"takes values up to 25\d, and the images reach 0.9.* only; scale them the same way"):
        runner.predict(PICTURES)
    np.testing.assert_allclose(runner.predict(PICTURES * 255), SCORES, atol=0.1 * np.abs(SCORES).max())


def test_a_file_that_ends_in_an_argmax_is_refused(tmp_path):
    runner = Runner(converted(tmp_path, lambda picture: tf.argmax(scores(picture), -1)))
    with pytest.raises(FileFormatError, match=r"gives int64 of shape \[N\], expected logits .*does it end in an argmax"):
        runner.predict(PICTURES)


def test_a_file_with_maps_of_one_pixel_gives_logits(tmp_path):
    runner = Runner(converted(tmp_path, lambda picture: tf.reshape(scores(picture), (1, 1, 1, 3))))
    np.testing.assert_allclose(runner.predict(PICTURES), SCORES, rtol=1e-4, atol=1e-5)


def test_open_sizes_are_refused(tmp_path):
    path = converted(tmp_path, lambda picture: tf.reduce_mean(picture, (1, 2)), shape=(1, None, None, 3))
    with pytest.raises(FileFormatError, match=r"leaves the size of its images open.*fix height and width when you convert it"):
        Runner(path)


def test_an_open_batch_is_a_batch_of_one(tmp_path):
    path = converted(tmp_path, lambda picture: tf.reshape(picture, (-1, 16)) @ KERNEL, shape=(None, 4, 4, 1))
    np.testing.assert_allclose(Runner(path).predict(PICTURES), SCORES, rtol=1e-4, atol=1e-5)
