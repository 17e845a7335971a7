"""SNASNet: one cell of four sums of currents, used twice, with neurons in front of convolutions and feedback edges.

Between a stem, a reduction and a head that are fixed, the cell is chosen: an operation for each pair of nodes, and for
each but the edge from the input to the output whether it leads forward or back. Backward edges arrive one time step
later. The forward space of the paper is what `"*.direction" = ["forward"]` leaves. Besides the cell, channels, time
steps, the stride of the stem and the neurons of the head are chosen; neurons are the paper's.

Source: Kim et al., Neural architecture search for spiking neural networks (ECCV 2022). The cell, its rule of validity,
the order of the layers, the neurons (decay 0.25, threshold 1, arctangent surrogate), the dropout and the vote of ten
outputs a class are the paper's. Departures: neurons fire strictly above their threshold, and gradients flow through
their resets; the first linear layer begins with larger weights, or short trainings would find its neurons silent; the
vote is of rows of weights, which are folded; cells whose two middle nodes have changed places are one genotype;
where a delayed convolution waits for its first input, the bias of its norm is already there, as it is on a chip; and
convolutions within loops may be normalised by the length of their weights, where the paper takes the statistics of each
time step (`loop_norm`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

from evonas.architecture.current_cell import (
    NODES,
    OPERATIONS,
    CurrentCell,
    add_current_cell,
    canonical,
    cell_of_code,
    has_looped_convolution,
)
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, LOOP_NORMS, Plan
from evonas.rule import Rule
from evonas.snn.planned import planned
from evonas.space import Assignment, Space
from evonas.variables import Choice, Integer, Scalar, Variable
from evonas.weight_sharing import by_name

Values = Mapping[str, Scalar]

NEURONS = Dynamics("lif_box", tau_mem_ms=4 / 3, v_th=1.0, surrogate=Surrogate("atan"))
"""The paper's: u <- 0.25 u + 0.75 x, reset to zero."""

DROPOUT = 0.5
"""Part of the inputs of the first linear layer that training leaves out."""

VOTES = 10
"""Outputs of the last linear layer for each class."""

HEAD_GAIN = 6.0
"""Factor of the current of the first linear layer, whose inputs are few: its neurons fire before training as well."""

_PAIRS = tuple(combinations(range(NODES), 2))


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as in `evonas.snn.planned`.

    Stem, cell, normalised neurons and a convolution to twice the channels, means of 2 x 2, cell, normalised neurons,
    means of 2 x 2, neurons behind a linear layer, and the readout: the mean of the last linear layer over time.
    """
    loop_norm = str(genotype.get("loop_norm", LOOP_NORMS[0]))
    draft = Draft(input_shape, time_steps=int(genotype["time_steps"]), loop_norm=loop_norm)
    cell, channels = cell_of(genotype), int(genotype["channels"])
    convolution = partial(Incoming, operation="conv", kernel=3, gain=1.0)
    halved = partial(Incoming, operation="pool", kernel=2, stride=2, gain=1.0)
    stem = convolution("stem/conv", (INPUT,), channels=channels, stride=int(genotype["stem.stride"]))
    last = add_current_cell(draft, cell, stem, name="cell1", dynamics=NEURONS)
    draft.add("reduction/neurons", NEURONS, incoming=[_norm("reduction/norm", last)])
    wider = convolution("reduction/conv", ("reduction/neurons",), channels=2 * channels)
    draft.add("reduction", Dynamics("relay"), incoming=[wider])
    last = add_current_cell(draft, cell, halved("cell2/pool", ("reduction",)), name="cell2", dynamics=NEURONS)
    draft.add("head/neurons", NEURONS, incoming=[_norm("head/norm", last)])
    draft.add("head/means", Dynamics("relay"), incoming=[halved("head/pool", ("head/neurons",))])
    hidden = Incoming(
        "hidden/linear", ("head/means",), "flat_linear", int(genotype["hidden"]), gain=HEAD_GAIN, dropout=DROPOUT
    )
    draft.add("hidden", NEURONS, incoming=[hidden])
    answer = Incoming("readout/linear", ("hidden",), "flat_linear", classes, votes=VOTES)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[answer])
    return draft.finish()


def _norm(name: str, source: str) -> Incoming:
    return Incoming(name, (source,), "norm", gain=1.0)


def cell_of(values: Values) -> CurrentCell:
    """Return the cell of an assignment, or of a genotype."""
    rows = [["zero"] * NODES for _ in range(NODES)]
    for i, j in _PAIRS:
        source, target = (j, i) if values.get(f"edge{i}{j}.direction") == "backward" else (i, j)
        rows[source][target] = str(values[f"edge{i}{j}.op"])
    return tuple(tuple(row) for row in rows)


def assignment_of(code: str) -> Assignment:
    """Return the variables of a published cell, such as `"0303 0030 2002 0200"`; those of its directions are all there.

    Raises:
        SpaceError: If the code is of another form. An edge from the input to the output is missed by `space`.

    Example:
        >>> assignment_of("0302 0030 3003 0000")["edge02.direction"]
        'backward'
    """
    return _assignment(cell_of_code(code))


def _assignment(cell: CurrentCell) -> Assignment:
    values: Assignment = {}
    for i, j in _PAIRS:
        is_backward = cell[j][i] != "zero"
        values[f"edge{i}{j}.op"] = cell[j][i] if is_backward else cell[i][j]
        if (i, j) != _THROUGH:
            values[f"edge{i}{j}.direction"] = "backward" if is_backward else "forward"
    return values


def arrange(values: Assignment) -> Assignment:
    """Return the assignment in the one form that all assignments of the same network share.

    Edges of nodes that the input does not reach, or that do not reach the output, are zero, as the paper has it; and
    the two nodes between, where no edge connects them, come in the first of both orders.
    """
    return {**values, **_assignment(canonical(cell_of(values)))}


_THROUGH = (0, NODES - 1)


def _variables() -> dict[str, Variable]:
    variables: dict[str, Variable] = {}
    for pair in _PAIRS:
        edge = f"edge{pair[0]}{pair[1]}"
        if pair == _THROUGH:  # always there
            variables[f"{edge}.op"] = Choice(OPERATIONS[1:])
            continue
        variables[f"{edge}.op"] = Choice(OPERATIONS)
        variables[f"{edge}.direction"] = Choice(("forward", "backward"))
    variables["channels"] = Choice((8, 16, 32, 64, 128, 256))
    variables["hidden"] = Choice((128, 256, 512, 1024, 4096))
    variables["stem.stride"] = Choice((2, 1))
    variables["time_steps"] = Integer(4, 8)
    variables["loop_norm"] = Choice(LOOP_NORMS)
    return variables


def _rules() -> tuple[Rule, ...]:
    directions = [f"edge{i}{j}" for i, j in _PAIRS if (i, j) != _THROUGH]
    return (
        *(Rule((f"{edge}.direction",), partial(_is_edge, edge=edge)) for edge in directions),
        Rule(("loop_norm",), _has_looped_convolution),
    )


def _is_edge(values: Values, *, edge: str) -> bool:
    return values[f"{edge}.op"] != "zero"


def _has_looped_convolution(values: Values) -> bool:
    return has_looped_convolution(cell_of(values))


space = Space(
    _variables(),
    rules=_rules(),
    arrange=arrange,
    **planned(plan),
    share=by_name,
)
