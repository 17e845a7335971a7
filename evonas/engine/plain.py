"""Plain values: the form in which a measurement is stored, and from which it is read back the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from evonas.measurement import Measurement

_LARGEST = 2**63


def plain_json(measurement: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping as it is read back from JSON: tuples become lists, numpy numbers plain numbers.

    Raises:
        TypeError: If it holds values that JSON does not know.
        ValueError: If it contains itself.
    """
    read_back: dict[str, Any] = json.loads(json.dumps(dict(measurement), default=_plain_number))
    return read_back


def as_stored(measurement: Measurement | Mapping[str, Any]) -> Measurement | dict[str, Any]:
    """Return a measurement as an archive stores it.

    Raises:
        TypeError: If it cannot be stored, or a field of a `Measurement` has the wrong type.
        ValueError: If it contains itself.
    """
    try:
        if not isinstance(measurement, Measurement):
            return plain_json(measurement)
        read_back = Measurement.from_json(plain_json(measurement.to_json()))
    except TypeError as error:
        raise TypeError(
            f"the measurement cannot be kept, expected numbers, text, lists and mappings: {error}"
        ) from None
    _check_types(read_back)
    for population in read_back.activity.populations:
        _check_types(population)
    for connection in read_back.activity.connections:
        _check_types(connection)
    return read_back


def _plain_number(value: Any) -> Any:
    try:
        return value.item()  # scalars of numpy and torch, and arrays of one number
    except (AttributeError, TypeError, ValueError, RuntimeError):
        raise TypeError(f"got {type(value).__name__}") from None


def _check_types(part: Any) -> None:
    kind: Any = type(part)
    for name, annotation in _hints(kind).items():
        value = getattr(part, name)
        values = value if isinstance(value, tuple) else (value,)
        for one in values:
            if not _is_of(one, annotation):
                raise TypeError(
                    f"{kind.__name__}.{name} is {value!r:.100}, expected {getattr(annotation, '__name__', '')}"
                )


def _is_of(value: Any, annotation: Any) -> bool:
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST
    return isinstance(value, annotation)


@cache
def _hints(kind: Any) -> dict[str, type]:
    """Return the type of each field that is plain, or a tuple of plain items; of a tuple, that of its items."""
    hints = get_type_hints(kind)
    items = {name: getattr(hint, "__args__", (hint,))[0] for name, hint in hints.items()}
    return {name: item for name, item in items.items() if item in (bool, int, float, str)}
