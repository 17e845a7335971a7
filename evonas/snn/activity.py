"""Exact counts of a network's activity: spikes, neuron updates, and synaptic events (ACs, graded, MACs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.grad import conv2d_input

from evonas.architecture.plan import INPUT, Plan, PlannedConnection, PlannedPopulation
from evonas.errors import EvonasError
from evonas.measurement import Activity, Connection, Population
from evonas.snn.gate_counts import GateCounts
from evonas.snn.operations import Operation


class Observer(Protocol):
    """Sees what a network does on the way: handed to its `forward`."""

    def see(self, name: str, output: Tensor) -> None:
        """Take note of the `(time, batch, ...)` output of population `name`, or of the data."""

    def updates(self, name: str, *, device: torch.device | None = None) -> Tensor:
        """Return the `(time,)` int64 counts to which population `name` adds its active updates."""


class Recorder:
    """Counts over any number of batches: pass it to `Network.forward`, then call `activity`.

    Only maps of counts are kept: how often each element was not zero, by time step. Synaptic events follow from these
    maps and the fan-out of each element, once, at the end.

    Args:
        plan: The plan of the network.
        operations: Its operations by name. Their weights must not change between the first batch and `activity`.
    """

    def __init__(self, plan: Plan, operations: Mapping[str, Operation]) -> None:
        self._plan = plan
        self._operations = operations
        self._samples = 0
        self._nonzero: dict[str, Tensor] = {}
        self._sizes: dict[str, Tensor] = {}
        self._graded = {name for edge in plan.connections if edge.element == "graded" for name in edge.sources}
        self._updates: dict[str, Tensor] = {}
        self._gates = GateCounts(plan, operations)

    def see(self, name: str, output: Tensor) -> None:
        """Count the non-zero elements of the `(time, batch, ...)` output of population `name` (or of the data)."""
        counts = (output.detach() != 0).float().sum(1).long()  # exact, and faster than count_nonzero over one dimension
        self._nonzero[name] = self._nonzero[name] + counts if name in self._nonzero else counts
        if name in self._graded:
            sizes = output.detach().abs().sum(dim=1, dtype=torch.float64)
            self._sizes[name] = self._sizes[name] + sizes if name in self._sizes else sizes
        self._gates.see(name, output.detach())
        if name == INPUT:
            self._samples += output.shape[1]

    def updates(self, name: str, *, device: torch.device | None = None) -> Tensor:
        """Return the `(time,)` active updates of population `name` so far, for its neurons to count on."""
        if name not in self._updates:
            self._updates[name] = torch.zeros(self._plan.time_steps, dtype=torch.int64, device=device)
        return self._updates[name]

    def activity(self) -> Activity:
        """Return the counts, totals over all samples that were seen.

        Raises:
            EvonasError: If nothing was seen.
        """
        if not self._samples:
            raise EvonasError("The recorder has seen no sample: hand it to Network.forward first.")
        plan = self._plan
        return Activity(
            samples=self._samples,
            time_steps=plan.time_steps,
            populations=tuple(self._population(population) for population in plan.populations),
            connections=tuple(self._connection(edge) for edge in plan.connections),
        )

    def _population(self, planned: PlannedPopulation) -> Population:
        by_step = self._nonzero[planned.name].flatten(1).sum(1).tolist()
        is_silent = planned.dynamics.kind == "readout" or planned.is_sum
        return planned.counted(
            spikes=self._at_each_step([0] if is_silent else by_step),
            updates=tuple(self._updates[planned.name].tolist()),
        )

    def _connection(self, planned: PlannedConnection) -> Connection:
        counts = self._arriving(planned, self._nonzero)
        if planned.gate:
            return self._gate(planned, counts)
        fan_outs = fan_out(planned, weight=self._operations[planned.name].weight).to(counts.device)
        delivered = self._at_each_step((counts * fan_outs).flatten(1).sum(1).tolist())
        nothing = units = unrolled = (0,) * self._plan.time_steps
        if planned.element == "graded":
            sizes = self._arriving(planned, self._sizes)
            units = self._at_each_step(sizes.flatten(1).sum(1).round().long().tolist())
            unrolled = self._at_each_step((sizes * fan_outs).flatten(1).sum(1).round().long().tolist())
        return planned.counted(
            events=delivered if planned.element == "binary" else nothing,
            graded=delivered if planned.element == "graded" else nothing,
            macs=delivered if planned.element == "real" else nothing,
            inputs=self._at_each_step(counts.flatten(1).sum(1).tolist()),
            units=units,
            unrolled=unrolled,
        )

    def _gate(self, planned: PlannedConnection, counts: Tensor) -> Connection:
        nothing = (0,) * self._plan.time_steps
        events, macs = map(self._at_each_step, self._gates.of(planned.name))
        inputs = self._at_each_step(counts.flatten(1).sum(1).tolist())
        return planned.counted(events=events, graded=nothing, macs=macs, inputs=inputs, units=nothing, unrolled=nothing)

    def _arriving(self, planned: PlannedConnection, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the `(time, c, h, w)` maps of what a connection reads, at the steps at which it arrives."""
        read = joined([maps[name] for name in planned.sources])
        return delayed(read, planned.delay, self._plan.time_steps)

    def _at_each_step(self, counts: Sequence[int]) -> tuple[int, ...]:
        """Return one count per time step; a static count is repeated at each."""
        return tuple(counts) * self._plan.time_steps if len(counts) == 1 else tuple(counts)


def joined(maps: Sequence[Tensor]) -> Tensor:
    """Return the `(time, channels, height, width)` maps of several sources, concatenated along channels.

    A map with one time step is static and is repeated at each.
    """
    time = max(len(part) for part in maps)
    return torch.cat([part.expand(time, *part.shape[1:]) for part in maps], dim=1)


def delayed(outputs: Tensor, delay: int, time_steps: int) -> Tensor:
    """Return the `(time, ...)` outputs so many steps later, zero before the first step; what has time 1 is static."""
    if not delay:
        return outputs
    outputs = outputs.expand(time_steps, *outputs.shape[1:])
    return torch.cat([torch.zeros_like(outputs[:delay]), outputs[: time_steps - delay]])


def fan_out(planned: PlannedConnection, *, weight: Tensor | None = None) -> Tensor:
    """Return `(channels, height, width)` int64: the target neurons that each input element reaches.

    Computed as the transposed convolution of ones with the non-zero weights of the kernel, so it is exact at borders,
    with stride, padding and groups.

    Args:
        planned: The connection.
        weight: Its weights; with None (`vote`, `pool`, `max_pool`, `resize`, `skip`) the whole kernel counts.
    """
    channels, height, width = planned.in_shape
    if planned.is_linear:
        if weight is None:
            return torch.full(planned.in_shape, planned.out_shape[0])
        reached = torch.count_nonzero(weight, dim=0)
        shared = planned.operation == "linear"
        return reached[:, None, None].expand(planned.in_shape) if shared else reached.reshape(planned.in_shape)
    if planned.repeats > 1:
        return torch.full(planned.in_shape, planned.repeats**2)
    if weight is None:
        shape = (planned.out_shape[0], channels // planned.groups, planned.kernel, planned.kernel)
        weight = torch.ones(shape)
    beyond = [(out - 1) * planned.stride + planned.kernel - 2 * planned.padding for out in planned.out_shape[1:]]
    reaching: Tensor = conv2d_input(
        (1, channels, max(height, beyond[0]), max(width, beyond[1])),  # the border may cut windows off
        (weight.detach() != 0).double(),
        torch.ones(1, *planned.out_shape, dtype=torch.float64, device=weight.device),
        stride=planned.stride,
        padding=planned.padding,
        groups=planned.groups,
    )
    return reaching[0, :, :height, :width].round().long()
