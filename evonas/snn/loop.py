"""A loop of populations that read one another, computed one time step after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import cast

import torch
from torch import Tensor, nn

from evonas.architecture.plan import PlannedConnection, PlannedPopulation
from evonas.snn.kernels.scan import NeuronState
from evonas.snn.loop_norm import loop_norms
from evonas.snn.neurons import Neuron


class Loop:
    """Populations that read one another through delayed connections; their states start at rest with each sample.

    Args:
        part: The populations, in the order in which they compute within a time step.
        within: Names of the connections that have a source in the loop.
        operations: Modules of connections by name.
        neurons: Modules of populations by name.
    """

    def __init__(
        self,
        part: Sequence[PlannedPopulation],
        *,
        within: Collection[str],
        operations: Mapping[str, nn.Module] | nn.ModuleDict,
        neurons: Mapping[str, nn.Module] | nn.ModuleDict,
    ) -> None:
        self._edges = {one.name: [edge for edge in one.incoming if edge.name in within] for one in part}
        self._operations, self._neurons = operations, neurons

    def run(
        self,
        drives: Mapping[str, Tensor],
        outside: Mapping[str, Tensor],
        *,
        time_steps: int,
        masks: Mapping[str, Tensor],
        updates: Mapping[str, Tensor],
    ) -> list[Tensor]:
        """Return the `(time, batch, ...)` outputs of each population.

        Args:
            drives: `(time, batch, ...)` currents from outside of the loop, by population; time 1 is static.
            outside: `(time, batch, ...)` outputs of populations outside of the loop, the data among them; time 1 is
                static.
            time_steps: Time steps of each sample.
            masks: `(batch, c, h, w)` factors of the inputs of connections, the same at each step; those of dropout.
            updates: `(time,)` int64 counts, to which active updates are added, by population; may be empty.
        """
        outputs: dict[str, list[Tensor]] = {name: [] for name in self._edges}
        states: dict[str, NeuronState | None] = dict.fromkeys(self._edges)
        steps = {name: given.expand(time_steps, *given.shape[1:]).unbind() for name, given in outside.items()}
        driven = {name: drive.expand(time_steps, *drive.shape[1:]).unbind() for name, drive in drives.items()}
        read: dict[str, Sequence[Tensor]] = {**steps, **outputs}  # outputs grow while they are read
        nothing = next(iter(outside.values()))
        norms = {edge.name: loop_norms(self._operations[edge.name]) for edges in self._edges.values() for edge in edges}
        for norm in chain(*norms.values()):
            norm.open()
        for t in range(time_steps):
            for name, edges in self._edges.items():
                current = driven[name][t] if name in driven else None
                for edge in edges:
                    given = _read(edge, t, read, nothing)
                    for norm in norms[edge.name]:
                        norm.has_input = t >= edge.delay
                    back = self._operations[edge.name](given * masks[edge.name] if edge.name in masks else given)
                    current = back if current is None else current + back
                assert current is not None
                outputs[name].append(self._step(name, current, states, updates, t))
        for norm in chain(*norms.values()):
            norm.close()
        return [torch.stack(steps) for steps in outputs.values()]

    def _step(
        self,
        name: str,
        current: Tensor,
        states: dict[str, NeuronState | None],
        updates: Mapping[str, Tensor],
        t: int,
    ) -> Tensor:
        neuron = cast(Neuron, self._neurons[name])
        counts = updates[name][t : t + 1] if name in updates else None
        output, states[name] = neuron.step(current, state=states[name], updates=counts)
        return output


def _read(edge: PlannedConnection, t: int, outputs: Mapping[str, Sequence[Tensor]], like: Tensor) -> Tensor:
    """Return the `(batch, c, h, w)` outputs that a connection reads at time step `t`; zero before the first one."""
    if t < edge.delay:
        return like.new_zeros(like.shape[1], *edge.in_shape)
    parts = [outputs[name][t - edge.delay] for name in edge.sources]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
