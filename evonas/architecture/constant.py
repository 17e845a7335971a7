"""A constant of a population: one number for all of its neurons, or one for each of its channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from evonas.errors import SpaceError

Constant: TypeAlias = float | tuple[float, ...]
"""One number for all neurons of a population, or as many as it has channels."""

SCOPES = ("stage", "channels")
"""What a constant is for in spaces that search it: all channels of a stage, or one of `GROUPS` groups of them."""

GROUPS = 4
"""Groups of the channels of a stage that have constants of their own in a search."""


def values_of(constant: Constant) -> tuple[float, ...]:
    """Return the numbers of a constant: one, or one for each channel."""
    return constant if isinstance(constant, tuple) else (constant,)


def each(function: Callable[..., float], *constants: Constant) -> Constant:
    """Return a function of constants: of each channel where one of them differs among channels.

    Args:
        function: A function of as many numbers.
        constants: Its arguments; those of channels have one length.

    Example:
        >>> each(lambda v_th, tau: v_th * tau, 0.5, (2.0, 4.0))
        (1.0, 2.0)
    """
    channels = max((len(one) for one in constants if isinstance(one, tuple)), default=None)
    if channels is None:
        return function(*constants)
    rows = [one if isinstance(one, tuple) else (one,) * channels for one in constants]
    return tuple(function(*values) for values in zip(*rows, strict=True))


def of_groups(constants: Sequence[float], channels: int) -> tuple[float, ...]:
    """Return constants of channels: those next to each other share the one of their group, in groups of one size.

    Args:
        constants: One for each group.
        channels: A multiple of the groups.

    Raises:
        SpaceError: If it is none.

    Example:
        >>> of_groups((4.0, 2.0), 4)
        (4.0, 4.0, 2.0, 2.0)
    """
    size, rest = divmod(channels, len(constants))
    if rest:
        raise SpaceError(f"{channels} channels do not make {len(constants)} groups of one size. Use a multiple.")
    return tuple(constant for constant in constants for _ in range(size))


def spread(middle: float, ratio: float, channels: int) -> tuple[float, ...]:
    """Return constants of channels in equal ratios, from `middle / ratio` of the first to `middle * ratio` of the last.

    Example:
        >>> spread(2.0, 2.0, 3), spread(2.0, 4.0, 1)
        ((1.0, 2.0, 4.0), (2.0,))
    """
    if channels == 1:
        return (middle,)
    return tuple(middle * ratio ** (2 * channel / (channels - 1) - 1) for channel in range(channels))
