"""The joint space in which a stage has its time constants and thresholds once, or for each of four groups of channels.

Source: Che et al., Spatial-temporal search for spiking neural networks (STS, arXiv 2410.18580), whose abstract tells of
neurons of different types whose time constants are evolved. Whether they are those of a layer or of a channel could not
be had, so that all else is put together here:

* Everything but `stageN.constants` and what it brings is that of `spaces.spatial_temporal`.
* Constants of channels are those of groups: a genotype names each value, and as many as a wide layer has channels
  would leave it unreadable. All populations of a stage have the same channels, and group `k` is the `k`-th quarter of
  them; the constants of the first are named as those of the stage, `stageN.tau_mem`, of others `stageN.groupK.tau_mem`.
* The kind of neuron is that of the stage: a population is of one kind. Adaptive neurons of a group with a weak `beta`
  come near to plain ones.
* What is given for each group is what a training begins with: with `training.train_neurons` each channel goes on alone.

Attention is left out: gates along channels see which are neighbours, so that groups in another order would not be the
same network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from evonas.architecture.cell_form import LEVELS, cell_of
from evonas.architecture.constant import GROUPS, SCOPES, of_groups
from evonas.architecture.neuron import PARAMETERS, SPIKING, Dynamics
from evonas.architecture.plan import Plan
from evonas.architecture.trellis import plan_trellis
from evonas.rule import Rule
from evonas.snn.planned import planned
from evonas.space import Assignment, Space
from evonas.variables import Choice, Scalar, Variable
from spaces import spatial_temporal
from spaces.spatial_temporal import CONSTANTS
from spaces.sts_form import variable_of

if TYPE_CHECKING:
    from evonas.snn.relaxed.mixture import NetworkMixture
    from evonas.snn.relaxed.space import RelaxedSpace

Values = Mapping[str, Scalar]

_JOINT = spatial_temporal.space.without(["attention"])


def relax(
    context: Values, input_shape: Sequence[int], classes: int, *, within: Space | None = None
) -> RelaxedSpace[NetworkMixture]:
    """Return all networks of the sizes in `context` as one; arguments as in `spaces.spatial_temporal`."""
    from spaces import spatial_temporal_relaxed  # needs torch

    return spatial_temporal_relaxed.relax(within or space, context, input_shape=input_shape, classes=classes)


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as in `evonas.snn.planned`."""
    trellis = spatial_temporal.trellis_of(genotype)
    stages = tuple(
        _of_channels(dynamics, genotype, stage=stage, channels=trellis.channels * 2**stage)
        for stage, dynamics in enumerate(trellis.stages)
    )
    return plan_trellis(replace(trellis, stages=stages), cell_of(genotype), input_shape=input_shape, classes=classes)


def _of_channels(shared: Dynamics, values: Values, *, stage: int, channels: int) -> Dynamics:
    """Return the dynamics of a stage, from those that it would have if its channels shared all constants."""
    if values.get(f"stage{stage}.constants") != "channels":
        return shared
    constants: dict[str, Any] = {}
    for name in _of_kind(shared.kind, values, stage=stage):
        groups = [variable_of(name.removesuffix("_ms"), stage=stage, group=group) for group in range(GROUPS)]
        constants[name] = of_groups([float(values[group]) for group in groups], channels)
    return replace(shared, **constants)


def _of_kind(kind: str, values: Values, *, stage: int) -> list[str]:
    """Return the constants that a kind of neuron depends on, without those that a stage does not have."""
    return [name for name in PARAMETERS[kind] if f"stage{stage}.{name.removesuffix('_ms')}" in values]


def arrange(values: Assignment) -> Assignment:
    """Return the assignment in the one form that all assignments of the same network share.

    Groups of channels have no order: they come from the slowest to the fastest, by the constants that their kind of
    neuron depends on. Groups with the same constants stay apart from a stage that has them once, because training has.
    All else is that of the joint space.
    """
    arranged = spatial_temporal.arrange(values)
    for stage in range(LEVELS):
        if arranged[f"stage{stage}.constants"] == "channels":
            _sort(arranged, stage)
    return arranged


def _sort(values: Assignment, stage: int) -> None:
    """Sort the groups of a stage by the constants of its kind of neuron, the highest first."""
    names = [name for name in CONSTANTS if f"stage{stage}.{name}" in values]
    kind = str(values[f"stage{stage}.kind"])
    of_kind = [name.removesuffix("_ms") for name in _of_kind(kind, values, stage=stage)]
    rows = [{name: values[variable_of(name, stage=stage, group=group)] for name in names} for group in range(GROUPS)]
    rows.sort(key=lambda row: [float(row[name]) for name in of_kind], reverse=True)
    for group, row in enumerate(rows):
        values.update({variable_of(name, stage=stage, group=group): value for name, value in row.items()})


def _variables() -> dict[str, Variable]:
    variables = dict(_JOINT.variables)
    variables["channels"] = Choice((4, 8, 12, 16, 24))  # multiples of the groups
    for stage in range(LEVELS):
        variables[f"stage{stage}.constants"] = Choice(SCOPES)
        for group in range(1, GROUPS):
            for name in CONSTANTS:
                variables[variable_of(name, stage=stage, group=group)] = variables[f"stage{stage}.{name}"]
    return variables


def _rules() -> tuple[Rule, ...]:
    """Return the rules of the joint space and those of the groups, which see what the former have left."""
    rules = list(_JOINT.rules)
    for stage in range(LEVELS):
        rules.append(Rule((f"stage{stage}.constants",), partial(_has_constants, stage=stage)))
        for name in CONSTANTS:
            groups = tuple(variable_of(name, stage=stage, group=group) for group in range(1, GROUPS))
            rules.append(Rule(groups, partial(_has_groups, stage=stage, constant=name)))
    return tuple(rules)


def _has_constants(values: Values, *, stage: int) -> bool:
    return values.get(f"stage{stage}.kind") in SPIKING


def _has_groups(values: Values, *, stage: int, constant: str) -> bool:
    return values.get(f"stage{stage}.constants") == "channels" and f"stage{stage}.{constant}" in values


space = Space(
    _variables(),
    rules=_rules(),
    arrange=arrange,
    alike=spatial_temporal.alike,
    relax=relax,
    sizes=_JOINT.sizes,
    **planned(plan),
    optional=_JOINT.optional,
    constants=(*_JOINT.constants, "stage*.constants", "stage*.group*"),
    surrogate_width="surrogate_width",
)
