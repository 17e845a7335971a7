"""Batch norms, gains and their sum in one compiled pass forward, and one backward; for CPUs."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from evonas.snn.kernels.compiler import load
from evonas.snn.kernels.cpp_scan import WORTH_THREADS
from evonas.snn.operations import Scale

SOURCE = Path(__file__).with_name("currents.cpp")

_Pointer = ctypes.c_void_p


class _Delivered(ctypes.Structure):
    """`struct Delivered` of the source, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "plain_mean")),
        *((name, ctypes.c_double) for name in ("gain", "momentum", "epsilon")),
        *((name, _Pointer) for name in ("values", "weight", "bias", "running_mean", "running_variance", "batches")),
        *((name, _Pointer) for name in ("mean", "rate", "gradient", "weight_gradient", "bias_gradient")),
    )


class _Currents(ctypes.Structure):
    """`struct Currents` of the source, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "rows", "channels", "threads")),
        ("delivered", ctypes.POINTER(_Delivered)),
        ("current", _Pointer),
    )


class CompiledCurrents:
    """The sums of `currents.cpp`, on as many threads as torch uses.

    Raises:
        EvonasError: If it cannot be compiled here.
    """

    def __init__(self) -> None:
        library = load(SOURCE, functions=("currents_float", "currents_double"))
        self.functions = {torch.float32: library.currents_float, torch.float64: library.currents_double}
        for function in self.functions.values():
            function.argtypes = (ctypes.POINTER(_Currents), ctypes.c_int)
            function.restype = None

    def takes(self, delivered: Sequence[Tensor], scales: Sequence[Scale]) -> bool:
        """Return whether these can be summed: images of one type, with batch norms in training.

        In evaluation torch computes them, so that no way of computing a network changes its spikes.
        """
        first, norms = delivered[0], [scale.norm for scale in scales if scale.norm is not None]
        is_a_gain_alone = not norms and len(scales) == 1
        if is_a_gain_alone or first.ndim != 4 or first.device.type != "cpu" or first.dtype not in self.functions:
            return False
        dtype, shape = first.dtype, first.shape[1:]
        if any(x.dtype != dtype or x.shape[1:] != shape or not x.numel() for x in delivered):
            return False
        if norms and shape[1] * shape[2] * min([x.shape[0] for x in delivered]) == 1:
            return False  # one value a channel has no variance: torch says so
        return all(norm.training and norm.weight.dtype == dtype and norm.running_mean is not None for norm in norms)

    def sum(self, delivered: Sequence[Tensor], scales: Sequence[Scale]) -> Tensor:
        """Return the `(time x batch, c, h, w)` current, the sum of `delivered`, each normalised or times its gain.

        The running statistics follow those of the deliveries, as `nn.BatchNorm2d` says.

        Args:
            delivered: `(time x batch, c, h, w)` each; with `batch` images it is the same at each time step.
            scales: What each is multiplied by.
        """
        images = [x.contiguous(memory_format=torch.channels_last) for x in delivered]
        numbers = [number for norm, _ in scales if norm is not None for number in (norm.weight, norm.bias)]
        current: Tensor = _Summing.apply(self, scales, *images, *numbers)
        return current


class _Summing(torch.autograd.Function):
    """A sum whose backward pass is derived by hand; kept are the deliveries and their statistics."""

    @staticmethod
    def forward(ctx: Any, compiled: CompiledCurrents, scales: Sequence[Scale], *given: Tensor) -> Tensor:
        images, numbers = given[: len(scales)], given[len(scales) :]
        current = torch.empty_like(max(images, key=_rows) if len(images) > 1 else images[0])
        statistics = torch.empty((len(numbers), current.shape[1]), dtype=torch.float64)
        each = (_Delivered * len(scales))()
        row = statistics.shape[1] * 8  # bytes
        address, n_numbers = statistics.data_ptr(), 0
        for one, image, (norm, gain) in zip(each, images, scales, strict=True):
            one.rows, one.values, one.gain = _rows(image), image.data_ptr(), gain
            if norm is not None:
                _describe(one, norm)
                one.weight, one.bias = numbers[n_numbers].data_ptr(), numbers[n_numbers + 1].data_ptr()
                one.mean, one.rate = address + n_numbers * row, address + (n_numbers + 1) * row
                n_numbers += 2
        arguments = _arguments(current, each)
        compiled.functions[current.dtype](ctypes.byref(arguments), 0)
        ctx.compiled, ctx.scales, ctx.lengths = compiled, scales, [image.shape[0] for image in images]
        ctx.each = each  # the statistics' addresses stay
        kept = [image if norm is not None else None for image, (norm, _) in zip(images, scales, strict=True)]
        ctx.save_for_backward(statistics, *kept, *numbers)
        return current

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        statistics, *saved = ctx.saved_tensors
        images, numbers = saved[: len(ctx.scales)], saved[len(ctx.scales) :]
        gradient = grad_outputs[0].contiguous(memory_format=torch.channels_last)
        gradients: list[Tensor | None] = []
        of_numbers = list(gradient.new_empty((len(numbers), gradient.shape[1])).unbind())
        each, row, address = ctx.each, statistics.shape[1] * 8, statistics.data_ptr()
        n_numbers = 0
        for index, (one, image, length) in enumerate(zip(each, images, ctx.lengths, strict=True)):
            into = None
            if ctx.needs_input_grad[2 + index]:
                into = torch.empty_like(gradient if length == gradient.shape[0] else gradient[:length])
                one.gradient = into.data_ptr()
            gradients.append(into)
            if image is not None:  # where the tensors are now: they may have been away
                one.values = image.data_ptr()
                one.weight, one.bias = numbers[n_numbers].data_ptr(), numbers[n_numbers + 1].data_ptr()
                one.mean, one.rate = address + n_numbers * row, address + (n_numbers + 1) * row
                one.weight_gradient = of_numbers[n_numbers].data_ptr()
                one.bias_gradient = of_numbers[n_numbers + 1].data_ptr()
                n_numbers += 2
        ctx.compiled.functions[gradient.dtype](ctypes.byref(_arguments(gradient, each)), 1)
        return (None, None, *gradients, *of_numbers)


def _describe(one: _Delivered, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    one.epsilon, one.momentum = norm.eps, 0.0 if norm.momentum is None else norm.momentum
    one.running_mean, one.running_variance = norm.running_mean.data_ptr(), norm.running_var.data_ptr()
    one.batches, one.plain_mean = norm.num_batches_tracked.data_ptr(), norm.momentum is None


def _arguments(current: Tensor, each: Any) -> _Currents:
    """Return the arguments; `current` is channels last."""
    return _Currents(
        count=len(each),
        rows=_rows(current),
        channels=current.shape[1],
        threads=torch.get_num_threads() if current.numel() >= WORTH_THREADS else 1,
        delivered=each,
        current=current.data_ptr(),
    )


def _rows(images: Tensor) -> int:
    return images.shape[0] * images.shape[2] * images.shape[3]
