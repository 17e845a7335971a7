from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d

from evonas.snn.kernels import compiler, event_convolution
from evonas.snn.kernels.event_convolution import MOST_SPIKES, convolve

CHANNELS = st.sampled_from([16, 17, 24, 48])


def spikes_of(shape: tuple[int, ...], *, rate: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < rate).float().contiguous(memory_format=torch.channels_last)


def gradients(result: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return torch.autograd.grad(result, leaves, torch.randn(result.shape, generator=generator).to(result.dtype))


@pytest.fixture
def dense_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def counting(*args: Tensor, **options: int) -> Tensor:
        calls.append(1)
        return conv2d(*args, **options)

    monkeypatch.setattr(event_convolution, "conv2d", counting)
    return calls


@settings(max_examples=60, deadline=None)
@given(
    images=st.integers(1, 5),
    in_channels=CHANNELS,
    out_channels=st.sampled_from([1, 4, 16, 20, 64, 70]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2, 4]),
    rate=st.sampled_from([0.0, 0.02, 0.15]),
    seed=st.integers(0, 1000),
)
def test_events_give_what_a_dense_convolution_in_double_precision_gives(
    images: int,
    in_channels: int,
    out_channels: int,
    height: int,
    width: int,
    kernel: int,
    stride: int,
    rate: float,
    seed: int,
) -> None:
    spikes = spikes_of((images, in_channels, height, width), rate=rate, seed=seed).requires_grad_()
    torch.manual_seed(seed)
    weight = torch.randn(out_channels, in_channels, kernel, kernel, requires_grad=True)
    currents = convolve(spikes, weight, stride=stride, padding=kernel // 2)
    exact = conv2d(spikes.double(), weight.double(), stride=stride, padding=kernel // 2)
    assert torch.allclose(currents.double(), exact, atol=1e-5)
    for ours, theirs in zip(gradients(currents, spikes, weight), gradients(exact, spikes, weight), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5 * (1 + float(theirs.abs().max())))
    with torch.no_grad():
        assert torch.equal(convolve(spikes, weight, stride=stride, padding=kernel // 2), currents)


def test_few_spikes_are_not_convolved_densely(dense_calls: list[int]) -> None:
    convolve(spikes_of((4, 16, 6, 6), rate=0.1, seed=0), torch.randn(8, 16, 3, 3), stride=1, padding=1)
    assert not dense_calls


@pytest.mark.parametrize(
    "images",
    [
        spikes_of((4, 16, 6, 6), rate=MOST_SPIKES + 0.2, seed=0),
        0.5 * spikes_of((4, 16, 6, 6), rate=0.1, seed=0),
        -spikes_of((4, 16, 6, 6), rate=0.1, seed=0),
        spikes_of((4, 16, 6, 6), rate=0.1, seed=0) * float("nan"),
        spikes_of((4, 15, 6, 6), rate=0.1, seed=0),
        spikes_of((4, 16, 6, 6), rate=0.1, seed=0).double(),
        torch.zeros(0, 16, 6, 6),
    ],
    ids=["too many", "halves", "negative", "not a number", "few channels", "double", "no image"],
)
def test_what_is_no_case_for_events_is_convolved_densely(images: Tensor, dense_calls: list[int]) -> None:
    weight = torch.randn(8, images.shape[1], 3, 3, dtype=images.dtype)
    currents = convolve(images, weight, stride=1, padding=1)
    assert dense_calls
    assert torch.equal(currents, conv2d(images, weight, padding=1)) or images.isnan().any()


def test_one_element_that_is_no_spike_makes_all_images_dense(dense_calls: list[int]) -> None:
    images = spikes_of((4, 24, 6, 6), rate=0.1, seed=0)
    images[3, 23, 5, 5] = 2.0
    convolve(images, torch.randn(8, 24, 3, 3), stride=1, padding=1)
    assert dense_calls


def test_spikes_in_another_memory_format_give_the_same() -> None:
    spikes, weight = spikes_of((4, 16, 6, 5), rate=0.2, seed=1), torch.randn(8, 16, 3, 3)
    assert torch.equal(
        convolve(spikes.contiguous(), weight, stride=2, padding=1), convolve(spikes, weight, stride=2, padding=1)
    )


def test_without_a_compiler_convolutions_are_dense_and_this_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, dense_calls: list[int]
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(compiler, "_reasons", set())
    event_convolution._library.cache_clear()
    try:
        convolve(spikes_of((4, 16, 6, 6), rate=0.1, seed=0), torch.randn(8, 16, 3, 3), stride=1, padding=1)
    finally:
        event_convolution._library.cache_clear()
    assert dense_calls
    assert "There is no C++ compiler" in caplog.text
