"""A budget for spikes, and for the operations that they cause."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.objective import Objective, Tap, check_positive, has_time, real_steps, taps_of
from keras_snnkd.errors import NothingToGainError, unknown_name
from keras_snnkd.layers.pruned import NeuronMask
from keras_snnkd.layers.rate_activation import RateActivation
from keras_snnkd.layers.synapses import Synapse, parts

PER = ("operation", "neuron")

BREAK_EVEN = 0.057
"""Spikes a neuron and step below which a spiking network needs less energy than its 8-bit ANN twin (arXiv:2409.08290)."""

SYNOPS, RATE = "synops", "spike_rate"
"""The metrics that tell, while training, what the budget is about."""


@public
class SpikeBudget(Objective):
    """Hold the spikes of a network, or the synaptic operations that they cause, below a budget.

    With the operations of a sample, ``o_b``: the spikes of all neurons, each times the number of connections that read it (its fan-out, in
    which weights of 0 are none), and their mean over the batch::

        synops:             loss = max(0, mean over B of o / synops - 1)
        rate per operation: loss = max(0, mean over B of o / (rate N_o) - 1),  N_o the operations if all neurons fired in all steps
        rate per neuron:    loss = max(0, mean over B of n / (rate N T) - 1),  n the spikes of N neurons in T steps

    Steps that are padding are none in which a neuron could have fired: they count neither in ``N_o`` nor in ``T``.

    Below the budget the loss is 0 and has no gradient; above, the gradient does not fade towards the budget, so that a large enough
    weight holds it exactly. A tight budget is better reached slowly: `weight={"schedule": "ramp", "start": 0.0, "end": 1.0}`. What counts
    as an operation is what `keras_snnkd.metrics.synaptic_operations` counts as an accumulate of a weight; multiplications, such as those of
    an image, do not depend on spikes and are outside of the budget, and so are the products of attention, which have no weights. Behind a
    sum of spikes (`Add`) each of them counts, and behind average pooling and means over time each by its share, where `synaptic_operations`
    counts the multiplications of what is not 0.

    In a twin by rates (`keras_snnkd.models.with_rates`) a rate counts as the spikes of T steps that it stands for. Behind max pooling that
    is at most what the spiking network needs, whose neurons do not all fire in the same steps.

    The hinge is ours. That fewer spikes, and not sparser weights alone, decide on energy is the break-even of arXiv:2409.08290, whose 5.7
    per cent are the default.

    Args:
        rate: The highest mean rate, above 0 and below 1.
        synops: In its place, the highest number of operations per sample.
        per: What `rate` is a share of: `"operation"` weights the layers by their fan-out, `"neuron"` counts all spikes alike.
        student_tap: Layers of neurons whose spikes count; all by default.
        weight, name: See `Objective`.

    Reads:
        Spikes `[B, T, ...]` of the student, or rates `[B, ...]` of its twin.

    Raises:
        NothingToGainError: For a budget above what the student needs when all its neurons fire.
        ValueError: For both or impossible budgets; for a student without spiking neurons, or whose layers cannot be seen.
        UnknownNameError: For an unknown `per`.

    Example:
        >>> kd.Distiller(student, teacher, ["soft_targets", kd.objectives.SpikeBudget(rate=0.05)])
    """

    default_tap = "neurons"
    uses_teacher = False
    needs_time = True

    def __init__(
        self,
        rate: float | None = None,
        synops: float | None = None,
        per: str = "operation",
        student_tap: Tap | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(student_tap=student_tap, **kwargs)
        if rate is not None and synops is not None:
            raise ValueError(f"SpikeBudget: a budget is a rate or a number of operations, got rate={rate!r} and synops={synops!r}")
        if per not in PER:
            raise unknown_name("per", per, PER)
        if synops is not None and per != "operation":
            raise ValueError(f"SpikeBudget: synops counts operations, got per={per!r}; leave that out, or give a rate")
        self.given = (rate, synops)
        self.synops = None if synops is None else check_positive(self, "synops", synops)
        self.rate: float | None = None
        if synops is None:
            self.rate = check_positive(self, "rate", BREAK_EVEN if rate is None else rate)
            if self.rate >= 1:
                raise ValueError(f"SpikeBudget: rate is a share of neurons that fire, above 0 and below 1, got {rate!r}")
        self.per = per
        self.chosen = None if student_tap is None else list(taps_of(student_tap))
        self.read: list[Read] = []
        """What is counted, a row for each tap; empty until the student is known."""

    @property
    def reads_steps(self) -> bool:
        return any(row.reader is not None and row.reader.reads_output for row in self.read)

    @property
    def possible(self) -> float:
        """What is counted in one sample if all neurons fire in all steps."""
        return sum(row.possible for row in self.read)

    @property
    def measured(self) -> tuple[str, ...]:
        return (SYNOPS,) if self.per == "operation" else (RATE,)

    def prepare(self, student: keras.Model) -> None:
        if not graphs.is_graph(student):
            raise ValueError(f"{self.name}: the layers of {student.name} cannot be seen; the budget needs a functional or Sequential model")
        found = _fan_outs(graphs.flat(student)) if self.per == "operation" else _neurons(graphs.flat(student))
        neurons = {row.source for row in found}
        for name in self.chosen or ():
            if name not in neurons:
                raise unknown_name(f"layer of {student.name} whose spikes are read", name, neurons)
        self.read = [row for row in found if self.chosen is None or row.source in self.chosen]
        if not self.read:
            raise ValueError(f"{self.name}: {student.name} has no spiking neurons whose spikes another layer reads")
        self.student_tap = [row.tap for row in self.read]
        if self.synops is not None and self.synops >= self.possible:
            raise NothingToGainError(
                f"{self.name}: the spikes of {student.name} cause at most {self.possible:,.0f} operations a sample, when all its "
                f"neurons fire in all steps, and the budget is {self.synops:,.0f}; ask for less"
            )

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        if not self.read:
            if self.per == "operation":
                raise ValueError(f"{self.name}: operations are counted in a network; call prepare(student) before, or take per='neuron'")
            shapes = student_shape if isinstance(student_shape[0], (list, tuple)) else [student_shape]
            self.read = [Read("", "", None, 1, float(np.prod(shape[1:]))) for shape in shapes]

    def counted(self, student_outputs: Tensor) -> Tensor:
        """Operations, or spikes, of each sample, `[B]`."""
        outputs = student_outputs if isinstance(student_outputs, (list, tuple)) else [student_outputs]
        counts = [_count(row, x) for row, x in zip(self.read, outputs, strict=True)]
        return sum(counts[1:], counts[0])

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        counts = self.counted(student_outputs)
        budget = self.synops if self.rate is None else self.rate * self.possible * share_of_real_steps(student_outputs)
        excess = ops.maximum(ops.mean(counts) / budget - 1.0, 0.0)
        return ops.broadcast_to(excess, ops.shape(counts))

    def measures(self, student_outputs: Tensor) -> dict[str, Tensor]:
        counts = ops.mean(self.counted(student_outputs))
        return {SYNOPS: counts} if self.per == "operation" else {RATE: counts / (self.possible * share_of_real_steps(student_outputs))}

    def get_config(self) -> Config:
        rate, synops = self.given
        return {**super().get_config(), "student_tap": self.chosen, "rate": rate, "synops": synops, "per": self.per}


class Read(NamedTuple):
    """Neurons whose spikes count, and what reads them.

    Args:
        source: The name of their layer.
        tap: That of the layer whose output is read: theirs, or pooling behind it.
        reader: What makes operations of spikes; `None` where spikes count as such.
        steps: T where the output are rates of so many steps, else 1.
        possible: What is counted in one sample if all neurons fire in all steps.
    """

    source: str
    tap: str
    reader: Synapse | None
    steps: int
    possible: float


def share_of_real_steps(student_outputs: Any) -> Any:
    """The share of a batch's steps that are no padding."""
    outputs = student_outputs if isinstance(student_outputs, (list, tuple)) else [student_outputs]
    real = next((real for x in outputs if has_time(x) and (real := real_steps(x)) is not None), None)
    return 1.0 if real is None else ops.mean(real)


def _count(row: Read, x: Tensor) -> Tensor:
    x = ops.cast(x, "float32")
    real = real_steps(x) if has_time(x) else None
    x = x if real is None else x * real
    counts = ops.sum(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1) if row.reader is None else row.reader.operations(x)
    return counts * row.steps


def _steps(layer: keras.Layer) -> int:
    """The steps that an output tells of in one number: 1 for spikes, T for rates; 0 for anything else."""
    return layer.timesteps if isinstance(layer, RateActivation) else int(graphs.fires(layer))


def _neurons(graph: keras.Model) -> list[Read]:
    """All layers that fire, whose spikes count as such."""
    rows = []
    for name, layer, *_ in graphs.calls(graph):
        if steps := _steps(layer):
            neurons = float(np.prod(graphs.first_output(layer).shape[1:]))
            rows.append(Read(name, layer.name, None, steps, neurons * steps))
    return rows


def _fan_outs(graph: keras.Model) -> list[Read]:
    """Every synapse that reads spikes."""
    rows = []
    for name, layer, tensor, output in graphs.calls(graph):
        for synapse in parts(name, layer).values():
            read = output if synapse.reads_output else tensor
            source, most = _source(graph, read)
            made_by = graphs.producer(graph, read)
            if source is None or synapse.before is not None or made_by is None:
                continue
            steps = _steps(source)
            possible = most * synapse.connections(read, nonzero=True) * steps * (read.shape[1] if synapse.timed else 1)
            rows.append(Read(source.name, made_by[0].name, synapse, steps, possible))
    return rows


def _source(graph: keras.Model, tensor: Any) -> tuple[keras.layers.Layer | None, int]:
    """The neurons whose spikes a tensor holds, perhaps pooled, reshaped or added up, and how many spikes a number in it can be.

    `None` for numbers behind other weights, and for images.
    """
    while (found := graphs.producer(graph, tensor)) is not None:
        layer, inputs = found
        if _steps(layer):
            return layer, 1
        if isinstance(layer, (keras.layers.Concatenate, keras.layers.Add)):
            sources = [_source(graph, one) for one in inputs]
            first, together = sources[0][0], sum if isinstance(layer, keras.layers.Add) else max
            alike = first is not None and all(source is not None and _steps(source) == _steps(first) for source, _ in sources)
            return (first, together(most for _, most in sources)) if alike else (None, 1)
        if len(inputs) != 1 or (getattr(layer, "weights", None) and not isinstance(layer, NeuronMask)):
            return None, 1
        (tensor,) = inputs
    return None, 1
