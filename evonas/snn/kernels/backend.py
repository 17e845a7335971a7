"""How to compute what can be computed in several ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

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
