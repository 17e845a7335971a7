"""The space of STS: constants of a stage or of groups of its channels, each of which changes the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from other_values import another_value
from recorded import recorded
from unrolled import check_counts

from evonas.architecture.cell_form import LEVELS, cell_of
from evonas.architecture.constant import GROUPS, of_groups
from evonas.architecture.neuron import PARAMETERS, SPIKING
from evonas.architecture.plan import Plan
from evonas.architecture.trellis import plan_trellis
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.measurement import Activity
from evonas.snn.network import Network
from evonas.space import Space
from evonas.variables import Scalar
from spaces import spatial_temporal
from spaces.spatial_temporal import CONSTANTS, trellis_of
from spaces.sts import arrange, plan, space
from spaces.sts_form import variable_of

torch.set_num_threads(1)
SHAPE, CLASSES = (1, 8, 8), 10
APART = {f"stage{stage}.constants": "channels" for stage in range(LEVELS)}
ONCE = {f"stage{stage}.constants": "stage" for stage in range(LEVELS)}
DOWN = {"layers": 2, "layer1.move": "down", "layer2.move": "down"}
CONV = {"nodes": 1, "node0.a.from": "s1", "node0.a.op": "conv3", "node0.b.op": "none"}


def genotypes(count: int, *, seed: int, **fixed: Scalar) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.canonical({**space.fill({}, rng), **fixed}) for _ in range(count)]


def of_kind(kind: str) -> dict[str, Scalar]:
    return {f"stage{stage}.kind": kind for stage in range(LEVELS)}


def low_thresholds() -> dict[str, Scalar]:
    """Return thresholds that differ from group to group, the highest first, at which all of them fire."""
    return {
        variable_of("v_th", stage=stage, group=group): 0.4 - 0.05 * group
        for stage in range(LEVELS)
        for group in range(GROUPS)
    }


def network_of(plan: Plan) -> Network:
    """Return a network with the statistics of its batch norms."""
    torch.manual_seed(0)
    network = Network(plan)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network(torch.rand(1, 16, *SHAPE, generator=torch.Generator().manual_seed(1)))
    return network.eval()


def answers(plan: Plan) -> tuple[torch.Tensor, Activity]:
    """Return logits and counts of random data."""
    with torch.no_grad():
        return recorded(network_of(plan), torch.rand(1, 16, *SHAPE, generator=torch.Generator().manual_seed(2)))


def test_the_canonical_form_is_its_own_canonical_form_and_survives_json() -> None:
    rng = np.random.default_rng(1)
    for one in (space, space.without(["adaptive", "feedback"])):
        for genotype in (one.sample(rng) for _ in range(200)):
            assert one.genotype(dict(genotype)) == genotype
            assert one.from_json(genotype.to_json()) == genotype
            assert one.canonical(one.fill(genotype, rng)) == genotype


@pytest.mark.parametrize("kind", [*SPIKING, "analog"])
def test_a_genotype_has_the_constants_of_its_kind_for_each_group_or_once(kind: str) -> None:
    names = {name.removesuffix("_ms") for name in PARAMETERS[kind]}
    for fixed, groups in ((APART, range(GROUPS)), (ONCE, range(1))):
        (genotype,) = genotypes(1, seed=2, **DOWN, **of_kind(kind), **fixed)
        expected = {variable_of(name, stage=1, group=group) for name in names for group in groups}
        every = {variable_of(name, stage=1, group=group) for name in CONSTANTS for group in range(GROUPS)}
        assert every & genotype.keys() == expected
        assert ("stage1.constants" in genotype) == (kind != "analog")


@pytest.mark.parametrize("kind", SPIKING)
def test_each_constant_of_each_group_changes_the_network_and_so_does_sharing_them(kind: str) -> None:
    rng = np.random.default_rng(3)
    fixed = {**DOWN, **CONV, **of_kind(kind), **APART, "channels": 4, "time_steps": 6, "readout.tau_mem": 2.0}
    (genotype,) = genotypes(1, seed=4, **fixed, **low_thresholds())
    constants = [name for name in genotype if name.split(".")[-1] in CONSTANTS and name != "readout.tau_mem"]
    assert len(constants) == LEVELS * GROUPS * len(PARAMETERS[kind])
    logits, activity = answers(plan(genotype, SHAPE, CLASSES))
    for name in [*constants, *APART]:
        changed = {name: another_value(space.variables[name], genotype[name], rng)}
        other = space.canonical({**space.fill(genotype, rng), **changed})
        assert other != genotype, name
        its_logits, its_activity = answers(plan(other, SHAPE, CLASSES))
        assert not torch.equal(its_logits, logits) or its_activity != activity, name


@pytest.mark.parametrize("searched", [space, spatial_temporal.space], ids=["sts", "joint"])
def test_how_fast_a_threshold_returns_is_no_choice_in_two_time_steps(searched: Space) -> None:
    rng = np.random.default_rng(0)
    for time_steps in (2, 3):
        given = {"time_steps": time_steps, **{f"stage{stage}.kind": "alif" for stage in range(LEVELS)}}
        for genotype in (searched.sample(rng, given=given) for _ in range(8)):
            assert any(name.endswith(".beta") for name in genotype)
            assert any(name.endswith(".tau_adapt") for name in genotype) == (time_steps > 2)
            assert searched.canonical(searched.fill(genotype, rng)) == genotype
            assert searched.plan is not None
            searched.plan(genotype, SHAPE, CLASSES)


def test_groups_of_channels_lie_side_by_side_and_each_has_its_constants() -> None:
    (genotype,) = genotypes(1, seed=5, **DOWN, **of_kind("lif"), **APART, channels=8)
    for population in plan(genotype, SHAPE, CLASSES).populations[:-1]:
        channels = population.shape[0]
        stage = (8, 16, 32).index(channels)
        for name in PARAMETERS["lif"]:
            variables = [variable_of(name.removesuffix("_ms"), stage=stage, group=group) for group in range(GROUPS)]
            expected = [genotype[variable] for variable in variables for _ in range(channels // GROUPS)]
            assert getattr(population.dynamics, name) == tuple(expected)


def test_groups_of_other_sizes_are_refused() -> None:
    with pytest.raises(SpaceError, match="6 channels do not make 4 groups of one size"):
        of_groups((1.0, 2.0, 3.0, 4.0), 6)


@pytest.mark.parametrize("kind", SPIKING)
def test_groups_in_another_order_are_the_same_genotype(kind: str) -> None:
    rng = np.random.default_rng(6)
    for genotype in genotypes(20, seed=7, **of_kind(kind)):
        values = space.fill(genotype, rng)
        for stage in range(LEVELS):
            order = rng.permutation(GROUPS)
            for name in CONSTANTS:
                groups = [values[variable_of(name, stage=stage, group=int(group))] for group in order]
                if values[f"stage{stage}.constants"] == "channels":
                    values |= {variable_of(name, stage=stage, group=at): one for at, one in enumerate(groups)}
        assert space.canonical(values) == genotype


@pytest.mark.parametrize("feedback", ["none", "all"])
def test_groups_in_another_order_are_the_same_network_with_its_channels_in_another_order(feedback: str) -> None:
    operations = {"node0.a.from": "s0", "node0.a.op": "separable", "node0.b.from": "s1", "node0.b.op": "pool",
                  "node1.a.from": "s1", "node1.a.op": "conv3", "node1.b.from": "n0", "node1.b.op": "skip"}  # fmt: skip
    fixed = {**of_kind("lif_box"), **APART, **operations, "nodes": 2, "channels": 8, "layers": 3,
             "readout.input": "mean", "feedback": feedback}  # fmt: skip
    for genotype in genotypes(3, seed=8, **fixed, **low_thresholds()):
        trellis = trellis_of(genotype)
        sorted_plan = plan(genotype, SHAPE, CLASSES)
        by_channels = {one.shape[0]: one.dynamics for one in sorted_plan.populations[:-1]}
        orders = {
            count: torch.arange(count).unflatten(0, (GROUPS, -1))[[2, 0, 3, 1]].flatten() for count in by_channels
        }
        stages = tuple(
            replace(by_channels[count], **{name: tuple(getattr(by_channels[count], name)[place] for place in order)
                                           for name in PARAMETERS["lif_box"]})
            for count, order in orders.items()
        )  # fmt: skip
        other = network_of(
            plan_trellis(replace(trellis, stages=stages), cell_of(genotype), input_shape=SHAPE, classes=CLASSES)
        )
        assert [one.dynamics for one in other.plan.populations] != [one.dynamics for one in sorted_plan.populations]
        one = network_of(sorted_plan)
        shapes = {population.name: population.shape[0] for population in sorted_plan.populations}
        for edge in sorted_plan.connections:
            _take(other, one, edge.name, [shapes.get(name, 0) for name in edge.sources], shapes[edge.target], orders)
        data = torch.rand(1, 8, *SHAPE, generator=torch.Generator().manual_seed(9))
        with torch.no_grad():
            torch.testing.assert_close(other(data), one(data))


def _take(
    other: Network, one: Network, name: str, sources: list[int], target: int, orders: dict[int, torch.Tensor]
) -> None:
    """Give a connection of `other` the weights that it has in `one`, whose channels come in another order."""
    own = one.operations[name].state_dict()
    read, start = [], 0
    for channels in sources:
        read.append(start + orders.get(channels, torch.arange(1)))
        start += channels
    into = torch.cat(read)
    for key, value in own.items():
        if value.ndim and len(value) == target and target in orders:
            value = value[orders[target]]
        if value.ndim > 1 and value.shape[1] == len(into):
            value = value[:, into]
        own[key] = value
    other.operations[name].load_state_dict(own)


def test_without_constants_of_channels_networks_are_those_of_the_joint_space() -> None:
    narrow = space.narrowed({"stage*.constants": ["stage"]})
    joint = spatial_temporal.space.without(["attention"])
    rng = np.random.default_rng(10)
    for genotype in (narrow.sample(rng) for _ in range(100)):
        its = {name: value for name, value in genotype.items() if not name.endswith(".constants")}
        assert plan(genotype, SHAPE, CLASSES) == spatial_temporal.plan(joint.genotype(its), SHAPE, CLASSES)


def test_the_joint_space_has_no_constants_of_channels_and_draws_what_it_drew() -> None:
    joint = spatial_temporal.space
    assert not [name for name in joint.variables if ".group" in name or name.endswith(".constants")]
    assert joint.sample(np.random.default_rng(0)).key == "5e0d6c4a23c3a22a"


@pytest.mark.parametrize("kind", SPIKING)
def test_counts_are_those_of_every_synapse(kind: str) -> None:
    data = torch.rand(1, 2, *SHAPE, generator=torch.Generator().manual_seed(11))
    fixed = {**CONV, **of_kind(kind), **APART, "layers": 2, "layer1.move": "stay", "layer2.move": "stay",
             "channels": 4, "time_steps": 4, "stem.stride": 1, "readout.input": "mean"}  # fmt: skip
    for genotype in genotypes(2, seed=12, **fixed, **low_thresholds()):
        network = network_of(plan(genotype, SHAPE, CLASSES))
        with torch.no_grad():
            _, activity = recorded(network, data)
            check_counts(network, data, activity)
        assert activity.spikes > 0


def test_arranging_changes_no_argument() -> None:
    values = space.fill({}, np.random.default_rng(13))
    before = dict(values)
    arrange(values)
    assert values == before
