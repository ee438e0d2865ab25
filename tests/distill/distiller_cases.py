"""What the tests of the distiller share."""

from tests.distill import tiny


def plain_pair():
    """Without batch norm, so that samples meet in the loss only."""
    return tiny.plain(), tiny.plain(9, "teacher")
