"""Options: which numbers, switches and names are allowed, and one sentence for each that is not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evonas.errors import OptionError

SHOWN = 60
"""Characters of a value that a sentence quotes."""

LARGEST_SEED = 2**63 - 1
"""What the generators of numpy and torch accept, and what a 64-bit column of the archive holds."""


class OptionRule(Protocol):
    """Which values one option may have."""

    def taken(self, value: Any) -> Any:
        """Return `value` as a plain Python value.

        Raises:
            ValueError: If the option cannot have this value; the message says what is expected.
        """


@dataclass(frozen=True)
class Whole:
    """An integer from `low` to `high`, both included; neither a bool nor a float such as 2.0."""

    low: int
    high: int

    def taken(self, value: Any) -> int:
        """Return `value` as an int."""
        plain = value.item() if isinstance(value, np.integer) else value
        if isinstance(plain, int) and not isinstance(plain, bool) and self.low <= plain <= self.high:
            return int(plain)
        raise ValueError(f"expected a whole number from {self.low:,} to {self.high:,}")


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`, both included unless `is_open` leaves out `low`."""

    low: float
    high: float
    is_open: bool = False

    def taken(self, value: Any) -> float:
        """Return `value` as it is, as a Python number."""
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, int | float) and not isinstance(plain, bool) and self._holds(plain):
            return plain
        least = f"above {self.low:g} and" if self.is_open else f"from {self.low:g}"
        raise ValueError(f"expected a number {least}{' at most' if self.is_open else ' to'} {self.high:g}")

    def _holds(self, value: float) -> bool:
        return (self.low < value if self.is_open else self.low <= value) and value <= self.high


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def taken(self, value: Any) -> bool:
        """Return `value` as a bool."""
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise ValueError("expected true or false")


@dataclass(frozen=True)
class Text:
    """A name that is not empty and can be printed on one line."""

    def taken(self, value: Any) -> str:
        """Return `value` as a str."""
        if isinstance(value, str) and value.strip() and value.isprintable():
            return str.__str__(value)
        raise ValueError("expected a name of one or more printable characters")


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    def taken(self, value: Any) -> str:
        """Return `value` as a str."""
        if isinstance(value, str) and value in self.words:
            return str.__str__(value)
        raise ValueError(f"expected one of {', '.join(self.words)}")


@dataclass(frozen=True)
class OrNone:
    """None, or a value that `rule` allows."""

    rule: OptionRule

    def taken(self, value: Any) -> Any:
        """Return None, or `value` as `rule` returns it."""
        return None if value is None else self.rule.taken(value)


NAME = Text()
"""The name of a strategy or an objective."""

BITS = Whole(2, 16)
"""Bits to which a weight is rounded, its sign included."""

SHARE = Number(1e-6, 1e6)
"""A strategy's part of the slots, in any unit."""


def faults_of(values: Mapping[str, Any], rules: Mapping[str, OptionRule]) -> list[str]:
    """Return a sentence for each value that its rule does not allow: its name, what came, what is expected."""
    faults = []
    for name, rule in rules.items():
        try:
            rule.taken(values[name])
        except ValueError as error:
            faults.append(f"{name}: got {shown(values[name])}, {error}")
    return faults


def settle(owner: Any, rules: Mapping[str, OptionRule]) -> None:
    """Check the options of a frozen `owner`, and set each to a plain Python value.

    Raises:
        OptionError: If a rule does not allow an option, with a sentence for each.
    """
    faults = faults_of(vars(owner), rules)
    if faults:
        raise OptionError(faults)
    for name, rule in rules.items():
        object.__setattr__(owner, name, rule.taken(getattr(owner, name)))


def shown(value: Any) -> str:
    """Return how a sentence quotes a value: short, on one line, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # numbers of more digits than Python prints, lists nested too deep, a user's own __repr__
        kind = type(value).__name__
        return f"a number of about {_digits(value):,} digits" if kind == "int" else f"an unprintable {kind}"
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}…{text[-10:]} ({len(text):,} characters)"


def shown_key(key: str) -> str:
    """Return how a sentence quotes a key: as it is, unless it is unprintable or very long."""
    return key if key.isprintable() and len(key) <= 2 * SHOWN else shown(key)


def _digits(value: int) -> int:
    return int(value.bit_length() * math.log10(2)) + 1
