"""The trellis: how height and width shrink, and what reads the last cell."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import Plan
from evonas.architecture.trellis import Trellis, plan_trellis
from evonas.errors import SpaceError
from evonas.snn.network import Network

CELL: Cell = ((Edge("s0", "conv3"), Edge("s1", "skip")), (Edge("n0", "pool"), Edge("s1", "separable")))


def planned(*, cell: Cell = CELL, size: tuple[int, int] = (13, 10), **given: Any) -> Plan:
    levels = given.pop("levels", (0, 1, 2))
    stages = (Dynamics("lif_box"),) * 2 + (Dynamics("lif"),)
    trellis = Trellis(levels, channels=4, stages=stages, readout_tau_mem_ms=2.0, time_steps=3, **given)
    return plan_trellis(trellis, cell, input_shape=(1, *size), classes=5)


def learns(plan: Plan) -> dict[str, bool]:
    """Return which connections with weights get a gradient."""
    torch.manual_seed(0)
    network = Network(plan)
    data = torch.rand(1, 16, *plan.input_shape)
    loss = torch.nn.functional.cross_entropy(network(data), torch.arange(16) % 5)
    loss.backward()
    weights = {name: operation.weight for name, operation in network.operations.items()}
    return {name: bool(weight.grad.any()) for name, weight in weights.items() if weight is not None}


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("down", ["stride", "max_pool"])
def test_pooling_reaches_the_resolutions_of_strides_and_gradients_pass_it(stride: int, down: str) -> None:
    size = (13 * stride, 10 * stride)
    given = {"stem_stride": stride, "size": size}
    plan = planned(**given, stem_down=down, down=down)
    shapes = {layer.name: layer.shape for layer in planned(**given).populations}
    for layer in plan.populations:
        if "pooled" not in layer.name and not (layer.name == "stem" and down == "max_pool"):
            assert layer.shape == shapes[layer.name]
    relays = [layer for layer in plan.populations if layer.dynamics.kind == "relay"]
    assert bool(relays) == (down == "max_pool")
    assert all(layer.element == "binary" and layer.state == 1 for layer in relays)
    assert {edge.stride for edge in plan.connections if edge.operation == "conv"} == (
        {1} if down == "max_pool" else {1, 2, 4}
    )
    assert all(learns(plan).values())


def test_pooled_spikes_of_the_right_number_of_channels_need_no_convolution() -> None:
    plan = planned(down="max_pool", levels=(0, 0, 1))
    read = {edge.name: edge.sources for edge in plan.connections}
    assert read["cell3/node0/b"] == ("cell3/s1/pooled",)  # two nodes of 4 channels are one of 8
    assert "cell3/s1/conv" not in read
    assert "cell3/s1/conv" in {edge.name for edge in planned(levels=(0, 0, 1)).connections}


@pytest.mark.parametrize("size", [(16, 16), (13, 10), (3, 1)])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_stem_leaves_out_no_pixel_but_the_last_row_and_column_of_a_stride_of_four(
    stride: int, size: tuple[int, int]
) -> None:
    network = Network(planned(stem_stride=stride, size=size))
    image = torch.rand(1, 1, *size, requires_grad=True)
    stem = network.operations["stem/conv"]
    stem.conv.weight.data.fill_(1.0)  # type: ignore[union-attr, operator]
    stem.conv(image).sum().backward()  # type: ignore[union-attr, operator]
    assert image.grad is not None
    seen = (image.grad != 0)[0, 0]
    left_out = [length % 4 == 0 and stride == 4 for length in size]
    assert bool(seen[: size[0] - left_out[0], : size[1] - left_out[1]].all())


@pytest.mark.parametrize("readout_input", ["mean", "flat"])
def test_a_hidden_layer_reads_all_positions_and_has_the_dynamics_of_the_last_cell(readout_input: str) -> None:
    plan = planned(readout_hidden=6, readout_input=readout_input)
    hidden, readout = plan.populations[-2:]
    (dense,) = hidden.incoming
    assert (hidden.shape, hidden.dynamics.kind, hidden.element) == ((6, 1, 1), "lif", "binary")
    assert (dense.operation, dense.sources) == ("dense", ("cell3/node0", "cell3/node1"))
    assert dense.weights == 6 * dense.in_shape[0] * dense.in_shape[1] * dense.in_shape[2]
    assert readout.incoming[0].sources == ("hidden",)
    assert all(learns(plan).values())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"down": "pool"}, "down must be stride or max_pool, got 'pool'"),
        ({"stem_down": "maxpool"}, "stem_down must be stride or max_pool, got 'maxpool'"),
        ({"readout_hidden": -1}, "A hidden layer has 0 neurons or more, got -1"),
    ],
)
def test_what_a_trellis_cannot_be_is_said(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        planned(**wrong)
