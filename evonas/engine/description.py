"""Descriptions in JSON: what a strategy, a space or a function consists of, to compare a resumed run with its start."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any

from evonas.objective import Objective
from evonas.space import Space

_DEEPEST = 8
_LONGEST = 4000  # characters of JSON; what is longer is kept as its hash, which still shows that something differs


def described(value: Any) -> Any:
    """Return what `value` consists of, as JSON: the same in every process and on every machine.

    Dataclasses are described by the name of their class and their public fields, functions by their name and bound
    arguments, arrays by type and shape, and everything else by the name of its class.
    """
    description = _plain(value, _DEEPEST)
    text = json.dumps(description)
    return description if len(text) <= _LONGEST else {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def described_space(space: Space) -> dict[str, Any]:
    """Return a space as JSON: its variables in their order, its rules, and how assignments are arranged."""
    return {
        "variables": list(space.variables),
        **{f"variables.{name}": described(variable) for name, variable in space.variables.items()},
        "rules": [
            {"names": list(rule.names) if not isinstance(rule.names, str) else rule.names, "when": described(rule.when)}
            for rule in space.rules
        ],
        "arrange": described(space.arrange),
    }


def described_objective(objective: Objective) -> dict[str, Any]:
    """Return an objective as JSON, without its functions and what follows from them."""
    apart = ("score", "band", "uncounted", "basis", "parts", "planned", "sampling_error", "measures", "metric")
    names = [field.name for field in fields(objective) if field.name not in apart]
    return {name: _plain(getattr(objective, name), _DEEPEST) for name in names}


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if depth == 0 or isinstance(value, Space):
        return type(value).__qualname__
    if isinstance(value, Objective):
        return described_objective(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(name): _plain(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, depth - 1) for item in value), key=json.dumps)
    if isinstance(value, type):
        return value.__qualname__
    if callable(value) and not is_dataclass(value):
        return _function(value, depth - 1)
    return _object(value, depth - 1)


def _object(value: Any, depth: int) -> Any:
    if is_dataclass(value):
        public = [field.name for field in fields(value) if not field.name.startswith("_")]
        return {"type": type(value).__qualname__, **{name: _plain(getattr(value, name), depth) for name in public}}
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return value.item() if value.shape == () else {"type": str(value.dtype), "shape": list(value.shape)}
    return type(value).__qualname__


def _function(function: Callable[..., Any], depth: int) -> Any:
    if isinstance(function, partial):
        return _bound(_plain(function.func, depth), [*function.args], function.keywords, depth)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if hasattr(function, "__self__") and not isinstance(function.__self__, ModuleType):
        return _bound(name, [function.__self__], {}, depth)
    free = {}
    for variable, cell in zip(
        getattr(getattr(function, "__code__", None), "co_freevars", ()),
        getattr(function, "__closure__", None) or (),
        strict=False,
    ):
        try:
            free[variable] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    defaults = getattr(function, "__kwdefaults__", None) or {}
    return _bound(name, [*(getattr(function, "__defaults__", None) or ())], {**defaults, **free}, depth)


def _bound(name: Any, arguments: list[Any], named: Mapping[str, Any], depth: int) -> Any:
    if not arguments and not named:
        return name
    bound = {key: _plain(value, depth) if depth > 0 else type(value).__qualname__ for key, value in named.items()}
    listed = [_plain(value, depth) if depth > 0 else type(value).__qualname__ for value in arguments]
    return {"function": name, **({"arguments": listed} if listed else {}), **bound}
