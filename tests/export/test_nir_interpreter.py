"""The interpreter of NIR against hand calculations, and graphs of somebody else."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch

from evonas.errors import EvonasError
from evonas.export.nir_interpreter import run_nir


def graph(*nodes: nir.NIRNode, size: int = 1, edges: list[tuple[str, str]] | None = None) -> nir.NIRGraph:
    """Return a chain of nodes named n0, n1, … between input and output, and further edges."""
    named = {f"n{index}": node for index, node in enumerate(nodes)}
    chain = ["input", *named, "output"]
    shape = np.array([size])
    ends = {"input": nir.Input(input_type={"input": shape}), "output": nir.Output(output_type={"output": shape})}
    return nir.NIRGraph({**ends, **named}, [*pairwise(chain), *(edges or [])], type_check=False)


def ones(value: float = 1.0, size: int = 1) -> np.ndarray:
    return np.full(size, value)


def run(one: nir.NIRGraph, values: list[float], dt: float = 1e-4) -> list[float]:
    data = torch.tensor(values, dtype=torch.float64)[:, None, None]
    return run_nir(one, data, time_steps=len(values), dt=dt).outputs["output"].flatten().tolist()


def test_a_leaky_neuron_charges_fires_above_its_threshold_and_is_reset() -> None:
    neuron = nir.LIF(tau=ones(2e-4), r=ones(2.0), v_leak=ones(0), v_threshold=ones(1.0), v_reset=ones(0.25))
    # v = v / 2 + x, after a spike 0.25
    found = run_nir(graph(neuron), torch.tensor([0.75, 0.625, 0.75, 1.0])[:, None, None].double(), time_steps=4)
    assert found.potentials["n0"].flatten().tolist() == pytest.approx([0.75, 1.0, 1.25, 1.125])
    assert found.outputs["output"].flatten().tolist() == [0, 0, 1, 1]


def test_a_synaptic_current_is_stepped_before_the_membrane() -> None:
    neuron = nir.CubaLIF(
        tau_syn=ones(2e-4), tau_mem=ones(4e-4), r=ones(4.0), v_leak=ones(0), v_threshold=ones(9.0), w_in=ones(2.0)
    )
    found = run_nir(graph(neuron), torch.tensor([1.0, 0.0, 0.0])[:, None, None].double(), time_steps=3)
    # i = 1, 1/2, 1/4; v = 3/4 v + i
    assert found.potentials["n0"].flatten().tolist() == pytest.approx([1.0, 1.25, 1.1875])


def test_nodes_that_do_not_fire_return_what_they_compute() -> None:
    assert run(graph(nir.LI(tau=ones(2e-4), r=ones(1.0), v_leak=ones(1.0))), [0.0, 0.0]) == [0.5, 0.75]
    assert run(graph(nir.I(r=ones(0.5))), [1.0, 2.0], dt=1) == [0.5, 1.5]
    assert run(graph(nir.IF(r=ones(1.0), v_threshold=ones(1.0))), [0.6, 0.6, 0.6], dt=1) == [0, 1, 0]
    assert run(graph(nir.Scale(scale=ones(3.0))), [2.0]) == [6.0]
    assert run(graph(nir.Threshold(threshold=ones(0.5))), [0.5, 0.6]) == [0, 1]
    assert run(graph(nir.Delay(delay=ones(2e-4))), [1.0, 2.0, 3.0]) == [0, 0, 1]
    assert run(graph(nir.Affine(weight=np.array([[2.0]]), bias=ones(1.0))), [3.0]) == [7.0]
    cuba = nir.CubaLI(tau_syn=ones(1e-4), tau_mem=ones(2e-4), r=ones(2.0), v_leak=ones(0), w_in=ones(1.0))
    assert run(graph(cuba), [1.0, 0.0]) == [1.0, 0.5]


def test_pools_and_convolutions_are_those_of_torch() -> None:
    data = torch.rand(1, 2, 3, 6, 6)
    two = np.array([2, 2])
    nodes = {
        "sum": nir.SumPool2d(kernel_size=two, stride=two, padding=np.array([0, 0])),
        "mean": nir.AvgPool2d(kernel_size=two, stride=two, padding=np.array([0, 0])),
    }
    found = {name: run_nir(graph(node), data, time_steps=1).outputs["output"][0] for name, node in nodes.items()}
    assert torch.allclose(found["sum"], 4 * found["mean"])
    assert torch.allclose(found["mean"], torch.nn.functional.avg_pool2d(data[0], 2))
    weight = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
    conv = nir.Conv2d((6, 6), np.repeat(weight[:3], 1, 0), 1, "same", 1, 3, np.zeros(3, np.float32))
    wanted = torch.nn.functional.conv2d(data[0], torch.from_numpy(weight[:3]), padding=1, groups=3)
    assert torch.allclose(run_nir(graph(conv), data, time_steps=1).outputs["output"][0], wanted, atol=1e-6)
    flat = nir.Flatten(input_type={"input": np.array([3, 6, 6])}, start_dim=0, end_dim=-1)
    assert run_nir(graph(flat), data, time_steps=1).outputs["output"].shape == (1, 2, 108)


def test_an_edge_that_closes_a_loop_takes_a_step() -> None:
    looped = graph(nir.Scale(scale=ones(2.0)), nir.Scale(scale=ones(0.5)), edges=[("n1", "n0")])
    # out = (x + last) * 2 / 2
    assert run(looped, [1.0, 0.0, 1.0]) == [1.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (graph(graph(nir.Scale(scale=ones()))), r"nodes that cannot be run: n0 \(NIRGraph\); expected Affine"),
        (graph(nir.Scale(scale=ones()), edges=[("lost", "n0")]), "edges of nodes that are not there: lost"),
        (graph(nir.Affine(weight=np.ones((2, 3)), bias=np.zeros(2))), "'n0' cannot take inputs of shape"),
        (graph(nir.Delay(delay=np.array([1e-4, 3e-4]))), "2 different delays"),
    ],
)
def test_a_graph_of_somebody_else_that_cannot_be_run_is_one_sentence(one: nir.NIRGraph, told: str) -> None:
    with pytest.raises(EvonasError, match=told):
        run(one, [1.0])


def test_ends_that_are_missing_or_several_are_told() -> None:
    two = graph(nir.Scale(scale=ones()))
    two.nodes["more"] = nir.Input(input_type={"input": np.array([1])})
    with pytest.raises(EvonasError, match="2 inputs, expected one"):
        run(two, [1.0])
    alone = graph(nir.Scale(scale=ones()))
    alone.nodes["alone"] = nir.Scale(scale=ones())
    with pytest.raises(EvonasError, match="nothing feeds: alone"):
        run(alone, [1.0])
    with pytest.raises(EvonasError, match="3 time steps, expected 1 or 5"):
        run_nir(graph(nir.Scale(scale=ones())), torch.ones(3, 1, 1), time_steps=5)
