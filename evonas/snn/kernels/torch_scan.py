"""Scan in operations of torch, forward and backward: for every device, and where there is no compiler."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evonas.snn.kernels.fused_scan import Constants, Gradients, Needs, Scanned, State, StepRule
from evonas.snn.kernels.surrogates import derivative


class TorchScan:
    """Scan in torch's operations: a loop over time steps; what does not depend on the last step is computed at once."""

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
        """Return the outputs and what was asked for; count in `updates`."""
        shape = (time_steps, *current.shape[1:])
        current = current.expand(shape)
        outputs = torch.empty_like(current, memory_format=torch.contiguous_format)
        membranes = torch.empty_like(outputs) if keep and rule.kind != "readout" else None
        rest = torch.zeros((), dtype=current.dtype, device=current.device)
        mem, syn, threshold = _numbers(constants, rest)
        v = rest if start.potential is None else start.potential
        i = rest if start.synaptic is None else start.synaptic
        for t, x in enumerate(current):
            if updates is not None:
                updates[t] += active(x, (v, i))
            if rule.kind == "lif":
                jumped = i + x
                membrane = v + mem * ((rule.leak - v) + jumped)
                i = jumped + syn * jumped
            elif rule.kind == "integrate":
                membrane = v + x
            elif rule.kind == "readout":
                membrane = v + mem * ((rule.leak - v) + x)
            else:
                membrane = v + mem * ((x + rule.leak) - v)
            if membranes is not None:
                membranes[t] = membrane
            if rule.kind == "readout":
                outputs[t] = v = membrane
            else:
                torch.gt(membrane - threshold, 0, out=outputs[t])
                v = _after_reset(rule, membrane, outputs[t], threshold)
        end = State(v.clone(), i if rule.kind == "lif" else None) if ends else State(None, None)
        return Scanned(outputs, outputs if rule.kind == "readout" else membranes, end)

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
        """Return the gradients that are needed."""
        zero = gradient.new_zeros(())
        mem, syn, threshold = _numbers(constants, zero)
        is_subtracted, is_readout = rule.kind == "box_subtract", rule.kind == "readout"
        spikes = jump = slope = zero
        through, stay = gradient, zero + 1
        if not is_readout:
            above = membranes - threshold
            spikes = (above > 0).to(above.dtype)
            slope = derivative(above, rule.surrogate)
            jump = above - membranes if is_subtracted else rule.reset - membranes
            through = gradient * slope
            stay = jump * slope + (1 if is_subtracted else 1 - spikes)
        stay = stay.expand(gradient.shape)
        of_membranes = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        of_currents = torch.empty_like(of_membranes) if rule.kind == "lif" else of_membranes
        later = torch.empty_like(of_membranes) if needs.threshold else None  # of the potentials after the reset
        later_synaptic = torch.empty_like(of_membranes) if needs.syn else None  # of the decayed synaptic currents
        v = zero if end.potential is None else end.potential
        i = zero if end.synaptic is None else end.synaptic
        for t in reversed(range(len(gradient))):
            if later is not None:
                later[t] = v
            if later_synaptic is not None:
                later_synaptic[t] = i
            g = torch.add(through[t], v * stay[t], out=of_membranes[t])
            driven = mem * g
            v = g if rule.kind == "integrate" else g - driven
            if rule.kind == "lif":
                i = torch.add(driven, i + syn * i, out=of_currents[t])
        in_gradient = of_currents if rule.kind in ("lif", "integrate") else mem * of_membranes
        g_mem = g_syn = g_threshold = None
        if later is not None:
            total = (gradient + later * jump) * slope
            g_threshold = -(total + later * spikes if is_subtracted else total).sum(0)
        if current is not None:
            x = current.expand(gradient.shape)
            x = _synaptic_currents(syn, x, start) if rule.kind == "lif" else x
            if later_synaptic is not None:
                g_syn = (later_synaptic * x).sum(0)
            if needs.mem:
                g_mem = (of_membranes * ((rule.leak - _before(rule, threshold, membranes, spikes, start)) + x)).sum(0)
        return Gradients(
            current=in_gradient.sum(0, keepdim=True) if static else in_gradient,
            potential=v if needs.potential else None,
            synaptic=i if needs.synaptic else None,
            mem=g_mem,
            syn=g_syn,
            threshold=g_threshold,
        )


def active(current: Tensor, states: Sequence[Tensor]) -> Tensor:
    """Return how many neurons have a `(batch, ...)` current or state other than zero: the active updates of a step."""
    is_active = current != 0
    for state in states:
        is_active = is_active | (state != 0)
    return is_active.sum()


def _after_reset(rule: StepRule, membrane: Tensor, spikes: Tensor, threshold: Tensor) -> Tensor:
    if rule.kind == "box_subtract":
        return (1 - spikes) * membrane + spikes * (membrane - threshold)
    return (1 - spikes) * membrane + spikes * rule.reset


def _synaptic_currents(syn: Tensor, current: Tensor, start: State) -> Tensor:
    jumped = torch.empty_like(current, memory_format=torch.contiguous_format)
    i = torch.zeros((), dtype=current.dtype, device=current.device) if start.synaptic is None else start.synaptic
    for t, x in enumerate(current):
        torch.add(i, x, out=jumped[t])
        i = jumped[t] + syn * jumped[t]
    return jumped


def _before(rule: StepRule, threshold: Tensor, membranes: Tensor, spikes: Tensor, start: State) -> Tensor:
    """Return the potentials at the beginning of each time step."""
    first = torch.zeros_like(membranes[:1]) if start.potential is None else start.potential[None]
    after = membranes if rule.kind == "readout" else _after_reset(rule, membranes, spikes, threshold)
    return torch.cat([first, after[:-1]])


def _numbers(constants: Constants, missing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the constants, with `missing` where this kind of neuron has no such constant."""
    mem, syn, threshold = constants.mem, constants.syn, constants.threshold
    return (
        missing if mem is None else mem,
        missing if syn is None else syn,
        missing if threshold is None else threshold,
    )
