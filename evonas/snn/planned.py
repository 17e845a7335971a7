"""Networks of plans: from the plan that a space makes of a genotype, its network and its multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypedDict

from evonas.architecture.plan import Plan, check_frames
from evonas.variables import Scalar

if TYPE_CHECKING:
    from evonas.snn.network import Network

Values = Mapping[str, Scalar]


class PlanFunction(Protocol):
    """Says what the network of a genotype consists of."""

    def __call__(self, genotype: Values, input_shape: Sequence[int], classes: int, /) -> Plan:
        """Return the plan.

        Args:
            genotype: A genotype of the space.
            input_shape: `(channels, height, width)` of images, or `(time, channels, height, width)` of event frames.
            classes: Number of classes.
        """


class Planned(TypedDict):
    """What `evonas.space.Space` needs to build and to price networks."""

    plan: PlanFunction
    build: Callable[[Values, Sequence[int], int], Network]
    operations: Callable[[Values, Sequence[int], int], int]


def planned(plan: PlanFunction) -> Planned:
    """Return the plans, networks and multiply-accumulates of a space, as `Space(…, **planned(plan))` takes them.

    Networks draw their weights from torch's global generator; building one raises `SpaceError` if the data are event
    frames, but not one for each time step. Plans and multiply-accumulates need no torch.
    """
    return Planned(plan=plan, build=partial(_network, plan), operations=partial(_operations, plan))


def _network(plan: PlanFunction, genotype: Values, input_shape: Sequence[int], classes: int) -> Network:
    from evonas.snn.network import Network  # reading genotypes and their costs needs no torch

    made = plan(genotype, input_shape, classes)
    check_frames(input_shape, time_steps=made.time_steps)
    return Network(made)


def _operations(plan: PlanFunction, genotype: Values, input_shape: Sequence[int], classes: int) -> int:
    return plan(genotype, input_shape, classes).operations
