"""MA-DARTS: the cell of SpikeDHS on a fixed path, and attention to what each of its nodes sends. A reconstruction.

Source: Man et al., MA-DARTS (arXiv 2411.00902), whose abstract tells of a search of two levels whose path of layers is
fixed in the experiments, and of attention within what is searched. Its text and code could not be had, so that all
else is put together here:

* Cell, neurons, stem and readout are those of `spaces.spike_dhs`, which the paper builds on; the path is the published
  one of that method.
* Each node may send through gates: ECA (Wang et al., CVPR 2020), or CBAM over channels and then over space (Woo et al.,
  ECCV 2018). All that reads a node reads what its gates let through.
* Gates of real values make real numbers of spikes, and what reads them multiplies. Binary forms, which are open or
  shut, are ours: spikes stay spikes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evonas.architecture.plan import Plan
from evonas.real_variables import LogReal
from evonas.snn.planned import planned
from evonas.space import Space
from evonas.variables import Choice, Integer, Scalar, Variable
from spaces.ma_darts_form import ATTENTION, PATH
from spaces.spike_dhs import plan_cells
from spaces.spike_dhs_form import cell_of, cell_variables, last_node

if TYPE_CHECKING:
    from evonas.snn.relaxed.space import RelaxedSpace
    from spaces.ma_darts_relaxed import MaDartsMixture

Values = Mapping[str, Scalar]


def relax(
    context: Values, input_shape: Sequence[int], classes: int, *, within: Space | None = None
) -> RelaxedSpace[MaDartsMixture]:
    """Return all networks of the sizes in `context` as one, which the differentiable search can train.

    Args:
        context: The values of `nodes` and `channels`.
        input_shape: As for `plan`.
        classes: Number of classes.
        within: What the space was narrowed to, if it was.

    Raises:
        SpaceError: If a size is missing, or something else is given.
    """
    from spaces import ma_darts_relaxed  # needs torch

    return ma_darts_relaxed.relax(within or space, context, input_shape=input_shape, classes=classes)


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as in `evonas.snn.planned`."""
    return plan_cells(
        cell_of(genotype),
        PATH,
        genotype,
        input_shape=input_shape,
        classes=classes,
        attention=[str(genotype[f"node{node}.attention"]) for node in range(int(genotype["nodes"]))],
    )


def _variables() -> dict[str, Variable]:
    variables = cell_variables(attention=Choice(ATTENTION))
    variables["channels"] = Choice((4, 8, 16, 32, 64))
    variables["time_steps"] = Integer(2, 8)
    variables["surrogate_width"] = LogReal(0.5, 3.0)
    return variables


space = Space(
    _variables(),
    rules=[last_node("attention")],
    relax=relax,
    sizes=("nodes", "channels"),
    **planned(plan),
    surrogate_width="surrogate_width",
)
