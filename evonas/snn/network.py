"""The spiking network: a plan made into modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from evonas.architecture.neuron import PARAMETERS
from evonas.architecture.plan import INPUT, Plan, PlannedConnection, PlannedPopulation
from evonas.errors import EvonasError
from evonas.measurement import Shape
from evonas.snn.activity import Observer, Recorder, delayed
from evonas.snn.kernels.backend import plain_shape
from evonas.snn.loop import Loop
from evonas.snn.loop_norm import with_loop_norms
from evonas.snn.neurons import Neuron, by_temperature, summed
from evonas.snn.operations import Operation, has_positions, make_operation


class Network(nn.Module):
    """A spiking network, time first: `(time, batch, c, h, w)` data to `(batch, classes)` logits, or another answer.

    Its weights are drawn from torch's global generator when it is made, and so is what dropout leaves out in training;
    nothing else in it is random.

    Args:
        plan: What it consists of.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.operations = nn.ModuleDict({edge.name: make_operation(edge) for edge in plan.connections})
        for name in plan.stepped:
            self.operations[name] = with_loop_norms(self.operations[name], plan.loop_norm)
        self.neurons = nn.ModuleDict(
            {
                layer.name: Neuron(
                    layer.dynamics, time_steps=plan.time_steps, has_positions=has_positions(layer.incoming[0])
                )
                for layer in plan.populations
            }
        )
        self._spiking: dict[str, list[Neuron]] = {}
        for layer in plan.populations:
            if layer.dynamics.is_spiking:
                stage = "x".join(map(str, layer.shape[1:]))
                self._spiking.setdefault(stage, []).append(cast(Neuron, self.neurons[layer.name]))

    def __prepare_scriptable__(self) -> nn.Module:
        """Raise `EvonasError`: called by `torch.jit.script`, which cannot read the code of neurons."""
        raise EvonasError(
            "A spiking network cannot be scripted, because its neurons are Norse's. Record it with an example of the "
            "data in place of it: torch.jit.trace(network, data), or torch.export.export(network, (data,))."
        )

    def train_neurons(self) -> None:
        """Let every time constant and threshold be trained."""
        for neuron in self.neurons.values():
            assert isinstance(neuron, Neuron)
            neuron.make_trainable(*PARAMETERS[neuron.dynamics.kind])

    @property
    def surrogate_widths(self) -> dict[str, float]:
        """Stage to the width of its surrogate gradient. A stage is all spiking neurons of one resolution."""
        return {stage: neurons[0].dynamics.surrogate.width for stage, neurons in self._spiking.items()}

    def set_surrogate_width(self, stage: str, width: float) -> None:
        """Give the surrogate gradient of a stage this width. Spikes stay what they are, only training changes."""
        for neuron in self._spiking[stage]:
            neuron.set_surrogate_width(width)

    def recorder(self) -> Recorder:
        """Return a recorder of what this network does, to hand to `forward`."""
        return Recorder(self.plan, cast(dict[str, Operation], dict(self.operations.items())))

    def forward(self, data: Tensor, recorder: Observer | None = None) -> Tensor:
        """Return `(batch, *plan.answer_shape)` answers such as logits, the mean of the readout's potentials over time.

        Arguments and errors are those of `potentials`.
        """
        return self.potentials(data, recorder).mean(0)

    def potentials(self, data: Tensor, recorder: Observer | None = None) -> Tensor:
        """Return the `(time, batch, *plan.answer_shape)` potentials of the readout.

        Args:
            data: `(time, batch, c, h, w)`; a static image has time 1 and is repeated where it meets a stateful neuron.
            recorder: Sees what happens on the way, and counts it over any number of batches.

        Raises:
            ValueError: If the data does not have the planned shape, or neither 1 nor all time steps.
        """
        check_data(data, input_shape=self.plan.input_shape, time_steps=self.plan.time_steps)
        batch = data.shape[1]
        masks = self._masks(data) if self.training and recorder is None else {}
        images: dict[tuple[str, ...], Tensor] = {(INPUT,): data.flatten(0, 1)}
        if recorder is not None:
            recorder.see(INPUT, data)
        outputs: list[Tensor] = []
        for part in self.plan.parts:
            first = part[0]
            if any(edge.name in self.plan.stepped for edge in first.incoming):
                outputs = self._loop(part, images, batch=batch, masks=masks, recorder=recorder)
            else:
                currents = by_temperature(
                    (edge.temperature, self._current(edge, images, batch=batch, masks=masks)) for edge in first.incoming
                )
                updates = None if recorder is None else recorder.updates(first.name, device=data.device)
                outputs = [cast(Neuron, self.neurons[first.name]).fire(currents, updates=updates)]
            for population, output in zip(part, outputs, strict=True):
                maps = output.reshape(*output.shape[:2], *population.shape)  # of linear layers they have no positions
                images[(population.name,)] = maps.flatten(0, 1)
                if recorder is not None:
                    recorder.see(population.name, maps)
        answers: Tensor = outputs[-1].flatten(2).unflatten(2, self.plan.answer_shape)
        return answers

    def _masks(self, data: Tensor) -> dict[str, Tensor]:
        """Return, for each connection with dropout, the `(batch, c, h, w)` factors of its input: 0, or more than 1."""
        return {
            edge.name: dropout(data.new_ones(data.shape[1], *edge.in_shape), edge.dropout)
            for edge in self.plan.connections
            if edge.dropout
        }

    def _current(
        self,
        edge: PlannedConnection,
        images: dict[tuple[str, ...], Tensor],
        *,
        batch: int,
        masks: Mapping[str, Tensor],
    ) -> Tensor:
        """Return the `(time, batch, ...)` current of a connection, from all time steps at once."""
        given = joined(images, edge.sources)
        if edge.delay:
            given = delayed(given.unflatten(0, (-1, batch)), edge.delay, self.plan.time_steps).flatten(0, 1)
        if edge.name in masks:
            given = (given.unflatten(0, (-1, batch)) * masks[edge.name]).flatten(0, 1)
        current: Tensor = self.operations[edge.name](given).unflatten(0, (-1, batch))
        return current

    def _loop(
        self,
        part: Sequence[PlannedPopulation],
        images: dict[tuple[str, ...], Tensor],
        *,
        batch: int,
        masks: Mapping[str, Tensor],
        recorder: Observer | None,
    ) -> list[Tensor]:
        """Return the `(time, batch, ...)` outputs of populations that read one another, one step after the other.

        What they read from outside of the loop alone is computed at all time steps at once.
        """
        drives, updates, read = {}, {}, {INPUT: images[(INPUT,)].unflatten(0, (-1, batch))}
        for population in part:
            outside = [edge for edge in population.incoming if edge.name not in self.plan.stepped]
            if outside:
                currents = (self._current(edge, images, batch=batch, masks=masks) for edge in outside)
                drives[population.name] = summed(currents)
            if recorder is not None:
                updates[population.name] = recorder.updates(population.name, device=images[(INPUT,)].device)
            for edge in population.incoming:
                read.update({n: images[(n,)].unflatten(0, (-1, batch)) for n in edge.sources if (n,) in images})
        loop = Loop(part, within=self.plan.stepped, operations=self.operations, neurons=self.neurons)
        return loop.run(drives, read, time_steps=self.plan.time_steps, masks=masks, updates=updates)


def check_data(data: Tensor, *, input_shape: Shape, time_steps: int) -> None:
    """Check that data are what a network takes; raise `ValueError` with the remedy where they are not.

    Args:
        data: `(time, batch, c, h, w)`, its time 1 or all time steps.
        input_shape: `(channels, height, width)`.
        time_steps: Time steps of the network.
    """
    shape = plain_shape(data)
    if len(shape) == 5 and shape[2:] == input_shape and shape[0] in (1, time_steps):
        if not data.is_floating_point():
            raise ValueError(f"Data must be floating-point numbers, got {data.dtype}. Hand over `data.float()`.")
        return
    expected = (
        "Data come time first: (time, batch, channels, height, width), here "
        f"(1 or {time_steps}, batch, {', '.join(map(str, input_shape))}), got {shape}."
    )
    if shape[1:] == input_shape:
        raise ValueError(f"{expected} The time axis is missing: hand over `data[None]`.")
    if shape == input_shape:
        raise ValueError(f"{expected} The axes of time and batch are missing: hand over `data[None, None]`.")
    if len(shape) == 5 and shape[2:] == input_shape and shape[1] in (1, time_steps):
        raise ValueError(f"{expected} These seem to come batch first: hand over `data.transpose(0, 1)`.")
    raise ValueError(expected)


def joined(images: dict[tuple[str, ...], Tensor], names: tuple[str, ...]) -> Tensor:
    """Return the images of `names` concatenated along channels; `images` keeps the result for the next reader."""
    if names not in images:
        parts = [images[(name,)] for name in names]
        lengths = [plain_shape(part)[0] for part in parts]
        times = [max(lengths) // length for length in lengths]  # what is static is the same at each time step
        parts = [part if n == 1 else part.repeat(n, 1, 1, 1) for part, n in zip(parts, times, strict=True)]
        images[names] = torch.cat(parts, dim=1)
    return images[names]
