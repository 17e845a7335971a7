"""Traits: what a plan tells of a network before it is trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT
from evonas.architecture.traits import NO_TRAITS, TRAITS, traits
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.training.foresight import foresee_of
from spaces.spatial_temporal import space as joint
from spaces.sts import space as sts


def test_the_traits_of_a_network_by_hand() -> None:
    draft = Draft((1, 4, 4), time_steps=3)
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.4)
    draft.add("first", neurons, incoming=[Incoming("first/conv", (INPUT,), "conv", channels=2, kernel=3)])
    readout = Incoming("readout/out", ("first",), "flat_linear", channels=5)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[readout])
    plan = draft.finish()
    taps = 2 * 10 * 10  # 3 inputs to each inner position of a row, 2 at both ends: (2 + 3 + 3 + 2) squared
    found = dict(zip(TRAITS, np.exp(traits(plan)).tolist(), strict=True))
    assert found == pytest.approx(
        {
            "weights": 2 * 9 + 2 + 32 * 5,
            "operations": plan.operations,
            "synapse_steps": 32 * 5 * 3,  # the image is static
            "neuron_steps": 3 * (32 + 5),
            "layers": 2,
            "time_steps": 3,
        }
    )
    assert taps + 3 * 32 * 5 == plan.operations


def test_weights_are_those_of_the_network_that_is_built() -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        genotype = joint.sample(rng)
        assert joint.plan is not None
        assert joint.build is not None
        plan = joint.plan(genotype, (1, 8, 8), 10)
        network = joint.build(genotype, (1, 8, 8), 10)
        assert isinstance(network, torch.nn.Module)
        kernels = sum(one.numel() for one in network.parameters() if one.ndim > 1)
        biases = sum(edge.biases for edge in plan.connections)
        assert traits(plan)[0] == pytest.approx(math.log(kernels + biases))


def test_networks_without_a_plan_of_ours_have_the_traits_of_nothing() -> None:
    def without(genotype: Genotype) -> object:
        raise SpaceError("there is none")

    for plan in (without, lambda genotype: {"layers": 3}):
        foresee = foresee_of(plan)
        assert foresee is not None
        assert foresee(Genotype({})) == NO_TRAITS
    assert foresee_of(None) is None


@pytest.mark.parametrize(
    ("space", "known"),
    [
        (joint, {"stage0.tau_mem", "stage2.beta", "surrogate"}),
        (sts, {"stage0.tau_mem", "stage0.constants", "stage1.group3.v_th"}),
    ],
    ids=["joint", "sts"],
)
def test_constants_of_neurons_change_no_trait_and_networks_that_differ_in_them_alone_are_planned_once(
    space: Space, known: set[str]
) -> None:
    rng, planned = np.random.default_rng(0), list[str]()
    assert known <= space.constants

    def plan(genotype: Genotype) -> object:
        planned.append(genotype.key)
        assert space.plan is not None
        return space.plan(genotype, (1, 8, 8), 10)

    foresee = foresee_of(plan, constants=space.constants)
    assert foresee is not None
    for _ in range(20):
        genotype = space.sample(rng)
        drawn = {name: space.variables[name].sample(rng) for name in space.constants & genotype.keys()}
        other = space.canonical({**space.fill(genotype, rng), **drawn})
        assert foresee(genotype) == foresee(other) == traits(space.plan(other, (1, 8, 8), 10))
    assert len(planned) == 20


def test_traits_are_remembered_in_a_memory_that_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evonas.training.foresight.MOST_FORESEEN", 2)
    planned = list[str]()
    foresee = foresee_of(lambda genotype: planned.append(genotype.key))
    assert foresee is not None
    for layers in (1, 2, 1, 3, 1):  # the third leaves no room, and what was there goes
        assert foresee(Genotype({"layers": layers})) == NO_TRAITS
    assert len(planned) == 4
