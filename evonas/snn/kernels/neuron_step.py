"""What one step of a neuron does, read from Norse's parameters once for all steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from torch import Tensor

from evonas.architecture.neuron import DT_MS, Surrogate

NeuronParameters: TypeAlias = LIFParameters | LIFBoxParameters | IAFParameters | LIBoxParameters
"""Norse's parameters: their type says which neuron it is, and `method` holds our `Surrogate`."""

DT_SECONDS = DT_MS / 1000


@dataclass(frozen=True)
class StepRule:
    """The part of a neuron's step that is the same for all neurons and is never trained.

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
    """The numbers that may differ from neuron to neuron and may be trained, each to be broadcast to `(batch, ...)`.

    Attributes:
        mem: Time step over membrane time constant; None where the kind has none, as below.
        syn: Minus time step over synaptic time constant.
        threshold: The neuron fires strictly above.
    """

    mem: Tensor | None
    syn: Tensor | None
    threshold: Tensor | None


def read(parameters: NeuronParameters) -> tuple[StepRule, Constants] | None:
    """Return rule and constants, or None where leak or reset differ from neuron to neuron, are trained, or are custom.

    Rates are multiplied by the time step here as Norse does in each step, so the products have the same bits.
    """
    if isinstance(parameters, LIBoxParameters):
        if not _is_plain(parameters.v_leak):
            return None
        rule = StepRule("readout", Surrogate(), float(parameters.v_leak), 0.0)
        return rule, Constants(DT_SECONDS * parameters.tau_mem_inv, None, None)
    if not isinstance(parameters.method, Surrogate) or not _is_plain(parameters.v_reset):
        return None
    surrogate, reset = parameters.method, float(parameters.v_reset)
    if isinstance(parameters, IAFParameters):
        return StepRule("integrate", surrogate, 0.0, reset), Constants(None, None, parameters.v_th)
    if not _is_plain(parameters.v_leak):
        return None
    leak, mem = float(parameters.v_leak), DT_SECONDS * parameters.tau_mem_inv
    if isinstance(parameters, LIFParameters):
        return StepRule("lif", surrogate, leak, reset), Constants(
            mem, -DT_SECONDS * parameters.tau_syn_inv, parameters.v_th
        )
    kind = {reset_value: "box", reset_subtract: "box_subtract"}.get(parameters.reset_method)
    return None if kind is None else (StepRule(kind, surrogate, leak, reset), Constants(mem, None, parameters.v_th))


def _is_plain(potential: Tensor) -> bool:
    """Return whether it is one number that is not trained."""
    return potential.numel() == 1 and not potential.requires_grad and torch.is_tensor(potential)
