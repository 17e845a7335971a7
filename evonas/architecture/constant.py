"""A constant of a population: one number for all of its neurons, or one for each of its channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Constant: TypeAlias = float | tuple[float, ...]
"""One number for all neurons of a population, or as many as it has channels."""


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


def spread(middle: float, ratio: float, channels: int) -> tuple[float, ...]:
    """Return constants of channels in equal ratios, from `middle / ratio` of the first to `middle * ratio` of the last.

    Example:
        >>> spread(2.0, 2.0, 3), spread(2.0, 4.0, 1)
        ((1.0, 2.0, 4.0), (2.0,))
    """
    if channels == 1:
        return (middle,)
    return tuple(middle * ratio ** (2 * channel / (channels - 1) - 1) for channel in range(channels))
