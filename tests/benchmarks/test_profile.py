"""The table of a profile: which row an operation belongs to."""

import pytest

from benchmarks.profile import COMPILED, kind


@pytest.mark.parametrize(
    ("operation", "row"),
    [
        ("_MklNativeConv2DBackpropFilter", "convolutions"),
        (COMPILED, "scan over time (compiled)"),
        ("_MklNativeFusedBatchNormGradV3", "batch norm"),
        ("_MklNativeMaxPoolGrad", "pooling"),
        ("AssignAddVariableOp", "optimizer"),
        ("Mean", "other"),
    ],
)
def test_every_kind_of_operation_has_its_row(operation, row):
    assert kind(operation) == row
