"""Variables of a space: their protocol, and the discrete ones, `Choice` and `Integer`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evonas.errors import SpaceError
from evonas.options import shown

Scalar = bool | int | float | str

LARGEST = 2**53
"""Whole numbers up to this are exact as floats, as which they are crossed and mutated."""


class Variable(Protocol):
    """One variable of a space."""

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return a random value."""

    def canonical(self, value: Any) -> Scalar:
        """Return `value` as a plain scalar, rounded to the variable's resolution.

        Raises:
            SpaceError: If the variable cannot take `value`.
        """

    @property
    def size(self) -> float:
        """Number of different values, `inf` where it is not known to be finite."""


@dataclass(frozen=True)
class Choice:
    """A categorical variable: one of `values`, which have no order.

    Raises:
        SpaceError: If there are no values, two are equal, or one is not a bool, number or string, which alone survive
            JSON.

    Example:
        >>> from evonas import Choice
        >>> kind = Choice(["lif", "analog"])
        >>> kind.canonical("lif"), kind.size
        ('lif', 2)
    """

    values: tuple[Scalar, ...]

    def __init__(self, values: Iterable[Scalar]) -> None:
        if isinstance(values, bytes | Mapping | Set) or not isinstance(values, Iterable):
            raise SpaceError(f"Choice needs a list of values in a fixed order, got {shown(values)}.")
        taken = []
        for value in values:
            plain = plain_scalar(value)
            if plain is None:
                raise SpaceError(
                    f"Choice takes true, false, finite numbers below 2**63 and strings, got {shown(value)}: nothing "
                    'else can be stored and read again. Give each value a name, such as "3x3", and let `build` read it.'
                )
            taken.append(plain)
        object.__setattr__(self, "values", tuple(taken))
        if not taken or len(set(taken)) < len(taken):
            raise SpaceError(
                f"Choice needs one or more different values, got {shown(taken)}; 1, 1.0 and true are the same."
            )

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return one of the values, each with the same probability."""
        return self.values[rng.integers(len(self.values))]

    def canonical(self, value: Any) -> Scalar:
        """Return the member of `values` that equals `value`."""
        plain = plain_scalar(value)
        for known in self.values if plain is not None else ():
            if known == plain and isinstance(known, bool) == isinstance(plain, bool):
                return known
        raise SpaceError(f"expected one of {list(self.values)}, got {shown(value)}")

    @property
    def size(self) -> float:
        """Number of values."""
        return len(self.values)

    def listed(self) -> Iterator[Scalar]:
        """Yield every value once."""
        return iter(self.values)

    def narrowed(self, only: Any) -> Choice:
        """Return the variable with only the values in the list `only`, in its own order.

        Raises:
            SpaceError: If it is not a list of values of this variable.
        """
        if not isinstance(only, list | tuple) or not only:
            raise SpaceError(f"expected a list of one or more of {list(self.values)}, got {shown(only)}")
        kept = [self.canonical(value) for value in only]
        return Choice([value for value in self.values if any(value is one for one in kept)])


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`, both included.

    Raises:
        SpaceError: If an end is not a whole number, or they are in the wrong order.

    Example:
        >>> from evonas import Integer
        >>> Integer(2, 8).canonical(4.0), Integer(2, 8).size
        (4, 7)
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        ends = plain_scalar(self.low), plain_scalar(self.high)
        if not all(type(end) is int and abs(end) <= LARGEST for end in ends):
            raise SpaceError(
                f"Integer needs two whole numbers of at most {LARGEST:,}, got {shown(self.low)} and {shown(self.high)}."
            )
        object.__setattr__(self, "low", ends[0])
        object.__setattr__(self, "high", ends[1])
        if self.low > self.high:
            raise SpaceError(f"Integer needs low <= high, got {self.low} > {self.high}.")

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return one of the numbers, each with the same probability."""
        return int(rng.integers(self.low, self.high + 1))

    def canonical(self, value: Any) -> Scalar:
        """Return `value` as an int."""
        plain = plain_scalar(value)
        if isinstance(plain, int | float) and not isinstance(plain, bool) and self.low <= plain <= self.high:
            whole = int(plain)
            if whole == plain:
                return whole
        raise SpaceError(f"expected a whole number from {self.low} to {self.high}, got {shown(value)}")

    @property
    def size(self) -> float:
        """Number of values."""
        return self.high - self.low + 1

    def listed(self) -> Iterator[Scalar]:
        """Yield every value once, rising."""
        return iter(range(self.low, self.high + 1))

    def narrowed(self, only: Any) -> Integer:
        """Return the variable from the first to the second number of `only`, both included.

        Raises:
            SpaceError: If it is not such a pair, or leaves the range.
        """
        low, high = ends_of(only, self, kind="whole numbers")
        return Integer(int(low), int(high))


def plain_scalar(value: Any) -> Scalar | None:
    """Return `value` as a Python scalar, or None where it is none that survives JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case bool():
            return value
        case int():
            return int(value) if abs(value) < 2**63 else None
        case float():
            return float(value) if math.isfinite(value) else None
        case str():
            return str.__str__(value)
        case _:
            return None


class Range(Protocol):
    """A variable of numbers in order."""

    @property
    def low(self) -> float:
        """Lowest value."""

    @property
    def high(self) -> float:
        """Highest value."""

    def canonical(self, value: Any) -> Scalar:
        """Return the value of the variable that `value` means; raise a `SpaceError` if there is none."""


def ends_of(only: Any, variable: Range, *, kind: str) -> tuple[float, float]:
    """Return the lowest and the highest number of a narrower range of `variable`.

    Args:
        only: The range.
        variable: The variable that is narrowed.
        kind: What its values are, for people: `"numbers"` or `"whole numbers"`.

    Raises:
        SpaceError: If it is not a pair of values of the variable, the lowest first.
    """
    if not isinstance(only, Sequence) or isinstance(only, str | bytes) or len(only) != 2:
        raise SpaceError(
            f"expected the lowest and the highest value, two {kind} from {variable.low} to {variable.high}, "
            f"got {shown(only)}"
        )
    for end in only:
        variable.canonical(end)
    low, high = float(only[0]), float(only[1])
    if low > high:
        raise SpaceError(f"expected the lowest value before the highest, got {shown(list(only))}")
    return low, high
