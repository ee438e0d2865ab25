"""Searches for the most accurate student that a budget allows."""

from keras_snnkd.metrics.pareto import front
from keras_snnkd.tuning.budget import Budget
from keras_snnkd.tuning.search import Search
from keras_snnkd.tuning.space import Space

__all__ = ["Budget", "Search", "Space", "front"]
