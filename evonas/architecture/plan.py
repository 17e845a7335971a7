"""What a network consists of, in shapes and numbers: the one description that is built, counted and priced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

from evonas.architecture.constant import Constant
from evonas.architecture.gate import GATES, KEEPING, Gate, is_temporal
from evonas.architecture.loops import strongly_connected
from evonas.architecture.neuron import Dynamics
from evonas.errors import SpaceError
from evonas.input_shape import InputShape
from evonas.measurement import Connection, Population, Shape, is_linear, repeats

INPUT = "input"
"""Name of the data among the sources of a connection."""

OPERATIONS = ("conv", "dense", "norm", "linear", "flat_linear", "vote", "pool", "max_pool", "resize", "skip", *GATES)
"""What a connection can do: convolve or connect all (and normalise), normalise alone, sum over space into classes,
average groups of channels, average over space, take the largest, pick or repeat, hand on, or multiply by a gate of
attention."""

HANDING_ON = ("max_pool", "resize", "skip", *KEEPING)
"""The operations whose results are elements that they read, or zero."""

OF_RELAYS = ("max_pool", "resize", *GATES)
"""The operations that go into relays alone: no sum of currents can say them."""

NORMALISED = ("conv", "dense", "norm")
"""The operations with a batch norm, whose factors are folded into weights, and its biases."""

LOOP_NORMS = ("weights", "steps")
"""What normalises currents within loops, where no step can wait for the statistics of later ones: the length of the
weights, or the statistics of each time step on its own."""


@dataclass(frozen=True)
class PlannedConnection:
    """One edge into a population; the attributes are those of `evonas.measurement.Connection`.

    Attributes:
        name: Unique in its network.
        sources: Populations (or `"input"`) whose outputs are concatenated.
        target: The population that receives the current.
        operation: `"conv"` or `"dense"` (of all positions, each with its own weights), both with batch norm; `"norm"`
            (batch norm of each channel, alone); `"linear"` (on the mean over space), `"flat_linear"` (on all
            positions), `"vote"` (the mean of each group of channels), `"pool"`, `"max_pool"`, `"resize"` (picks or
            repeats elements), `"skip"`, or one of `evonas.architecture.gate.GATES`.
        element: Class of the input elements: `"binary"`, `"graded"` or `"real"`.
        in_shape: `(channels, height, width)` of the input.
        out_shape: `(channels, height, width)` of the output.
        kernel: Side of the kernel.
        stride: Stride of the kernel.
        padding: Zeros added at each border.
        groups: Groups of channels that are connected among themselves only.
        static: Whether the input is the same at all time steps.
        gain: Constant factor of the current of `pool`, `skip`, `vote`, `linear` and `flat_linear`; that of `conv`,
            `dense` and `norm` is trained, and this is where it begins. Of neurons whose constants differ among
            channels, one for each.
        delay: Time steps ago at which it reads its sources; before the first step of a sample they are zero.
        votes: Rows of trained weights whose mean is the weights of a class, of `linear` and `flat_linear`. What is
            stored and computed in the end is their mean.
        dropout: Probability with which an element of the input is left out of a sample in training.
        temperature: Of Dspike, in the gradient that reaches this connection; None is that of its target.
        gate: What its input is multiplied by; None where it is no gate.
    """

    name: str
    sources: tuple[str, ...]
    target: str
    operation: str
    element: str
    in_shape: Shape
    out_shape: Shape
    kernel: int
    stride: int
    padding: int
    groups: int
    static: bool
    gain: Constant
    delay: int = 0
    votes: int = 1
    dropout: float = 0.0
    temperature: float | None = None
    gate: Gate | None = None

    @property
    def one_gain(self) -> float:
        """The gain of an operation whose outputs all have the same, such as `linear`."""
        assert not isinstance(self.gain, tuple)
        return self.gain

    @property
    def is_linear(self) -> bool:
        """Whether each input element reaches each output."""
        return is_linear(self.operation)

    @property
    def repeats(self) -> int:
        """How often each row and column is repeated: 1 unless a `resize` enlarges."""
        return repeats(self)

    @property
    def weights(self) -> int:
        """Stored weights, shared ones once; 0 where all are one constant."""
        if self.operation in ("dense", "flat_linear"):
            return self.dense
        if self.operation == "linear":  # on the mean over space: the positions of a channel share theirs
            return self.in_shape[0] * self.out_shape[0]
        if self.operation == "conv":
            return self.out_shape[0] * (self.in_shape[0] // self.groups) * self.kernel**2
        if self.gate:
            return self.gate.weights
        if self.operation == "norm":
            return self.out_shape[0]
        return 0

    @property
    def biases(self) -> int:
        """Biases after batch norm has been folded in: one an output channel."""
        return self.out_shape[0] if self.operation in NORMALISED else 0

    @cached_property
    def dense(self) -> int:
        """Connected (input, target) pairs, padding left out; of a gate all its operations."""
        if self.gate:
            return self.gate.dense(self.in_shape)
        if self.is_linear:
            channels, height, width = self.in_shape
            return channels * height * width * self.out_shape[0]
        return self.out_shape[0] * (self.in_shape[0] // self.groups) * sum(self._taps(1)) * sum(self._taps(2))

    @cached_property
    def fan_in(self) -> int:
        """Most inputs of any one target neuron."""
        if self.gate:
            return self.gate.fan_in(self.in_shape)
        if self.is_linear:
            channels, height, width = self.in_shape
            return channels * height * width
        return (self.in_shape[0] // self.groups) * max(self._taps(1)) * max(self._taps(2))

    def counted(self, **counts: tuple[int, ...]) -> Connection:
        """Return the connection as a part of an `Activity`.

        Args:
            **counts: `(time,)` counts: `events`, `graded`, `macs`, `inputs`, `units` and `unrolled`.
        """
        values = {one.name: getattr(self, one.name) for one in fields(Connection) if one.name not in counts}
        return Connection(**values | counts)

    def _taps(self, axis: int) -> tuple[int, ...]:
        """Return, for each output position along `axis`, the kernel elements that fall on the input."""
        inputs, outputs = self.in_shape[axis], self.out_shape[axis]
        if self.operation == "resize":
            return (1,) * outputs
        return _taps_along(inputs, outputs, kernel=self.kernel, stride=self.stride, padding=self.padding)


@lru_cache(maxsize=1024)  # layers differ in few sizes
def _taps_along(inputs: int, outputs: int, *, kernel: int, stride: int, padding: int) -> tuple[int, ...]:
    """Return, for each output position along an axis, the kernel elements that fall on the input."""
    starts = (stride * position - padding for position in range(outputs))
    return tuple(min(start + kernel, inputs) - max(start, 0) for start in starts)


@dataclass(frozen=True)
class PlannedPopulation:
    """The neurons of one layer: the sum of the currents of all its connections drives them.

    Attributes:
        name: Unique in its network.
        shape: `(channels, height, width)`.
        dynamics: What a neuron does.
        static: Whether its output is the same at all time steps.
        incoming: Its connections.
    """

    name: str
    shape: Shape
    dynamics: Dynamics
    static: bool
    incoming: tuple[PlannedConnection, ...]

    @property
    def element(self) -> str:
        """Class of the outputs, `"binary"`, `"graded"` or `"real"`: relays hand on that of one `HANDING_ON`."""
        if self.dynamics.is_spiking:
            return "binary"
        is_relay = self.dynamics.kind == "relay" and len(self.incoming) == 1
        return self.incoming[0].element if is_relay and self.incoming[0].operation in HANDING_ON else "real"

    @property
    def is_sum(self) -> bool:
        """Whether it is a sum of currents and no neurons: relays of real numbers, which are no messages of their own.

        The largest of real numbers is not, nor is a product: what decides on it sends it.
        """
        is_relay = self.dynamics.kind == "relay" and self.element == "real"
        return is_relay and all(edge.operation != "max_pool" and not edge.gate for edge in self.incoming)

    @property
    def state(self) -> int:
        """State variables of each neuron on a chip, where a relay of spikes is a neuron that one spike fires.

        Behind a gate there is no neuron: a product is arithmetic.
        """
        if self.dynamics.kind != "relay" or self.element != "binary":
            return self.dynamics.state_variables
        return 0 if any(edge.gate for edge in self.incoming) else 1

    def counted(self, *, spikes: tuple[int, ...], updates: tuple[int, ...]) -> Population:
        """Return the population as a part of an `Activity`, with its `(time,)` spikes and active updates."""
        kind = self.dynamics.kind
        return Population(self.name, kind, self.shape, self.state, self.static, spikes=spikes, updates=updates)


@dataclass(frozen=True)
class Plan:
    """A whole network, its populations in the order in which they compute; the last one is the readout.

    A population may read itself and later ones through connections with a delay. Such loops are computed one time step
    after the other, all other populations over all time steps at once.

    Attributes:
        input_shape: `(channels, height, width)` of the data.
        time_steps: Time steps of each sample.
        populations: The layers.
        loop_norm: One of `LOOP_NORMS`.
    """

    input_shape: Shape
    time_steps: int
    populations: tuple[PlannedPopulation, ...]
    loop_norm: str = "weights"

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """Shape of the answer to a sample: `(classes,)`, of a readout with positions `(channels, height, width)`."""
        channels, height, width = self.populations[-1].shape
        return (channels,) if height == width == 1 else (channels, height, width)

    @property
    def connections(self) -> tuple[PlannedConnection, ...]:
        """All connections in the order in which they compute."""
        return tuple(edge for population in self.populations for edge in population.incoming)

    @cached_property
    def parts(self) -> tuple[tuple[PlannedPopulation, ...], ...]:
        """The strongly connected parts in the order in which they compute: loops, and populations outside of loops."""
        by_name = {population.name: population for population in self.populations}
        sources = {
            population.name: [name for edge in population.incoming for name in edge.sources]
            for population in self.populations
        }
        return tuple(tuple(by_name[name] for name in part) for part in strongly_connected(sources))

    @cached_property
    def stepped(self) -> frozenset[str]:
        """Names of the connections within loops."""
        return frozenset(
            edge.name
            for part in self.parts
            for population in part
            for edge in population.incoming
            if not {other.name for other in part}.isdisjoint(edge.sources)
        )

    @property
    def operations(self) -> int:
        """Dense multiply-accumulates of one sample over all time steps; those of a static input once."""
        return sum(edge.dense * (1 if edge.static else self.time_steps) for edge in self.connections)


def check_gates(plan: Plan) -> None:
    """Check that no gate over time steps stands where time steps cannot be seen at once.

    Raises:
        SpaceError: If one is within a loop, or reads what is the same at all time steps.
    """
    for edge in plan.connections:
        if is_temporal(edge.operation) and (edge.name in plan.stepped or edge.static):
            where = "reads what is the same at all of them" if edge.static else "is within a loop, which knows no later"
            raise SpaceError(
                f"The gate {edge.name!r} weighs the time steps of a sample against each other and {where}. Use a gate "
                "over channels or space there."
            )


def unknown_operation(operation: str, *, name: str) -> str:
    """Return the message about an operation that does not exist."""
    return f"The operation of the connection {name!r} must be one of {', '.join(OPERATIONS)}, got {operation!r}."


def check_frames(input_shape: Sequence[int], *, time_steps: int) -> None:
    """Check that a network of so many time steps can take data of this shape.

    Raises:
        SpaceError: If the data are event frames, but not one for each time step.
    """
    shape = InputShape(input_shape)
    if not shape.takes(time_steps):
        raise SpaceError(
            f"The network has {time_steps} time steps and each sample {shape.frames} frames; expected one frame for "
            "each time step. Choose genotypes with as many time steps, or make other frames of the events."
        )
