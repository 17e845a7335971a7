"""Backend of the scan over time: compiled C++, torch, or Norse's own loop; and whether torch is tracing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

import torch
from torch import Tensor

from evonas.errors import OptionError

Backend = Literal["fastest", "torch", "looped"]
"""The fastest one (compiled where possible), operations of torch, or Norse's own steps in a loop (the reference)."""

backend: ContextVar[Backend] = ContextVar("backend", default="fastest")
"""The backend in use; set it with `use_backend`."""


@contextmanager
def use_backend(name: Backend) -> Iterator[None]:
    """Compute everything within the `with` block by this backend: to compare, or to look for an error.

    Raises:
        OptionError: If there is no such backend.
    """
    if name not in get_args(Backend):
        raise OptionError([f"backend: got {name!r}, expected one of {', '.join(get_args(Backend))}"])
    token = backend.set(name)
    try:
        yield
    finally:
        backend.reset(token)


def plain_shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape in plain integers, for decisions that may be fixed in a trace.

    `torch.jit.trace` would warn that they are fixed. What depends on the number of samples must use `tensor.shape`.
    """
    if not torch.jit.is_tracing():
        return tuple(tensor.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return tuple(int(size) for size in tensor.shape)


def is_traced() -> bool:
    """Return whether torch is tracing (`torch.jit.trace`, `torch.export`, ONNX).

    A trace holds operations of torch only; the result of one of our own kernels would be a constant in it.
    """
    return torch.jit.is_tracing() or torch.compiler.is_exporting()
