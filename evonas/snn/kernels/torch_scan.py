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
        mem, syn, threshold, adapt, beta = _numbers(constants, rest)
        v, i, a = (rest if values is None else values for values in start)
        for t, x in enumerate(current):
            if updates is not None:
                updates[t] += active(x, (v, i, a))
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
                now = threshold + beta * a if rule.kind == "adaptive" else threshold
                torch.gt(membrane - now, 0, out=outputs[t])
                v = _after_reset(rule, membrane, outputs[t], threshold)
                if rule.kind == "adaptive":
                    a = a + adapt * a + outputs[t]
        end = State()
        if ends:
            end = State(v.clone(), i if rule.kind == "lif" else None, a if rule.kind == "adaptive" else None)
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
        mem, syn, threshold, adapt, beta = _numbers(constants, zero)
        is_subtracted, is_readout = rule.kind == "box_subtract", rule.kind == "readout"
        is_adaptive, adaptations = rule.kind == "adaptive", None
        if is_adaptive:
            adaptations = _adaptations(constants, membranes, start)
            threshold = threshold + beta * adaptations  # of each time step
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
        later = torch.empty_like(of_membranes) if needs.threshold and not is_adaptive else None  # of v after the reset
        later_synaptic = torch.empty_like(of_membranes) if needs.syn else None  # of the decayed synaptic currents
        later_adaptation = torch.empty_like(of_membranes) if is_adaptive else None  # of the adaptations behind the step
        of_thresholds = torch.empty_like(of_membranes) if is_adaptive else None
        v, i, a = (zero if values is None else values for values in end)
        for t in reversed(range(len(gradient))):
            if later is not None:
                later[t] = v
            if later_synaptic is not None:
                later_synaptic[t] = i
            g = torch.add(through[t], v * stay[t], out=of_membranes[t])
            if later_adaptation is not None and of_thresholds is not None:
                later_adaptation[t] = a
                g += a * slope[t]
                torch.neg(through[t] + (v * jump[t] + a) * slope[t], out=of_thresholds[t])
                a = a + adapt * a + beta * of_thresholds[t]
            driven = mem * g
            v = g if rule.kind == "integrate" else g - driven
            if rule.kind == "lif":
                i = torch.add(driven, i + syn * i, out=of_currents[t])
        in_gradient = of_currents if rule.kind in ("lif", "integrate") else mem * of_membranes
        g_mem = g_syn = g_threshold = g_adapt = g_beta = None
        if later is not None:
            total = (gradient + later * jump) * slope
            g_threshold = -(total + later * spikes if is_subtracted else total).sum(0)
        if of_thresholds is not None and later_adaptation is not None and adaptations is not None:
            g_threshold = of_thresholds.sum(0) if needs.threshold else None
            g_adapt = (later_adaptation * adaptations).sum(0) if needs.adapt else None
            g_beta = (of_thresholds * adaptations).sum(0) if needs.beta else None
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
            adaptation=a if needs.adaptation else None,
            mem=g_mem,
            syn=g_syn,
            threshold=g_threshold,
            adapt=g_adapt,
            beta=g_beta,
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


def _adaptations(constants: Constants, membranes: Tensor, start: State) -> Tensor:
    """Return the `(time, batch, ...)` adaptations at the beginning of each time step."""
    _, _, threshold, adapt, beta = _numbers(constants, membranes.new_zeros(()))
    before = torch.empty_like(membranes, memory_format=torch.contiguous_format)
    a = membranes.new_zeros(()) if start.adaptation is None else start.adaptation
    for t, membrane in enumerate(membranes):
        before[t] = a
        a = a + adapt * a + (membrane - (threshold + beta * a) > 0).to(a.dtype)
    return before


def _before(rule: StepRule, threshold: Tensor, membranes: Tensor, spikes: Tensor, start: State) -> Tensor:
    """Return the potentials at the beginning of each time step."""
    first = torch.zeros_like(membranes[:1]) if start.potential is None else start.potential[None]
    after = membranes if rule.kind == "readout" else _after_reset(rule, membranes, spikes, threshold)
    return torch.cat([first, after[:-1]])


def _numbers(constants: Constants, missing: Tensor) -> tuple[Tensor, ...]:
    """Return the constants in the order of `Constants.all`, with `missing` where this kind of neuron has none."""
    return tuple(missing if constant is None else constant for constant in constants.all)
