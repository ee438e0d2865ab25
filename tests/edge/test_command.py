import json
import shlex
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_snnkd.edge.__main__ import main
from keras_snnkd.export.saved_model import write_archive
from keras_snnkd.files.pictures import Resize
from tests.edge.conftest import WHOLE
from tests.sampling import sampled


@pytest.fixture
def folder(tmp_path, stream, digits):
    """Both files, an image in two forms, and a card with names and a threshold."""
    shutil.copy(WHOLE, tmp_path / "whole.tflite")
    shutil.copy(stream, tmp_path / "stream.tflite")
    image = digits[0][3]  # a three
    np.save(tmp_path / "image.npy", image)
    Image.fromarray(np.minimum(image[..., 0] * 256, 255).astype("uint8")).convert("RGB").save(tmp_path / "image.png")
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (tmp_path / "card.json").write_text(json.dumps({"dataset": {"class_names": names}, "anytime": {"threshold": 0.6}}))
    return tmp_path


def said(capsys, *arguments):
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, out, err


def test_scores_prediction_confidence_and_latency_are_printed_with_the_names_of_the_card(folder, capsys):
    for image in ("image.png", "image.npy"):
        code, out, err = said(capsys, folder / "whole.tflite", folder / image, "--runs", 3)
        lines = out.splitlines()
        assert (code, err) == (0, "")
        assert lines[0].startswith("three ")
        assert "prediction: three" in lines
        scores = [float(line.split()[1].rstrip("%")) for line in lines[:10]]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(100, abs=0.1)
        assert f"confidence: {lines[0].split()[1]}" in lines
        assert lines[-1].endswith("ms (median of 3 runs, 1 thread(s))")


def test_a_streaming_file_stops_at_the_threshold_of_the_card_or_the_one_given(folder, capsys):
    steps = {}
    for given in ((), ("--until-confidence", 1.0), ("--until-confidence", 1.0, "--steps", 2)):
        _, out, _ = said(capsys, folder / "stream.tflite", folder / "image.npy", *given)
        (steps[given],) = (int(line.split()[-1]) for line in out.splitlines() if line.startswith("time steps:"))
    assert list(steps.values()) == [1, 4, 2]


def test_several_images_and_folders_of_them_get_a_line_each(folder, digits, capsys):
    (folder / "new" / "today").mkdir(parents=True)
    np.save(folder / "new" / "today" / "a.npy", digits[0][0])
    shutil.copy(folder / "image.png", folder / "new" / "b.PNG")
    (folder / "new" / "notes.txt").write_text("no image")
    code, out, err = said(capsys, folder / "whole.tflite", folder / "image.npy", folder / "new")
    assert (code, err) == (0, "")
    *lines, empty, latency = out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [str(folder / "image.npy"), "three"],
        [str(folder / "new" / "b.PNG"), "three"],
        [str(folder / "new" / "today" / "a.npy"), "zero"],
    ]
    _, alone, _ = said(capsys, folder / "whole.tflite", folder / "image.npy")
    assert f"confidence: {lines[0].split()[2]}" in alone
    assert empty == ""
    assert latency.endswith("ms (median of 3 images, 1 thread(s))")


def test_of_several_images_each_takes_its_own_steps(folder, digits, capsys):
    for number in range(8):
        np.save(folder / f"{number}.npy", digits[0][number])
    sure = ("--until-confidence", 0.97)
    _, out, _ = said(capsys, folder / "stream.tflite", *(folder / f"{number}.npy" for number in range(8)), *sure)
    steps = []
    for number in range(8):
        _, alone, _ = said(capsys, folder / "stream.tflite", folder / f"{number}.npy", "--runs", 1, *sure)
        steps += [line.split()[-1] for line in alone.splitlines() if line.startswith("time steps:")]
    assert [line.split()[3] for line in out.splitlines()[:8]] == steps
    assert len(set(steps)) > 1


def test_a_folder_without_images_is_told(folder, capsys):
    (folder / "none").mkdir()
    code, _, err = said(capsys, folder / "whole.tflite", folder / "none")
    assert code == 1
    assert "none holds no images (.png, .jpg" in err


@pytest.mark.parametrize(
    "card", [{"anytime": [1]}, {"anytime": {"threshold": "x"}}, {"dataset": {"class_names": 3}}, {"dataset": "digits"}]
)
def test_what_is_no_card_is_told(card, folder, capsys):
    (folder / "card.json").write_text(json.dumps(card))
    code, _, err = said(capsys, folder / "stream.tflite", folder / "image.npy")
    assert (code, err.count("\n")) == (1, 1)
    assert "card.json is not a card as keras_snnkd writes it" in err


@pytest.mark.parametrize("card", [{"anytime": {"threshold": None}}, {"anytime": None, "dataset": None}])
def test_a_card_without_threshold_or_names_will_do(card, folder, capsys):
    (folder / "card.json").write_text(json.dumps(card))
    code, out, _ = said(capsys, folder / "stream.tflite", folder / "image.npy")
    assert code == 0
    assert "prediction: 3" in out


@pytest.mark.parametrize(("number", "told"), [("x", "x"), ("0", "0"), ("-1", "-1"), ("9" * 5000, "9" * 30)])
@pytest.mark.parametrize("option", ["--threads", "--runs", "--steps"])
def test_a_number_that_is_none_is_told_by_argparse(option, number, told, capsys):
    with pytest.raises(SystemExit) as end:
        main(["a.tflite", "a.npy", f"{option}={number}"])
    assert end.value.code == 2
    assert f"expected a whole number above 0, of at most 9 digits, got {told}\n" in capsys.readouterr().err


def test_without_a_card_the_classes_are_numbers(folder, capsys):
    (folder / "card.json").unlink()
    _, out, _ = said(capsys, folder / "whole.tflite", folder / "image.npy")
    assert "prediction: 3" in out


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("missing.tflite", "image.png"), "there is no file"),
        (("whole.tflite", "missing.png"), "there is no image"),
        (("whole.tflite", "card.json"), "cannot be read as an image"),
        (("image.npy", "image.npy"), "not a .tflite file"),
        (("whole.tflite", "wrong.npy"), r"expected images [N, 8, 8, 1]"),
        (("whole.tflite", "text.npy"), "not an array as numpy.save writes it"),
        (("whole.tflite", "archive.npy"), "not an array as numpy.save writes it"),
        (("whole.tflite", "promise.npy"), "not an array as numpy.save writes it"),
        (("whole.tflite", "names.npy"), "got <U5"),
        (("whole.tflite", "image.npy", "--threads", "2000"), "threads must be a whole number from 1 to 1024, got 2000"),
        (("stream.tflite", "image.npy", "--until-confidence", "nan"), "until_confidence must be above 0 and at most 1"),
        (("whole.tflite", "image.npy", "--steps", "3"), "computes all its time steps in one call"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(arguments, match, folder, capsys):
    np.save(folder / "wrong.npy", np.zeros((9, 9)))
    (folder / "text.npy").write_text("no array")
    np.savez(folder / "archive.npz", image=np.zeros((8, 8)))
    (folder / "archive.npz").rename(folder / "archive.npy")
    np.save(folder / "names.npy", np.full((8, 8, 1), "a.png"))
    promise = np.lib.format.header_data_from_array_1_0(np.zeros(1))
    with open(folder / "promise.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {**promise, "shape": (10**15,)})
    code, out, err = said(capsys, folder / arguments[0], folder / arguments[1], *arguments[2:])
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert match in err
    assert err.count("\n") == 1


def test_a_picture_of_another_size_is_refused_without_a_word_on_how(folder, capsys):
    Image.open(folder / "image.png").resize((24, 16)).save(folder / "large.png")
    code, _, err = said(capsys, folder / "whole.tflite", folder / "large.png")
    assert code == 1
    assert "large.png is 24x16 pixels and the model takes 8x8; give a picture of that size, or --resize stretch" in err


@pytest.mark.parametrize("keep", [False, True])
def test_a_picture_comes_to_the_models_size_as_in_training(keep, folder, capsys, monkeypatch):
    """By the card, or as asked for."""
    used = []
    monkeypatch.setattr(
        "keras_snnkd.edge.images.read_picture", lambda *_, resize, **__: used.append(resize) or np.zeros((8, 8, 1), "uint8")
    )
    (folder / "card.json").write_text(json.dumps({"dataset": {"resize": {"width": 8, "height": 8, "keep_aspect": keep}}}))
    assert said(capsys, folder / "whole.tflite", folder / "image.png", "--runs", 1)[0] == 0
    other = "stretch" if keep else "keep-aspect"
    assert said(capsys, folder / "whole.tflite", folder / "image.png", "--runs", 1, "--resize", other)[0] == 0
    assert used == [Resize(8, 8, keep), Resize(8, 8, not keep)]


def test_a_large_three_is_a_three(folder, capsys):
    Image.open(folder / "image.png").resize((64, 64), Image.Resampling.NEAREST).save(folder / "large.png")
    _, out, _ = said(capsys, folder / "whole.tflite", folder / "large.png", "--resize", "stretch")
    assert "prediction: three" in out


def test_a_card_with_an_odd_size_is_told(folder, capsys):
    (folder / "card.json").write_text(json.dumps({"dataset": {"resize": [8, 8]}}))
    code, _, err = said(capsys, folder / "whole.tflite", folder / "image.png")
    assert code == 1
    assert "is not a card as keras_snnkd writes it: resize [8, 8]" in err


def command(*arguments, **streams):
    """The command in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "keras_snnkd.edge", *map(str, arguments)], text=True, **streams)


@pytest.mark.parametrize("wrong", sampled([False, True], False), ids=["answer", "error"])
def test_a_reader_that_leaves_early_is_no_error(folder, wrong, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")  # which is imported soonest
    process = command(
        folder / "whole.tflite", folder / ("missing.npy" if wrong else "image.npy"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()  # as `| head -0` does
    error = process.stderr.read()
    assert process.wait() == int(wrong)
    assert "Traceback" not in error
    assert "BrokenPipe" not in error
    assert "delegate" not in error  # LiteRT says of its own that it made one
    assert ("error: there is no image" in error) == wrong


@pytest.mark.slow
def test_without_standard_output_there_is_no_error(folder):
    line = f"{shlex.join([sys.executable, '-m', 'keras_snnkd.edge', str(folder / 'whole.tflite'), str(folder / 'image.npy')])} >&-"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_a_file_that_gives_probabilities_gets_no_second_softmax(tmp_path, capsys):
    image = keras.Input((4, 4, 1), batch_size=1)
    network = keras.Model(image, keras.layers.Dense(3, activation="softmax", kernel_initializer="ones")(keras.layers.Flatten()(image)))
    network.layers[-1].bias.assign([0.0, 2.0, 4.0])
    write_archive(network, tmp_path / "archive", batch_size=1)
    file = tmp_path / "theirs.tflite"
    file.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "archive")).convert())
    np.save(tmp_path / "image.npy", np.zeros((4, 4, 1), "float32"))
    _, out, _ = said(capsys, file, tmp_path / "image.npy", "--runs", 1)
    assert "confidence: 86.68%" in out  # exp(4) / (1 + exp(2) + exp(4))
