"""Variables of real numbers on a grid: `Real` in equal steps, `LogReal` to a number of significant digits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from evonas.errors import SpaceError
from evonas.options import shown
from evonas.variables import Scalar, ends_of, plain_scalar

FINEST = 1e-10
"""Smallest step of a `Real`, relative to its ends: values have 12 significant digits."""

SMALLEST, GREATEST = 1e-300, 1e300
"""Range in which the grid of a `LogReal` is exact."""

MOST_KNOWN = 1024
"""Points of its grid whose values a variable keeps at most."""


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high` in steps of `step`; numbers between are rounded to the nearest step.

    Where the steps do not end at `high`, `high` is the last value if it lies more than half a step above the last step
    below it; otherwise that step is.

    Attributes:
        low: Lowest value.
        high: Highest value.
        step: Distance between neighbouring values.
        origin: Where steps are counted from; by default `low`.

    Raises:
        SpaceError: If these are not finite numbers, are in the wrong order, or the step is too fine or too wide.

    Example:
        >>> from evonas import Real
        >>> Real(0.25, 1.5, step=0.05).canonical(0.512)
        0.5
    """

    low: float
    high: float
    step: float
    origin: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, _float(getattr(self, name), f"Real needs finite numbers: its {name}"))
        origin = self.low if self.origin is None else _float(self.origin, "Real needs finite numbers: its origin")
        object.__setattr__(self, "origin", origin)
        wrong = SpaceError(
            f"Real needs low < high and 0 < step <= high - low, got {self.low}, {self.high}, step {self.step}."
        )
        if not (self.low <= self.high and math.isfinite(self.high - self.low) and self.step > 0):
            raise wrong
        largest = max(abs(self.low), abs(self.high), abs(origin))
        if self.step < FINEST * largest:
            raise SpaceError(
                f"Real keeps 12 significant digits, so that a step of {self.step} at values up to {largest:g} is lost; "
                f"expected a step of at least {FINEST * largest:g}."
            )
        if self.low < self.high and not self._index(self.high) > self._index(self.low):
            raise wrong

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return a value, uniform between `low` and `high`."""
        return self.canonical(self.low + (self.high - self.low) * rng.random())

    def canonical(self, value: Any) -> Scalar:
        """Return the value nearest to `value`."""
        number = _between(value, self.low, self.high)
        index = self._index(number)
        near = self._near.get(index) or self._keep_near(index)
        return min(near, key=lambda one: abs(one - number))

    @cached_property
    def _near(self) -> dict[int, tuple[float, ...]]:
        """Values that may be the nearest by the number of the step, of steps that came before."""
        return {}

    def _keep_near(self, index: int) -> tuple[float, ...]:
        """Return the values around a step, and remember them."""
        # between two values, also the last two, whose distance is no whole step
        near = range(max(index - 1, self._index(self.low)), min(index + 1, self._index(self.high)) + 1)
        if len(self._near) >= MOST_KNOWN:
            self._near.clear()
        self._near[index] = values = tuple(map(self._value, near))
        return values

    @property
    def size(self) -> float:
        """Number of values."""
        return self._index(self.high) - self._index(self.low) + 1

    def listed(self) -> Iterator[Scalar]:
        """Yield every value once, rising."""
        return (self._value(index) for index in range(self._index(self.low), self._index(self.high) + 1))

    def narrowed(self, only: Any) -> Real:
        """Return the variable with only those of its values that lie between the two numbers of `only`.

        Raises:
            SpaceError: If it is not such a pair, leaves the range, or contains no value.
        """
        low, high = ends_of(only, self, kind="numbers")
        ends = self._index(self.low), self._index(self.high)
        near = range(max(self._index(low) - 1, ends[0]), min(self._index(high) + 1, ends[1]) + 1)
        least, most = low - FINEST * abs(low), high + FINEST * abs(high)  # values are rounded to 12 digits
        kept = [index for index in near if least <= self._value(index) <= most]
        if not kept:
            raise SpaceError(
                f"no value lies between {low:g} and {high:g} in steps of {self.step:g} from {self._first:g}"
            )
        return Real(self._exact(kept[0]), self._exact(kept[-1]), self.step, self._first)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which gets to know its grid anew."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def _index(self, value: float) -> int:
        return round((value - self._first) / self.step)

    def _value(self, index: int) -> float:
        return float(f"{self._exact(index):.12g}")

    def _exact(self, index: int) -> float:
        return min(max(self._first + index * self.step, self.low), self.high)

    @property
    def _first(self) -> float:
        return self.low if self.origin is None else self.origin


@dataclass(frozen=True)
class LogReal:
    """A positive number from `low` to `high` on a logarithmic axis, kept to `digits` significant digits.

    Raises:
        SpaceError: If the ends are not positive numbers in this order, or `digits` is not a whole number from 1 to 12.

    Example:
        >>> from evonas import LogReal
        >>> LogReal(1.0, 100.0).canonical(12.34), LogReal(1.0, 100.0, digits=3).canonical(12.34)
        (12.0, 12.3)
    """

    low: float
    high: float
    digits: int = 2

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _float(getattr(self, name), f"LogReal needs finite numbers: its {name}"))
        digits = plain_scalar(self.digits)
        are_right = SMALLEST <= self.low <= self.high <= GREATEST
        if not are_right or type(digits) is not int or not 1 <= digits <= 12:
            raise SpaceError(
                f"LogReal needs 0 < low <= high (from {SMALLEST:g} to {GREATEST:g}) and whole digits from 1 to 12, got "
                f"{self.low}, {self.high}, {shown(self.digits)}."
            )
        object.__setattr__(self, "digits", digits)

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return a value, uniform in its logarithm."""
        first, length = self._axis
        return self.canonical(math.exp(first + length * rng.random()))

    def canonical(self, value: Any) -> Scalar:
        """Return `value` rounded to `digits` significant digits."""
        text = self._text(_between(value, self.low, self.high))
        rounded = self._rounded.get(text)
        return self._keep_rounded(text) if rounded is None else rounded

    @cached_property
    def _axis(self) -> tuple[float, float]:
        """Where the logarithmic axis begins, and its length."""
        return math.log(self.low), math.log(self.high) - math.log(self.low)

    @cached_property
    def _rounded(self) -> dict[str, float]:
        """Values by their digits, of those that came before."""
        return {}

    def _keep_rounded(self, text: str) -> float:
        """Return the value of a number that is written with these digits, and remember it."""
        if len(self._rounded) >= MOST_KNOWN:
            self._rounded.clear()
        self._rounded[text] = value = min(max(self._on_grid(self._index_of(text)), self.low), self.high)
        return value

    @property
    def size(self) -> float:
        """Number of values."""
        first, last = self._ends
        return 1 if first == last else 2 + max(0, self._before(last) - self._after(first) + 1)

    def listed(self) -> Iterator[Scalar]:
        """Yield every value once, rising."""
        first, last = self._ends
        yield first
        yield from (self._on_grid(index) for index in range(self._after(first), self._before(last) + 1))
        if last > first:
            yield last

    def narrowed(self, only: Any) -> LogReal:
        """Return the variable with only those of its values that lie between the two numbers of `only`.

        Raises:
            SpaceError: If it is not such a pair, leaves the range, or contains no value.
        """
        low, high = ends_of(only, self, kind="numbers")
        first, last = float(self.canonical(low)), float(self.canonical(high))
        if first < low:
            first = min(self._on_grid(self._after(first)), self.high)
        if last > high:
            last = max(self._on_grid(self._before(last)), self.low)
        if not low <= first <= last <= high:
            raise SpaceError(f"no number of {self.digits} significant digits lies between {low:g} and {high:g}")
        return LogReal(first, last, self.digits)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which gets to know its grid anew."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def _ends(self) -> tuple[float, float]:
        return float(self.canonical(self.low)), float(self.canonical(self.high))

    def _index(self, value: float) -> int:
        """Return the number of the grid point nearest to `value`; `9 * 10 ** (digits - 1)` of them are a decade."""
        return self._index_of(self._text(value))

    def _text(self, value: float) -> str:
        return f"{value:.{self.digits - 1}e}"

    def _index_of(self, text: str) -> int:
        mantissa, exponent = text.split("e")
        unit = int(10 ** (self.digits - 1))
        return int(exponent) * 9 * unit + int(mantissa.replace(".", "")) - unit

    def _on_grid(self, index: int) -> float:
        unit = 10 ** (self.digits - 1)
        exponent, above = divmod(index, 9 * unit)
        return float(f"{unit + above}e{exponent - self.digits + 1}")

    def _after(self, value: float) -> int:
        """Return the number of the first grid point above `value`."""
        index = self._index(value)
        return index + (self._on_grid(index) <= value)

    def _before(self, value: float) -> int:
        """Return the number of the last grid point below `value`."""
        index = self._index(value)
        return index - (self._on_grid(index) >= value)


def _float(value: Any, what: str) -> float:
    plain = plain_scalar(value)
    if isinstance(plain, bool | str) or plain is None:
        raise SpaceError(f"{what} is {shown(value)}.")
    return float(plain)


def _between(value: Any, low: float, high: float) -> float:
    """Return a number from `low` to `high`."""
    if type(value) is float and low <= value <= high:
        return value
    slack = 1e-9 * max(abs(low), abs(high))  # arithmetic on logarithms may leave the interval by a rounding error
    plain = plain_scalar(value)
    if isinstance(plain, bool | str) or plain is None or not low - slack <= plain <= high + slack:
        raise SpaceError(f"expected a number from {low} to {high}, got {shown(value)}")
    return min(max(float(plain), low), high)
