"""The trellis: a stem, a path of cells over levels of resolution, and the readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evonas.architecture.cell import Cell, CellInput, add_cell, add_max_pool
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError

READOUTS = {"mean": "linear", "flat": "flat_linear"}
"""What the readout takes as its input, the mean over space or all positions, and the operation that does so."""

DOWNSAMPLING = ("stride", "max_pool")
"""How height and width shrink: a convolution with a stride, or max pooling of what neurons sent."""


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
        stem_stride: Level 0 has `1 / stem_stride` of the data's height and width.
        readout_input: `"mean"` or `"flat"`, one of `READOUTS`; with a hidden layer all positions are its input.
        stem_down: One of `DOWNSAMPLING`: how the stem comes to that resolution.
        down: One of `DOWNSAMPLING`: how a cell comes to a resolution below that of its inputs.
        readout_hidden: Neurons of a layer between all positions of the last cell and the readout, with the dynamics of
            the last cell; 0 where there is none.
        attention: One of `evonas.architecture.attention.ATTENTION`: the gates behind each node of each cell, for those
            that read the cell.
        feedback: Places along the path, from 0, of cells whose nodes read all nodes of their cell one time step ago.

    Raises:
        SpaceError: If levels fall, a reached level has no stage, there are fewer than 2 time steps, or the readout has
            no such input or hidden layer, or nothing shrinks so.
    """

    levels: tuple[int, ...]
    channels: int
    stages: tuple[Dynamics, ...]
    readout_tau_mem_ms: float
    time_steps: int
    stem_stride: int = 1
    readout_input: str = "mean"
    stem_down: str = "stride"
    down: str = "stride"
    readout_hidden: int = 0
    feedback: frozenset[int] = frozenset()
    attention: str = "none"

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(self.levels) or not self.levels or self.levels[0] < 0:
            raise SpaceError(f"The levels of the cells must start at 0 or more and never fall, got {self.levels}.")
        if self.levels[-1] >= len(self.stages):
            raise SpaceError(f"Level {self.levels[-1]} is reached, but there are only {len(self.stages)} stages.")
        if self.readout_input not in READOUTS:
            raise SpaceError(f"The readout can take {' or '.join(READOUTS)} as its input, got {self.readout_input!r}.")
        for name in ("stem_down", "down"):
            if getattr(self, name) not in DOWNSAMPLING:
                raise SpaceError(f"{name} must be {' or '.join(DOWNSAMPLING)}, got {getattr(self, name)!r}.")
        if self.readout_hidden < 0:
            raise SpaceError(f"A hidden layer has 0 neurons or more, got {self.readout_hidden}.")
        if not self.feedback <= set(range(len(self.levels))):
            raise SpaceError(f"There are {len(self.levels)} cells, got feedback in those at {sorted(self.feedback)}.")
        if self.time_steps < 2:
            raise SpaceError(f"A spiking network needs at least 2 time steps, got {self.time_steps}.")


def stem_convolution(*, channels: int, stride: int) -> Incoming:
    """Return the connection from the data into the stem; its kernel is wider than its stride."""
    return Incoming("stem/conv", (INPUT,), "conv", channels=channels, kernel=max(3, stride + 1), stride=stride)


def readout_connection(name: str, sources: tuple[str, ...], readout_input: str, *, classes: int) -> Incoming:
    """Return a connection into the readout, which takes the mean over space or all positions as its input."""
    return Incoming(name, sources, READOUTS[readout_input], channels=classes)


def plan_trellis(trellis: Trellis, cell: Cell, *, input_shape: Sequence[int], classes: int) -> Plan:
    """Return the plan of a network: convolutional stem, the same cell at each place of the path, readout.

    Source: the cell-and-layer space of SpikeDHS (Che et al., NeurIPS 2022), with one population for each node, and
    a readout directly on the last cell.

    Args:
        trellis: What surrounds the cell.
        cell: The cell.
        input_shape: As in `Draft`.
        classes: Number of classes.
    """
    draft = Draft(input_shape, time_steps=trellis.time_steps)
    is_pooled = trellis.stem_down == "max_pool"
    convolution = stem_convolution(channels=trellis.channels, stride=1 if is_pooled else trellis.stem_stride)
    stem: tuple[str, ...] = (draft.add("stem", trellis.stages[0], incoming=[convolution]),)
    if is_pooled and trellis.stem_stride > 1:
        stem = (add_max_pool(draft, stem, name="stem/pooled", stride=trellis.stem_stride),)
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
            is_pooled=trellis.down == "max_pool",
            is_fed_back=index in trellis.feedback,
            attention=trellis.attention,
        )
        before, last = last, (nodes, level)
    readout = Dynamics("readout", tau_mem_ms=trellis.readout_tau_mem_ms)
    sources = last[0]
    if trellis.readout_hidden:
        dense = Incoming("hidden/dense", sources, "dense", channels=trellis.readout_hidden)
        sources = (draft.add("hidden", trellis.stages[last[1]], incoming=[dense]),)
    connection = readout_connection("readout/linear", sources, trellis.readout_input, classes=classes)
    draft.add("readout", readout, incoming=[connection])
    return draft.finish()
