"""Compiled scan: one C++ pass forward over all time steps and one backward; float32 and float64 on CPUs."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from evonas.architecture.neuron import SURROGATES
from evonas.snn.kernels.compiler import load_if_possible
from evonas.snn.kernels.fused_scan import Constants, Gradients, Needs, Scanned, State, StepRule

SOURCE = Path(__file__).with_name("scan.cpp")

KINDS = ("lif", "box", "box_subtract", "integrate", "readout", "adaptive")

WORTH_THREADS = 32768
"""Neuron updates (or elements) from which on all of torch's threads are used: with fewer, waking them takes longer
than computing. Otherwise one is used: any other number would make the pool end and start threads."""

_Pointer = ctypes.c_void_p


class _Constant(ctypes.Structure):
    _fields_ = (("values", _Pointer), ("inner", ctypes.c_int64), ("size", ctypes.c_int64))


class _Arguments(ctypes.Structure):
    """`struct Scan` of the source, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("kind", "surrogate", "time", "neurons", "threads")),
        *((name, ctypes.c_int64) for name in ("current_stride", "gradient_stride", "in_gradient_stride")),
        *((name, ctypes.c_double) for name in ("width", "temperature", "leak", "reset")),
        *((name, _Constant) for name in ("mem", "syn", "threshold", "adapt", "beta")),
        *((name, _Pointer) for name in ("current", *State._fields)),
        *((f"end_{name}", _Pointer) for name in State._fields),
        *((name, _Pointer) for name in ("outputs", "membranes", "gradient")),
        *((f"end_{name}_gradient", _Pointer) for name in State._fields),
        *((name, _Pointer) for name in ("in_gradient", *(f"{name}_gradient" for name in Needs._fields), "updates")),
    )


@dataclass(frozen=True)
class _Layout:
    """The order in which the elements of one time step lie in memory.

    Attributes:
        shape: `(batch, ...)`, in the logical order of dimensions.
        order: The dimensions in the order of memory; None where it is the logical order.
        strides: Strides in elements, in the logical order.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...] | None
    strides: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> _Layout:
        """Return the layout of a `(time, batch, ...)` tensor; the logical order where its steps are not contiguous."""
        shape = tuple(tensor.shape[1:])
        return _dense(shape, tensor.stride()[1:]) or cls(shape, None, _strides(shape, tuple(range(len(shape)))))

    def laid_out(self, tensor: Tensor) -> Tensor:
        """Return a `(batch, ...)` tensor in this layout, copied if needed."""
        return self.steps(tensor.expand(self.shape)[None])[0]

    def steps(self, tensor: Tensor) -> Tensor:
        """Return a `(time, batch, ...)` tensor whose time steps have this layout, copied if needed."""
        own = tensor.stride()[1:]
        if own == self.strides or _dense(self.shape, own) == self:
            return tensor
        return self.empty(tensor, tensor.shape[0]).copy_(tensor)

    def empty(self, like: Tensor, *time: int) -> Tensor:
        """Return a new `(*time, batch, ...)` tensor in this layout."""
        size = prod(self.shape)
        return like.new_empty_strided((*time, *self.shape), (*(size for _ in time), *self.strides))

    def constant(self, value: Tensor | None, kept: list[Tensor]) -> _Constant:
        """Return how the kernel reads a constant that is broadcast; `kept` keeps the memory alive that it points to."""
        if value is None:
            return _Constant(None, 1, 1)
        full, inner = self.shape, 1
        if value.numel() > 1:
            value = value.reshape((1,) * (len(full) - value.ndim) + tuple(value.shape))
            if self.order is not None:
                value, full = value.permute(self.order), tuple(full[dim] for dim in self.order)
            varying = [dim for dim, size in enumerate(value.shape) if size > 1]
            block = range(varying[0], varying[-1] + 1)
            if any(value.shape[dim] != full[dim] for dim in block):
                value, block = value.expand(full), range(len(full))
            inner = prod(full[block.stop :])
        kept.append(value.contiguous())
        return _Constant(kept[-1].data_ptr(), inner, kept[-1].numel())


@lru_cache(maxsize=1024)
def _dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> _Layout | None:
    """Return the layout of elements with these strides, None where there are gaps between them."""
    varying = [dim for dim, size in enumerate(shape) if size > 1]
    plain = tuple(range(len(shape)))
    for order in (plain, tuple(sorted(plain, key=lambda dim: -strides[dim]))):
        dense = _strides(shape, order)
        if all(dense[dim] == strides[dim] for dim in varying):
            return _Layout(shape, None if order == plain else order, dense)
    return None


def _strides(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    strides, size = [0] * len(shape), 1
    for dim in reversed(order):
        strides[dim] = size
        size *= shape[dim]
    return tuple(strides)


class CompiledScan:
    """The scan of `scan.cpp`, on as many threads as torch uses.

    Args:
        library: The compiled library.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._functions = {torch.float32: library.scan_float, torch.float64: library.scan_double}
        for function in self._functions.values():
            function.argtypes = (ctypes.POINTER(_Arguments), ctypes.c_int)
            function.restype = None

    def takes(self, current: Tensor) -> bool:
        """Return whether currents of this type and device can be scanned."""
        return current.device.type == "cpu" and current.dtype in self._functions and current.numel() > 0

    def forward(
        self,
        rule: StepRule,
        constants: Constants,
        current: Tensor,
        *,
        start: State,
        time_steps: int,
        keep: bool,
        ends: bool = False,
        updates: Tensor | None = None,
    ) -> Scanned:
        """Return the outputs and what was asked for; count in `updates`."""
        layout = _Layout.of(current)
        kept: list[Tensor] = []
        arguments = _arguments(rule, constants, layout, time_steps, kept)
        steps = layout.steps(current)
        arguments.current, arguments.current_stride = steps.data_ptr(), _stride(steps)
        _point_to(arguments, start, "{}", layout, kept)
        outputs = layout.empty(current, time_steps)
        arguments.outputs = outputs.data_ptr()
        membranes = outputs if rule.kind == "readout" else layout.empty(current, time_steps) if keep else None
        if keep and membranes is not outputs:
            assert membranes is not None
            arguments.membranes = membranes.data_ptr()
        if updates is not None:
            arguments.updates = updates.data_ptr()
        end = State()
        if ends:
            has = (True, rule.kind == "lif", rule.kind == "adaptive")
            end = State(*(layout.empty(current) if is_part else None for is_part in has))
            _point_to(arguments, end, "end_{}", layout, kept)
        self._functions[current.dtype](ctypes.byref(arguments), 0)
        return Scanned(outputs, membranes, end)

    def backward(
        self,
        rule: StepRule,
        constants: Constants,
        current: Tensor | None,
        membranes: Tensor | None,
        gradient: Tensor,
        *,
        start: State,
        static: bool,
        needs: Needs,
        end: State,
    ) -> Gradients:
        """Return the gradients that are needed."""
        layout = _Layout.of(gradient if membranes is None else membranes)
        kept: list[Tensor] = []
        time_steps = gradient.shape[0]
        arguments = _arguments(rule, constants, layout, time_steps, kept)
        if membranes is not None:
            arguments.membranes = membranes.data_ptr()
        steps = layout.steps(gradient)
        arguments.gradient, arguments.gradient_stride = steps.data_ptr(), _stride(steps)
        if current is not None:
            kept.append(layout.steps(current))
            arguments.current, arguments.current_stride = kept[-1].data_ptr(), _stride(kept[-1])
        _point_to(arguments, start, "{}", layout, kept)
        _point_to(arguments, end, "end_{}_gradient", layout, kept)
        g_current = layout.empty(gradient, 1 if static else time_steps)
        arguments.in_gradient = g_current.data_ptr()
        arguments.in_gradient_stride = 0 if static else arguments.neurons
        others = [layout.empty(gradient) if is_needed else None for is_needed in needs]
        for name, other in zip(needs._fields, others, strict=True):
            setattr(arguments, f"{name}_gradient", None if other is None else other.data_ptr())
        self._functions[gradient.dtype](ctypes.byref(arguments), 1)
        return Gradients(g_current, *others)


@cache
def compiled_scan() -> CompiledScan | None:
    """Return the compiled scan, None where it cannot be compiled."""
    library = load_if_possible(SOURCE, functions=("scan_float", "scan_double"))
    return None if library is None else CompiledScan(library)


def _arguments(
    rule: StepRule, constants: Constants, layout: _Layout, time_steps: int, kept: list[Tensor]
) -> _Arguments:
    neurons = prod(layout.shape)
    return _Arguments(
        kind=KINDS.index(rule.kind),
        surrogate=SURROGATES.index(rule.surrogate.method),
        time=time_steps,
        neurons=neurons,
        threads=torch.get_num_threads() if time_steps * neurons >= WORTH_THREADS else 1,
        width=rule.surrogate.width,
        temperature=rule.surrogate.temperature,
        leak=rule.leak,
        reset=rule.reset,
        mem=layout.constant(constants.mem, kept),
        syn=layout.constant(constants.syn, kept),
        threshold=layout.constant(constants.threshold, kept),
        adapt=layout.constant(constants.adapt, kept),
        beta=layout.constant(constants.beta, kept),
    )


def _point_to(arguments: _Arguments, state: State, field: str, layout: _Layout, kept: list[Tensor]) -> None:
    """Let the fields of the arguments point to a state; `kept` keeps the memory alive."""
    for name, values in zip(state._fields, state, strict=True):
        if values is not None:
            kept.append(layout.laid_out(values))
            setattr(arguments, field.format(name), kept[-1].data_ptr())


def _stride(steps: Tensor) -> int:
    return steps.stride(0) if steps.shape[0] > 1 else 0
