"""The modes of `train.py`: what a run does."""

import enum


class Mode(enum.StrEnum):
    """What a run does; recipes and the command line hold the value, a plain word.

    Example:
        >>> Mode.DISTILL == "distill"
    """

    TEACHER = "teacher"
    BASELINE = "baseline"
    DISTILL = "distill"
    MULTISTAGE = "multistage"
    COMPARE = "compare"
    TUNE = "tune"
    EVALUATE = "evaluate"
    EXPORT = "export"


WITH_STUDENTS = (Mode.BASELINE, Mode.DISTILL, Mode.MULTISTAGE, Mode.COMPARE, Mode.TUNE)
"""Modes that train students, which may then be compressed."""

WITHOUT_TRAINING = (Mode.EVALUATE, Mode.EXPORT)
"""Modes that look at a finished model; they take no recipe."""

OF_RECIPES = tuple(mode for mode in Mode if mode not in WITHOUT_TRAINING)
"""Modes that a recipe may ask for."""
