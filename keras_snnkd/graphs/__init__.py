"""Graphs of functional models: their calls in order, models inside laid open, what they end in, and which layers fire."""

from keras_snnkd.graphs.endings import apart, before_activation, gives_numbers, last_activation
from keras_snnkd.graphs.flat import (
    calls,
    check_built,
    fires,
    first_output,
    flat,
    fresh_inputs,
    handle,
    in_order,
    inputs_of,
    is_graph,
    producer,
    remade,
    sized,
    taken,
)

__all__ = [
    "apart",
    "before_activation",
    "calls",
    "check_built",
    "fires",
    "first_output",
    "flat",
    "fresh_inputs",
    "gives_numbers",
    "handle",
    "in_order",
    "inputs_of",
    "is_graph",
    "last_activation",
    "producer",
    "remade",
    "sized",
    "taken",
]
