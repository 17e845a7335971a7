"""The space of MA-DARTS: networks say their genotypes, each choice is a choice, and gates are counted and refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evonas.architecture.attention import ATTENTION as GATES_OF
from evonas.architecture.cell import Cell, Edge
from evonas.architecture.plan import Plan
from evonas.chips.fit import checker
from evonas.errors import UnpriceableError
from evonas.genotype import Genotype
from objectives.energy import objective
from spaces.ma_darts import space
from spaces.ma_darts_form import ATTENTION, PATH
from spaces.spike_dhs_form import cell_choices, cell_of

OTHERS = {"channels": 4, "time_steps": 3, "surrogate_width": 1.0}
ABSENT = {"node3.inputs": "s0+s1", "node3.a": "skip", "node3.b": "skip", "node3.attention": "none"}
SHAPE, CLASSES = (2, 8, 8), 5


def genotypes(count: int, *, seed: int = 0, **fixed: object) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng, given={**OTHERS, **fixed}) for _ in range(count)]


def read_back(plan: Plan) -> tuple[Cell, list[str]]:
    """The cell and its attention, from sources, kernels, temperatures and gates of the last layer alone."""
    by_name = {layer.name: layer for layer in plan.populations}
    layers = len(PATH)
    nodes = [name for name in by_name if name.startswith(f"cell{layers}/node") and name.count("/") == 1]
    gates: dict[str, list[str]] = {name: [] for name in nodes}
    for layer in plan.populations:
        if layer.incoming[0].gate and layer.name.rsplit("/", 1)[0] in gates:
            gates[layer.name.rsplit("/", 1)[0]].append(layer.incoming[0].operation)
    kinds = {found: kind for kind, found in GATES_OF.items()}
    cell = []
    for name in nodes:
        edges = []
        for edge in by_name[name].incoming:
            read = edge.sources[0].split("/")
            if read[0] == f"cell{layers}" and read[1].startswith("node"):
                source = f"n{read[1].removeprefix('node')}"
            else:
                source = {layers - 1: "s1", layers - 2: "s0"}[int(read[0].removeprefix("cell"))]
            is_skip = edge.operation == "skip" or edge.kernel == 1
            edges.append(Edge(source, "skip" if is_skip else f"conv_b{edge.temperature or 3:.0f}"))
        cell.append(tuple(edges))
    return tuple(cell), [kinds[tuple(gates[name])] for name in nodes]


def test_networks_say_their_genotypes() -> None:
    for genotype in genotypes(20):
        cell, attention = read_back(space.plan(genotype, (3, 32, 32), 10))
        assert cell == cell_of(genotype)
        says = {f"node{node}.attention": kind for node, kind in enumerate(attention)}
        assert space.canonical({**ABSENT, **OTHERS, **cell_choices(cell), **says}) == genotype


def test_the_path_is_the_fixed_one() -> None:
    plan = space.plan(genotypes(1, nodes=3)[0], (3, 32, 32), 10)
    shapes = {layer.name: layer.shape for layer in plan.populations}
    assert [shapes[f"cell{layer}/node0"] for layer in range(1, 9)] == [
        (4 * 2**level, 32 // 2**level, 32 // 2**level) for level in (0, 0, 1, 1, 1, 2, 2, 2)
    ]


def test_every_choice_changes_outputs_or_gradients() -> None:
    """The same weights, drawn after the same seed, give something else; else one of two choices would be none."""
    base = genotypes(1, seed=4, nodes=4)[0]
    data = torch.rand(1, 6, *SHAPE, generator=torch.Generator().manual_seed(0))

    def behaviour(genotype: Genotype) -> list[torch.Tensor]:
        torch.manual_seed(3)
        network = space.build(genotype, SHAPE, CLASSES)
        logits = network(data)  # in training, where norms keep neurons firing
        assert bool((logits != 0).any())
        logits.square().sum().backward()
        return [logits.detach(), *(one.grad for one in network.parameters() if one.grad is not None)]

    def differ(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
        shapes = [value.shape for value in one] != [value.shape for value in other]
        return shapes or any(not torch.equal(mine, its) for mine, its in zip(one, other, strict=True))

    before = behaviour(base)
    assert not differ(before, behaviour(base))
    for name, variable in space.variables.items():
        if name == "nodes" or not name.startswith("node"):
            continue
        for value in variable.values:
            other = space.canonical({**base, name: value})
            assert differ(before, behaviour(other)) == (other != base), (name, value)


def test_what_reads_a_node_reads_what_its_gates_let_through() -> None:
    genotype = space.canonical(
        {
            **ABSENT, **OTHERS, "nodes": 3, "node0.a": "conv_b3", "node0.b": "conv_b3", "node0.attention": "cbam",
            "node1.inputs": "s1+n0", "node1.a": "conv_b3", "node1.b": "conv_b5", "node1.attention": "binary_eca",
            "node2.inputs": "n0+n1", "node2.a": "skip", "node2.b": "conv_b3", "node2.attention": "none",
        }
    )  # fmt: skip
    plan = space.plan(genotype, SHAPE, CLASSES)
    edges = {edge.name: edge for edge in plan.connections}
    assert edges["cell1/node1/n0"].sources == ("cell1/node0/real_spatial",)
    assert edges["cell1/node1/n0"].element == "real"
    assert edges["cell1/node2/n1"].sources == ("cell1/node1/binary_eca",)
    assert edges["cell1/node2/n1"].element == "binary"
    assert edges["readout/linear"].sources == ("cell8/node0/real_spatial", "cell8/node1/binary_eca", "cell8/node2")


@pytest.mark.parametrize("attention", ATTENTION)
def test_a_chip_without_multipliers_refuses_networks_with_gates_before_training(attention: str) -> None:
    kinds = {f"node{node}.attention": attention for node in range(3)}
    plan = space.plan(genotypes(1, nodes=3, **kinds)[0], (3, *SHAPE), CLASSES)
    planned = objective(profile="seneca22").planned
    fit = checker(profile="loihi1_davies")(plan)
    assert planned is not None
    if attention == "none":
        assert planned(plan)[0] >= 0
        assert not any("gates" in text for text in fit.violations)
    else:
        gate = GATES_OF[attention][0]
        with pytest.raises(
            UnpriceableError, match=rf"energy.mac., which cell1/node0/{gate}/gate, .* would need. Leave"
        ):
            planned(plan)
        assert any("gates of attention multiply" in text for text in fit.violations)
        assert objective(profile="arith45_fp32").planned(plan)[0] >= 0
