"""Scan over time: from the currents of neurons to their outputs, by Norse's equations, with the fastest backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters, iaf_feed_forward_step
from norse.torch.functional.leaky_integrator_box import LIBoxParameters, LIBoxState, li_box_feed_forward_step
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from norse.torch.functional.reset import reset_subtract, reset_value
from torch import Tensor

from evonas.architecture.neuron import DT_MS, Surrogate
from evonas.snn.kernels.adaptive_step import AdaptiveParameters, AdaptiveState, adaptive_step
from evonas.snn.kernels.backend import backend, is_traced, plain_shape
from evonas.snn.kernels.cpp_scan import compiled_scan
from evonas.snn.kernels.fused_scan import Constants, FusedScan, State, StepRule, run
from evonas.snn.kernels.surrogates import with_surrogates
from evonas.snn.kernels.torch_scan import TorchScan, active

NeuronParameters: TypeAlias = LIFParameters | LIFBoxParameters | IAFParameters | LIBoxParameters | AdaptiveParameters
"""Parameters in Norse's form: their type says which neuron it is, and `method` holds our `Surrogate`."""

DT_SECONDS = DT_MS / 1000

NeuronState: TypeAlias = LIFFeedForwardState | LIFBoxFeedForwardState | IAFFeedForwardState | LIBoxState | AdaptiveState
"""Norse's states: the potential `v`, for `lif` the synaptic current `i`, and for `alif` the adaptation `a`."""

_STEPS: dict[type, Callable[..., tuple[Tensor, Sequence[Tensor]]]] = {
    LIFParameters: with_surrogates(lif_feed_forward_step),
    LIFBoxParameters: with_surrogates(lif_box_feed_forward_step),
    IAFParameters: with_surrogates(iaf_feed_forward_step),
    LIBoxParameters: li_box_feed_forward_step,
    AdaptiveParameters: adaptive_step,
}


def scan(
    current: Tensor,
    parameters: NeuronParameters,
    *,
    time_steps: int | None = None,
    initial: NeuronState | None = None,
    updates: Tensor | None = None,
    known: tuple[StepRule, Constants] | None = None,
) -> Tensor:
    """Return `(time, batch, ...)` outputs of neurons; the spikes are those of `looped_scan` to the last bit.

    Gradients reach the current, `initial`, the time constants and thresholds, and flow through the reset. Where leak or
    reset are trained or differ between neurons, Norse's own steps are used.

    Args:
        current: `(time, batch, ...)` input current.
        parameters: Norse's parameter tuple of the neurons, its `method` a `Surrogate`.
        time_steps: Where given, the current may have time 1, and is held for so many steps without a copy.
        initial: State before the first step; None is at rest.
        updates: `(time,)` int64 counts, to which the number of neurons with non-zero current or state before each step
            is added.
        known: The result of `read` for these parameters, if the caller has it.

    Raises:
        ValueError: If the current has neither 1 nor `time_steps` time steps.
    """
    given = plain_shape(current)[0]
    steps = given if time_steps is None else time_steps
    if given not in (1, steps):
        raise ValueError(f"Expected a current of 1 or {steps} time steps, got {given}.")
    rule_and_constants = None if _is_looped(current) else known or read(parameters)
    if rule_and_constants is None:
        return looped_scan(current.expand(steps, *current.shape[1:]), parameters, initial=initial, updates=updates)
    rule, constants = rule_and_constants
    current, constants, start = _promoted(current, constants, _start(initial))
    return run(_fused(current), rule, constants, current, start=start, time_steps=steps, updates=updates)[0]


def scan_step(
    current: Tensor,
    parameters: NeuronParameters,
    *,
    state: NeuronState | None = None,
    updates: Tensor | None = None,
    known: tuple[StepRule, Constants] | None = None,
) -> tuple[Tensor, NeuronState]:
    """Return `(batch, ...)` outputs of one time step of `scan`, and the state behind it.

    All steps one by one give what `scan` gives at once, and the same gradients, which flow through the states.

    Args:
        current: `(batch, ...)` input current of the step.
        parameters: As for `scan`.
        state: State before the step; None is at rest.
        updates: `(1,)` int64 count, to which the number of neurons with non-zero current or state is added.
        known: As for `scan`.
    """
    rule_and_constants = None if _is_looped(current) else known or read(parameters)
    if rule_and_constants is None:
        outputs, state = _looped(current[None], parameters, initial=state, updates=updates)
        return outputs[0], state
    rule, constants = rule_and_constants
    current, constants, start = _promoted(current[None], constants, _start(state))
    outputs, end = run(_fused(current), rule, constants, current, start=start, time_steps=1, ends=True, updates=updates)
    return outputs[0], _state_of(parameters, *[values for values in end if values is not None])


def read(parameters: NeuronParameters) -> tuple[StepRule, Constants] | None:
    """Return rule and constants, or None where leak or reset differ between neurons, are trained, or are custom.

    Rates are multiplied by the time step here as Norse does in each step, so the products have the same bits.
    """
    if isinstance(parameters, LIBoxParameters):
        if not _is_plain(parameters.v_leak):
            return None
        rule = StepRule("readout", Surrogate(), float(parameters.v_leak), 0.0)
        return rule, Constants(DT_SECONDS * parameters.tau_mem_inv)
    if not isinstance(parameters.method, Surrogate) or not _is_plain(parameters.v_reset):
        return None
    surrogate, reset = parameters.method, float(parameters.v_reset)
    if isinstance(parameters, IAFParameters):
        return StepRule("integrate", surrogate, 0.0, reset), Constants(threshold=parameters.v_th)
    if not _is_plain(parameters.v_leak):
        return None
    leak, mem = float(parameters.v_leak), DT_SECONDS * parameters.tau_mem_inv
    if isinstance(parameters, LIFParameters):
        return StepRule("lif", surrogate, leak, reset), Constants(
            mem, -DT_SECONDS * parameters.tau_syn_inv, parameters.v_th
        )
    if isinstance(parameters, AdaptiveParameters):
        adapt = -DT_SECONDS * parameters.tau_adapt_inv
        constants = Constants(mem, threshold=parameters.v_th, adapt=adapt, beta=parameters.beta)
        return StepRule("adaptive", surrogate, leak, reset), constants
    kind = {reset_value: "box", reset_subtract: "box_subtract"}.get(parameters.reset_method)
    return None if kind is None else (StepRule(kind, surrogate, leak, reset), Constants(mem, None, parameters.v_th))


def _is_plain(potential: Tensor) -> bool:
    """Return whether it is one number that is not trained."""
    return potential.numel() == 1 and not potential.requires_grad and torch.is_tensor(potential)


def looped_scan(
    current: Tensor,
    parameters: NeuronParameters,
    *,
    initial: NeuronState | None = None,
    updates: Tensor | None = None,
) -> Tensor:
    """Return what `scan` returns, one call of Norse's step after the other: the reference."""
    return _looped(current, parameters, initial=initial, updates=updates)[0]


def _looped(
    current: Tensor, parameters: NeuronParameters, *, initial: NeuronState | None, updates: Tensor | None
) -> tuple[Tensor, NeuronState]:
    step = _STEPS[type(parameters)]
    state: Any = _at_rest(current[0], parameters) if initial is None else initial
    outputs = []
    for t, current_now in enumerate(current.unbind()):
        if updates is not None:
            updates[t] += active(current_now, state)
        output, state = step(current_now, state, parameters, DT_SECONDS)
        outputs.append(output)
    return torch.stack(outputs), state


def _at_rest(current: Tensor, parameters: NeuronParameters) -> NeuronState:
    rest = torch.zeros_like(current)
    has_two = isinstance(parameters, LIFParameters | AdaptiveParameters)
    return _state_of(parameters, rest, rest) if has_two else _state_of(parameters, rest)


def _state_of(parameters: NeuronParameters, *values: Tensor) -> NeuronState:
    """Return the state of neurons with these parameters, its values in the order of `NeuronState`."""
    if isinstance(parameters, AdaptiveParameters):
        return AdaptiveState(*values)
    if isinstance(parameters, LIFParameters):
        return LIFFeedForwardState(*values)
    if isinstance(parameters, LIFBoxParameters):
        return LIFBoxFeedForwardState(*values)
    if isinstance(parameters, IAFParameters):
        return IAFFeedForwardState(*values)
    return LIBoxState(*values)


def _start(state: NeuronState | None) -> State:
    if state is None:
        return State()
    if isinstance(state, AdaptiveState):
        return State(state.v, adaptation=state.a)
    return State(*state)


def _promoted(current: Tensor, constants: Constants, start: State) -> tuple[Tensor, Constants, State]:
    """Return all in the dtype, and the current in the shape, of the outputs of Norse's steps."""
    tensors = [t for t in (*constants.all, *start) if t is not None]
    if all(t.ndim == 0 and t.dtype == current.dtype and t.device == current.device for t in tensors):
        return current, constants, start  # the usual case, and fast
    shape = torch.broadcast_shapes(current.shape[1:], *(t.shape for t in tensors))
    dtype = current.dtype
    for tensor in tensors:
        dtype = torch.result_type(torch.empty(1, dtype=dtype), tensor)
    current = current.to(dtype)
    if current.shape[1:] != shape:
        current = current.expand(current.shape[0], *shape)

    def same(tensor: Tensor | None) -> Tensor | None:
        return tensor if tensor is None else tensor.to(device=current.device, dtype=dtype)

    return current, Constants(*map(same, constants.all)), State(*map(same, start))


def _is_looped(current: Tensor) -> bool:
    """Return whether to use Norse's own steps: on request, in a trace, or on a CPU without the compiled scan.

    There they are faster than our scan in torch's operations.
    """
    if is_traced() or backend.get() == "looped":
        return True
    return backend.get() == "fastest" and current.device.type == "cpu" and compiled_scan() is None


def _fused(current: Tensor) -> FusedScan:
    compiled = compiled_scan() if backend.get() == "fastest" and current.device.type == "cpu" else None
    return compiled if compiled is not None and compiled.takes(current) else _TORCH


_TORCH = TorchScan()
