"""Of many cases of one kind the suite takes some; `.ci/slow` runs all."""

import pytest


def sampled(cases, *usual):
    """Parameters of which all but the usual ones are slow."""
    return [case if case in usual else pytest.param(case, marks=pytest.mark.slow) for case in cases]
