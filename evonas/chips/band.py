"""A band: the nominal value of an estimate, and how low and how high it may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from evonas.chips.profile_reader import Coefficient

End = Literal["low", "value", "high"]


@dataclass(frozen=True)
class Band:
    """The nominal value, and the ends of its band."""

    low: float
    nominal: float
    high: float

    def __add__(self, other: Band) -> Band:
        """Return the band of the sum."""
        return Band(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def times(self, factor: float) -> Band:
        """Return the band of `factor` times the value."""
        return Band(self.low * factor, self.nominal * factor, self.high * factor)


NOTHING = Band(0.0, 0.0, 0.0)


def total(bands: Iterable[Band]) -> Band:
    """Return the band of the sum of all."""
    result = NOTHING
    for band in bands:
        result += band
    return result


def at(number: float | Coefficient, end: End = "value") -> float:
    """Return one end of a coefficient; a bare number is its own band."""
    return float(getattr(number, end)) if isinstance(number, Coefficient) else float(number)
