"""The registry of targets: what is written by name runs by name."""

from pathlib import Path

import numpy as np
import pytest

from keras_snnkd.errors import UnknownNameError
from keras_snnkd.export.c_array import read_c_array
from keras_snnkd.export.targets import TARGETS, Order, select


def test_targets_are_chosen_by_name_in_the_order_of_the_page():
    assert select(["dynamic", "float32", "dynamic"]) == ["float32", "dynamic"]
    assert select(["float32", "all"]) == list(TARGETS)
    with pytest.raises(UnknownNameError, match=r"unknown export target 'float23'. Did you mean 'float32'"):
        select(["float23"])


def test_every_target_has_a_file_of_its_own():
    assert len({target.file for target in TARGETS.values()}) == len({target.label for target in TARGETS.values()}) == len(TARGETS)


@pytest.mark.slow
def test_a_c_array_holds_the_int8_file_that_was_written_before_and_runs_from_inside_the_header(reference, samples, tmp_path, in_process):
    order = Order(reference, samples)
    order.written["int8"] = TARGETS["int8"].write(order, tmp_path / "model_int8.tflite")
    report = TARGETS["c_array"].write(order, tmp_path / "model_int8.h")
    content = (tmp_path / "model_int8.tflite").read_bytes()
    assert read_c_array((tmp_path / "model_int8.h").read_text()) == content
    assert (report.target, report.path, report.bytes) == ("c_array", str(tmp_path / "model_int8.h"), len(content))
    with TARGETS["c_array"].runnable(Path(report.path)) as file:
        found = TARGETS["c_array"].open(file)(samples)
    assert not file.exists()
    np.testing.assert_array_equal(found, TARGETS["int8"].open(tmp_path / "model_int8.tflite")(samples))
