"""The space of SNASNet: its published sizes and cells, the equations of its feedback, and one genotype a network."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from other_values import another_value
from recorded import recorded
from torch import Tensor, nn
from unrolled import check_counts

from evonas.architecture.current_cell import NODES, OPERATIONS, CurrentCell, canonical, cell_of_code, living, reach
from evonas.architecture.neuron import Surrogate
from evonas.architecture.plan import Plan
from evonas.chips.energy import estimate
from evonas.chips.profile import load
from evonas.errors import SpaceError, UnpriceableError
from evonas.genotype import Genotype
from evonas.snn.kernels.surrogates import spike
from evonas.snn.network import Network
from evonas.snn.neurons import Neuron
from evonas.snn.operations import AveragePool
from spaces.snasnet import assignment_of, cell_of, plan, space

torch.set_num_threads(1)
CIFAR_10, CIFAR_100 = "0303 0030 2002 0200", "0302 0030 3003 0000"
PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
SMALL = {"channels": 8, "hidden": 128, "stem.stride": 1, "time_steps": 4, "loop_norm": "weights"}
SHAPE, CLASSES = (2, 8, 4), 3


def genotype_of(code: str, **given) -> Genotype:
    return space.canonical({**SMALL, **assignment_of(code), **given})


def genotypes(count: int, *, seed: int, **given) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.canonical({**space.fill({}, rng), **SMALL, **given}) for _ in range(count)]


def network_of(genotype: Genotype, *, dtype: torch.dtype = torch.float32) -> Network:
    """A network whose norms have seen data, in evaluation; of the same seed for all."""
    torch.manual_seed(0)
    network = space.build(genotype, SHAPE, CLASSES)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(1, 16, *SHAPE, generator=generator))
    network = network.to(dtype).eval()
    for module in network.modules():
        if isinstance(module, AveragePool):  # numbers that are not rounded to float32
            module.window.fill_(1 / module.kernel**2)
        if isinstance(module, Neuron) and module.dynamics.is_spiking:
            module.tau_mem_ms.data.fill_(4 / 3)
    return network


def images(samples: int, *, seed: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(1, samples, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def cells(*, backward: bool) -> list[CurrentCell]:
    """Every cell whose input leads to its output, built without the space."""
    edges = []
    for pair in PAIRS:
        ways = [(*pair, operation) for operation in OPERATIONS if operation != "zero" or pair != (0, 3)]
        if backward and pair != (0, 3):
            ways += [(*pair[::-1], operation) for operation in OPERATIONS if operation != "zero"]
        edges.append(ways)
    found = []
    for chosen in itertools.product(*edges):
        rows = [["zero"] * NODES for _ in range(NODES)]
        for i, j, operation in chosen:
            rows[i][j] = operation
        found.append(tuple(map(tuple, rows)))
    return found


def test_the_space_has_the_published_numbers_of_cells():
    assert len(OPERATIONS) ** len(PAIRS) == 15_625
    assert (2 * len(OPERATIONS) - 1) ** len(PAIRS) == 531_441
    forward = space.narrowed({"*.direction": ["forward"]})
    choices = [forward.variables[f"edge{i}{j}.op"].values for i, j in PAIRS]
    every = {cell_of(dict(zip([f"edge{i}{j}.op" for i, j in PAIRS], one, strict=True)))
             for one in itertools.product(*choices)}  # fmt: skip
    assert len(every) == 12_500
    assert every == set(cells(backward=False))
    per_pair = []
    for i, j in PAIRS:
        name = f"edge{i}{j}"
        ways = space.variables.get(f"{name}.direction")
        directions = ways.values if ways else ("forward",)
        zeros = {f"edge{a}{b}.op": "zero" for a, b in PAIRS}
        options = itertools.product(space.variables[f"{name}.op"].values, directions)
        per_pair.append(len({cell_of({**zeros, f"{name}.op": o, f"{name}.direction": d}) for o, d in options}))
    assert per_pair == [9, 9, 4, 9, 9, 9]
    assert np.prod(per_pair) == 236_196


def by_powers(cell: CurrentCell) -> CurrentCell:
    """The rule as published: nodes between which no power of the matrix has a path lose their edges."""
    adjacent = np.array([[operation != "zero" for operation in row] for row in cell]).astype(int)
    paths = sum(np.linalg.matrix_power(adjacent, power) for power in range(1, NODES + 1))
    dead = [node for node in (1, 2) if not paths[0, node] or not paths[node, NODES - 1]]
    return tuple(tuple("zero" if {i, j} & set(dead) else cell[i][j] for j in range(NODES)) for i in range(NODES))


def test_dead_nodes_are_those_of_the_published_rule():
    pruned = 0
    for cell in cells(backward=True)[::7]:
        expected = by_powers(cell)
        assert living(cell) == expected
        assert living(expected) == expected
        pruned += expected != cell
    assert pruned > 1000


def swapped(cell: CurrentCell) -> CurrentCell:
    return tuple(tuple(cell[i][j] for j in (0, 2, 1, 3)) for i in (0, 2, 1, 3))


def test_cells_that_differ_in_the_order_of_their_nodes_alone_are_one():
    every = cells(backward=True)[::11]
    apart = 0
    for cell in every:
        one = canonical(cell)
        assert canonical(one) == one
        alive = living(cell)
        if alive[1][2] == alive[2][1] == "zero":
            assert canonical(swapped(cell)) == one
            apart += swapped(cell) != cell
        else:
            assert one == alive
    assert apart > 1000


def different(*, backward: bool) -> int:
    """Different networks, counted by patterns of edges: living ones, of which two that change places are one."""
    ways = ((0, 1), (1, 0), None) if backward else ((0, 1), None)
    patterns = set()
    for chosen in itertools.product(ways, repeat=5):
        rows = [["zero"] * NODES for _ in range(NODES)]
        rows[0][3] = "conv1"
        for pair, way in zip([pair for pair in PAIRS if pair != (0, 3)], chosen, strict=True):
            if way is not None:
                rows[pair[way[0]]][pair[way[1]]] = "conv1"
        patterns.add(by_powers(tuple(map(tuple, rows))))
    joined = apart = symmetric = 0
    for pattern in patterns:
        edges = sum(row.count("conv1") for row in pattern) - 1
        if pattern[1][2] != "zero" or pattern[2][1] != "zero":
            joined += 4**edges
        else:
            apart += 4**edges
            symmetric += 4 ** (edges // 2) if swapped(pattern) == pattern else 0
    return 4 * (joined + (apart + symmetric) // 2)  # Burnside: those that stay where they are count twice


def test_each_network_has_one_genotype():
    assert different(backward=False) == 4 * (4**3 * 5**2 + 16 * 17 // 2 + 16 + 1) == 7_012
    assert len({canonical(cell) for cell in cells(backward=False)}) == 7_012
    assert different(backward=True) == 102_596


@pytest.mark.slow
def test_each_network_with_feedback_has_one_genotype():
    assert len({canonical(cell) for cell in cells(backward=True)}) == 102_596


def weights_of(code: str, channels: int) -> int:
    """Weights of the edges of a cell, by hand."""
    digits = code.replace(" ", "")
    return channels**2 * (digits.count("2") + 9 * digits.count("3"))


@pytest.mark.parametrize(("code", "channels", "classes"), [(CIFAR_10, 256, 10), (CIFAR_100, 128, 100)])
def test_published_cells_are_planned_at_their_width_with_parameters_by_formula(code, channels, classes):
    genotype = genotype_of(code, channels=channels, hidden=1024, time_steps=5)
    assert canonical(cell_of_code(code)) == cell_of(genotype)
    found = plan(genotype, (3, 32, 32), classes)
    c, convolutions = channels, sum(digit in "23" for digit in code)
    weights = (
        27 * c + weights_of(code, c) + 9 * c * 2 * c + weights_of(code, 2 * c) + 2 * c * 8 * 8 * 1024 + 1024 * classes
    )
    norms = c + 2 * c + convolutions * (c + 2 * c)  # a bias for each output of a convolution
    scales = 2 * (c + 2 * c)  # a factor and a bias in front of the neurons behind each cell
    assert sum(edge.weights + edge.biases for edge in found.connections) == weights + norms + scales
    assert [one.shape for one in found.populations if one.name in ("cell1/node3", "cell2/node3", "hidden")] == [
        (c, 32, 32), (2 * c, 16, 16), (1024, 1, 1)
    ]  # fmt: skip
    assert found.connections[-1].votes == 10


def read_back(found: Plan) -> dict:
    """The genotype of a plan, from its connections and shapes alone."""
    both = []
    for name in ("cell1", "cell2"):
        rows = [["zero"] * NODES for _ in range(NODES)]
        for edge in found.connections:
            if edge.name.startswith(f"{name}/edge"):
                i, j = map(int, edge.name[-2:])
                rows[i][j] = {("conv", 1): "conv1", ("conv", 3): "conv3", ("pool", 3): "pool"}.get(
                    (edge.operation, edge.kernel), "identity"
                )
                assert edge.delay == (i > j)
                assert edge.target == f"{name}/node{j}"
                assert all(source.startswith(f"{name}/node{i}") for source in edge.sources)
        both.append(tuple(map(tuple, rows)))
    assert both[0] == both[1]
    shapes = {one.name: one.shape for one in found.populations}
    values: dict = {}
    for i, j in PAIRS:
        forward, back = both[0][i][j], both[0][j][i]
        values[f"edge{i}{j}.op"] = forward if forward != "zero" else back
        if (i, j) != (0, 3) and values[f"edge{i}{j}.op"] != "zero":
            values[f"edge{i}{j}.direction"] = "forward" if forward != "zero" else "backward"
    looped = {edge.name for edge in found.connections if edge.operation == "conv"} & found.stepped
    return {
        **values,
        "channels": shapes["cell1/node3"][0],
        "hidden": shapes["hidden"][0],
        "stem.stride": found.connections[0].stride,
        "time_steps": found.time_steps,
        **({"loop_norm": found.loop_norm} if looped else {}),
    }


def test_a_network_says_its_genotype():
    rng = np.random.default_rng(0)
    for _ in range(300):
        genotype = space.sample(rng)
        assert read_back(plan(genotype, (2, 16, 16), 4)) == dict(genotype)
        assert space.genotype(dict(genotype)) == genotype
        assert space.from_json(genotype.to_json()) == genotype
        assert space.canonical(space.fill(genotype, rng)) == genotype


@pytest.mark.parametrize("seed", range(4))
def test_every_choice_changes_the_network(seed):
    rng = np.random.default_rng(seed)
    back = {"edge13.op": "conv3", "edge13.direction": "backward", "edge01.op": "conv1", "edge01.direction": "forward"}
    (genotype,) = genotypes(1, seed=seed, **(back if seed % 2 else {}))
    logits = network_of(genotype)(images(6)).detach()
    assert bool(logits.any())
    for name, value in genotype.items():
        other = space.canonical({**space.fill(genotype, rng), name: another_value(space.variables[name], value, rng)})
        if other != genotype:  # nodes that change places may give the same network back
            its_logits = network_of(other)(images(6)).detach()
            assert not torch.equal(its_logits, logits), name


class Equations:
    """The macro network by the paper's equations, one time step after the other, each convolution with its own neurons."""

    def __init__(self, network: Network, cell: CurrentCell) -> None:
        self.network, self.cell = network, cell
        self.potentials: dict[str, Tensor] = {}
        self.back: dict[str, list[Tensor]] = {}

    def fired(self, key: str, x: Tensor) -> Tensor:
        """0.25 u + 0.75 x, a spike above 1, and a reset to zero."""
        u = 0.75 * x + 0.25 * self.potentials.get(key, torch.zeros_like(x))
        spikes = spike(u - 1, Surrogate("atan"))
        self.potentials[key] = u * (1 - spikes)
        return spikes

    def edge(self, name: str, i: int, j: int, x: Tensor) -> Tensor:
        operation, key = self.cell[i][j], f"{name}/edge{i}{j}"
        if operation == "zero":
            return torch.zeros_like(x)
        if operation == "identity":
            return x
        if operation == "pool":
            return nn.functional.avg_pool2d(x, 3, 1, 1)
        return self.network.operations[key](self.fired(key, x))

    def cell_step(self, name: str, x0: Tensor) -> Tensor:
        nothing = torch.zeros_like(x0)
        if name not in self.back:
            self.back[name] = [
                sum([self.before(name, i, j, x0) for i in range(j + 1, NODES)], nothing) for j in range(3)
            ]
        fb0, fb1, fb2 = self.back[name]
        edge = partial(self.edge, name)
        x0 = x0 + fb0
        x1 = edge(0, 1, x0) + fb1
        x2 = edge(0, 2, x0) + edge(1, 2, x1) + fb2
        x3 = edge(0, 3, x0) + edge(1, 3, x1) + edge(2, 3, x2)
        self.back[name] = [
            edge(1, 0, x1) + edge(2, 0, x2) + edge(3, 0, x3),
            edge(2, 1, x2) + edge(3, 1, x3),
            edge(3, 2, x3),
        ]
        return x3

    def before(self, name: str, i: int, j: int, like: Tensor) -> Tensor:
        """What an edge brings at the first step: nothing, but for the bias of its norm."""
        if self.cell[i][j] not in ("conv1", "conv3"):
            return torch.zeros_like(like)
        return self.network.operations[f"{name}/edge{i}{j}"](torch.zeros_like(like))

    def logits(self, image: Tensor) -> Tensor:
        of, total = self.network.operations, 0.0
        for _ in range(self.network.plan.time_steps):
            x = self.cell_step("cell1", of["stem/conv"](image))
            x = of["reduction/conv"](self.fired("reduction", of["reduction/norm"](x)))
            x = self.cell_step("cell2", nn.functional.avg_pool2d(x, 2))
            x = nn.functional.avg_pool2d(self.fired("head", of["head/norm"](x)), 2)
            x = self.fired("hidden", 6 * x.flatten(1) @ of["hidden/linear"].weight.T)
            total = total + 10 * x @ of["readout/linear"].weight.T
        return total / self.network.plan.time_steps


@pytest.mark.parametrize("loop_norm", ["weights", "steps"])
@pytest.mark.parametrize(
    "code", [CIFAR_10, CIFAR_100, "0134 0010 0000 0300", "0001 4020 2000 0330", "0342 0013 0004 0000"]
)
def test_networks_and_gradients_follow_the_equations_of_the_paper_in_float64(code, loop_norm):
    genotype = genotype_of(code, loop_norm=loop_norm)
    network, data = network_of(genotype, dtype=torch.float64), images(3, dtype=torch.float64).requires_grad_()
    logits, expected = network(data), Equations(network, cell_of(genotype)).logits(data[0])
    assert float((logits - expected).detach().abs().max()) < 1e-12
    parameters = [data, *(one for one in network.parameters() if one.requires_grad)]
    weights = torch.rand(logits.shape, dtype=torch.float64)
    got, wanted = (torch.autograd.grad((one * weights).sum(), parameters) for one in (logits, expected))
    for ours, theirs in zip(got, wanted, strict=True):
        assert float((ours - theirs).abs().max()) <= 1e-9 * max(1.0, float(theirs.abs().max()))
    assert bool(got[0].any())


def test_feedback_arrives_one_step_late_and_starts_anew_with_each_batch():
    network = network_of(genotype_of("0301 0030 0003 0300"))
    with torch.no_grad():
        first, activity = recorded(network, images(4))
        again, _ = recorded(network, images(4))
        alone = torch.cat([network(images(4)[:, i : i + 1]) for i in range(4)])
    assert torch.equal(first, again)
    torch.testing.assert_close(first, alone)
    (back,) = [edge for edge in activity.connections if edge.name == "cell1/edge31"]
    (source,) = [one for one in activity.populations if one.name == back.sources[0]]
    assert back.delay == 1
    assert back.inputs == (0, *source.spikes[:-1])
    assert sum(back.inputs) > 0


@pytest.mark.parametrize("code", [CIFAR_10, "0142 0020 0004 0100"])
def test_counts_equal_brute_force_over_every_synapse(code):
    network, data = network_of(genotype_of(code), dtype=torch.float64), images(2, dtype=torch.float64)
    with torch.no_grad():
        _, activity = recorded(network, data)
        check_counts(network, data, activity)
    dense = sum(edge.dense * (1 if edge.static else network.plan.time_steps) for edge in activity.connections)
    assert space.operations(genotype_of(code), SHAPE, CLASSES) == dense


def test_convolutions_of_one_node_share_its_neurons_and_a_sum_stands_where_a_current_is_read():
    kinds = {
        one.name: one.dynamics.kind for one in plan(genotype_of("0033 0000 0001 0000"), SHAPE, CLASSES).populations
    }
    assert [name for name in kinds if name.startswith("cell1")] == ["cell1/node0", "cell1/node1", "cell1/node3"]
    assert kinds["cell1/node0"] == "lif_box"
    assert kinds["cell1/node1"] == kinds["cell1/node3"] == "relay"


def test_networks_are_priced_where_sums_have_a_price_and_refused_by_name_elsewhere():
    _, activity = recorded(network_of(genotype_of(CIFAR_10)), images(4))
    assert estimate(activity, load("arith45_fp32")).dynamic.nominal > 0
    with pytest.raises(UnpriceableError, match=r"multiply-accumulates.*cell1/node3/on"):
        estimate(activity, load("loihi1_davies"))


def test_most_networks_spike_everywhere_before_training():
    silent = 0
    for genotype in genotypes(12, seed=3):
        _, activity = recorded(network_of(genotype), images(8))
        silent += not sum(activity.populations[-2].spikes)
    assert silent <= 1


@pytest.mark.parametrize(
    "code", ["0303 0030 2002", "0503 0030 2002 0200", "1303 0030 2002 0200", "0303 3030 2002 0200", ""]
)
def test_a_code_of_another_form_is_refused(code):
    with pytest.raises(SpaceError, match=r"four rows of four digits|one edge between two nodes"):
        cell_of_code(code)
    with pytest.raises(SpaceError, match="edge03.op: expected one of .*, got 'zero'"):
        space.canonical({**SMALL, **assignment_of("0300 0003 0000 0000")})


def test_reach_goes_along_edges():
    assert reach(cell_of_code(CIFAR_100), 3) == {3}
    assert reach(cell_of_code(CIFAR_100), 2) == {0, 1, 2, 3}
