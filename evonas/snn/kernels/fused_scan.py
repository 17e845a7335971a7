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
        kind: `"lif"`, `"box"` (value reset), `"box_subtract"`, `"integrate"` or `"readout"`.
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
    """

    mem: Tensor | None
    syn: Tensor | None
    threshold: Tensor | None


class Start(NamedTuple):
    """`(batch, ...)` state before the first step; None is at rest."""

    potential: Tensor | None
    synaptic: Tensor | None


class Needs(NamedTuple):
    """Which gradients are needed besides the current's."""

    potential: bool
    synaptic: bool
    mem: bool
    syn: bool
    threshold: bool


class Gradients(NamedTuple):
    """Gradients: the current's in its shape, the others `(batch, ...)`, summed over time; None where not needed."""

    current: Tensor
    potential: Tensor | None
    synaptic: Tensor | None
    mem: Tensor | None
    syn: Tensor | None
    threshold: Tensor | None


class FusedScan(Protocol):
    """Runs all time steps at once. Currents have time 1 (held for all steps) or `time_steps`."""

    def forward(
        self,
        rule: StepRule,
        constants: Constants,
        current: Tensor,
        *,
        start: Start,
        time_steps: int,
        keep: bool,
        updates: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return `(time, batch, ...)` outputs and, if `keep`, the potentials before the reset.

        Args:
            rule: What a step does.
            constants: The numbers of the neurons.
            current: `(time or 1, batch, ...)` input current.
            start: The state before the first step.
            time_steps: Number of time steps.
            keep: Whether a backward pass will come.
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
        start: Start,
        static: bool,
        needs: Needs,
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
        """


def run(
    fused: FusedScan,
    rule: StepRule,
    constants: Constants,
    current: Tensor,
    *,
    start: Start,
    time_steps: int,
    updates: Tensor | None = None,
) -> Tensor:
    """Return `(time, batch, ...)` outputs; gradients flow to current, start and constants; counts in `updates`."""
    given = (current, *start, constants.mem, constants.syn, constants.threshold)
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in given):
        outputs: Tensor = _FusedScanFunction.apply(fused, rule, time_steps, updates, *given)
        return outputs
    return fused.forward(rule, constants, current, start=start, time_steps=time_steps, keep=False, updates=updates)[0]


class _FusedScanFunction(torch.autograd.Function):
    """A fused scan whose backward pass is derived by hand.

    Only the potentials before the reset are kept: spikes and resets follow from them. The current is kept, without a
    copy, where constants are trained.
    """

    @staticmethod
    def forward(
        ctx: Any, fused: FusedScan, rule: StepRule, time_steps: int, updates: Tensor | None, *given: Tensor | None
    ) -> Tensor:
        current, potential, synaptic, *numbers = given
        assert current is not None
        outputs, membranes = fused.forward(
            rule,
            Constants(*numbers),
            current,
            start=Start(potential, synaptic),
            time_steps=time_steps,
            keep=True,
            updates=updates,
        )
        ctx.fused, ctx.rule, ctx.static = fused, rule, current.shape[0] == 1
        ctx.needs = Needs(*ctx.needs_input_grad[5:])
        trains = rule.kind != "integrate" and any((ctx.needs.mem, ctx.needs.syn, ctx.needs.threshold))
        if rule.kind == "readout" and not trains:
            membranes = None  # a linear filter: its gradient does not depend on the potentials
        ctx.save_for_backward(current if trains else None, membranes, potential, synaptic, *numbers)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        current, membranes, potential, synaptic, *numbers = ctx.saved_tensors
        constants = Constants(*numbers)
        gradients = ctx.fused.backward(
            ctx.rule,
            constants,
            current,
            membranes,
            grad_outputs[0],
            start=Start(potential, synaptic),
            static=ctx.static,
            needs=ctx.needs,
        )
        summed = [
            None if value is None else _summed_to(value, tensor)
            for value, tensor in zip(gradients[3:], numbers, strict=True)
        ]
        return (None, None, None, None, gradients.current, gradients.potential, gradients.synaptic, *summed)


def _summed_to(gradient: Tensor, constant: Tensor) -> Tensor:
    """Return the gradient of a constant that many neurons share; summed in double precision against rounding."""
    return gradient.double().sum_to_size(constant.shape).to(constant)
