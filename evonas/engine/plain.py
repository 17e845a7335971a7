"""Plain values: the form in which a measurement is stored, and from which it is read back the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

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
    _check_names([*read_back.metrics, *read_back.counts])
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
        for one in _items(value):
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


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not name.isprintable():  # a file cannot hold NUL or halves of surrogate pairs
            raise TypeError(f"a metric or count is named {name!r:.100}, expected printable text")


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [item for one in value.values() for item in _items(one)]
    return list(value) if isinstance(value, tuple) else [value]


def _item_type(hint: Any) -> Any:
    parts = get_args(hint)
    return _item_type(parts[1]) if get_origin(hint) is Mapping else parts[0] if parts else hint


@cache
def _hints(kind: Any) -> dict[str, type]:
    """Return the type of each field that is plain, or a tuple or a mapping of plain items; of these, that of items."""
    items = {name: _item_type(hint) for name, hint in get_type_hints(kind).items()}
    return {name: item for name, item in items.items() if item in (bool, int, float, str)}
