"""Traits of a network: what its plan tells before any training, how large, how deep and how long it is."""

from __future__ import annotations

import math

from evonas.architecture.plan import Plan

TRAITS = ("weights", "operations", "synapse_steps", "neuron_steps", "layers", "time_steps")
"""What `traits` returns."""

NO_TRAITS = (0.0,) * len(TRAITS)
"""Those of a network of which nothing is known."""


def traits(plan: Plan) -> tuple[float, ...]:
    """Return the natural logarithms of `TRAITS`; what there is none of counts as 1.

    Weights are those that are stored, with biases; operations the dense multiply-accumulates of a sample. Synapses are
    the connected pairs whose input may differ from step to step, and neurons those with a state, both times the time
    steps.
    """
    edges = plan.connections
    synapses = sum(edge.dense for edge in edges if not edge.static)
    neurons = sum(math.prod(population.shape) for population in plan.populations if population.state)
    counts = (
        sum(edge.weights + edge.biases for edge in edges),
        plan.operations,
        synapses * plan.time_steps,
        neurons * plan.time_steps,
        len(plan.populations),
        plan.time_steps,
    )
    return tuple(math.log(max(count, 1)) for count in counts)
