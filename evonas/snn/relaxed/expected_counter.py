"""Expected counts of spikes and operations over the networks of a mixture, differentiable in all that is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from evonas.architecture.plan import INPUT, Plan, PlannedConnection
from evonas.errors import UnpriceableError
from evonas.expected_counts import ExpectedCounts, PriceFunction
from evonas.snn.activity import fan_out, joined
from evonas.snn.relaxed.neurons import Output


def unpriced_kinds(price: PriceFunction) -> list[str]:
    """Return the kinds of neurons whose work has no price: MACs on outputs of analog ones, steps of adaptive ones."""
    zero = torch.zeros(())
    nothing = ExpectedCounts(**dict.fromkeys(ExpectedCounts.__dataclass_fields__, zero))
    kinds = []
    for kind, work in (("analog", "macs"), ("alif", "adaptive_steps")):
        try:
            price(replace(nothing, **{work: zero + 1}))
        except UnpriceableError:
            kinds.append(kind)
    return kinds


@dataclass(frozen=True)
class _Rates:
    """`(time, channels, height, width)` expected spikes, and expected non-zero real numbers, of a sample."""

    spikes: Tensor | None
    numbers: Tensor | None


class ExpectedCounter:
    """Counts one batch, from what the relaxed network reports of its populations and connections.

    Fan-outs are exact at borders; a weight that is exactly zero, which `Activity` leaves out, is counted here.

    Args:
        plan: All populations and connections.
    """

    def __init__(self, plan: Plan) -> None:
        self._edges = {edge.name: edge for edge in plan.connections}
        self._fan_out: dict[str, Tensor] = {}
        self._counts: dict[str, list[Tensor]] = {}
        self._running = torch.ones(())
        self._rates: dict[str, _Rates] = {}
        self._real: dict[str, Tensor] = {}

    def begin(self, data: Tensor, *, running: Tensor) -> None:
        """Begin a new batch; the counts of the last one are dropped.

        Args:
            data: `(time, batch, c, h, w)`.
            running: `(time,)` probabilities that a network still runs at each time step.
        """
        self._running = running
        self._counts = {name: [] for name in ExpectedCounts.__dataclass_fields__}
        self._rates = {INPUT: _Rates(None, (data != 0).float().mean(1))}
        self._real = {}
        self._counts["time_steps"] = [running.sum()]

    def fire(self, name: str, outputs: list[Output], *, presence: Tensor) -> None:
        """Count the outputs of population `name`, which is present with this probability."""
        self._rates[name] = _Rates(
            _sum([output.rates for output in outputs if output.is_spiking]),
            _sum([output.rates for output in outputs if not output.is_spiking]),
        )
        for rates in (self._rates[name].spikes, self._rates[name].numbers):
            if rates is not None:
                self._counts["spikes"].append(presence * self._over_time(rates.flatten(1).sum(1)))

    def deliver(self, name: str, *, presence: Tensor) -> None:
        """Count what connection `name`, which is present with this probability, delivers of the outputs so far."""
        edge = self._edges[name]
        sources = [self._rates[source] for source in edge.sources]
        spikes = _together([rates.spikes for rates in sources])
        if spikes is not None:
            delivered, real = presence * self._delivered(edge, spikes), self.real(edge.sources)
            self._counts["events"].append((1 - real) * delivered)
            self._counts["macs"].append(real * delivered)
        numbers = _together([rates.numbers for rates in sources])
        if numbers is not None:
            kind = "macs"
            if INPUT in edge.sources:
                kind = {"binary": "events", "graded": "graded"}.get(
                    edge.element, "input_macs" if edge.static else "macs"
                )
            self._counts[kind].append(presence * self._delivered(edge, numbers))

    def gate(self, name: str, *, scoring: Tensor, presence: Tensor) -> None:
        """Count what gate `name`, which is present with this probability, does with the spikes so far, or products.

        Args:
            name: The connection.
            scoring: `(time,)` multiply-accumulates of its small layers.
            presence: The probability.
        """
        edge = self._edges[name]
        assert edge.gate is not None
        rates = self.rates(edge.sources)
        sent, real = presence * self._over_time(rates.flatten(1).sum(1)), self.real(edge.sources)
        multiplied = float(edge.gate.element == "real")
        self._counts["events"].append((1 - real) * (edge.gate.summaries + 1 - multiplied) * sent)
        self._counts["macs"].append(((1 - real) * multiplied + real * (edge.gate.summaries + 1)) * sent)
        self._counts["macs"].append(presence * self._over_time(scoring))

    def hand_on(self, name: str, rates: Tensor, *, real: Tensor, presence: Tensor) -> None:
        """Take note of what relays send: spikes, or with some probability real numbers.

        Args:
            name: The population.
            rates: `(time, channels, height, width)` expected elements other than zero.
            real: Probability that its elements are real numbers.
            presence: Probability with which they are sent, and count among the spikes.
        """
        self._rates[name], self._real[name] = _Rates(rates, None), real
        self._counts["spikes"].append(presence * self._over_time(rates.flatten(1).sum(1)))

    def rates(self, sources: Sequence[str]) -> Tensor:
        """Return the `(time, channels, height, width)` expected elements other than zero of sources of spikes."""
        together = _together([self._rates[source].spikes for source in sources])
        assert together is not None
        return together

    def real(self, sources: Sequence[str]) -> Tensor:
        """Return the probability that sources send real numbers: one of them makes real numbers of all."""
        binary = torch.ones((), device=self._running.device)
        for source in sources:
            binary = binary * (1 - self._real.get(source, 0.0))
        return 1 - binary

    def step(self, neurons: int, *, presence: Tensor, adaptive: Tensor | None = None) -> None:
        """Count the updates of stateful neurons, which are present with this probability, and adapt with `adaptive`."""
        self._counts["neuron_steps"].append(presence * neurons * self._running.sum())
        if adaptive is not None:
            self._counts["adaptive_steps"].append(adaptive * neurons * self._running.sum())

    def counts(self) -> ExpectedCounts:
        """Return the counts of the batch."""
        zero = torch.zeros((), device=self._running.device)
        return ExpectedCounts(**{name: sum(parts, zero) for name, parts in self._counts.items()})

    def _delivered(self, edge: PlannedConnection, rates: Tensor) -> Tensor:
        if edge.name not in self._fan_out:
            self._fan_out[edge.name] = fan_out(edge).to(rates)
        return self._over_time((rates * self._fan_out[edge.name]).flatten(1).sum(1))

    def _over_time(self, by_step: Tensor) -> Tensor:
        """Return the expected sum over time steps; static counts have one step and count once."""
        return by_step[0] if len(by_step) == 1 else (by_step * self._running).sum()


def _sum(rates: list[Tensor]) -> Tensor | None:
    total = rates[0] if rates else None
    for further in rates[1:]:
        total = total + further  # type: ignore[operator]
    return total


def _together(rates: list[Tensor | None]) -> Tensor | None:
    """Return the `(time, channels, height, width)` rates of sources that are concatenated along channels."""
    known = [part for part in rates if part is not None]
    if not known:
        return None
    assert len(known) == len(rates)  # sources of one connection are of one stage, and so of the same kinds
    return joined(known)
