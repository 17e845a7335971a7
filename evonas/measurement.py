"""What came of a job: values without torch, equal if their contents are, and their form in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from evonas.space import Genotype, Scalar
from evonas.trained import Trained

Shape = tuple[int, int, int]
Kind = Literal["evaluate", "search", "warm"]


class Outcome(Enum):
    """How a job ended. The value is the sentence that people read; success is the empty sentence."""

    MEASURED = ""
    DIVERGED = "The training diverged: its loss is no longer a finite number."
    NOT_FINITE = "An objective of the measurement is no finite number, or could not be computed."
    CRASHED = "The evaluation raised an error."
    OUT_OF_MEMORY = "The evaluation ran out of memory."
    TIME_LIMIT = "The evaluation took longer than the time limit."
    WORKER_LOST = "The worker died during the evaluation, and so did those that tried it again."
    REFUSED = "The network was refused before its evaluation."

    @property
    def is_machine_made(self) -> bool:
        """Whether another machine, or the same on another day, might have ended otherwise."""
        return self in (Outcome.OUT_OF_MEMORY, Outcome.TIME_LIMIT, Outcome.WORKER_LOST)


@dataclass(frozen=True)
class Population:
    """The neurons of one layer: what they are and what they did. Counts are totals over `Activity.samples`.

    Attributes:
        name: Unique in its network.
        kind: `"lif"`, `"lif_box"`, `"integrate_and_fire"`, `"analog"` or `"readout"`.
        shape: `(channels, height, width)`.
        state: State variables per neuron: 2 with synaptic current, 1 without, 0 for analog.
        static: Whether its output is the same at all time steps (an analog layer behind a static image).
        spikes: `(time,)` spikes, for analog neurons outputs other than zero (K).
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


@dataclass(frozen=True)
class Connection:
    """One edge into a population. Counts are totals over `Activity.samples`, exact at borders, batch norm folded.

    An event is delivered for each non-zero input element and each target neuron that it reaches. What it costs
    follows from the class of the elements, never from the values of a batch: binary spikes (`"binary"`) make
    synaptic events, integer payloads (`"graded"`) graded events, real numbers (`"real"`) multiply-accumulates.

    Attributes:
        name: Unique in its network.
        sources: Populations whose outputs are concatenated here; `"input"` is the data.
        target: The population that receives the current.
        operation: `"conv"`, `"linear"`, `"pool"` or `"skip"`.
        element: Class of the input elements: `"binary"`, `"graded"` or `"real"`.
        in_shape: `(channels, height, width)` of the input.
        out_shape: `(channels, height, width)` of the output.
        kernel: Side of the kernel; 1 for `linear` and `skip`.
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


@dataclass(frozen=True)
class Activity:
    """Exact counts of one validation pass, by layer and time step. The properties are means per sample.

    Attributes:
        samples: Samples that were counted.
        time_steps: Time steps of each sample.
        populations: In the order in which they compute.
        connections: In the order in which they compute.
    """

    samples: int
    time_steps: int
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]

    @property
    def spikes(self) -> float:
        """Spikes and non-zero analog outputs, per sample."""
        return sum(sum(population.spikes) for population in self.populations) / self.samples

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
        accuracy: Fraction of samples classified correctly.
        loss: Mean cross entropy in nats.
        samples: Validation samples.
        parameters: Trainable weights and biases.
        time_steps: Time steps of each sample.
        silent: Whether nothing ever reached the readout, so that the answer does not depend on the data.
        activity: The counts.
    """

    accuracy: float
    loss: float
    samples: int
    parameters: int
    time_steps: int
    silent: bool
    activity: Activity

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back without loss."""
        activity = dict(vars(self.activity))
        for parts in ("populations", "connections"):  # dataclasses.asdict copies every count: ten times slower
            activity[parts] = [dict(vars(part)) for part in activity[parts]]
        return {**vars(self), "activity": activity}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Return the measurement that `to_json` wrote."""
        activity = data["activity"]
        populations = tuple(Population(**_with_tuples(item)) for item in activity["populations"])
        connections = tuple(Connection(**_with_tuples(item)) for item in activity["connections"])
        return cls(
            **{name: value for name, value in data.items() if name != "activity"},
            activity=Activity(activity["samples"], activity["time_steps"], populations, connections),
        )


def _with_tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}


@dataclass(frozen=True)
class Cost:
    """What a job is predicted to cost.

    Attributes:
        operations: What the virtual clock runs on: dense multiply-accumulates over the whole training, or any other
            unit that is the same for all jobs of a run.
        sample_steps: Samples that go through a training step, forward and backward, times their time steps.
    """

    operations: float = 1.0
    sample_steps: float = 0.0


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        slot: Position in the run, from 0 in the order in which jobs start in virtual time.
        kind: `"evaluate"` a genotype; `"search"`: a job that searches and proposes genotypes; `"warm"`: evaluate a
            genotype with the weights of the search that proposes it, as a part of that search.
        genotype: The network to evaluate; empty for a `search` job.
        strategy: Name of the strategy that proposed it.
        parents: Slots of the rows that it was made from.
        rung: Rung of the ladder, from 0.
        epochs: Epochs of training at that rung; those of a `search` job stand in its settings.
        cost: Predicted cost, in any unit that is the same for all jobs of a run.
        sample_steps: Predicted samples of the whole training times their time steps; 0 where nothing is trained.
        start: Virtual time at which it starts, in the same unit.
        seed: Seed of the run.
        settings: What a `search` job is told; for an evaluation, what its strategy wants to remember of it.
    """

    slot: int
    kind: Kind
    genotype: Genotype
    strategy: str
    parents: tuple[int, ...] = ()
    rung: int = 0
    epochs: int = 1
    cost: float = 1.0
    sample_steps: float = 0.0
    start: float = 0.0
    seed: int = 0
    settings: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """A row of the archive: a job and what came of it.

    `seconds`, `host`, `device` and `retries` tell how it was made and are no part of the result:
    `same_result` leaves them out.

    Attributes:
        job: What was to be done.
        outcome: How it ended.
        message: What happened, for people; empty on success.
        measurement: A `Measurement`, or whatever JSON object the user's own `evaluate` returned; None on failure.
        proposals: Genotypes that a `search` job proposes.
        warm: What each of these did with the weights of the search, trained on for a little; empty where this was not
            asked for. A fidelity of its own: no rows, and compared with none.
        trained: What the training took, None where nobody counted.
        seconds: Wall-clock seconds on the worker.
        host: Name of the machine.
        device: Kind of device, such as `"cpu"` or the name of the GPU.
        retries: Workers that were lost before this result came.
        degree: By how much a refused network misses what it would have to keep; 0 for all others.
    """

    job: Job
    outcome: Outcome
    message: str = ""
    measurement: Measurement | Mapping[str, Any] | None = None
    proposals: tuple[Genotype, ...] = ()
    warm: tuple[Evaluation, ...] = ()
    trained: Trained | None = None
    seconds: float = 0.0
    host: str = ""
    device: str = ""
    retries: int = 0
    degree: float = 0.0

    def same_result(self, other: Evaluation) -> bool:
        """Return whether both rows say the same, whoever computed them and however long it took."""
        return self._result == other._result

    @property
    def sample_steps(self) -> float:
        """Sample-steps of the training: counted, or as they were predicted where nobody counted."""
        return self.job.sample_steps if self.trained is None else self.trained.sample_steps

    @property
    def _result(self) -> tuple[Any, ...]:
        warm = tuple(one._result for one in self.warm)
        told = (self.job, self.outcome, self.message, self.measurement, self.degree)
        return (*told, self.proposals, warm, self.trained)
