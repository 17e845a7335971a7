"""The trellis: a stem, a path of cells over levels of resolution, and the readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evonas.architecture.cell import Cell, CellInput, add_cell
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError

READOUTS = {"mean": "linear", "flat": "flat_linear"}
"""What the readout takes as its input, the mean over space or all positions, and the operation that does so."""


@dataclass(frozen=True)
class Trellis:
    """What surrounds the cell.

    Attributes:
        levels: Level of each cell: level `l` has `2 ** l` times the channels and `2 ** -l` of the height and width.
            Levels never fall along the path.
        channels: Channels of the stem, and of each node at level 0.
        stages: What the neurons do at each level, the stem's at level 0; as many as are reached.
        readout_tau_mem_ms: Membrane time constant of the readout.
        time_steps: Time steps of each sample, at least 2.
        stem_stride: Stride of the stem's convolution: level 0 has `1 / stem_stride` of the data's height and width.
        readout_input: `"mean"` or `"flat"`, one of `READOUTS`.

    Raises:
        SpaceError: If levels fall, a reached level has no stage, there are fewer than 2 time steps, or the readout has
            no such input.
    """

    levels: tuple[int, ...]
    channels: int
    stages: tuple[Dynamics, ...]
    readout_tau_mem_ms: float
    time_steps: int
    stem_stride: int = 1
    readout_input: str = "mean"

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(self.levels) or not self.levels or self.levels[0] < 0:
            raise SpaceError(f"The levels of the cells must start at 0 or more and never fall, got {self.levels}.")
        if self.levels[-1] >= len(self.stages):
            raise SpaceError(f"Level {self.levels[-1]} is reached, but there are only {len(self.stages)} stages.")
        if self.readout_input not in READOUTS:
            raise SpaceError(f"The readout can take {' or '.join(READOUTS)} as its input, got {self.readout_input!r}.")
        if self.time_steps < 2:
            raise SpaceError(f"A spiking network needs at least 2 time steps, got {self.time_steps}.")


def stem_convolution(*, channels: int, stride: int) -> Incoming:
    """Return the connection from the data into the stem."""
    return Incoming("stem/conv", (INPUT,), "conv", channels=channels, kernel=3, stride=stride)


def readout_connection(name: str, sources: tuple[str, ...], readout_input: str, *, classes: int) -> Incoming:
    """Return a connection into the readout, which takes the mean over space or all positions as its input."""
    return Incoming(name, sources, READOUTS[readout_input], channels=classes)


def plan_trellis(trellis: Trellis, cell: Cell, *, input_shape: Sequence[int], classes: int) -> Plan:
    """Return the plan of a network: 3x3 stem, the same cell at each place of the path, readout.

    Source: the cell-and-layer space of SpikeDHS (Che et al., NeurIPS 2022), with one population for each node, and
    a readout directly on the last cell.

    Args:
        trellis: What surrounds the cell.
        cell: The cell.
        input_shape: As in `Draft`.
        classes: Number of classes.
    """
    draft = Draft(input_shape, time_steps=trellis.time_steps)
    convolution = stem_convolution(channels=trellis.channels, stride=trellis.stem_stride)
    stem: tuple[str, ...] = (draft.add("stem", trellis.stages[0], incoming=[convolution]),)
    before, last = (stem, 0), (stem, 0)
    for index, level in enumerate(trellis.levels):
        nodes = add_cell(
            draft,
            cell,
            name=f"cell{index + 1}",
            inputs={
                side: CellInput(sources, stride=2 ** (level - its_level))
                for side, (sources, its_level) in (("s0", before), ("s1", last))
            },
            channels=trellis.channels * 2**level,
            dynamics=trellis.stages[level],
        )
        before, last = last, (nodes, level)
    readout = Dynamics("readout", tau_mem_ms=trellis.readout_tau_mem_ms)
    connection = readout_connection("readout/linear", last[0], trellis.readout_input, classes=classes)
    draft.add("readout", readout, incoming=[connection])
    return draft.finish()
