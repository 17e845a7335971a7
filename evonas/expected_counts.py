"""Expected counts of a network that is drawn from a mixture: scalars of any array library, priced by objectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ExpectedCounts:
    """Expected counts of a sample, scalars. Where the mixture is one network they are those of its `Activity`.

    In between they are a mean-field estimate, the rates of the mixed network times the probability of what carries
    them, and not the mean over the networks that may be drawn.

    Gradients reach the probabilities and, through the surrogate gradients of the spikes, everything that decides on
    rates: nothing is detached but the outputs of analog neurons, whose number has no useful gradient.

    Attributes:
        spikes: Spikes, and outputs of analog neurons other than zero, those of a static layer once.
        events: Delivered synaptic events.
        graded: Delivered graded events.
        macs: Multiply-accumulates behind the data, those of a static input once.
        input_macs: Multiply-accumulates of static data, once: work that some chips leave to their host.
        time_steps: Time steps.
        neuron_steps: Stateful neurons times time steps. These are the most active updates, and with biases
            nearly as many.
    """

    spikes: Any
    events: Any
    graded: Any
    macs: Any
    input_macs: Any
    time_steps: Any
    neuron_steps: Any


PriceFunction = Callable[[ExpectedCounts], Any]
"""What counts cost, a positive scalar in any unit: the arithmetic of an objective, on tensors. It may raise
`UnpriceableError` where `macs` are above 0; the search then leaves analog neurons out."""


def total_spikes(counts: ExpectedCounts) -> Any:
    """Return the spikes of a sample: the price where no other is given."""
    return counts.spikes
