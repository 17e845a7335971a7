"""Expected counts of a network drawn from a mixture: scalars of any array library, priced by objectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ExpectedCounts:
    """Expected counts per sample, scalars. Where the mixture is a single network, they equal those of its `Activity`.

    Otherwise they are a mean-field estimate: the rates of the mixed network times the probability of what carries
    them, not the mean over the networks that may be drawn.

    Gradients reach the probabilities and, through the surrogate gradients of the spikes, everything that the rates
    depend on. Only the number of analog outputs other than zero is detached, for it has no useful gradient.

    Attributes:
        spikes: Spikes, and outputs of analog neurons other than zero, those of a static layer once.
        events: Delivered synaptic events.
        graded: Delivered graded events.
        macs: Multiply-accumulates behind the data, those of a static input once.
        input_macs: Multiply-accumulates of static data, once: work that some chips leave to their host.
        time_steps: Time steps.
        neuron_steps: Stateful neurons times time steps: an upper bound of the active updates, nearly reached with
            biases.
        adaptive_steps: Those of them whose threshold adapts.
    """

    spikes: Any
    events: Any
    graded: Any
    macs: Any
    input_macs: Any
    time_steps: Any
    neuron_steps: Any
    adaptive_steps: Any


PriceFunction = Callable[[ExpectedCounts], Any]
"""Returns the price of counts, a positive scalar in any unit: the arithmetic of an objective, on tensors. It may raise
`UnpriceableError` where `macs` or `adaptive_steps` are above 0; the search then leaves analog neurons, or those whose
threshold adapts, out."""


def total_spikes(counts: ExpectedCounts) -> Any:
    """Return the spikes of a sample: the price if no other is given."""
    return counts.spikes
