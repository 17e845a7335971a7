"""A network is a module of torch like any other: saved, copied, recorded and exported; its data come time first."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn

from evonas.architecture.cell import Edge
from evonas.architecture.neuron import SURROGATES, Dynamics, Surrogate
from evonas.architecture.trellis import Trellis, plan_trellis
from evonas.errors import EvonasError
from evonas.snn.network import Network
from evonas.snn.neurons import Neuron

CELL = ((Edge("s0", "conv3"), Edge("s1", "pool")), (Edge("n0", "separable"), Edge("s1", "skip")))
NEURONS = {
    "lif": Dynamics("lif", v_th=0.6),
    "lif_box": Dynamics("lif_box", v_th=0.6, surrogate=Surrogate("dspike", 2.0)),
    "lif_box subtract": Dynamics("lif_box", v_th=0.6, reset="subtract", surrogate=Surrogate("tanh", 0.5)),
    "integrate_and_fire": Dynamics("integrate_and_fire", surrogate=Surrogate("triangle")),
    "analog": Dynamics("analog"),
}
RECORDED = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning", "ignore:No complete tensor:UserWarning")


def network_of(dynamics: Dynamics, *, channels: int = 4, input_shape: tuple[int, ...] = (1, 6, 5)) -> Network:
    """Return a network that has run: what it keeps between two runs is there."""
    trellis = Trellis((0, 1), channels=channels, stages=(dynamics,) * 2, readout_tau_mem_ms=1.7, time_steps=3)
    torch.manual_seed(5)
    network = Network(plan_trellis(trellis, CELL, input_shape=input_shape, classes=3))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches, so that one is enough
    with torch.no_grad():
        network(torch.rand(1, 9, *input_shape[-3:]))
    return network.eval()


@pytest.fixture(params=NEURONS)
def network(request: pytest.FixtureRequest) -> Network:
    return network_of(NEURONS[request.param])


def data_of(samples: int) -> Tensor:
    return torch.rand(1, samples, 1, 6, 5, generator=torch.Generator().manual_seed(samples))


def saved(network: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    made: nn.Module = torch.load(file, weights_only=False)
    return made


def gradients(forward: nn.Module, parameters: list[nn.Parameter]) -> list[Tensor]:
    loss = nn.functional.cross_entropy(forward(data_of(4)), torch.arange(4) % 3)
    return list(torch.autograd.grad(loss, parameters))


@pytest.mark.parametrize("copied", [saved, copy.deepcopy, copy.copy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_network_that_has_run_is_saved_and_copied(network, copied):
    other = copied(network)
    assert torch.equal(other(data_of(4)), network(data_of(4)))
    assert other.plan == network.plan


@pytest.mark.parametrize("copied", [saved, copy.deepcopy])
def test_a_copy_is_trained_apart_from_its_original(network, copied):
    before = copy.deepcopy(network.state_dict())
    widths = network.surrogate_widths
    other = copied(network)
    other.train_neurons()
    for stage in widths:
        other.set_surrogate_width(stage, 3.5)
    loss = other.train()(data_of(4)).square().sum()
    loss.backward()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.sub_(0.1 * parameter.grad)
    assert set(other.surrogate_widths.values()) <= {3.5}
    assert network.surrogate_widths == widths
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.neurons.parameters())


def test_the_state_of_a_network_is_read_by_another_of_the_same_plan(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "state.pt")
    other = Network(network.plan).eval()
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other(data_of(4)), network(data_of(4)))


@pytest.mark.parametrize("kind", [*NEURONS, "readout"])
def test_neurons_that_have_run_are_saved_and_copied(kind):
    neuron = Neuron(NEURONS.get(kind) or Dynamics("readout"), time_steps=3)
    current = torch.rand(3, 2, 4)
    expected = neuron(current)
    for copied in (saved, copy.deepcopy):
        assert torch.equal(copied(neuron)(current), expected)


@RECORDED
def test_a_traced_network_gives_the_same_for_any_number_of_samples_also_after_saving(network):
    traced = torch.jit.trace(network, data_of(2))
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    for samples in (1, 2, 7):
        expected = network(data_of(samples))
        assert torch.equal(traced(data_of(samples)), expected)
    assert torch.equal(torch.jit.load(file)(data_of(7)), network(data_of(7)))


@RECORDED
def test_an_exported_network_gives_the_same_for_any_number_of_samples(network):
    exported = torch.export.export(network, (data_of(2),), dynamic_shapes=({1: torch.export.Dim("batch")},)).module()
    for samples in (2, 7):
        assert torch.equal(exported(data_of(samples)), network(data_of(samples)))


@RECORDED
@pytest.mark.parametrize("method", SURROGATES)
def test_what_was_recorded_has_the_surrogate_gradients_of_the_network(method):
    network = network_of(Dynamics("lif_box", v_th=0.6, surrogate=Surrogate(method, 1.5)))
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    expected = gradients(network, parameters)
    assert bool(expected[0].any())  # of the stem, whose spikes it went through
    exported = torch.export.export(network, (data_of(4),)).module()
    own = dict(exported.named_parameters())
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    for recorded, leaves in (
        (torch.jit.trace(network, data_of(2)), parameters),
        (exported, [own[name] for name in names]),
    ):
        for ours, theirs in zip(gradients(recorded, leaves), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@RECORDED
def test_networks_of_many_channels_and_event_frames_are_recorded_as_well():
    network = network_of(NEURONS["lif_box"], channels=16, input_shape=(3, 1, 6, 5))
    frames = (torch.rand(3, 2, 1, 6, 5) < 0.3).float()
    traced, exported = torch.jit.trace(network, frames), torch.export.export(network, (frames,)).module()
    other = (torch.rand(3, 2, 1, 6, 5) < 0.3).float()
    torch.testing.assert_close(traced(other), network(other))
    torch.testing.assert_close(exported(other), network(other))


@RECORDED
@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning")
def test_a_network_is_exported_to_onnx(network):
    pytest.importorskip("onnx")
    file = io.BytesIO()
    torch.onnx.export(network, (data_of(2),), file, dynamo=False)
    assert file.getvalue()


@RECORDED
def test_scripting_says_what_to_do_in_its_place(network):
    with pytest.raises(EvonasError, match=r"cannot be scripted.*torch\.jit\.trace\(network, data\)"):
        torch.jit.script(network)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((7, 3, 1, 6, 5), r"batch first: hand over `data\.transpose\(0, 1\)`"),
        ((7, 1, 1, 6, 5), r"batch first: hand over `data\.transpose\(0, 1\)`"),
        ((7, 1, 6, 5), r"time axis is missing: hand over `data\[None\]`"),
        ((1, 6, 5), r"time and batch are missing: hand over `data\[None, None\]`"),
        ((6, 5), ""),
        ((7, 9, 1, 6, 5), ""),
        ((1, 7, 6, 5, 1), ""),
        ((1, 7, 2, 6, 5), ""),
        ((1, 1, 7, 1, 6, 5), ""),
        ((7,), ""),
    ],
)
def test_data_of_another_shape_are_refused_with_the_right_one_what_came_and_the_remedy(shape, remedy):
    expected = r"time first: \(time, batch, channels, height, width\), here \(1 or 3, batch, 1, 6, 5\), got "
    with pytest.raises(ValueError, match=expected + ".*" + remedy) as caught:
        network_of(NEURONS["lif"])(torch.rand(shape))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_data_that_are_no_floating_point_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match=r"floating-point numbers, got torch\..*data\.float\(\)"):
        network_of(NEURONS["lif"])(torch.ones(1, 2, 1, 6, 5).to(dtype))
