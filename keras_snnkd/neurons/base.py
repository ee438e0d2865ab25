"""What all neurons share: a layer for whole sequences and a cell for one step, around one `Dynamics`."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd import surrogates
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.neurons.dynamics import Dynamics
from keras_snnkd.neurons.eligibility import has_eligibility, on_rates
from keras_snnkd.neurons.lanes import joined, lanes_of
from keras_snnkd.neurons.scan import charge, scan, state_dtype

FLOAT32_MAX = (2 - 2**-23) * 2.0**127


class SpikingLayer(keras.Layer):
    """Neurons over a whole sequence of any shape: every element of the trailing axes is one neuron.

    A subclass sets `self.dynamics`, and overrides `leak` if it learns the leak, or `learned` if it learns more. State starts at rest in
    each call.

    Args:
        return_state: Whether the call returns the state after the last step too, for streaming.

    Call arguments:
        inputs: Currents, `[B, T, ...]`.
        initial_state: List of float32 arrays `[B, ...]` (membrane potential, and adaptation where there is one), as returned by an
            earlier call with `return_state=True`; rest by default.
        mask: Booleans `[B, T]`, False in padding at the end, where nothing fires.

    Returns:
        Spikes `[B, T, ...]` in the layer's compute dtype; with `return_state`, a list of the spikes and each part of the state.

    Raises:
        ShapeError: If the inputs have no time axis, or T is 0.
    """

    dynamics: Dynamics

    def __init__(self, return_state: bool = False, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # the membrane potential stays float32 under a mixed policy
        self.return_state = return_state
        self.supports_masking = True

    @property
    def emits_spikes(self) -> bool:
        """Whether the outputs are spikes; `False` for an integrator."""
        return self.dynamics.threshold is not None

    @property
    def leak(self) -> Tensor:
        """The learned leak as a tensor, or `None` where it is a constant of the dynamics."""
        return None

    @property
    def learned(self) -> tuple[Tensor, ...]:
        """The tensors that are learned in place of constants of the dynamics; see `Dynamics.given`."""
        return () if self.leak is None else (self.leak,)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3 or input_shape[1] == 0:
            raise ShapeError(
                f"{self.name}: neurons take currents [B, T, ...] with at least one time step, got shape {tuple(input_shape)}. "
                "Put an encoder such as keras_snnkd.layers.Direct(timesteps=4) before the first neuron."
            )
        super().build(input_shape)

    def call(self, inputs: Tensor, initial_state: Sequence[Tensor] | None = None, mask: Tensor | None = None) -> Tensor:
        if initial_state is not None:
            initial_state = self._checked(initial_state, inputs)
        outputs = scan(self.dynamics, inputs, self.learned, initial_state, self.return_state, self.compute_dtype)
        if self.return_state:
            return [_real(outputs[0], mask), *outputs[1]]
        return _real(outputs, mask)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Any:
        previous_mask = previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        return [previous_mask, *[None] * self.dynamics.state_size] if self.return_state else previous_mask

    def call_on_rates(self, inputs: Any, training: bool = False) -> Any:
        """The call for rate-based backpropagation; see `keras_snnkd.layers.rates`. Without eligibility, that of all steps."""
        if self.return_state or not has_eligibility(self.dynamics) or lanes_of(inputs).sequence.shape[1] is None:
            return self(joined(inputs))
        return on_rates(self.dynamics, lanes_of(inputs), self.learned, self.compute_dtype)

    def membrane(self, inputs: Tensor) -> Tensor:
        """The membrane potentials before the reset, `[B, T, ...]`, to which currents `[B, T, ...]` charge these neurons from rest.

        Differentiable, also through the resets of earlier steps.
        """
        return charge(self.dynamics, inputs, self.learned)

    def _checked(self, state: Sequence[Tensor] | None, inputs: Tensor) -> Sequence[Tensor] | None:
        state = list(state) if isinstance(state, (list, tuple)) else [state]
        expected = (inputs.shape[0], *inputs.shape[2:])
        found = [tuple(part.shape) for part in state]
        fits = all(len(shape) == len(expected) and shape[1:] == expected[1:] for shape in found)
        if len(state) != self.dynamics.state_size or not fits:
            raise ShapeError(f"{self.name}: initial_state must be {self.dynamics.state_size} array(s) of shape {expected}, got {found}")
        return state

    def step(self, inputs: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One time step: currents `[B, ...]` and a list of states to outputs `[B, ...]` and the list of new states."""
        given = self.dynamics.given(self.learned)
        output, _, states = self.dynamics.step(ops.cast(inputs, states[0].dtype), tuple(states), given)
        return ops.cast(output, self.compute_dtype), list(states)

    def compute_output_spec(self, inputs: Tensor, initial_state: Sequence[Tensor] | None = None, mask: Tensor | None = None) -> Any:
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not self.return_state:
            return outputs
        state = (inputs.shape[0], *inputs.shape[2:])
        return [outputs, *(keras.KerasTensor(state, dtype="float32") for _ in range(self.dynamics.state_size))]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "return_state": self.return_state}


class ResettingLayer(SpikingLayer):
    """Neurons that fire and are reset. Holds the arguments that all of them have; see `LIF` for their meaning."""

    def __init__(
        self, threshold: float, reset: str, v_reset: float, decay_input: bool, detach_reset: bool, surrogate: Any, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.threshold = check_number(self, "threshold", threshold)
        self.reset = reset
        self.v_reset = check_number(self, "v_reset", v_reset)
        self.decay_input = bool(decay_input)
        self.detach_reset = bool(detach_reset)
        self.surrogate = surrogates.get(surrogate)

    def make_dynamics(self, leak: float | None, **more: Any) -> Dynamics:
        """The dynamics with these arguments and `leak`."""
        return Dynamics(leak, self.threshold, self.reset, self.v_reset, self.decay_input, self.detach_reset, self.surrogate, **more)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "reset": self.reset,
            "v_reset": self.v_reset,
            "decay_input": self.decay_input,
            "detach_reset": self.detach_reset,
            "surrogate": surrogates.serialize(self.surrogate),
        }


class SpikingCell(keras.Layer):
    """One time step of a neuron, by Keras' RNN-cell protocol; works in `keras.layers.RNN` and `keras.layers.StackedRNNCells`.

    A subclass names its layer in `layer_class`; the constructor takes `units` and that layer's arguments.

    Args:
        units: Number of neurons, the last axis of the input.
        **neuron: The arguments of `layer_class`.

    Call arguments:
        inputs: Currents, `[B, units]`.
        states: List of float32 arrays `[B, units]`: the membrane potential, and the adaptation where there is one.

    Returns:
        Spikes `[B, units]` and the list of new states.

    Raises:
        ValueError: If `units` is not a whole number above 0.
    """

    layer_class: type[SpikingLayer]

    def __init__(self, units: int, **neuron: Any) -> None:
        own = {name: neuron.pop(name) for name in ("name", "dtype", "trainable") if name in neuron}
        super().__init__(autocast=False, **own)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise ValueError(f"{self.name}: units must be a whole number above 0, got {units!r}")
        self.units = units
        self.neuron = self.layer_class(dtype=self.dtype_policy, **neuron)

    @property
    def compute_dtype(self) -> str:
        """That of the state, in which `keras.layers.RNN` hands it on; the spikes have the compute dtype of the policy."""
        return state_dtype(self.dtype_policy.compute_dtype)

    @property
    def state_size(self) -> list[int]:
        return [self.units] * self.neuron.dynamics.state_size

    @property
    def output_size(self) -> int:
        return self.units

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        return list(self.neuron.dynamics.initial_state((batch_size, self.units)))

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] != self.units:
            raise ShapeError(f"{self.name}: {self.units} neurons take currents [B, {self.units}], got shape {tuple(input_shape)}")
        self.neuron.build((input_shape[0], 1, *input_shape[1:]))
        super().build(input_shape)

    def call(self, inputs: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        return self.neuron.step(inputs, states)

    def get_config(self) -> dict[str, Any]:
        neuron = self.neuron.get_config()
        neuron.pop("return_state")
        return {**neuron, **super().get_config(), "units": self.units}


def check_mask(name: str, x: Tensor, mask: Tensor) -> None:
    """Raise a `ShapeError` unless a mask has a boolean for each step of `x`, `[B, T, ...]`."""
    if len(mask.shape) != 2 or mask.shape[1] != x.shape[1]:
        raise ShapeError(f"{name}: a mask of {x.shape[1]} steps must be [B, {x.shape[1]}], got shape {list(mask.shape)}")


def _real(outputs: Tensor, mask: Tensor | None) -> Tensor:
    """`outputs` `[B, T, ...]` with 0 in the steps that do not count; as they are without a mask."""
    if mask is None:
        return outputs
    check_mask("neurons", outputs, mask)
    return outputs * ops.reshape(ops.cast(mask, outputs.dtype), (-1, outputs.shape[1], *[1] * (len(outputs.shape) - 2)))


def check_number(layer: keras.Layer, name: str, value: Any) -> float:
    """`value` as a float, or a `ValueError` that names the layer and the argument. What float32 cannot hold is not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -FLOAT32_MAX <= value <= FLOAT32_MAX:
        raise ValueError(f"{layer.name}: {name} must be a finite number (of float32), got {value!r}")
    return float(value)


def check_tau(layer: keras.Layer, name: str, tau: Any) -> float:
    """A time constant in ms, at least one time step (1 ms)."""
    tau = check_number(layer, name, tau)
    if tau <= 1:
        raise ValueError(f"{layer.name}: {name} must be greater than 1 ms (one time step), got {tau}")
    return tau
