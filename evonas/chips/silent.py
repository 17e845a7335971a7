"""The silent network: the counts of a network in which no neuron ever spikes, from its plan alone."""

from __future__ import annotations

from evonas.architecture.plan import Plan
from evonas.measurement import Activity, Connection, Population


def silent(plan: Plan) -> Activity:
    """Return the counts of one sample in which nothing ever happens: what no network of this plan can go below.

    Shapes, kinds and classes of inputs are those of the plan, so that what a chip cannot do at all shows here as well.
    """
    nothing = (0,) * plan.time_steps
    populations = tuple(
        Population(
            name=planned.name,
            kind=planned.dynamics.kind,
            shape=planned.shape,
            state=planned.dynamics.state_variables,
            static=planned.static,
            spikes=nothing,
            updates=nothing,
        )
        for planned in plan.populations
    )
    connections = tuple(
        Connection(
            name=planned.name,
            sources=planned.sources,
            target=planned.target,
            operation=planned.operation,
            element=planned.element,
            in_shape=planned.in_shape,
            out_shape=planned.out_shape,
            kernel=planned.kernel,
            stride=planned.stride,
            padding=planned.padding,
            groups=planned.groups,
            weights=planned.weights,
            biases=planned.biases,
            fan_in=planned.fan_in,
            dense=planned.dense,
            static=planned.static,
            events=nothing,
            graded=nothing,
            macs=nothing,
            inputs=nothing,
            units=nothing,
            unrolled=nothing,
        )
        for planned in plan.connections
    )
    return Activity(1, plan.time_steps, populations, connections)
