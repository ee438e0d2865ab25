import re
import shutil
import subprocess

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ExportError, FileFormatError
from keras_snnkd.export import _convert, freeze
from keras_snnkd.export.c_array import read_c_array
from keras_snnkd.export.saved_model import write_archive
from tests.export.conftest import SHAPE

PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#include "student.h"
#include "student.h"

int main(void) {
    if ((uintptr_t)student % 16 != 0 || sizeof(student) != student_len) return 1;
    return fwrite(student, 1, student_len, stdout) == student_len ? 0 : 2;
}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    write_archive(freeze(models.build("mlp:40", SHAPE, 10), batch_size=1), folder / "archive", batch_size=1)
    for quantize in ("float32", "dynamic"):
        (folder / f"{quantize}.tflite").write_bytes(_convert.convert(str(folder / "archive"), "serve", quantize))
    return {quantize: folder / f"{quantize}.tflite" for quantize in ("float32", "dynamic")}


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "language"), [("cc", "c"), ("c++", "c++")])
def test_a_compiled_program_holds_the_bytes_of_the_file_at_an_aligned_address(compiler, language, files, tmp_path):
    assert kd.export.c_array(files["float32"], tmp_path / "student.h") == "student"
    content = files["float32"].read_bytes()
    assert read_c_array((tmp_path / "student.h").read_text()) == content
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}; the header was read back instead")
    (tmp_path / "main.c").write_text(PROGRAM)
    standard = {"c": "-std=c11", "c++": "-std=c++11"}[language]
    command = [compiler, "-x", language, standard, "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert subprocess.run([tmp_path / "main"], capture_output=True, check=True, timeout=60).stdout == content


@pytest.mark.slow
def test_the_comment_tells_inputs_and_outputs_with_their_scales(files, tmp_path):
    kd.export.c_array(files["float32"], tmp_path / "student.h")
    text = (tmp_path / "student.h").read_text()
    assert "// input image: float32 [1, 8, 8, 1]\n" in text
    assert "// output logits: float32 [1, 10]\n" in text

    import tensorflow as tf

    weight = tf.constant(np.random.default_rng(0).normal(size=(4, 3)), "float32")
    function = tf.function(lambda x: {"logits": x @ weight}, input_signature=[tf.TensorSpec((1, 4), "float32", name="image")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.full((1, 4), v, "float32")] for v in np.linspace(-1, 1, 9))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (tmp_path / "int8.tflite").write_bytes(converter.convert())
    kd.export.c_array(tmp_path / "int8.tflite", tmp_path / "int8.h")
    found = re.search(r"// input \S+: int8 \[1, 4\], value = (\S+) \(q ([+-]) (\d+)\)", (tmp_path / "int8.h").read_text())
    scale, zero = float(found[1]), -int(found[2] + found[3])
    assert pytest.approx(scale * (-128 - zero), abs=0.02) == -1  # -1..1 in 256 steps
    assert scale == pytest.approx(2 / 255, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "name"), [("my a-2.h", "my_a_2"), ("8bit.h", "model_8bit"), ("_x.h", "model_x"), ("int.h", "int_model")])
def test_the_array_is_called_as_the_header_in_letters_that_c_takes(file, name, files, tmp_path):
    assert kd.export.c_array(files["float32"], tmp_path / file) == name
    assert f"unsigned char {name}[]" in (tmp_path / file).read_text()


@pytest.mark.slow
def test_a_name_that_c_does_not_take_is_refused(files, tmp_path):
    for name in ("8bit", "a b", "while", "", "x;"):
        with pytest.raises(ValueError, match=r"name must be an identifier in C"):
            kd.export.c_array(files["float32"], tmp_path / "student.h", name=name)
    assert kd.export.c_array(files["float32"], tmp_path / "student.h", name="g_model") == "g_model"


@pytest.mark.slow
def test_what_a_microcontroller_does_not_run_is_refused(files, tmp_path):
    with pytest.raises(ExportError, match=r"int8 weights and float activations \(.*\), which LiteRT for Microcontrollers does not run"):
        kd.export.c_array(files["dynamic"], tmp_path / "student.h")
    (tmp_path / "short.tflite").write_bytes(files["float32"].read_bytes()[:5000])
    with pytest.raises(FileFormatError, match="damaged or truncated"):
        kd.export.c_array(tmp_path / "short.tflite", tmp_path / "student.h")
    assert not (tmp_path / "student.h").exists()
