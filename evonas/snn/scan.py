"""Currents over time to outputs over time, by Norse's own steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters, iaf_feed_forward_step
from norse.torch.functional.leaky_integrator_box import LIBoxParameters, LIBoxState, li_box_feed_forward_step
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from torch import Tensor

from evonas.snn.dynamics import DT_MS
from evonas.snn.surrogates import with_surrogates

NeuronParameters: TypeAlias = LIFParameters | LIFBoxParameters | IAFParameters | LIBoxParameters
"""Norse's parameters: their type says which neuron it is, and `method` holds our `Surrogate`."""

Watch = Callable[[Tensor, Sequence[Tensor]], None]
"""Called before each step with the `(batch, ...)` current and the state variables, each `(batch, ...)`."""

DT_SECONDS = DT_MS / 1000

_STEPS: dict[type, Callable[..., tuple[Tensor, Sequence[Tensor]]]] = {
    LIFParameters: with_surrogates(lif_feed_forward_step),
    LIFBoxParameters: with_surrogates(lif_box_feed_forward_step),
    IAFParameters: with_surrogates(iaf_feed_forward_step),
    LIBoxParameters: li_box_feed_forward_step,
}


def scan(current: Tensor, parameters: NeuronParameters, *, watch: Watch | None = None) -> Tensor:
    """Return `(time, batch, ...)` outputs of neurons that start at rest.

    Args:
        current: `(time, batch, ...)` input current.
        parameters: Norse's parameter tuple of the neurons.
        watch: Sees current and states before each step.
    """
    return looped_scan(current, parameters, watch=watch)


def looped_scan(current: Tensor, parameters: NeuronParameters, *, watch: Watch | None = None) -> Tensor:
    """Return what `scan` returns, one call of Norse's step after the other: the reference."""
    step = _STEPS[type(parameters)]
    rest = torch.zeros_like(current[0])
    state: Sequence[Tensor]
    if isinstance(parameters, LIFParameters):
        state = LIFFeedForwardState(v=rest, i=rest)
    elif isinstance(parameters, LIFBoxParameters):
        state = LIFBoxFeedForwardState(v=rest)
    elif isinstance(parameters, IAFParameters):
        state = IAFFeedForwardState(v=rest)
    else:
        state = LIBoxState(v=rest)
    outputs = []
    for current_now in current:
        if watch is not None:
            watch(current_now, state)
        output, state = step(current_now, state, parameters, DT_SECONDS)
        outputs.append(output)
    return torch.stack(outputs)
