"""Networks whose neurons fire, and images, for what is exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from evonas.architecture.current_cell import add_current_cell, cell_of_code
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.data import digits
from evonas.export.folded import whole_weights
from evonas.snn.loop_norm import LoopNorm
from evonas.snn.network import Network
from evonas.space import Space
from spaces.recurrent import space as recurrent
from spaces.spatial_temporal import space as joint


def images(count: int) -> Tensor:
    """Return `(1, count, 1, 8, 8)` of the test images of the digits."""
    index = np.arange(count)
    inputs = digits.read().test().inputs
    return torch.from_numpy(inputs.batch(index, time_steps=1, rng=np.random.default_rng(0)))


def settled(network: Network, data: Tensor, *, seed: int) -> Network:
    """Return a network with weights and statistics with which about a third of its neurons fire, in evaluation."""
    generator = torch.Generator().manual_seed(seed)
    network.train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | LoopNorm):
                module.bias.copy_(0.5 + 0.5 * torch.randn(module.bias.shape, generator=generator))
            if isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1.5)
        for _ in range(3):
            network(data)
    return network.eval()


def drawn(
    count: int, data: Tensor, *, seed: int, wanted: Callable[[Plan], bool], space: Space = joint, classes: int = 10
) -> Iterator[Network]:
    """Yield networks of random genotypes whose plan is wanted."""
    rng = np.random.default_rng(seed)
    frames = data.shape[0]
    shape = tuple(data.shape[2:]) if frames == 1 else (frames, *data.shape[2:])
    assert space.build is not None
    assert space.plan is not None
    found = 0
    while found < count:
        genotype = space.sample(rng)
        if frames > 1 and genotype["time_steps"] != frames:
            continue
        if wanted(space.plan(genotype, shape, classes)):
            torch.manual_seed(found)
            yield settled(space.build(genotype, shape, classes), data, seed=found)
            found += 1


def voting(head: str) -> Network:
    """Return a network on the digits whose answers are votes of 3: of `"neurons"`, or of the weights of a layer."""
    draft = Draft((1, 8, 8), time_steps=5)
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.3)
    draft.add("first", neurons, incoming=[Incoming("first/in", (INPUT,), "conv", channels=4, kernel=3)])
    answer = Incoming("readout/out", ("first",), head, channels=10, votes=3)
    if head == "neurons":
        draft.add("voters", neurons, incoming=[Incoming("voters/in", ("first",), "dense", channels=30)])
        answer = Incoming("readout/vote", ("voters",), "vote", channels=10)
    draft.add("readout", Dynamics("readout"), incoming=[answer])
    torch.manual_seed(0)
    return Network(draft.finish())


def summing(code: str = "0303 0010 2002 0400", *, loop_norm: str = "weights") -> Network:
    """Return a network on the digits whose nodes are sums of currents, with a norm and means of tiled windows."""
    draft = Draft((1, 8, 8), time_steps=5, loop_norm=loop_norm)
    neurons = Dynamics("lif_box", tau_mem_ms=4 / 3, v_th=1.0)
    entry = Incoming("stem/in", (INPUT,), "conv", channels=4, kernel=3, gain=1.0)
    last = add_current_cell(draft, cell_of_code(code), entry, name="cell", dynamics=neurons)
    draft.add("normed", neurons, incoming=[Incoming("normed/in", (last,), "norm", gain=1.0)])
    draft.add("means", Dynamics("relay"), incoming=[Incoming("means/in", ("normed",), "pool", kernel=2, stride=2)])
    draft.add("hidden", neurons, incoming=[Incoming("hidden/in", ("means",), "flat_linear", channels=30, gain=6.0)])
    answer = Incoming("readout/out", ("hidden",), "flat_linear", channels=10, votes=3)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[answer])
    torch.manual_seed(0)
    return Network(draft.finish())


def has_no_gate(plan: Plan) -> bool:
    """Return whether nothing is multiplied by a gate, which no export can say."""
    return not any(edge.gate for edge in plan.connections)


def says_nir(plan: Plan) -> bool:
    """Return whether NIR can say what a plan consists of."""
    if not has_no_gate(plan):
        return False
    loops_of_several = any(edge.delay and len(edge.sources) > 1 for edge in plan.connections)
    neurons = [one.dynamics for one in plan.populations]
    return not loops_of_several and not any(
        one.kind in ("alif", "analog") or one.reset == "subtract" for one in neurons
    )


def loops_and_votes(data: Tensor) -> dict[str, Network]:
    """Return recurrent networks and networks whose answer is a vote, by what they are."""
    loops = drawn(2, data, seed=2, wanted=lambda plan: bool(plan.stepped), space=recurrent)
    found = {f"loop {index}": one for index, one in enumerate(loops)}
    return found | {f"votes of {head}": settled(voting(head), data, seed=3) for head in ("neurons", "linear")}


def held(network: Network, *, operations: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return weights and biases of each connection of some operations as they are exported, norms folded in."""
    edges = [edge for edge in network.plan.connections if edge.operation in operations]
    return {edge.name: whole_weights(network.operations[edge.name], edge)[1:3] for edge in edges}
