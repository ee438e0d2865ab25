"""Which kernels TensorFlow uses: oneDNN's wherever the processor has AVX2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_snnkd._kernels import PROCESSOR, SWITCH, choose_kernels


@pytest.mark.parametrize(
    ("flags", "before", "after"),
    [
        ("fpu sse4_2 avx avx2 fma", {}, {SWITCH: "1"}),
        ("fpu sse4_2 avx avx2 avx512f avx512_vnni", {}, {SWITCH: "1"}),
        ("fpu sse4_2 avx avx2 fma", {SWITCH: "0"}, {SWITCH: "0"}),
        ("fpu sse4_2 avx", {}, {}),
    ],
    ids=["AVX2", "AVX-512", "told otherwise", "AVX"],
)
def test_processors_with_avx2_get_onednns_kernels(flags, before, after, tmp_path):
    processor = tmp_path / "cpuinfo"
    processor.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n")
    environment = dict(before)
    choose_kernels(environment, processor)
    assert environment == after


def test_without_linux_list_nothing_changes(tmp_path):
    environment = {}
    choose_kernels(environment, tmp_path / "nothing")
    assert environment == {}


@pytest.mark.slow
@pytest.mark.skipif(not PROCESSOR.is_file() or "avx2" not in PROCESSOR.read_text("utf-8").split(), reason="needs AVX2 and Linux")
def test_importing_the_package_chooses_before_tensorflow_is_there():
    program = "import keras_snnkd; from tensorflow.python.util import _pywrap_util_port as port; print(port.IsMklEnabled())"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop(SWITCH, None)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]
