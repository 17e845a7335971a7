"""Operations: what a connection does to outputs, and which weights it says that it has."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from recorded import recorded
from torch import Tensor, nn

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.gate import GATES
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, OF_RELAYS, OPERATIONS, Plan, PlannedConnection
from evonas.errors import SpaceError
from evonas.snn.network import Network
from evonas.snn.neurons import summed
from evonas.snn.operations import make_operation


def plan_of(*incoming: Incoming, size: tuple[int, int] = (6, 5), kind: str = "lif_box") -> Plan:
    draft = Draft((4, *size), time_steps=2)
    kind = "relay" if any(edge.operation in OF_RELAYS for edge in incoming) else kind
    draft.add("target", Dynamics(kind, v_th=0.5), incoming=incoming)  # type: ignore[arg-type]
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", ("target",), "linear", channels=3)])
    return draft.finish()


def planned(operation: str, **given) -> PlannedConnection:
    return plan_of(Incoming("edge", (INPUT,), operation, **given)).connections[0]


class Shifted(nn.Module):
    """A user's own operation, a fixed binary mask: its weight is neither a parameter nor inside a layer of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", torch.zeros(4, 4, 3, 3))
        self.mask[:, 0, 1, 1] = 1.0  # each output channel hears the first input channel, right above it

    @property
    def weight(self) -> Tensor:
        return self.mask

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(images, self.mask, padding=1)


@pytest.mark.parametrize(("kernel", "size"), [(3, (4, 6)), (3, (1, 1)), (5, (7, 5))])
def test_a_pool_is_the_mean_of_its_window_with_the_zeros_beyond_the_border_times_its_gain(kernel, size):
    edge = plan_of(Incoming("pool", (INPUT,), "pool", kernel=kernel), size=size).connections[0]
    images = torch.rand(3, 4, *size)
    expected = edge.gain * nn.functional.avg_pool2d(images, kernel, 1, kernel // 2, count_include_pad=True)
    pool = make_operation(edge)
    assert edge.gain > 1
    torch.testing.assert_close(pool(images), expected)
    assert not list(pool.parameters())
    assert not pool.state_dict()


def test_a_skip_is_what_it_reads_times_its_gain():
    edge, images = planned("skip"), torch.rand(3, 4, 6, 5)
    assert torch.equal(make_operation(edge)(images), edge.gain * images)


def test_a_convolution_is_normalised_over_time_and_batch():
    images = torch.rand(6, 4, 6, 5)
    current = make_operation(planned("conv", channels=3, kernel=3, gain=1.0))(images)
    torch.testing.assert_close(current.mean((0, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(current.var((0, 2, 3), unbiased=False), torch.ones(3), atol=1e-3, rtol=0)


def test_a_linear_layer_reads_the_mean_over_space():
    edge = plan_of(Incoming("edge", (INPUT,), "skip")).connections[1]
    linear, images = make_operation(edge), torch.rand(2, 4, 6, 5)
    torch.testing.assert_close(linear(images), edge.gain * images.mean((2, 3)) @ linear.weight.T)


def test_a_flat_linear_layer_has_a_weight_for_each_position_and_the_same_gradients_as_a_sum_over_them():
    edge = planned("flat_linear", channels=3)
    linear, images = make_operation(edge), torch.rand(2, 4, 6, 5, requires_grad=True)
    weight = linear.weight.detach().unflatten(1, edge.in_shape).requires_grad_()
    expected = edge.gain * torch.einsum("bchw,ochw->bo", images, weight)
    torch.testing.assert_close(linear(images), expected)
    ours = torch.autograd.grad(linear(images).square().sum(), [images, linear.weight])
    theirs = torch.autograd.grad(expected.square().sum(), [images, weight])
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1].flatten(1))


def test_a_flat_layer_at_one_position_is_that_of_the_mean():
    edges = [plan_of(Incoming("edge", (INPUT,), operation, channels=3), size=(1, 1)).connections[0]
             for operation in ("linear", "flat_linear")]  # fmt: skip
    mean, flat = map(make_operation, edges)
    flat.load_state_dict(mean.state_dict())
    images = torch.rand(2, 4, 1, 1)
    assert torch.equal(flat(images), mean(images))


def test_a_flat_readout_tells_apart_images_whose_channels_have_equal_means():
    image = torch.rand(1, 4, 6, 5)
    images = torch.cat([image, image.flip(-1)])
    mean, flat = (make_operation(planned(operation, channels=3))(images) for operation in ("linear", "flat_linear"))
    torch.testing.assert_close(mean[0], mean[1])
    assert bool(((flat[0] - flat[1]).abs() > 1e-2).all())


def test_currents_of_what_is_static_are_added_at_each_time_step():
    one, other = torch.rand(1, 2, 3), torch.rand(4, 2, 3)
    assert torch.equal(summed([one, other, one]), one + other + one)
    assert torch.equal(summed(iter([one])), one)


_CHANNELS = {"norm": 0, "pool": 0, "max_pool": 0, "resize": 0, "skip": 0, "vote": 2}


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in GATES])  # which have no synapses
def test_every_operation_says_which_weights_it_has(operation):
    size = (1, 1) if operation == "vote" else (6, 5)
    incoming = Incoming("edge", (INPUT,), operation, channels=_CHANNELS.get(operation, 7), kernel=3)
    incoming = replace(incoming, kernel=1) if operation == "resize" else incoming
    edge = plan_of(incoming, size=size).connections[0]
    weight = make_operation(edge).weight
    assert (0 if weight is None else weight.numel()) == edge.weights


def test_an_operation_of_ones_own_is_counted_by_the_weights_that_it_says_it_has():
    network = Network(plan_of(Incoming("edge", (INPUT,), "conv", channels=4, kernel=3)))
    network.operations["edge"] = Shifted()
    data = torch.rand(1, 2, 4, 6, 5)
    with torch.no_grad():
        _, activity = recorded(network.eval(), data)
    assert activity.connections[0].macs == (2 * 30 * 4,) * 2  # samples, elements of the first channel, and its targets
    data[:, :, 0] = 0
    with torch.no_grad():
        _, activity = recorded(network, data)
    assert activity.connections[0].macs == (0, 0)


@pytest.mark.parametrize("operation", ["conv2d", "Skip", "identity", "", "maxpool", None])
def test_an_unknown_operation_is_refused_by_plans_and_by_networks(operation):
    known = rf"The operation of the connection 'edge' must be one of {', '.join(OPERATIONS)}, got"
    with pytest.raises(SpaceError, match=known):
        planned(operation)
    with pytest.raises(SpaceError, match=known):
        make_operation(replace(planned("skip"), operation=operation))


@pytest.mark.parametrize("wrong", [{"kernel": 2}, {"kernel": 0}, {"kernel": -3}, {"kernel": 3, "stride": 0}])
def test_a_kernel_without_a_centre_and_a_stride_that_does_not_move_are_refused(wrong):
    with pytest.raises(SpaceError, match=r"kernel of the connection 'edge' must be odd.*stride 1 or more, got kernel"):
        planned("pool", **wrong)


WINDOWS = [(2, 2, (6, 5)), (4, 4, (6, 5)), (3, 3, (7, 1)), (3, 1, (4, 6)), (3, 2, (5, 5)), (5, 1, (1, 1))]


@pytest.mark.parametrize(("kernel", "stride", "size"), WINDOWS)
def test_a_max_pool_is_the_largest_of_what_lies_within_its_window_and_never_the_border(kernel, stride, size):
    edge = plan_of(Incoming("edge", (INPUT,), "max_pool", kernel=kernel, stride=stride), size=size).connections[0]
    images = -1 - torch.rand(2, 4, *size)  # below the zeros of a border
    padding = 0 if kernel == stride else kernel // 2
    rows, columns = (
        [list(range(max(first, 0), min(first + kernel, length))) for first in range(-padding, length - padding, stride)]
        for length in size
    )
    expected = torch.stack(
        [torch.stack([images[:, :, row][..., column].amax((-2, -1)) for column in columns], -1) for row in rows], -2
    )
    assert torch.equal(make_operation(edge)(images), expected)
    assert edge.out_shape == (4, -(-size[0] // stride), -(-size[1] // stride))


def test_the_gradient_of_a_max_pool_goes_to_the_largest_element_alone():
    images = torch.arange(60.0, dtype=torch.float64).reshape(1, 4, 5, 3).flip(-1).requires_grad_()
    pool = make_operation(
        plan_of(Incoming("edge", (INPUT,), "max_pool", kernel=2, stride=2), size=(5, 3)).connections[0]
    )
    assert torch.autograd.gradcheck(pool, images, eps=1e-3)
    (gradient,) = torch.autograd.grad(pool(images).sum(), images)
    assert gradient.sum() == gradient.count_nonzero() == 4 * 3 * 2
    of_ties = torch.zeros(1, 4, 5, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(pool(of_ties)[..., 0, 0].sum(), of_ties)
    assert gradient.nonzero()[:, 2:].unique(dim=0).tolist() == [[0, 0]]


def test_max_pooled_spikes_are_those_of_neurons_that_one_spike_fires_and_that_are_reset_to_zero():
    draft = Draft((3, 7, 5), time_steps=6)
    draft.add(
        "spikes", Dynamics("lif_box", v_th=0.4), incoming=[Incoming("conv", (INPUT,), "conv", channels=4, kernel=3)]
    )
    draft.add("pooled", Dynamics("relay"), incoming=[Incoming("max", ("spikes",), "max_pool", kernel=3, stride=2)])
    sums = Incoming("sum", ("spikes",), "pool", kernel=3, stride=2)
    draft.add("summed", Dynamics("integrate_and_fire", v_th=0.5), incoming=[sums])
    draft.add("readout", Dynamics("readout"),
              incoming=[Incoming(f"of {name}", (name,), "linear", channels=3) for name in ("pooled", "summed")])  # fmt: skip
    plan = draft.finish()
    assert {edge.element for edge in plan.connections[1:]} == {"binary"}
    seen: dict[str, Tensor] = {}
    network = Network(plan)
    network.operations["sum"].gain = 9.0  # the weights of a sum are 1
    for name in ("pooled", "summed"):
        network.neurons[name].register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        _, activity = recorded(network, torch.rand(1, 8, 3, 7, 5))
    assert torch.equal(seen["pooled"], seen["summed"])
    assert 0 < seen["pooled"].mean() < 1
    pooled, summed_up = activity.populations[1:3]
    assert (pooled.spikes, pooled.updates, pooled.state) == (summed_up.spikes, summed_up.updates, summed_up.state)
    assert activity.connections[1].events == activity.connections[2].events


def test_relays_hand_on_the_class_of_what_they_read():
    def classes(shape: tuple[int, ...], kind: str) -> list[str]:
        draft = Draft(shape, time_steps=3)
        draft.add("data", Dynamics("relay"), incoming=[Incoming("a", (INPUT,), "max_pool", kernel=2, stride=2)])
        draft.add("layer", Dynamics(kind), incoming=[Incoming("b", ("data",), "conv", channels=2)])
        draft.add("again", Dynamics("relay"), incoming=[Incoming("c", ("layer",), "skip")])
        twice = [Incoming("d", ("again",), "skip"), Incoming("e", ("again",), "skip")]
        draft.add("sum", Dynamics("relay"), incoming=twice)
        draft.add("readout", Dynamics("readout"), incoming=[Incoming("f", ("sum",), "linear", channels=2)])
        plan = draft.finish()
        assert torch.isfinite(Network(plan)(torch.rand(shape[0] if len(shape) == 4 else 1, 2, *shape[-3:]))).all()
        return [edge.element for edge in plan.connections]

    assert classes((1, 4, 4), "lif") == ["real", "real", "binary", "binary", "binary", "real"]
    assert classes((3, 1, 4, 4), "analog") == ["graded", "graded", "real", "real", "real", "real"]


@pytest.mark.parametrize(("kind", "others"), [("lif", []), ("relay", [Incoming("skip", ("before",), "skip")])])
def test_a_max_pool_into_anything_but_relays_of_its_own_is_refused(kind, others):
    draft = Draft((2, 4, 4), time_steps=2)
    draft.add("before", Dynamics("lif"), incoming=[Incoming("conv", (INPUT,), "conv", channels=2)])
    pool = Incoming("pool", ("before",), "max_pool", kernel=3)
    with pytest.raises(SpaceError, match=r"'pool' must be the one connection into a population of kind 'relay', got"):
        draft.add("target", Dynamics(kind), incoming=[pool, *others])


def test_a_dense_layer_is_a_normalised_convolution_whose_kernel_is_the_map():
    edge = planned("dense", channels=7, gain=1.0)
    dense, images = make_operation(edge).double(), torch.rand(8, 4, 6, 5, dtype=torch.float64, requires_grad=True)
    weight = dense.weight.detach().unflatten(1, edge.in_shape).requires_grad_()
    products = nn.functional.conv2d(images, weight)
    expected = (products - products.mean(0)) / torch.sqrt(products.var(0, unbiased=False) + dense.norm.eps)
    torch.testing.assert_close(dense(images), expected)
    ours = torch.autograd.grad(dense(images)[0].square().sum(), [images, dense.weight])
    theirs = torch.autograd.grad(expected[0].square().sum(), [images, weight])
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1].flatten(1))
    assert (edge.out_shape, edge.weights, edge.biases, edge.dense) == ((7, 1, 1), 840, 7, 840)


def test_relays_take_a_later_connection_only_where_their_class_stays_what_readers_know():
    draft = Draft((2, 4, 4), time_steps=3)
    draft.add("spikes", Dynamics("lif"), incoming=[Incoming("conv", (INPUT,), "conv", channels=2)])
    draft.add("relay", Dynamics("relay"), incoming=[Incoming("skip", ("spikes",), "skip")])
    draft.add("later", Dynamics("lif"), incoming=[Incoming("on", ("relay",), "conv", channels=2)])
    back = Incoming("back", ("later",), "skip", delay=1)
    with pytest.raises(SpaceError, match="relay hands on what it reads, binary, and with 'back' its sum would be real"):
        draft.connect("relay", back)
    draft.add("sum", Dynamics("relay"), incoming=[Incoming(name, ("later",), "conv", channels=2) for name in "ab"])
    draft.connect("sum", replace(back, name="again"))
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", ("sum",), "linear", channels=3)])
    assert torch.isfinite(Network(draft.finish())(torch.rand(1, 4, 2, 4, 4))).all()


NEURONS = [
    Dynamics(kind, tau_mem_ms=tau_mem, tau_syn_ms=tau_syn, v_th=0.5)  # type: ignore[arg-type]
    for kind in ("lif", "lif_box", "integrate_and_fire")
    for tau_mem, tau_syn in ((1.0, 1.0), (5.0, 1.5), (2.5, 5.0))
]


def rates(operation: str, **given: float) -> list[float]:
    """Return the part of the neurons that fire in a time step before any training, on noise, by kind of neuron."""
    found = []
    for dynamics in NEURONS:
        torch.manual_seed(0)
        draft = Draft((8, 2, 4, 4), time_steps=8)
        draft.add("layer", dynamics, incoming=[Incoming("edge", (INPUT,), operation, channels=8, **given)])
        draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", ("layer",), "linear", channels=3)])
        with torch.no_grad():
            _, activity = recorded(Network(draft.finish()), torch.randn(8, 64, 2, 4, 4))
        neurons = activity.populations[0].neurons
        found.append(sum(activity.populations[0].spikes) / (8 * 64 * neurons))
    return found


@pytest.mark.parametrize("operation", ["conv", "dense"])
def test_neurons_of_all_kinds_begin_to_fire_about_equally_often(operation):
    proportional, alike = rates(operation), rates(operation, gain=1.0)
    assert max(proportional) < 4 * min(proportional)
    assert max(alike) > 10 * min(alike)


def test_the_gain_before_training_is_one_over_the_deviation_unless_it_is_given():
    edge = planned("conv", channels=3)
    assert edge.gain == pytest.approx(1 / Dynamics("lif_box").deviation(2))
    assert torch.equal(make_operation(edge).norm.weight, torch.full((3,), edge.gain))
    assert planned("conv", channels=3, gain=0.7).gain == 0.7
    assert planned("dense", channels=3).gain == edge.gain
    analog = plan_of(Incoming("edge", (INPUT,), "conv", channels=3), kind="analog").connections[0]
    assert analog.gain == 1.0
