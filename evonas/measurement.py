"""The measurement of a trained network: plain values that can be compared, and their form in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from evonas.errors import EvonasError

Shape = tuple[int, int, int]


def is_linear(operation: str) -> bool:
    """Return whether each input element of a connection reaches each of its outputs."""
    return operation in ("dense", "linear", "flat_linear")


class Resized(Protocol):
    """What `repeats` asks of a connection."""

    @property
    def operation(self) -> str:
        """What it does."""

    @property
    def in_shape(self) -> Shape:
        """`(channels, height, width)` of its input."""

    @property
    def out_shape(self) -> Shape:
        """`(channels, height, width)` of its output."""


def repeats(edge: Resized) -> int:
    """Return how often a connection repeats each row and column of its input: 1 unless a `resize` enlarges."""
    return max(1, edge.out_shape[1] // edge.in_shape[1]) if edge.operation == "resize" else 1


@dataclass(frozen=True)
class Population:
    """The neurons of one layer: what they are and what they did. Counts are totals over `Activity.samples`.

    Attributes:
        name: Unique in its network.
        kind: `"lif"`, `"lif_box"`, `"integrate_and_fire"`, `"alif"`, `"analog"`, `"relay"` or
            `"readout"`.
        shape: `(channels, height, width)`.
        state: State variables per neuron: 2 with synaptic current, 1 without, 0 for analog.
        static: Whether its output is the same at all time steps (an analog layer behind a static image).
        spikes: `(time,)` spikes, for analog neurons outputs other than zero (K); a static output is listed at each
            step. 0 for a readout, and for relays that are sums of currents: nothing is sent there.
        updates: `(time,)` neurons with input current or state other than zero (U).
    """

    name: str
    kind: str
    shape: Shape
    state: int
    static: bool
    spikes: tuple[int, ...]
    updates: tuple[int, ...]

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def outputs(self) -> int:
        """Spikes and non-zero analog outputs; a static output, which is computed once, counts once."""
        return sum(self.spikes[:1] if self.static else self.spikes)


@dataclass(frozen=True)
class Connection:
    """One edge into a population. Counts are totals over `Activity.samples`, exact at borders, batch norm folded in.

    An event is delivered for each non-zero input element and each target neuron that it reaches. Its kind
    follows from the class of the elements, never from the values of a batch: binary spikes (`"binary"`) make
    synaptic events, integer payloads (`"graded"`) graded events, real numbers (`"real"`) multiply-accumulates. A gate
    makes both of spikes.

    Attributes:
        name: Unique in its network.
        sources: Populations whose outputs are concatenated here; `"input"` is the data.
        target: The population that receives the current.
        operation: `"conv"`, `"dense"`, `"norm"`, `"linear"`, `"flat_linear"`, `"vote"`, `"pool"`, `"max_pool"`,
            `"resize"`, `"skip"`, or a gate of attention (`evonas.architecture.gate.GATES`).
        element: Class of the input elements: `"binary"`, `"graded"` or `"real"`.
        in_shape: `(channels, height, width)` of the input.
        out_shape: `(channels, height, width)` of the output.
        kernel: Side of the kernel; 1 for `dense`, `norm`, `linear`, `flat_linear`, `vote` and `skip`.
        stride: Stride of the kernel.
        padding: Zeros added at each border.
        groups: Groups of channels that are connected among themselves only.
        weights: Stored weights, shared ones once; 0 where all are one constant.
        biases: Bias values after batch norm has been folded in.
        fan_in: Most inputs of any one target neuron.
        dense: Connected (input, target) pairs: what a dense machine computes per sample and time step.
        static: Whether the input is the same at all time steps, so that the result may be computed once.
        events: `(time,)` delivered synaptic events (S).
        graded: `(time,)` delivered graded events (Sg).
        macs: `(time,)` multiply-accumulates with inputs other than zero (M); a static input is listed at each step.
        inputs: `(time,)` input elements other than zero, whatever their class.
        units: `(time,)` unit events that carry graded inputs where only binary spikes are sent: the sum of their
            sizes; 0 for other classes.
        unrolled: `(time,)` synaptic events that these unit events deliver.
        delay: Time steps ago at which it reads its sources. All counts are those of the step at which events arrive;
            what would arrive after the last step is sent and never delivered.
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
    weights: int
    biases: int
    fan_in: int
    dense: int
    static: bool
    events: tuple[int, ...]
    graded: tuple[int, ...]
    macs: tuple[int, ...]
    inputs: tuple[int, ...]
    units: tuple[int, ...]
    unrolled: tuple[int, ...]
    delay: int = 0

    @property
    def is_linear(self) -> bool:
        """Whether each input element reaches each output."""
        return is_linear(self.operation)


@dataclass(frozen=True)
class Activity:
    """Exact counts of one validation pass, by layer and time step. The properties are means per sample.

    Attributes:
        samples: Samples that were counted.
        time_steps: Time steps of each sample.
        populations: In the order in which they compute.
        connections: In the order in which they compute.
        step_seconds: How long a time step of the data lasts: a recording divided by its time steps. What has no
            duration, such as an image, is shown for 1 ms a step.

    Example:
        >>> from evonas.measurement import Activity, Population
        >>> hidden = Population("hidden", "lif", (5, 1, 1), state=2, static=False, spikes=(20, 30), updates=(40, 45))
        >>> Activity(samples=10, time_steps=2, populations=(hidden,), connections=()).spikes
        5.0
    """

    samples: int
    time_steps: int
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    step_seconds: float = 1e-3

    @property
    def seconds(self) -> float:
        """How long a sample lasts."""
        return self.time_steps * self.step_seconds

    @property
    def spikes(self) -> float:
        """Spikes and non-zero analog outputs, per sample; those of a static layer once."""
        return sum(population.outputs for population in self.populations) / self.samples

    @property
    def synaptic_operations(self) -> float:
        """Delivered synaptic events, graded ones included, per sample."""
        return sum(sum(edge.events) + sum(edge.graded) for edge in self.connections) / self.samples

    @property
    def macs(self) -> float:
        """Multiply-accumulates per sample; those of a static input once."""
        return sum(edge.macs[0] if edge.static else sum(edge.macs) for edge in self.connections) / self.samples

    @property
    def is_silent(self) -> bool:
        """Whether nothing ever reached a readout, so that the answer does not depend on the data."""
        readouts = {population.name for population in self.populations if population.kind == "readout"}
        arriving = [edge for edge in self.connections if edge.target in readouts]
        return not any(sum(edge.events) + sum(edge.graded) + sum(edge.macs) for edge in arriving)

    @property
    def neuron_steps(self) -> int:
        """Stateful neurons times time steps, per sample (NT)."""
        return self.time_steps * sum(population.neurons for population in self.populations if population.state)

    @property
    def updates(self) -> float:
        """Active updates of stateful neurons, per sample (U)."""
        return sum(sum(population.updates) for population in self.populations if population.state) / self.samples


@dataclass(frozen=True)
class Measurement:
    """What a trained network did on the validation data.

    Attributes:
        metrics: Name to value of each metric of the task, such as `accuracy` and `loss`.
        samples: Validation samples.
        parameters: Trainable weights and biases.
        time_steps: Time steps of each sample.
        silent: Whether nothing ever reached the readout, so that the answer does not depend on the data.
        activity: The counts.
        counts: Name to whole numbers that metrics are made of, such as the hits of each class.

    Example:
        >>> from evonas import Activity, Measurement
        >>> nothing = Activity(samples=10, time_steps=2, populations=(), connections=())
        >>> measured = Measurement({"accuracy": 0.9}, 10, parameters=120, time_steps=2, silent=True, activity=nothing)
        >>> measured.accuracy
        0.9
        >>> Measurement.from_json(measured.to_json()) == measured
        True
    """

    metrics: Mapping[str, float] = field(hash=False)
    samples: int
    parameters: int
    time_steps: int
    silent: bool
    activity: Activity
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)

    def metric(self, name: str) -> float:
        """Return the value of a metric.

        Raises:
            EvonasError: If there is none of this name.
        """
        if name not in self.metrics:
            there = ", ".join(self.metrics) or "none"
            raise EvonasError(
                f"The measurement has no metric {name!r}, it has {there}. Name one of the task's metrics."
            )
        return self.metrics[name]

    @property
    def accuracy(self) -> float:
        """Fraction of samples classified correctly, of a classification."""
        return self.metric("accuracy")

    @property
    def loss(self) -> float:
        """Mean loss on the validation samples, of a classification the cross entropy in nats."""
        return self.metric("loss")

    @property
    def class_samples(self) -> tuple[int, ...]:
        """Validation samples of each class; empty where they were not counted."""
        return self.counts.get("class_samples", ())

    @property
    def class_hits(self) -> tuple[int, ...]:
        """Those of them that were classified correctly; empty where they were not counted."""
        return self.counts.get("class_hits", ())

    @classmethod
    def deferred(cls, load: Callable[[], Activity], **values: Any) -> Measurement:
        """Return a measurement whose activity is loaded at each use, and not kept.

        Thousands of stored networks hold millions of counts, and most reports need none of them.

        Args:
            load: Returns the activity.
            values: All other attributes.
        """
        measurement = cls.__new__(cls)
        vars(measurement).update(values, _load=load)
        return measurement

    def __getattr__(self, name: str) -> Any:
        if name == "activity" and "_load" in vars(self):
            return vars(self)["_load"]()
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back without loss."""
        activity = dict(vars(self.activity))
        for parts in ("populations", "connections"):  # dataclasses.asdict copies every count: ten times slower
            activity[parts] = [dict(vars(part)) for part in activity[parts]]
        values = {name: value for name, value in vars(self).items() if name != "_load"}
        return {**values, "metrics": dict(self.metrics), "counts": dict(self.counts), "activity": activity}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Return the measurement that `to_json` wrote."""
        activity = data["activity"]
        populations = tuple(Population(**_with_tuples(item)) for item in activity["populations"])
        connections = tuple(Connection(**_with_tuples(item)) for item in activity["connections"])
        return cls(
            **{name: value for name, value in data.items() if name not in ("counts", "activity")},
            counts=_with_tuples(data["counts"]),
            activity=Activity(
                activity["samples"], activity["time_steps"], populations, connections, activity["step_seconds"]
            ),
        )


def _with_tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}
