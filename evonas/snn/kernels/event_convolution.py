"""Event-driven convolution of binary spikes: sums the weights of spikes only, a fraction of a dense one's work."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d

from evonas.snn.kernels.backend import is_traced
from evonas.snn.kernels.compiler import load_if_possible
from evonas.snn.kernels.cpp_scan import WORTH_THREADS

SOURCE = Path(__file__).with_name("event_convolution.cpp")

LANES = 16
"""Output channels that are computed at once."""

FEWEST_CHANNELS = 16
"""Input channels from which on spikes are listed; with fewer, a dense convolution is faster."""

MOST_SPIKES = 0.3
"""Largest rate of spikes; with more, a dense convolution is about as fast."""

_INTEGERS = (
    *("images", "in_channels", "height", "width", "out_channels", "out_height", "out_width"),
    *("kernel", "stride", "padding", "lanes", "threads"),
)
_POINTERS = ("spikes", "events", "starts", "weights", "outputs", "gradient", "weight_gradient")


class _Arguments(ctypes.Structure):
    """`struct EventConvolution` of the source, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _INTEGERS),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    )


class Events(NamedTuple):
    """The spikes of `(images, channels, height, width)`, listed.

    Attributes:
        positions: `(images, height * width * channels + LANES)` uint16 positions in their row of pixels, channels
            last; an image uses the first ones.
        starts: `(images, height * width + 1)` int32 index of the first event of each pixel.
    """

    positions: Tensor
    starts: Tensor


def convolve(spikes: Tensor, weight: Tensor, *, stride: int, padding: int) -> Tensor:
    """Return `(images, out_channels, height, width)`, what `conv2d` returns up to rounding.

    Where the elements are 0 and 1 and few are 1, rows of weights are summed spike by spike; else, on other devices, in
    other types and without a compiler, this is `conv2d`. The choice depends on shapes and spikes only.

    Args:
        spikes: `(images, in_channels, height, width)`.
        weight: `(out_channels, in_channels, kernel, kernel)`.
        stride: Of the kernel.
        padding: Zeros added at each border.
    """
    is_single = spikes.dtype == weight.dtype == torch.float32
    library = _library() if is_single and spikes.device.type == "cpu" and not is_traced() else None
    if library is None:
        return conv2d(spikes, weight, stride=stride, padding=padding)
    _, channels, height, width = spikes.shape
    fits_indices = FEWEST_CHANNELS <= channels <= 2**16 // max(width, 1) and channels * height * width < 2**31
    if not fits_indices or not spikes.numel():
        return conv2d(spikes, weight, stride=stride, padding=padding)
    spikes = spikes.contiguous(memory_format=torch.channels_last)  # as they are in networks, without a copy
    events = _listed(library, spikes.detach())
    if events is None:
        return conv2d(spikes, weight, stride=stride, padding=padding)
    if torch.is_grad_enabled() and (spikes.requires_grad or weight.requires_grad):
        currents: Tensor = _Convolving.apply(spikes, weight, events, stride, padding)
        return currents
    return _convolved(library, events, weight, shape=spikes.shape, stride=stride, padding=padding)


class _Convolving(torch.autograd.Function):
    """Only the events are kept, not the spikes. The gradient of the spikes is a dense transposed convolution."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, events: Events, stride: int, padding: int) -> Tensor:
        ctx.shape, ctx.stride, ctx.padding = spikes.shape, stride, padding
        ctx.save_for_backward(weight, *events)
        return _convolved(_library(), events, weight, shape=spikes.shape, stride=stride, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, *events = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        spike_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            spike_gradient = _spike_gradient(weight, gradient, shape=ctx.shape, stride=ctx.stride, padding=ctx.padding)
        if ctx.needs_input_grad[1]:
            weight_gradient = _weight_gradient(
                _library(), Events(*events), weight, gradient, shape=ctx.shape, stride=ctx.stride, padding=ctx.padding
            )
        return spike_gradient, weight_gradient, None, None, None


def _spike_gradient(weight: Tensor, gradient: Tensor, *, shape: torch.Size, stride: int, padding: int) -> Tensor:
    # `torch.nn.grad.conv2d_input` makes this tensor, of which only the shape counts, by copying zeros
    spikes = torch.empty(shape, memory_format=torch.channels_last)
    stride_, padding_, dilation = [stride, stride], [padding, padding], [1, 1]
    output_mask = [True, False, False]
    spike_gradient: Tensor = torch.ops.aten.convolution_backward(
        gradient, spikes, weight, None, stride_, padding_, dilation, False, [0, 0], 1, output_mask
    )[0]
    return spike_gradient


def _listed(library: ctypes.CDLL, spikes: Tensor) -> Events | None:
    """Return the events of spikes that lie channels last, None where they are not binary or too many."""
    images, channels, height, width = spikes.shape
    positions = torch.empty(images, height * width * channels + LANES, dtype=torch.uint16)
    starts = torch.empty(images, height * width + 1, dtype=torch.int32)
    arguments = _Arguments(
        images=images,
        in_channels=channels,
        height=height,
        width=width,
        threads=_threads(spikes.shape),
        spikes=spikes.data_ptr(),
        events=positions.data_ptr(),
        starts=starts.data_ptr(),
    )
    count = library.list_events(ctypes.byref(arguments))
    return Events(positions, starts) if 0 <= count <= MOST_SPIKES * spikes.numel() else None


def _convolved(
    library: ctypes.CDLL | None, events: Events, weight: Tensor, *, shape: torch.Size, stride: int, padding: int
) -> Tensor:
    assert library is not None
    arguments = _arguments(events, weight, shape=shape, stride=stride, padding=padding)
    rows = weight.new_zeros(weight.shape[2], weight.shape[3], weight.shape[1], arguments.lanes)
    rows[..., : weight.shape[0]] = weight.detach().permute(2, 3, 1, 0)
    out_shape = (shape[0], weight.shape[0], arguments.out_height, arguments.out_width)
    outputs = torch.empty(out_shape, memory_format=torch.channels_last)
    arguments.weights, arguments.outputs = rows.data_ptr(), outputs.data_ptr()
    library.convolve(ctypes.byref(arguments))
    return outputs


def _weight_gradient(
    library: ctypes.CDLL | None,
    events: Events,
    weight: Tensor,
    gradient: Tensor,
    *,
    shape: torch.Size,
    stride: int,
    padding: int,
) -> Tensor:
    assert library is not None
    arguments = _arguments(events, weight, shape=shape, stride=stride, padding=padding)
    sums = weight.new_empty(arguments.threads, weight.shape[2], weight.shape[3], weight.shape[1], arguments.lanes)
    arguments.gradient, arguments.weight_gradient = gradient.data_ptr(), sums.data_ptr()
    library.weight_gradient(ctypes.byref(arguments))
    return sums.sum(0)[..., : weight.shape[0]].permute(3, 2, 0, 1)


def _arguments(events: Events, weight: Tensor, *, shape: torch.Size, stride: int, padding: int) -> _Arguments:
    images, channels, height, width = shape
    out_channels, _, kernel, _ = weight.shape
    return _Arguments(
        images=images,
        in_channels=channels,
        height=height,
        width=width,
        out_channels=out_channels,
        out_height=(height + 2 * padding - kernel) // stride + 1,
        out_width=(width + 2 * padding - kernel) // stride + 1,
        kernel=kernel,
        stride=stride,
        padding=padding,
        lanes=-(-out_channels // LANES) * LANES,
        threads=_threads(shape),
        events=events.positions.data_ptr(),
        starts=events.starts.data_ptr(),
    )


def _threads(shape: torch.Size) -> int:
    return torch.get_num_threads() if shape.numel() >= WORTH_THREADS else 1


@cache
def _library() -> ctypes.CDLL | None:
    """Return the compiled functions, None where they cannot be compiled."""
    library = load_if_possible(SOURCE, functions=("list_events", "convolve", "weight_gradient"))
    if library is None:
        return None
    for function in (library.list_events, library.convolve, library.weight_gradient):
        function.argtypes = (ctypes.POINTER(_Arguments),)
    library.list_events.restype = ctypes.c_int64
    library.convolve.restype = library.weight_gradient.restype = None
    return library
