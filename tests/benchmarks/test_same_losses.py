"""The comparison of losses between two revisions."""

import pytest

from benchmarks import same_losses


@pytest.mark.slow
def test_the_same_network_has_the_same_losses():
    case = {"timesteps": 2, "widths": (4, "pool", 4)}
    losses = same_losses.losses(**case)
    assert len(losses) == same_losses.STEPS
    assert same_losses.losses(**case) == losses
    assert len(set(losses)) == same_losses.STEPS
    assert same_losses.losses(**case, tau=3.0) != losses


def test_what_a_revision_lacks_is_left_out():
    assert same_losses.losses(timesteps=2, another_option=True) is None
