"""The text of one time step in plain C: constants, state, and what each kind of layer computes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd._version import __version__
from keras_snnkd.errors import UnsupportedError
from keras_snnkd.export.c_array import identifier
from keras_snnkd.layers import Frames, OverTime, SoftmaxSum, Standardize
from keras_snnkd.layers.readouts import Readout
from keras_snnkd.metrics.anytime import final_readout
from keras_snnkd.neurons import SpikingLayer
from keras_snnkd.neurons.adaptation import AdaptiveDynamics

PER_LINE = 8


class Source:
    """The C text of one model, layer by layer."""

    def __init__(self, model: keras.Model, name: str) -> None:
        self.model, self.name = model, name
        shape = tuple(model.inputs[0].shape[1:])
        if len(shape) != 2 or None in shape:
            raise UnsupportedError(f"{model.name} takes {shape}, and C of one step is written for series (T, C)")
        self.steps, self.inputs = shape
        try:
            self.readout = final_readout(model)
        except ValueError as error:
            raise UnsupportedError(f"{error}.") from error
        self.classes = model.outputs[0].shape[-1]
        self.padded = any(isinstance(layer, Standardize) and layer.padded for layer in model.layers)
        self.constants: list[str] = []
        self.state: list[str] = []
        self.rest: list[str] = []
        self.body: list[str] = []
        self.spikes: dict[str, tuple[str, int]] = {}  # by layer, its name in C and its width
        self.width, self.value = int(self.inputs), "input"
        self._walk()

    def _walk(self) -> None:
        expected = self.model.inputs[0]
        for name, layer, tensor, output in graphs.calls(self.model):
            if tensor is not expected:
                raise UnsupportedError(
                    f"{self.model.name}: layer {name!r} does not read the layer before it; C is written for chains of layers"
                )
            expected = output
            inner = layer.layer if isinstance(layer, OverTime) else layer
            writer = next((write for kind, write in WRITERS.items() if isinstance(inner, kind)), None)
            if writer is None or (isinstance(inner, Frames) and not inner.changes_nothing):
                raise UnsupportedError(
                    f"{self.model.name}: layer {name!r} ({type(inner).__name__}) has no form in C of one step; take "
                    "keras_snnkd.export.streaming"
                )
            writer(self, identifier(name), inner)

    def array(self, name: str, values: Any) -> str:
        """A constant array; its name."""
        numbers = [f"{float(np.float32(value)):.9g}" for value in np.ravel(keras.ops.convert_to_numpy(values))]
        numbers = [f"{number}f" if "." in number or "e" in number else f"{number}.0f" for number in numbers]
        lines = [f"    {', '.join(numbers[start : start + PER_LINE])}," for start in range(0, len(numbers), PER_LINE)]
        self.constants += [f"static const float {self.name}_{name}[{len(numbers)}] = {{", *lines, "};"]
        return f"{self.name}_{name}"

    def local(self, name: str, width: int) -> str:
        """A new array of this step; what later layers read."""
        self.body.append(f"float {name}[{width}];")
        self.width, self.value = width, name
        return name

    def kept(self, name: str, width: int, rest: float = 0.0) -> str:
        """A new array of the state, and its name."""
        self.state.append(f"float {name}[{width}];")
        if rest:
            self.rest.append(f"for (int i = 0; i < {width}; i++) state->{name}[i] = {rest!r}f;")
        return f"state->{name}"

    def loop(self, *lines: str) -> None:
        """Lines for each neuron `i`."""
        self.body += [f"for (int i = 0; i < {self.width}; i++) {{", *(f"  {line}" for line in lines), "}"]

    def header(self) -> str:
        """All of it."""
        name, guard, over_time = self.name, f"{self.name.upper()}_H_", self.readout.over_time
        of_answer = {"mean": "state->total[i] / (float)state->steps", "sum": "state->total[i]", "last": "state->latest[i]"}[over_time]
        return "\n".join(
            [
                f"// One time step of {self.model.name}: {self.inputs} inputs, {self.classes} classes, float32.",
                f"// Its answer is the {over_time} of its steps{', each a softmax' if isinstance(self.readout, SoftmaxSum) else ''}.",
                f"// Written by keras_snnkd {__version__}.",
                "",
                f"#ifndef {guard}",
                f"#define {guard}",
                "",
                "#include <math.h>",
                "#include <string.h>",
                "",
                f"#define {name}_INPUTS {self.inputs}",
                f"#define {name}_CLASSES {self.classes}",
                f"#define {name}_STEPS {self.steps}",
                "",
                *self.constants,
                "",
                "typedef struct {",
                *(f"  {line}" for line in self.state),
                f"  float total[{self.classes}];",
                f"  float latest[{self.classes}];",
                "  unsigned long steps;",
                f"}} {name}_state;",
                "",
                f"static inline void {name}_reset({name}_state *state) {{",
                "  memset(state, 0, sizeof *state);",
                *(f"  {line}" for line in self.rest),
                "}",
                "",
                f"static inline void {name}_step({name}_state *state, const float *input, float *logits) {{",
                *(f"  {line}" for line in self.body),
                f"  for (int i = 0; i < {self.classes}; i++) {{",
                f"    logits[i] = {self.value}[i];",
                "    state->latest[i] = logits[i];",
                "    state->total[i] += logits[i];",
                "  }",
                "  state->steps++;",
                "}",
                "",
                f"static inline void {name}_logits(const {name}_state *state, float *logits) {{",
                f"  for (int i = 0; i < {self.classes}; i++) logits[i] = {of_answer};",
                "}",
                "",
                f"static inline int {name}_answer(const {name}_state *state, float *confidence) {{",
                f"  float logits[{self.classes}], sum = 0.0f;",
                "  int best = 0;",
                f"  {name}_logits(state, logits);",
                f"  for (int i = 1; i < {self.classes}; i++) if (logits[i] > logits[best]) best = i;",
                f"  for (int i = 0; i < {self.classes}; i++) sum += expf(logits[i] - logits[best]);",
                "  *confidence = 1.0f / sum;",
                "  return best;",
                "}",
                "",
                f"#endif  // {guard}",
                "",
            ]
        )


def _standardize(source: Source, name: str, layer: Standardize) -> None:
    mean, deviation = source.array(f"{name}_mean", layer.mean), source.array(f"{name}_deviation", layer.deviation)
    read, made = source.value, source.local(name, source.width)
    source.loop(f"{made}[i] = ({read}[i] - {mean}[i]) / {deviation}[i];")


def _dense(source: Source, name: str, layer: keras.layers.Dense) -> None:
    activation = keras.activations.serialize(layer.activation)
    if activation not in ("linear", "relu"):
        raise UnsupportedError(f"{source.model.name}: layer {name!r} has the activation {activation}; C of one step knows linear and relu")
    width, read, many = layer.units, source.value, source.width
    kernel = source.array(f"{name}_kernel", layer.kernel)
    bias = source.array(f"{name}_bias", layer.bias) if layer.use_bias else None
    made = source.local(name, width)
    source.loop(f"{made}[i] = {f'{bias}[i]' if bias else '0.0f'};")
    source.body += [
        f"for (int j = 0; j < {many}; j++) {{",
        f"  if ({read}[j] == 0.0f) continue;  // no spike, no work",
        f"  for (int i = 0; i < {width}; i++) {made}[i] += {read}[j] * {kernel}[j * {width} + i];",
        "}",
    ]
    if activation == "relu":
        source.loop(f"if ({made}[i] < 0.0f) {made}[i] = 0.0f;")


def _norm(source: Source, name: str, layer: keras.layers.BatchNormalization) -> None:
    mean, variance = (keras.ops.convert_to_numpy(weight).astype("float64") for weight in (layer.moving_mean, layer.moving_variance))
    gamma = keras.ops.convert_to_numpy(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = keras.ops.convert_to_numpy(layer.beta) if layer.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + layer.epsilon)
    scale, shift = source.array(f"{name}_scale", factor), source.array(f"{name}_shift", beta - mean * factor)
    source.loop(f"{source.value}[i] = {source.value}[i] * {scale}[i] + {shift}[i];")


def _relu(source: Source, name: str, layer: keras.layers.ReLU) -> None:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise UnsupportedError(f"{source.model.name}: layer {name!r} is no plain ReLU")
    source.loop(f"if ({source.value}[i] < 0.0f) {source.value}[i] = 0.0f;")


def _neurons(source: Source, name: str, layer: SpikingLayer) -> None:
    dynamics: Any = layer.dynamics
    if isinstance(dynamics, AdaptiveDynamics):
        _adaptive(source, name, layer)
        return
    leak = source.array(f"{name}_leak", np.broadcast_to(keras.ops.convert_to_numpy(_leak(layer)), (source.width,)))
    v, read = source.kept(f"{name}_v", source.width, dynamics.v_reset), source.value
    rest = f"{dynamics.v_reset!r}f"
    if dynamics.decay_input:
        charge = f"const float h = {v}[i] + ({read}[i] - ({v}[i] - {rest})) * {leak}[i];"
    else:
        charge = f"const float h = {v}[i] - ({v}[i] - {rest}) * {leak}[i] + {read}[i];"
    if dynamics.threshold is None:
        made = source.local(name, source.width)
        source.loop(charge, f"{v}[i] = h;", f"{made}[i] = h;")
        return
    spike = source.kept(f"{name}_spikes", source.width)
    source.spikes[layer.name] = name, source.width
    theta = f"{dynamics.threshold!r}f"
    lines = [charge]
    if dynamics.adapts:
        a = source.kept(f"{name}_adaptation", source.width)
        theta = f"({theta} + {dynamics.adaptation!r}f * {a}[i])"
    lines += [f"const float theta = {theta};", f"{spike}[i] = h >= theta ? 1.0f : 0.0f;"]
    lines.append(f"{v}[i] = h - {spike}[i] * theta;" if dynamics.reset == "soft" else f"{v}[i] = {spike}[i] != 0.0f ? {rest} : h;")
    if dynamics.adapts:
        lines.append(f"{a}[i] = {dynamics.adaptation_decay!r}f * {a}[i] + {spike}[i];")
    source.loop(*lines)
    source.value = spike


def _adaptive(source: Source, name: str, layer: Any) -> None:
    """Equations of `keras_snnkd.neurons.adaptation`; the spikes of the step before are in the state."""
    dynamics, width, read = layer.dynamics, source.width, source.value
    given = dynamics.given(layer.learned)
    alpha = source.array(f"{name}_alpha", given.alpha)
    u, spike = source.kept(f"{name}_u", width), source.kept(f"{name}_spikes", width)
    current = source.local(f"{name}_current", width)
    source.loop(f"{current}[i] = {read}[i];")
    if dynamics.recurrent:
        V = source.array(f"{name}_V", given.V)
        source.body += [
            f"for (int j = 0; j < {width}; j++) {{",
            f"  if ({spike}[j] == 0.0f) continue;",
            f"  for (int i = 0; i < {width}; i++) {current}[i] += {V}[j * {width} + i];",
            "}",
        ]
    threshold = f"{dynamics.threshold!r}f"
    reset = f"{u}[i] - {spike}[i] * {threshold}" if dynamics.reset == "soft" else f"({spike}[i] != 0.0f ? 0.0f : {u}[i])"
    lines = [f"const float v = {reset};"]
    if dynamics.adapts:
        beta, a, b = (source.array(f"{name}_{part}", getattr(given, part)) for part in ("beta", "a", "b"))
        w, coupled = source.kept(f"{name}_w", width), "v" if dynamics.coupling == "symplectic" else f"{u}[i]"
        lines.append(f"{w}[i] = {beta}[i] * {w}[i] + {a}[i] * {coupled} + {b}[i] * {spike}[i];")
        lines.append(f"{current}[i] -= {w}[i];")
    lines += [
        f"{u}[i] = {alpha}[i] * v + (1.0f - {alpha}[i]) * {current}[i];",
        f"{spike}[i] = {u}[i] > {threshold} ? 1.0f : 0.0f;",
    ]
    source.loop(*lines)
    source.spikes[layer.name] = name, width
    source.value = spike


def _leak(layer: SpikingLayer) -> Any:
    return layer.dynamics.leak if layer.leak is None else layer.leak


def _readout(source: Source, name: str, layer: Readout) -> None:
    if not isinstance(layer, SoftmaxSum):
        return
    read, made = source.value, source.local(name, source.width)
    source.body += [f"float {name}_sum = 0.0f, {name}_largest = {read}[0];"]
    source.loop(f"if ({read}[i] > {name}_largest) {name}_largest = {read}[i];")
    source.loop(f"{made}[i] = expf({read}[i] - {name}_largest);", f"{name}_sum += {made}[i];")
    source.loop(f"{made}[i] /= {name}_sum;")


def _nothing(source: Source, name: str, layer: keras.Layer) -> None:
    """Hands its input on."""


WRITERS: dict[type, Callable[..., None]] = {
    keras.layers.Dropout: _nothing,
    Frames: _nothing,
    Standardize: _standardize,
    keras.layers.Dense: _dense,
    keras.layers.BatchNormalization: _norm,
    keras.layers.ReLU: _relu,
    SpikingLayer: _neurons,
    Readout: _readout,
}
"""What writes each kind of layer."""
