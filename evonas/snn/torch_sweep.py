"""All time steps forward, and all backward, in operations of torch: on every device, and where there is no compiler."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evonas.snn.dynamics import Surrogate
from evonas.snn.neuron_law import Constants, Law
from evonas.snn.surrogates import DSPIKE_TEMPERATURE
from evonas.snn.sweep import Gradients, Start, Wanted

ROOT_OF_PI = float(torch.tensor(math.pi, dtype=torch.float32).sqrt())
"""In single precision, as in Norse, also among numbers in double precision."""


class TorchSweep:
    """The sweep in torch's operations: time steps in a loop, all that does not depend on the last step at once."""

    def forward(
        self, law: Law, constants: Constants, current: Tensor, *, start: Start, time_steps: int, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return outputs and, if `keep`, the potentials before the reset."""
        shape = (time_steps, *current.shape[1:])
        current = current.expand(shape)
        outputs = torch.empty_like(current, memory_format=torch.contiguous_format)
        membranes = torch.empty_like(outputs) if keep and law.kind != "readout" else None
        rest = torch.zeros((), dtype=current.dtype, device=current.device)
        v = rest if start.potential is None else start.potential
        i = rest if start.synaptic is None else start.synaptic
        for t, x in enumerate(current):
            if law.kind == "lif":
                jumped = i + x
                membrane = v + constants.mem * ((law.leak - v) + jumped)
                i = jumped + constants.syn * jumped
            elif law.kind == "integrate":
                membrane = v + x
            elif law.kind == "readout":
                membrane = v + constants.mem * ((law.leak - v) + x)
            else:
                membrane = v + constants.mem * ((x + law.leak) - v)
            if membranes is not None:
                membranes[t] = membrane
            if law.kind == "readout":
                outputs[t] = v = membrane
            else:
                torch.gt(membrane - constants.threshold, 0, out=outputs[t])
                v = _after_reset(law, membrane, outputs[t], constants.threshold)
        return outputs, outputs if law.kind == "readout" else membranes

    def backward(
        self,
        law: Law,
        constants: Constants,
        current: Tensor | None,
        membranes: Tensor,
        gradient: Tensor,
        *,
        start: Start,
        static: bool,
        wanted: Wanted,
    ) -> Gradients:
        """Return the gradients that are wanted."""
        if law.kind == "readout":
            spikes = jump = slope = None
            through, stay = gradient, None
        else:
            above = membranes - constants.threshold
            spikes = (above > 0).to(above.dtype)
            slope = derivative(above, law.surrogate)
            jump = above - membranes if law.kind == "box_subtract" else law.reset - membranes
            through = gradient * slope
            stay = jump * slope + (1 if law.kind == "box_subtract" else 1 - spikes)
        g = torch.empty_like(through)  # of the potentials before the reset
        gi = torch.empty_like(g) if law.kind == "lif" else None  # of the currents that drive the membrane
        later = torch.empty_like(g) if wanted.threshold else None  # of the potentials after the reset
        later_i = torch.empty_like(g) if wanted.syn else None  # of the decayed synaptic currents
        v_now = i_now = torch.zeros((), dtype=g.dtype, device=g.device)
        for t in reversed(range(len(gradient))):
            if later is not None:
                later[t] = v_now
            if later_i is not None:
                later_i[t] = i_now
            torch.add(through[t], v_now if stay is None else v_now * stay[t], out=g[t])
            driven = g[t] if law.kind == "integrate" else constants.mem * g[t]
            v_now = g[t] if law.kind == "integrate" else g[t] - driven
            if gi is not None:
                i_now = torch.add(driven, i_now + constants.syn * i_now, out=gi[t])
        g_current = gi if gi is not None else g if law.kind == "integrate" else constants.mem * g
        g_mem = g_syn = g_threshold = None
        if wanted.threshold:
            total = (gradient + later * jump) * slope
            g_threshold = -(total + later * spikes if law.kind == "box_subtract" else total).sum(0)
        if wanted.mem or wanted.syn:
            x = current.expand(g.shape)
            if law.kind == "lif":
                x = _synaptic_currents(constants, x, start)
            if wanted.syn:
                g_syn = (later_i * x).sum(0)
            if wanted.mem:
                g_mem = (g * ((law.leak - self._before(law, constants, membranes, spikes, start)) + x)).sum(0)
        return Gradients(
            current=g_current.sum(0, keepdim=True) if static else g_current,
            potential=v_now.expand(g.shape[1:]) if wanted.potential else None,
            synaptic=i_now.expand(g.shape[1:]) if wanted.synaptic else None,
            mem=g_mem,
            syn=g_syn,
            threshold=g_threshold,
        )

    @staticmethod
    def _before(law: Law, constants: Constants, membranes: Tensor, spikes: Tensor | None, start: Start) -> Tensor:
        """Return the potentials at the beginning of each time step."""
        first = torch.zeros_like(membranes[:1]) if start.potential is None else start.potential[None]
        after = membranes if spikes is None else _after_reset(law, membranes, spikes, constants.threshold)
        return torch.cat([first, after[:-1]])


def derivative(above: Tensor, surrogate: Surrogate) -> Tensor:
    """Return what stands in for the derivative of the spike, at `above`: potential minus threshold.

    The formulas of `evonas.snn.surrogates`, in the form that needs fewest operations.
    """
    x = above / surrogate.width
    match surrogate.method:
        case "super":
            bump = 1 / (x.abs() + 1).square()
        case "triangle":
            bump = torch.relu(1 - x.abs())
        case "tanh":
            bump = 1 - x.tanh().square()
        case "circ":
            bump = (1 + x.square()).pow(-1.5)
        case "heavi_erfc":
            bump = 2 / ROOT_OF_PI * torch.exp(-x.square())
        case _:
            b = DSPIKE_TEMPERATURE
            bump = b * (1 - torch.tanh(b * x).square()) / (2 * math.tanh(b / 2)) * (x.abs() < 0.5)
    return bump / surrogate.width


def _after_reset(law: Law, membrane: Tensor, spikes: Tensor, threshold: Tensor | None) -> Tensor:
    if law.kind == "box_subtract":
        return (1 - spikes) * membrane + spikes * (membrane - threshold)
    return (1 - spikes) * membrane + spikes * law.reset


def _synaptic_currents(constants: Constants, current: Tensor, start: Start) -> Tensor:
    jumped = torch.empty_like(current, memory_format=torch.contiguous_format)
    i = torch.zeros((), dtype=current.dtype, device=current.device) if start.synaptic is None else start.synaptic
    for t, x in enumerate(current):
        torch.add(i, x, out=jumped[t])
        i = jumped[t] + constants.syn * jumped[t]
    return jumped
