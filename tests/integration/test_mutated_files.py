"""A few damaged files through each loader; many by `python -m tests.integration.mutated_files`."""

import pytest

from tests.integration.mutated_files import LOADERS, check


@pytest.mark.every(3)
@pytest.mark.parametrize("name", LOADERS)
def test_damaged_files_are_refused_or_give_what_the_whole_file_gives(name):
    outcomes = check(name, count=12, seed=1)
    assert outcomes.total() == 12
    assert outcomes["refused"] > 0 or name == "cache"  # which computes anew what is damaged


def test_a_loader_that_trusts_its_file_is_caught(monkeypatch):
    """The check is one that can fail."""
    monkeypatch.setattr("keras_snnkd.distill.checkpoints.check_seal", lambda *arguments: None)
    with pytest.raises(AssertionError, match=r"checkpoint, file .*: (another valid file|Traceback)"):
        check("checkpoint", count=60, seed=3)
