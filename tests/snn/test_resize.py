"""Nearest elements: what a resize picks and repeats stays what it is, is counted, priced, exported or refused by name."""

from __future__ import annotations

import itertools

import pytest
import torch
from export_networks import settled
from recorded import recorded
from unrolled import check_counts, unrolled

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.chips.fit import check
from evonas.chips.placement import place
from evonas.chips.profile import load
from evonas.chips.topology import reach, topology
from evonas.errors import EvonasError, SpaceError
from evonas.export.check import nir_export
from evonas.export.nir_graph import refusals
from evonas.snn.network import Network
from evonas.snn.operations import make_operation

NEURONS = Dynamics("lif_box", tau_mem_ms=1.25, v_th=0.5)
RELAY = Dynamics("relay")


def resizing(*, stride: int = 1, repeats: int = 1, size: tuple[int, int] = (6, 4)) -> Plan:
    """Spikes, resized, and convolved again."""
    draft = Draft((2, *size), time_steps=3)
    draft.add("spikes", NEURONS, incoming=[Incoming("in", (INPUT,), "conv", channels=3, kernel=3)])
    draft.add("resized", RELAY, incoming=[Incoming("resize", ("spikes",), "resize", stride=stride, repeats=repeats)])
    draft.add("last", NEURONS, incoming=[Incoming("on", ("resized",), "conv", channels=2, kernel=3)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", ("last",), "linear", channels=3)])
    return draft.finish()


@pytest.mark.parametrize(("given", "factor"), [({"stride": 2}, 0.5), ({"stride": 4}, 0.25), ({"repeats": 3}, 3.0)])
def test_a_resize_is_nearest_interpolation_and_so_is_its_gradient(given, factor):
    edge = next(one for one in resizing(**given, size=(8, 4)).connections if one.operation == "resize")
    resize, images = make_operation(edge), torch.rand(2, 3, 8, 4, requires_grad=True)
    expected = torch.nn.functional.interpolate(images, scale_factor=factor, mode="nearest")
    assert torch.equal(resize(images), expected)
    towards = torch.rand(expected.shape)
    ours, theirs = (torch.autograd.grad(found, images, towards)[0] for found in (resize(images), expected))
    torch.testing.assert_close(ours, theirs)


def test_rows_that_the_stride_does_not_divide_are_picked_from_the_first_on():
    edge = next(one for one in resizing(stride=3, size=(7, 4)).connections if one.operation == "resize")
    images = torch.rand(2, 3, 7, 4)
    assert torch.equal(make_operation(edge)(images), images[:, :, [0, 3, 6]][:, :, :, [0, 3]])


@pytest.mark.parametrize("given", [{"stride": 2}, {"stride": 3}, {"repeats": 2}, {"stride": 1}])
def test_spikes_stay_spikes_and_every_one_is_counted(given):
    torch.manual_seed(0)
    network = Network(resizing(**given)).eval()
    data = torch.randn(1, 5, 2, 6, 4)
    with torch.no_grad():
        logits, activity = recorded(network, data)
    torch.testing.assert_close(unrolled(network, data)["readout"].mean(0), logits)
    check_counts(network, data, activity)
    assert [edge.element for edge in activity.connections] == ["real", "binary", "binary", "binary"]
    resized = activity.populations[1]
    assert sum(resized.spikes) > 0
    assert (resized.state, resized.kind) == (1, "relay")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"stride": 2, "repeats": 2},
            "either a stride or repeats, and nothing else repeats, got 'edge', a resize with",
        ),
        ({"repeats": 0}, "repeats 0"),
        ({"kernel": 3}, "kernel of 1"),
        ({"gain": 2.0}, "resize 'edge' hands on elements as they are, got gain 2.0"),
        ({"operation": "conv", "channels": 2, "repeats": 2}, "a conv with kernel 1, stride 1 and repeats 2"),
    ],
)
def test_what_is_no_resize_is_refused(given, told):
    with pytest.raises(SpaceError, match=told):
        Draft((2, 4, 4), time_steps=2).add(
            "target", RELAY, incoming=[Incoming("edge", (INPUT,), **{"operation": "resize", **given})]
        )


def test_a_resize_into_neurons_is_refused():
    with pytest.raises(SpaceError, match="The resize 'edge' must be the one connection into a population of kind 'rel"):
        Draft((2, 4, 4), time_steps=2).add("target", NEURONS, incoming=[Incoming("edge", (INPUT,), "resize", stride=2)])


def test_picked_spikes_are_exported_and_repeated_ones_refused_by_name():
    torch.manual_seed(0)
    data = torch.randn(1, 20, 2, 8, 8)
    network = settled(Network(resizing(stride=2, size=(8, 8))), data, seed=0)
    done = nir_export(network, data, about={})
    assert done.is_equal, done.lines
    assert refusals(resizing(repeats=2)) == [
        "resizing (resize) that repeats elements, or picks others than spikes: NIR cannot say it; expected a network "
        "without"
    ]
    with pytest.raises(EvonasError, match="resize"):
        nir_export(Network(resizing(repeats=2)).eval(), data, about={})


@pytest.mark.parametrize("given", [{"stride": 1}, {"stride": 3}, {"repeats": 2}, {"repeats": 3}])
def test_a_strip_of_rows_reads_the_rows_that_it_picks_or_repeats(given):
    edge = next(one for one in resizing(**given, size=(12, 2)).connections if one.operation == "resize")
    height = edge.out_shape[1]
    rows_of = [row // edge.repeats * edge.stride for row in range(height)]
    for rows, first in itertools.product(range(1, height), range(height)):
        read = rows_of[first : first + rows]
        assert read[-1] - read[0] + 1 <= reach(edge, rows)
        if first % edge.repeats == edge.repeats - 1 and first + rows <= height:
            assert read[-1] - read[0] + 1 == reach(edge, rows)


def test_chips_place_what_is_resized_and_one_that_convolves_alone_refuses_to_repeat():
    for name in ("loihi1_davies", "truenorth28", "odin28", "xylo_a2", "spinnaker1", "loihi2"):
        assert not any("resize" in text for text in check(resizing(repeats=2), load(name)).violations), name
    assert place(topology(resizing(repeats=2)), load("loihi1_davies")).places["resized"].axons == 3 * 6 * 4
    speck = load("speck2f")
    assert (
        "resize repeats what it reads, and a core has no kernel that does"
        in check(resizing(repeats=2), speck).violations
    )
    assert not any("repeats" in text for text in check(resizing(stride=2), speck).violations)
