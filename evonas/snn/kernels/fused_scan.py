"""Interface of fused scans, with values of their arguments, and the autograd function that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from evonas.architecture.neuron import Surrogate


@dataclass(frozen=True)
class StepRule:
    """The part of a neuron's step that all neurons of a population share and that is never trained.

    Attributes:
        kind: `"lif"`, `"box"` (value reset), `"box_subtract"`, `"integrate"`, `"readout"` or `"adaptive"`.
        surrogate: The gradient of the spike; the readout, which has none, ignores it.
        leak: Potential to which the membrane decays.
        reset: Potential after a spike.
    """

    kind: str
    surrogate: Surrogate
    leak: float
    reset: float


@dataclass(frozen=True)
class Constants:
    """Numbers that may differ between neurons and may be trained; each broadcasts to `(batch, ...)`.

    Attributes:
        mem: Time step over membrane time constant; None where the kind has none, as below.
        syn: Minus time step over synaptic time constant.
        threshold: The neuron fires strictly above.
        adapt: Minus time step over the time constant of the adaptation.
        beta: What one unit of adaptation adds to the threshold.
    """

    mem: Tensor | None = None
    syn: Tensor | None = None
    threshold: Tensor | None = None
    adapt: Tensor | None = None
    beta: Tensor | None = None

    @property
    def all(self) -> tuple[Tensor | None, ...]:
        """All of them, in the order of `Needs` and `Gradients`."""
        return self.mem, self.syn, self.threshold, self.adapt, self.beta


class State(NamedTuple):
    """`(batch, ...)` state before the first step or behind the last one; None is at rest, and as a gradient zero."""

    potential: Tensor | None = None
    synaptic: Tensor | None = None
    adaptation: Tensor | None = None


class Scanned(NamedTuple):
    """What a scan comes to.

    Attributes:
        outputs: `(time, batch, ...)` outputs.
        membranes: `(time, batch, ...)` potentials before the reset; None where no backward pass will come.
        end: State behind the last step; at rest where it was not asked for.
    """

    outputs: Tensor
    membranes: Tensor | None
    end: State


class Needs(NamedTuple):
    """Which gradients are needed besides the current's."""

    potential: bool
    synaptic: bool
    adaptation: bool
    mem: bool
    syn: bool
    threshold: bool
    adapt: bool
    beta: bool

    @property
    def constants(self) -> bool:
        """Whether the gradient of any constant is needed."""
        return any(self[3:])


class Gradients(NamedTuple):
    """Gradients: the current's in its shape, the others `(batch, ...)`, summed over time; None where not needed."""

    current: Tensor
    potential: Tensor | None
    synaptic: Tensor | None
    adaptation: Tensor | None
    mem: Tensor | None
    syn: Tensor | None
    threshold: Tensor | None
    adapt: Tensor | None
    beta: Tensor | None


class FusedScan(Protocol):
    """Runs all time steps at once. Currents have time 1 (held for all steps) or `time_steps`."""

    def forward(
        self,
        rule: StepRule,
        constants: Constants,
        current: Tensor,
        *,
        start: State,
        time_steps: int,
        keep: bool,
        ends: bool = False,
        updates: Tensor | None = None,
    ) -> Scanned:
        """Return the outputs and what was asked for.

        Args:
            rule: What a step does.
            constants: The numbers of the neurons.
            current: `(time or 1, batch, ...)` input current.
            start: The state before the first step.
            time_steps: Number of time steps.
            keep: Whether a backward pass will come.
            ends: Whether the state behind the last step is needed.
            updates: `(time,)` int64 counts, to which the number of neurons with non-zero current or state before each
                step is added.
        """

    def backward(
        self,
        rule: StepRule,
        constants: Constants,
        current: Tensor | None,
        membranes: Tensor,
        gradient: Tensor,
        *,
        start: State,
        static: bool,
        needs: Needs,
        end: State,
    ) -> Gradients:
        """Return the gradients.

        Args:
            rule: What a step does.
            constants: The numbers of the neurons.
            current: As in the forward pass; None where no gradient of a constant is needed, and where the kind has a
                threshold only.
            membranes: The potentials before the reset.
            gradient: `(time, batch, ...)` gradient of the outputs.
            start: The state before the first step.
            static: Whether the current has time 1, so that its gradient is a sum over time.
            needs: Which gradients to compute.
            end: Gradient of the state behind the last step.
        """


def run(
    fused: FusedScan,
    rule: StepRule,
    constants: Constants,
    current: Tensor,
    *,
    start: State,
    time_steps: int,
    ends: bool = False,
    updates: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Return `(time, batch, ...)` outputs and, if `ends`, the state behind the last step.

    Gradients flow to current, start and constants; active updates are added to `updates`.
    """
    given = (current, *start, *constants.all)
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in given):
        outputs, *end = _FusedScanFunction.apply(fused, rule, time_steps, ends, updates, *given)
        return outputs, State(*end)
    scanned = fused.forward(
        rule, constants, current, start=start, time_steps=time_steps, keep=False, ends=ends, updates=updates
    )
    return scanned.outputs, scanned.end


class _FusedScanFunction(torch.autograd.Function):
    """A fused scan whose backward pass is derived by hand.

    Only the potentials before the reset are kept: spikes, resets and adaptations follow from them. The current is kept,
    without a copy, where constants are trained.
    """

    @staticmethod
    def forward(
        ctx: Any,
        fused: FusedScan,
        rule: StepRule,
        time_steps: int,
        ends: bool,
        updates: Tensor | None,
        *given: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        current, potential, synaptic, adaptation, *numbers = given
        assert current is not None
        start = State(potential, synaptic, adaptation)
        outputs, membranes, end = fused.forward(
            rule,
            Constants(*numbers),
            current,
            start=start,
            time_steps=time_steps,
            keep=True,
            ends=ends,
            updates=updates,
        )
        ctx.fused, ctx.rule, ctx.static = fused, rule, current.shape[0] == 1
        ctx.needs = Needs(*ctx.needs_input_grad[6:])
        trains = rule.kind != "integrate" and ctx.needs.constants
        if rule.kind == "readout" and not trains:
            membranes = None  # a linear filter: its gradient does not depend on the potentials
        ctx.save_for_backward(current if trains else None, membranes, *start, *numbers)
        ctx.set_materialize_grads(False)
        ctx.outputs = outputs.shape
        return outputs, *end

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        current, membranes, potential, synaptic, adaptation, *numbers = ctx.saved_tensors
        constants = Constants(*numbers)
        gradient, *of_end = grad_outputs
        if gradient is None:  # the state alone goes on, or nothing
            like = next((part for part in of_end if part is not None), None)
            if like is None:
                return (None,) * len(ctx.needs_input_grad)
            gradient = like.new_zeros(()).expand(ctx.outputs)
        gradients = ctx.fused.backward(
            ctx.rule,
            constants,
            current,
            membranes,
            gradient,
            start=State(potential, synaptic, adaptation),
            static=ctx.static,
            needs=ctx.needs,
            end=State(*of_end),
        )
        summed = [
            None if value is None else _summed_to(value, tensor)
            for value, tensor in zip(gradients[4:], numbers, strict=True)
        ]
        return (None, None, None, None, None, *gradients[:4], *summed)


def _summed_to(gradient: Tensor, constant: Tensor) -> Tensor:
    """Return the gradient of a constant that many neurons share; summed in double precision against rounding."""
    return gradient.double().sum_to_size(constant.shape).to(constant)
