"""The compiled sum of batch norms and gains is torch's, up to rounding."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Draft, Incoming
from evonas.snn.kernels import input_current as currents_module
from evonas.snn.kernels.backend import scanning
from evonas.snn.kernels.compiled_currents import CompiledCurrents
from evonas.snn.kernels.input_current import summed
from evonas.snn.operations import Scale, make_operation


class Given(nn.Module):
    """An operation that delivers what it reads."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels) if kind == "norm" else None
        if self.norm is not None:
            nn.init.uniform_(self.norm.weight, -2, 2)
            nn.init.uniform_(self.norm.bias, -1, 1)

    @property
    def scale(self) -> Scale:
        return Scale(self.norm, 2.5)

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs


SUMS = (
    ("norm",),
    ("gain", "gain"),
    ("gain", "gain static"),
    ("norm", "norm"),
    ("norm", "gain"),
    ("gain", "norm", "norm", "gain"),
    ("norm static",),
    ("norm static", "gain static"),
    ("norm static", "norm"),
    ("gain", "norm static", "gain static", "norm"),
)
SHAPES = ((5, 8, 4, 8, 8), (3, 2, 1, 3, 5), (2, 3, 24, 7, 5), (2, 4, 300, 2, 3), (1, 9, 7, 1, 1))


def given(sum_of, shape, *, dtype=torch.float64):
    torch.manual_seed(1)
    operations = nn.ModuleList(Given(kind.split()[0], shape[2]) for kind in sum_of).to(dtype)
    reads = [torch.randn(1 if "static" in kind else shape[0], *shape[1:]).to(dtype) * 3 + 2 for kind in sum_of]
    return operations, [read.requires_grad_() for read in reads]


def images_summed(operations, reads):
    """Sum what is given as `(time, batch, c, h, w)`."""
    return summed(list(operations), [read.flatten(0, 1) for read in reads], batch=reads[0].shape[1])


def through(way, operations, reads, weights):
    """Return the current and all gradients and statistics after it."""
    operations, leaves = copy.deepcopy(operations), [read.detach().clone().requires_grad_() for read in reads]
    with scanning(way):
        current = images_summed(operations, leaves)
    (current * weights).sum().backward()
    gradients = [leaf.grad for leaf in leaves] + [parameter.grad for parameter in operations.parameters()]
    return [current.detach(), *gradients, *operations.buffers()]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sum_of", SUMS, ids=" + ".join)
def test_currents_gradients_and_statistics_are_those_of_torch(sum_of, shape):
    for dtype, momentum in itertools.product((torch.float32, torch.float64), (0.3, None)):
        operations, reads = given(sum_of, shape, dtype=dtype)
        for operation in operations:
            if operation.norm is not None:
                operation.norm.momentum = momentum
        weights = torch.randn(max(len(read) for read in reads), *shape[1:]).to(dtype)
        ours, torchs = (through(way, operations, reads, weights) for way in ("fastest", "torch"))
        precision = 2e-4 if dtype == torch.float32 else 1e-11
        for one, other in zip(ours, torchs, strict=True):
            assert one.dtype == other.dtype
            torch.testing.assert_close(one, other, rtol=precision, atol=precision)


@pytest.mark.parametrize("sum_of", SUMS, ids=" + ".join)
def test_the_gradient_is_the_derivative(sum_of):
    operations, reads = given(sum_of, (2, 2, 3, 2, 1))
    assert torch.autograd.gradcheck(lambda *reads: images_summed(operations, reads), reads)


@pytest.mark.parametrize("layout", ["plain", "channels last", "every second"])
def test_deliveries_and_gradients_may_lie_in_any_way(layout):
    operations, reads = given(("norm", "gain"), (4, 3, 6, 8, 10))
    if layout == "channels last":
        reads = [read.movedim(2, -1).contiguous().movedim(-1, 2) for read in reads]
    if layout == "every second":
        reads = [read.repeat_interleave(2, -1)[..., ::2] for read in reads]
    weights = torch.randn(4, 3, 10, 8, 6).double().transpose(2, 4)
    for one, other in zip(*(through(way, operations, reads, weights) for way in ("fastest", "torch")), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("sum_of", SUMS, ids=" + ".join)
def test_evaluation_takes_the_running_statistics_and_leaves_them(sum_of):
    operations, reads = given(sum_of, (5, 8, 4, 8, 8))
    images_summed(operations, reads)  # they are no longer 0 and 1
    operations.eval()
    before = [buffer.clone() for buffer in operations.buffers()]
    with torch.no_grad():
        ours = images_summed(operations, reads)
        with scanning("torch"):
            torchs = images_summed(operations, reads)
    assert torch.equal(ours, torchs)
    assert all(torch.equal(one, other) for one, other in zip(before, operations.buffers(), strict=True))


def test_any_number_of_threads_gives_the_same_bits():
    operations, reads = given(("norm", "gain", "norm static"), (5, 16, 6, 17, 13), dtype=torch.float32)
    weights, results = torch.randn(5, 16, 6, 17, 13), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(through("fastest", operations, reads, weights))
    finally:
        torch.set_num_threads(1)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_the_compiled_sums_are_used_where_they_can_be(monkeypatch):
    used = []
    compiled_sum = CompiledCurrents.sum
    monkeypatch.setattr(CompiledCurrents, "sum", lambda *args: used.append(1) or compiled_sum(*args))
    operations, reads = given(("norm", "gain"), (2, 3, 4, 5, 6))
    images_summed(operations, reads)
    assert used
    used.clear()
    with scanning("looped"):
        images_summed(operations, reads)
    images_summed(operations[1:], reads[1:])  # a gain alone
    images_summed(operations, [reads[0], reads[1].float()])
    images_summed(operations.eval(), reads)
    assert not used


def test_without_a_compiler_torch_sums(monkeypatch):
    operations, reads = given(("norm", "norm"), (2, 3, 4, 5, 6))
    expected = images_summed(operations, reads)
    monkeypatch.setattr(currents_module, "_compiled", lambda: None)
    torch.testing.assert_close(images_summed(operations, reads), expected)


def test_one_value_a_channel_has_no_variance():
    operations, reads = given(("norm",), (1, 1, 4, 1, 1))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        images_summed(operations, reads)


def test_a_value_that_is_no_number_reaches_the_current_and_the_statistics():
    operations, reads = given(("norm",), (2, 3, 4, 5, 6))
    with torch.no_grad():
        reads[0][1, 1, 2] = torch.nan
    current = images_summed(operations, reads)
    assert bool(current[:, :, 2].isnan().all())
    assert not bool(current[:, :, :2].isnan().any())


@pytest.mark.parametrize(("kernel", "size"), [(3, (4, 6)), (3, (1, 1)), (5, (7, 5))])
def test_a_pool_is_the_mean_of_its_window_with_the_zeros_beyond_the_border(kernel, size):
    draft = Draft((1, 4, *size), time_steps=2)
    draft.add("target", Dynamics("lif_box"), incoming=[Incoming("pool", (INPUT,), "pool", kernel=kernel)])
    planned = draft.finish().connections[0]
    images = torch.rand(3, 4, *size)
    expected = nn.functional.avg_pool2d(images, kernel, 1, kernel // 2, count_include_pad=True)
    pool = make_operation(planned)
    torch.testing.assert_close(pool(images), expected)
    assert pool.scale == Scale(None, planned.gain)
    assert not list(pool.parameters())
    assert not pool.state_dict()
