"""How to compute what can be computed in several ways."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch
from torch import Tensor

Way = Literal["fastest", "torch", "looped"]
"""Compiled where that is possible; in operations of torch; or neurons by Norse's own steps: the reference."""

_way: ContextVar[Way] = ContextVar("way", default="fastest")


@contextmanager
def scanning(way: Way) -> Iterator[None]:
    """Let all within the `with` block be computed in this way: to compare, or to look for an error."""
    token = _way.set(way)
    try:
        yield
    finally:
        _way.reset(token)


def way() -> Way:
    """Return the way that is asked for here."""
    return _way.get()


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
