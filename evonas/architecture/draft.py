"""Draft of a plan: populations are added in the order of computation; shapes are derived."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from evonas.architecture.constant import Constant, each
from evonas.architecture.gate import is_gate, planned_gate
from evonas.architecture.incoming import Incoming, check_numbers
from evonas.architecture.loops import order_of_computation
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import (
    INPUT,
    LOOP_NORMS,
    NORMALISED,
    OF_RELAYS,
    OPERATIONS,
    Plan,
    PlannedConnection,
    PlannedPopulation,
    check_gates,
    unknown_operation,
)
from evonas.errors import SpaceError
from evonas.input_shape import InputShape
from evonas.measurement import Shape, is_linear

SKIP_GAIN = 1.25
"""Gain of skips, in threshold currents of the target: one spike causes one, with a margin."""

POOL_GAIN = 3.75
"""Gain of pools, in threshold currents for a window full of spikes: about a third of them cause one. Without these
gains no pooled or skipped spike could reach a threshold above 1, and nothing on these edges could learn to."""

READOUT_GAIN = 10.0
"""Gain of the readout. Means over space and time differ little between classes, so without it a short training would
end before the logits are of order one. A flat readout has it over the square root of its positions: at one position
it is the mean, and with more a step of Adam changes more weights of a logit. Measured as the
standard deviation of logits over images after ten steps, the median of 8 random networks on digits of 8 x 8 and of 3 on
digits enlarged to 32 x 32: 1.2 and 1.1, where those of the mean have 0.5 and 0.1."""


class Draft:
    """Draft of a plan, to which populations are added in the order of computation, and feedback after them.

    Example:
        >>> draft = Draft((2, 1, 1), time_steps=4)
        >>> drive = Incoming("drive", ("input",), "conv", channels=3)
        >>> hidden = draft.add("hidden", Dynamics("lif"), incoming=[drive])
        >>> draft.connect(hidden, Incoming("back", (hidden,), "conv", channels=3, delay=1))
        >>> draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", (hidden,), "linear", channels=2)])
        'readout'
        >>> [[one.name for one in part] for part in draft.finish().parts], draft.finish().stepped
        ([['hidden'], ['readout']], frozenset({'back'}))

    Args:
        input_shape: `(channels, height, width)` of static images, which are the same at each time step, or `(time,
            channels, height, width)` of frames; an `InputShape` says what the elements are as well. A plan is for as
            many frames as time steps, whatever `time` says; see `check_frames`.
        time_steps: Time steps of each sample.
        loop_norm: One of `LOOP_NORMS`: what normalises the currents within loops.

    Raises:
        SpaceError: If the shape has neither 3 nor 4 numbers, there is no such norm, or no time step.
    """

    def __init__(self, input_shape: Sequence[int], *, time_steps: int, loop_norm: str = "weights") -> None:
        if loop_norm not in LOOP_NORMS:
            raise SpaceError(f"The norm of loops must be {' or '.join(LOOP_NORMS)}, got {loop_norm!r}.")
        self._loop_norm = loop_norm
        if time_steps < 1:
            raise SpaceError(f"A network needs one time step or more, got {time_steps}.")
        shape = InputShape(input_shape)
        self.time_steps = time_steps
        self._input_shape: Shape = shape.image
        self._element_of_data = shape.element
        self._is_static_input = shape.is_static
        self._populations: dict[str, PlannedPopulation] = {}
        self._connections: set[str] = set()
        self._has_feedback = False

    def add(self, name: str, dynamics: Dynamics, *, incoming: Sequence[Incoming]) -> str:
        """Add a population that sums the currents of `incoming`, and return its name.

        Raises:
            SpaceError: If a name is taken, the currents differ in shape, a source or an operation is unknown, a kernel
                has no centre, a `max_pool`, `resize` or gate is not the one connection of relays, dropout is no
                probability below 1, or constants of channels are not as many as these.
        """
        if name == INPUT or name in self._populations:
            raise SpaceError(
                f"The name {name!r} is taken: each population needs one of its own, and {INPUT!r} is the data."
            )
        connections = tuple(self._connect(edge, target=name, dynamics=dynamics) for edge in incoming)
        shapes = {edge.out_shape for edge in connections}
        if len(shapes) != 1:
            raise SpaceError(f"The currents into {name} must have one shape, got {sorted(shapes)}.")
        self._populations[name] = _checked(PlannedPopulation(name, shapes.pop(), dynamics, False, connections))
        return name

    def connect(self, target: str, edge: Incoming) -> None:
        """Add a connection to a population that was added before: with a delay, it may read itself and later ones.

        Raises:
            SpaceError: If the target is unknown or the current has another shape; and as for `add`.
        """
        if target not in self._populations:
            raise SpaceError(f"{edge.name!r} leads to {target!r}, which was not added before.")
        population = self._populations[target]
        connection = self._connect(edge, target=target, dynamics=population.dynamics)
        if connection.out_shape != population.shape:
            raise SpaceError(
                f"The current of {edge.name!r} has the shape {connection.out_shape}, and {target} {population.shape}."
            )
        connected = _checked(replace(population, incoming=(*population.incoming, connection)))
        if connected.element != population.element:
            raise SpaceError(
                f"{target} hands on what it reads, {population.element}, and with {edge.name!r} its sum would be "
                f"{connected.element}, which its readers do not know. Let {target} have both from the start."
            )
        self._populations[target] = connected
        self._has_feedback = True

    def shape(self, sources: Sequence[str]) -> Shape:
        """Return `(channels, height, width)` of the concatenated outputs of `sources`.

        Raises:
            SpaceError: If a source is unknown, or they differ in height or width.
        """
        unknown = [name for name in sources if name != INPUT and name not in self._populations]
        if unknown or not sources:
            raise SpaceError(f"A connection needs sources that were added before it, got {list(sources)}.")
        shapes = [self._input_shape if name == INPUT else self._populations[name].shape for name in sources]
        if len({shape[1:] for shape in shapes}) != 1:
            raise SpaceError(f"Only maps of one height and width can be concatenated, got {shapes}.")
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def finish(self) -> Plan:
        """Return the plan, its populations in the order in which they compute.

        Raises:
            SpaceError: If connections without a delay form a loop, a `norm` within a loop has no statistics, or a gate
                over time steps stands where they cannot be seen at once.
        """
        static = {INPUT: self._is_static_input}
        finished = []
        for name in self._order():
            one = self._populations[name]
            incoming = tuple(
                replace(edge, static=True) if not edge.delay and all(static[n] for n in edge.sources) else edge
                for edge in one.incoming
            )
            static[name] = not one.dynamics.has_memory and all(edge.static for edge in incoming)
            finished.append(PlannedPopulation(name, one.shape, one.dynamics, static[name], incoming))
        plan = Plan(self._input_shape, self.time_steps, tuple(finished), self._loop_norm)
        if self._has_feedback:
            _check_loops(plan)
        check_gates(plan)
        return plan

    def _order(self) -> list[str]:
        if not self._has_feedback:
            return list(self._populations)
        now, later = (
            {
                name: [s for edge in one.incoming if bool(edge.delay) == is_delayed for s in edge.sources]
                for name, one in self._populations.items()
            }
            for is_delayed in (False, True)
        )
        return order_of_computation(now, later)

    def _connect(self, edge: Incoming, *, target: str, dynamics: Dynamics) -> PlannedConnection:
        if edge.operation not in OPERATIONS:
            raise SpaceError(unknown_operation(edge.operation, name=edge.name))
        if edge.name in self._connections:
            raise SpaceError(
                f"The name of the connection {edge.name!r} into {target!r} is taken: each needs one of its own, under "
                "which its weights are kept."
            )
        self._connections.add(edge.name)
        is_tiled = edge.operation in ("pool", "max_pool") and edge.kernel == edge.stride
        if edge.kernel < 1 or (edge.kernel % 2 == 0 and not is_tiled) or edge.stride < 1:
            raise SpaceError(
                f"The kernel of the connection {edge.name!r} must be odd, so that it has a centre, or as large as its "
                f"stride where it pools, and its stride 1 or more, got kernel {edge.kernel} and stride {edge.stride}."
            )
        if not 0 <= edge.dropout < 1:
            raise SpaceError(
                f"The dropout of the connection {edge.name!r} must be a probability from 0 to below 1, got "
                f"{edge.dropout}."
            )
        if not 0 <= edge.delay < self.time_steps:
            raise SpaceError(
                f"The delay of the connection {edge.name!r} must be at least 0 and less than the {self.time_steps} "
                f"time steps, after which nothing arrives, got {edge.delay}."
            )
        in_shape = self.shape(edge.sources)
        check_numbers(edge, in_shape, target=dynamics)
        channels, height, width = in_shape
        padding = 0 if is_tiled else edge.kernel // 2  # either way each stride begins one more position
        sides = [math.ceil(side / edge.stride) * edge.repeats for side in (height, width)]
        out_shape = (edge.channels or channels, sides[0], sides[1])
        is_channelwise = edge.depthwise or edge.operation in ("norm", "pool", "skip", *OF_RELAYS)
        planned = PlannedConnection(
            name=edge.name,
            sources=edge.sources,
            target=target,
            operation=edge.operation,
            element=self._element(edge.sources),
            in_shape=in_shape,
            out_shape=(edge.channels, 1, 1) if is_linear(edge.operation) else out_shape,
            kernel=edge.kernel,
            stride=edge.stride,
            padding=padding,
            groups=edge.channels if edge.operation == "vote" else channels if is_channelwise else 1,
            static=False,  # follows from the whole graph: see `finish`
            gain=self._gain(edge, dynamics, in_shape=in_shape),
            delay=edge.delay,
            votes=edge.votes,
            dropout=edge.dropout,
            temperature=edge.temperature,
        )
        return self._gated(planned, edge) if is_gate(edge.operation) else planned

    def _gated(self, planned: PlannedConnection, edge: Incoming) -> PlannedConnection:
        """Return a connection with the gate that its operation stands for."""
        gate = planned_gate(
            edge.operation,
            shape=planned.in_shape,
            time_steps=self.time_steps,
            kernel=edge.kernel,
            reduction=edge.reduction,
        )
        return replace(planned, kernel=gate.kernel, padding=gate.kernel // 2, gate=gate)

    def _gain(self, edge: Incoming, target: Dynamics, *, in_shape: Shape) -> Constant:
        if edge.gain is not None:
            return edge.gain
        if edge.operation in ("linear", "flat_linear", "vote"):
            positions = in_shape[1] * in_shape[2] if edge.operation == "flat_linear" else 1
            return READOUT_GAIN / math.sqrt(positions)
        if not target.is_spiking:
            return 1.0
        if edge.operation in NORMALISED:
            return each(lambda deviation: 1 / deviation, target.deviation(self.time_steps))
        in_threshold_currents = POOL_GAIN if edge.operation == "pool" else SKIP_GAIN
        return each(lambda current: in_threshold_currents * current, target.threshold_current)

    def _element(self, sources: Sequence[str]) -> str:
        """Return `"binary"`, `"graded"` or `"real"` by the kinds of the sources, never by the values of a batch.

        The data say what theirs are; outputs of analog neurons are real, those of relays what they hand on. Of several
        sources, the costliest class holds for all.
        """
        classes: set[str] = set()
        for name in sources:
            if name == INPUT:
                classes.add(self._element_of_data)
            else:
                classes.add(self._populations[name].element)
        return next(element for element in ("real", "graded", "binary") if element in classes)


def _checked(population: PlannedPopulation) -> PlannedPopulation:
    """Return the population; raise `SpaceError` otherwise.

    Its constants must be for its channels, and one of `OF_RELAYS` must be the one connection of relays.
    """
    channels = population.dynamics.channels
    if channels not in (None, population.shape[0]):
        raise SpaceError(
            f"The neurons of {population.name!r} have {population.shape[0]} channels, and constants for {channels}. "
            "Give one number for all, or one for each channel."
        )
    pooling = [edge for edge in population.incoming if edge.operation in OF_RELAYS]
    if pooling and (population.dynamics.kind != "relay" or len(population.incoming) > 1):
        raise SpaceError(
            f"The {pooling[0].operation} {pooling[0].name!r} must be the one connection into a population of kind "
            f"'relay', got {len(population.incoming)} into {population.name!r} of kind {population.dynamics.kind!r}. "
            f"Add the relays, and let {population.name!r} read them."
        )
    return population


def _check_loops(plan: Plan) -> None:
    """Check that loops can be computed step by step; raise `SpaceError` otherwise."""
    norms = [edge.name for edge in plan.connections if edge.operation == "norm" and edge.name in plan.stepped]
    if norms and plan.loop_norm == "weights":
        raise SpaceError(
            f"The norm {norms[0]!r} lies within a loop, and has no weights whose length could stand in for the "
            'statistics of later steps. Let no loop pass it, or give the draft loop_norm="steps".'
        )
    looped = {edge.target for edge in plan.connections if edge.name in plan.stepped}
    warm = [edge.name for edge in plan.connections if edge.temperature is not None and edge.target in looped]
    if warm:
        raise SpaceError(
            f"{warm[0]!r} has a temperature of its own and leads into a loop, where each step hands on one gradient. "
            "Let no loop pass its target, or leave the temperature out."
        )
