"""Readers of profile files: each checks a value, returns what the profile stores, and appends a sentence a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from evonas.chips.band import Coefficient

KINDS = ("measured", "fitted", "simulated", "published", "derived", "estimated", "unverified")
LARGEST = 1e18
"""The largest number that a profile may hold, so that sums of products of several can be computed."""
SMALLEST = 1e-18
"""The smallest number above 0 that a profile may hold, so that quotients can be computed as well."""

_KIND = f"the kind of evidence: one of {', '.join(KINDS)}"
_LONGEST = 2_000  # characters of a text
_SHOWN = 80  # characters of a wrong value that are repeated
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


# How a value is read: `read(where, value, faults)` returns what the profile stores and appends a sentence a fault.
Read = Callable[[str, Any, list[str]], Any]


def shown(value: Any) -> str:
    """Return a wrong value as text for a message: never long, and without characters that steer a terminal."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return f"a whole number of {value.bit_length():,} bits"
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested without end; a number of more digits than are written out
        return f"a {type(value).__name__} that is too large to be repeated"
    text = text if text.isprintable() else ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def key_path(where: str, key: str) -> str:
    """Return the name of a key within the table `where`, quoted where it is not plain."""
    plain = bool(key) and _PLAIN.issuperset(key) and len(key) <= _SHOWN
    return f"{where}.{key if plain else shown(key)}" if where else (key if plain else shown(key))


def _is_number(value: Any) -> bool:
    """Return whether the value is 0 or a number that can be computed with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and (value == 0 or _is_positive(value))


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and SMALLEST <= value <= LARGEST


def is_whole(value: Any) -> bool:
    """Return whether the value is a whole number of at least 0."""
    return _is_number(value) and isinstance(value, int)


def _is_count(value: Any) -> bool:
    return is_whole(value) and value > 0


def is_text(value: Any) -> bool:
    """Return whether the value is a text of a line, without characters that steer a terminal."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= _LONGEST


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_steps(value: Any, accepts: Callable[[Any], bool] = _is_number) -> bool:
    if not (_is_list_of(value, _is_pair) and all(accepts(number) for pair in value for number in pair)):
        return False
    return all(before[0] < after[0] and after[0] > before[0] * (1 + 1e-9) for before, after in pairwise(value))


def _is_list_of(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and value != [] and all(map(accepts, value))


def _is_table_of(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and value != {} and all(map(is_text, value)) and all(map(accepts, value.values()))


def _is_range(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return _is_pair(value) and all(map(accepts, value)) and value[0] <= value[1]


def checked(expected: str, accepts: Callable[[Any], bool]) -> Read:
    """Return a reader of values that `accepts` lets through; `expected` says what they are."""

    def read(where: str, value: Any, faults: list[str]) -> Any:
        if not accepts(value):
            faults.append(f"{where}: got {shown(value)}, expected {expected}.")
        return value

    return read


def one_of(*choices: str) -> Read:
    """Return a reader of one of a few texts."""
    return checked(f"one of {', '.join(choices)}", lambda value: isinstance(value, str) and value in choices)


_NOT_NEGATIVE = f"a finite number of at least 0 (0, or from {SMALLEST:g} to {LARGEST:g})"
_ABOVE = f"a finite number above 0 (from {SMALLEST:g} to {LARGEST:g})"

TEXT = checked(f"a text of one line and of at most {_LONGEST:,} characters", is_text)
FLAG = checked("true or false", lambda value: isinstance(value, bool))
WHOLE = checked("a whole number of at least 0", is_whole)
COUNT = checked("a whole number of at least 1", _is_count)
NUMBER = checked(_NOT_NEGATIVE, _is_number)
POSITIVE = checked(_ABOVE, _is_positive)
FACTOR = checked("a finite number of at least 1", lambda value: _is_positive(value) and value >= 1)
RANGE = checked("[lowest, highest]", lambda value: _is_range(value, _is_number))
WHOLE_RANGE = checked("[lowest, highest] of whole numbers of at least 1", lambda value: _is_range(value, _is_count))
STEPS = checked("a list of [from, value] pairs with rising from", _is_steps)
POSITIVE_STEPS = checked(
    "a list of [from, value] pairs of numbers above 0 with rising from", lambda value: _is_steps(value, _is_positive)
)
TEXTS = checked("a list of texts", lambda value: _is_list_of(value, is_text))
COUNTS = checked("a list of whole numbers of at least 1", lambda value: _is_list_of(value, _is_count))
TEXTS_BY_NAME = checked("a table of texts", lambda value: _is_table_of(value, is_text))
NUMBERS_BY_NAME = checked("a table of numbers", lambda value: _is_table_of(value, _is_number))


def _sourced_steps(where: str, value: Any, faults: list[str]) -> dict[str, Any]:
    """Return a staircase with the kind and the source of its numbers."""
    read_parts = table(
        {"v": POSITIVE_STEPS, "k": one_of(*KINDS), "r": TEXT, "note": TEXT},
        required={"v": "a list of [from, value] pairs", "k": _KIND, "r": "the source of the values"},
    )
    return read_parts(where, value, faults)  # type: ignore[no-any-return]


SOURCED_STEPS: Read = _sourced_steps


def table(keys: Mapping[str, Read], *, required: Mapping[str, str] | None = None) -> Read:
    """Return a reader of a table with these keys; `required` holds the keys that must be given, with their meaning."""
    meanings = required or {}

    def read(where: str, value: Any, faults: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            faults.append(f"{where}: got {shown(value)}, expected a table with the keys {', '.join(keys)}.")
            return {}
        for key in [key for key in value if key not in keys]:
            close = get_close_matches(key, keys, n=1) if len(key) <= _SHOWN else []
            hint = f"did you mean {close[0]}?" if close else f"known are: {', '.join(keys)}."
            faults.append(f"{key_path(where, key)}: there is no such key; {hint}")
        faults.extend(
            f"{key_path(where, key)} is missing, expected {meanings[key]}." for key in meanings if key not in value
        )
        return {key: read(key_path(where, key), value[key], faults) for key, read in keys.items() if key in value}

    return read


def coefficient(unit: str, *, per: Sequence[str] = ("",), sourced: bool = True, positive: bool = True) -> Read:
    """Return a reader of a `Coefficient`, refused without its kind and, if `sourced`, without its source.

    Args:
        unit: Of its value.
        per: What it may be paid for; the first is the default.
        sourced: Whether it needs a source.
        positive: Whether 0 is wrong; an unknown price is left out, and not 0.
    """
    meaning = _ABOVE if positive else _NOT_NEGATIVE
    number = checked(f"{meaning}, in {unit} and without the unit", _is_positive if positive else _is_number)
    keys = {"v": number, "lo": NUMBER, "hi": NUMBER, "k": one_of(*KINDS), "r": TEXT, "in": TEXT, "note": TEXT}
    keys |= {"per": one_of(*per)} if per[0] else {}
    meanings = {"v": f"the value in {unit}", "k": _KIND, **({"r": "the source of the value"} if sourced else {})}
    read_parts = table(keys, required=meanings)

    def read(where: str, value: Any, faults: list[str]) -> Coefficient | None:
        if not isinstance(value, dict):
            faults.append(f"{where}: got {shown(value)}, expected {{ v = number in {unit}, k = kind, r = source }}.")
            return None
        before = len(faults)
        parts = read_parts(where, value, faults)
        return _with_band(where, {"per": per[0], **parts}, faults) if len(faults) == before else None

    return read


def uncertainty(where: str, value: Any, faults: list[str]) -> Coefficient | None:
    """Return the factor on a result, nominal 1."""
    before = len(faults)
    keys = {"lo": POSITIVE, "hi": POSITIVE, "k": one_of(*KINDS), "r": TEXT, "note": TEXT}
    parts = table(keys, required={"lo": "a factor", "hi": "a factor", "k": _KIND})(where, value, faults)
    return _with_band(where, {"v": 1.0, **parts}, faults) if len(faults) == before else None


def _with_band(where: str, parts: Mapping[str, Any], faults: list[str]) -> Coefficient:
    nominal = parts["v"]
    low, high = parts.get("lo", nominal), parts.get("hi", nominal)
    if not low <= nominal <= high:
        faults.append(f"{where}: got the band {low} to {high}, expected one that holds the value {nominal}.")
    return Coefficient(
        nominal,
        low,
        high,
        parts["k"],
        parts.get("r", ""),
        inside=parts.get("in"),
        note=parts.get("note", ""),
        per=parts.get("per", ""),
    )


def maybe_bare(read_table: Read, *, positive: bool = False) -> Read:
    """Return a reader of a bare number, above 0 if `positive`, or of a table as `read_table` reads it."""
    bare = POSITIVE if positive else NUMBER
    return lambda where, value, faults: (read_table if isinstance(value, dict) else bare)(where, value, faults)


def coefficients(unit: str, units: Mapping[str, Sequence[str]]) -> Read:
    """Return a reader of a table of coefficients in `unit`, by their names what they may be paid for."""
    read_all = table({name: coefficient(unit, per=per) for name, per in units.items()})

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
