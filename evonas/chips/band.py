"""A number of a profile with its band: how low and how high it may be, and the arithmetic of such bands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

End = Literal["low", "value", "high"]


@dataclass(frozen=True)
class Coefficient:
    """A number of a profile, how sure it is, and where it comes from.

    Attributes:
        value: Nominal value, in the unit of its section.
        low: Lower end of its band; `value` where none is given.
        high: Upper end of its band; `value` where none is given.
        kind: One of `KINDS`.
        source: Citation; empty only where none is required (uncertainty and times).
        inside: Name of the coefficient that includes this one already, so that it is never added; else None.
        note: Anything else that a reader should know.
        per: What it is paid for, in the words of `evonas.chips.units`; empty for the uncertainty.
    """

    value: float
    low: float
    high: float
    kind: str
    source: str
    inside: str | None = None
    note: str = ""
    per: str = ""


@dataclass(frozen=True)
class Band:
    """The nominal value of an estimate, and both ends of its band."""

    low: float
    nominal: float
    high: float

    def __add__(self, other: Band) -> Band:
        """Return the band of the sum."""
        return Band(self.low + other.low, self.nominal + other.nominal, self.high + other.high)


NOTHING = Band(0.0, 0.0, 0.0)


def total(bands: Iterable[Band]) -> Band:
    """Return the band of the sum of all."""
    return sum(bands, NOTHING)


def at(number: float | Coefficient, end: End = "value") -> float:
    """Return one end of a coefficient; a bare number is its own band."""
    return float(getattr(number, end)) if isinstance(number, Coefficient) else float(number)
