"""Backend of the scan over time: compiled C++, torch, or Norse's own loop; and what torch can record."""

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
"""Compiled where that is possible; in operations of torch; or neurons by Norse's own steps: the reference."""

backend: ContextVar[Backend] = ContextVar("backend", default="fastest")
"""The backend that is asked for here."""


@contextmanager
def use_backend(name: Backend) -> Iterator[None]:
    """Let all within the `with` block be computed by this backend: to compare, or to look for an error.

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
    """Return the shape in plain numbers, to decide something by that is meant to be fixed in a recording.

    `torch.jit.trace` would warn that it is fixed; what depends on the number of samples takes the shape of the tensor.
    """
    if not torch.jit.is_tracing():
        return tuple(tensor.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return tuple(int(size) for size in tensor.shape)


def is_traced() -> bool:
    """Return whether torch records what is computed here (`torch.jit.trace`, `torch.export`, ONNX), to repeat it later.

    A recording sees operations of torch alone, so that a result of our own kernels would be a constant in it.
    """
    return torch.jit.is_tracing() or torch.compiler.is_exporting()
