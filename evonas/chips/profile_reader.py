"""Readers of profile files: each checks a value, returns what the profile stores, and appends a sentence a fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

KINDS = ("measured", "fitted", "simulated", "published", "derived", "estimated", "unverified")
_KIND = f"the kind of evidence: one of {', '.join(KINDS)}"


@dataclass(frozen=True)
class Coefficient:
    """A number of a profile, how sure it is, and where it comes from.

    Attributes:
        value: Nominal value, in the unit of its section.
        low: Lower end of its band; `value` where none is given.
        high: Upper end of its band; `value` where none is given.
        kind: One of `KINDS`.
        source: Citation; empty only where none is demanded (uncertainty and times).
        inside: Name of the coefficient that holds this one already, so that it is never added; else None.
        note: Anything else that a reader should know.
    """

    value: float
    low: float
    high: float
    kind: str
    source: str
    inside: str | None = None
    note: str = ""


# How a value is read: `read(where, value, faults)` returns what the profile stores and appends a sentence a fault.
Read = Callable[[str, Any, list[str]], Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def is_whole(value: Any) -> bool:
    """Return whether the value is a whole number of at least 0."""
    return _is_number(value) and isinstance(value, int)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_steps(value: Any) -> bool:
    return _is_list_of(value, _is_pair) and all(before[0] < after[0] for before, after in pairwise(value))


def _is_list_of(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and value != [] and all(map(accepts, value))


def _is_table_of(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(accepts, value.values()))


def checked(expected: str, accepts: Callable[[Any], bool]) -> Read:
    """Return a reader of values that `accepts` lets through; `expected` says what they are."""

    def read(where: str, value: Any, faults: list[str]) -> Any:
        if not accepts(value):
            faults.append(f"{where}: got {value!r}, expected {expected}.")
        return value

    return read


def one_of(*choices: str) -> Read:
    """Return a reader of one of a few texts."""
    return checked(f"one of {', '.join(choices)}", lambda value: value in choices)


TEXT = checked("a text", _is_text)
FLAG = checked("true or false", lambda value: isinstance(value, bool))
WHOLE = checked("a whole number of at least 0", is_whole)
NUMBER = checked("a finite number of at least 0", _is_number)
RANGE = checked("[lowest, highest]", lambda value: _is_pair(value) and value[0] <= value[1])
STEPS = checked("a list of [from, value] pairs with rising from", _is_steps)
TEXTS = checked("a list of texts", lambda value: _is_list_of(value, _is_text))
WHOLES = checked("a list of whole numbers", lambda value: _is_list_of(value, is_whole))
TEXTS_BY_NAME = checked("a table of texts", lambda value: _is_table_of(value, _is_text))
NUMBERS_BY_NAME = checked("a table of numbers", lambda value: _is_table_of(value, _is_number))


def _sourced_steps(where: str, value: Any, faults: list[str]) -> dict[str, Any]:
    """Return a staircase with the kind and the source of its numbers."""
    read_parts = table(
        {"v": STEPS, "k": one_of(*KINDS), "r": TEXT, "note": TEXT},
        required={"v": "a list of [from, value] pairs", "k": _KIND, "r": "the source of the values"},
    )
    return read_parts(where, value, faults)  # type: ignore[no-any-return]


SOURCED_STEPS: Read = _sourced_steps


def table(keys: Mapping[str, Read], *, required: Mapping[str, str] | None = None) -> Read:
    """Return a reader of a table of `keys`; those `required` must be there, and their texts say what they are."""
    meanings = required or {}

    def read(where: str, value: Any, faults: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            faults.append(f"{where}: got {value!r}, expected a table with the keys {', '.join(keys)}.")
            return {}
        prefix = f"{where}." if where else ""
        for key in [key for key in value if key not in keys]:
            close = get_close_matches(key, keys, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are: {', '.join(keys)}."
            faults.append(f"{prefix}{key}: there is no such key; {hint}")
        faults.extend(f"{prefix}{key} is missing, expected {meanings[key]}." for key in meanings if key not in value)
        return {key: read(f"{prefix}{key}", value[key], faults) for key, read in keys.items() if key in value}

    return read


def coefficient(unit: str, *, sourced: bool = True) -> Read:
    """Return a reader of a `Coefficient` in `unit`, refused without its kind and, if `sourced`, without its source."""
    number = checked(f"a finite number of at least 0, in {unit} and without the unit", _is_number)
    keys = {"v": number, "lo": number, "hi": number, "k": one_of(*KINDS), "r": TEXT, "in": TEXT, "note": TEXT}
    meanings = {"v": f"the value in {unit}", "k": _KIND, **({"r": "the source of the value"} if sourced else {})}
    read_parts = table(keys, required=meanings)

    def read(where: str, value: Any, faults: list[str]) -> Coefficient | None:
        if not isinstance(value, dict):
            faults.append(f"{where}: got {value!r}, expected {{ v = number in {unit}, k = kind, r = source }}.")
            return None
        before = len(faults)
        parts = read_parts(where, value, faults)
        return _with_band(where, parts, faults) if len(faults) == before else None

    return read


def uncertainty(where: str, value: Any, faults: list[str]) -> Coefficient | None:
    """Return the factor on a result, nominal 1."""
    before = len(faults)
    keys = {"lo": NUMBER, "hi": NUMBER, "k": one_of(*KINDS), "r": TEXT, "note": TEXT}
    parts = table(keys, required={"lo": "a factor", "hi": "a factor", "k": _KIND})(where, value, faults)
    return _with_band(where, {"v": 1.0, **parts}, faults) if len(faults) == before else None


def _with_band(where: str, parts: Mapping[str, Any], faults: list[str]) -> Coefficient:
    nominal = parts["v"]
    low, high = parts.get("lo", nominal), parts.get("hi", nominal)
    if not low <= nominal <= high:
        faults.append(f"{where}: got the band {low} to {high}, expected one that holds the value {nominal}.")
    return Coefficient(
        nominal, low, high, parts["k"], parts.get("r", ""), inside=parts.get("in"), note=parts.get("note", "")
    )


def maybe_bare(read_table: Read) -> Read:
    """Return a reader of a bare number, or of a table as `read_table` reads it."""
    return lambda where, value, faults: (read_table if isinstance(value, dict) else NUMBER)(where, value, faults)


def coefficients(unit: str, *operations: str) -> Read:
    """Return a reader of a table of coefficients in `unit`."""
    read_all = table({name: coefficient(unit) for name in operations})

    def read(where: str, value: Any, faults: list[str]) -> dict[str, Coefficient]:
        found = {name: item for name, item in read_all(where, value, faults).items() if item is not None}
        for name, item in found.items():
            if item.inside is None:
                continue
            holder = found.get(item.inside)
            if item.inside not in value or (holder is not None and holder.inside is not None):
                faults.append(
                    f"{where}.{name}.in: got {item.inside!r}, expected a key of [{where}] that has no `in` itself."
                )
        return found

    return read


def every(reader: Read, *keys: str) -> dict[str, Read]:
    """Return the same reader for each key."""
    return dict.fromkeys(keys, reader)
