"""Exact counts of the gates of a network, over any number of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from evonas.architecture.plan import INPUT, Plan, PlannedConnection
from evonas.snn.gates import Gating


class GateCounts:
    """Events and multiply-accumulates of gates: unlike those of synapses, they do not follow from their inputs' sums.

    Args:
        plan: The plan of the network.
        operations: Its operations by name.
    """

    def __init__(self, plan: Plan, operations: Mapping[str, object]) -> None:
        self._time_steps = plan.time_steps
        self._operations = operations
        self._gates = [edge for edge in plan.connections if edge.gate]
        self._read = {name for edge in self._gates for name in edge.sources}
        self._outputs: dict[str, Tensor] = {}
        self._counts: dict[str, tuple[Tensor, Tensor]] = {}

    def see(self, name: str, output: Tensor) -> None:
        """Count what gates do with the `(time, batch, c, h, w)` output of a population, or of the data (seen first).

        A gate with several sources is counted with the last of them.
        """
        if name == INPUT:
            self._outputs = {}
        if name not in self._read:
            return
        self._outputs[name] = output
        for edge in self._gates:
            if name in edge.sources and self._outputs.keys() >= set(edge.sources):
                self._count(edge)

    def of(self, name: str) -> tuple[list[int], list[int]]:
        """Return the `(time,)` events and multiply-accumulates of a gate; time is 1 where its input is static."""
        events, macs = self._counts[name]
        return events.tolist(), macs.tolist()

    def _count(self, edge: PlannedConnection) -> None:
        parts = [self._outputs[source] for source in edge.sources]
        time = max(len(part) for part in parts)
        read = torch.cat([part.expand(time, *part.shape[1:]) for part in parts], dim=2)
        if edge.delay:
            read = read.expand(self._time_steps, *read.shape[1:])
            read = torch.cat([torch.zeros_like(read[: edge.delay]), read[: -edge.delay]])
        gating = cast(Gating, self._operations[edge.name])
        counted = gating.counts(read.flatten(0, 1), element=edge.element)
        events, macs = (count.unflatten(0, (-1, read.shape[1])).sum(1) for count in counted)
        if edge.name in self._counts:
            before = self._counts[edge.name]
            events, macs = before[0] + events, before[1] + macs
        self._counts[edge.name] = events, macs
