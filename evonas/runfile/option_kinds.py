"""Kinds of options: whether what a run file gives a function is of the kind that its signature asks for."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from evonas.options import shown


def kind_faults(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for each option, by name, that is none of what `function` says that it takes.

    Looked at are whole numbers, numbers, texts, switches, words of a `Literal`, and what may be one of several; of any
    other kind, and where a function does not say, everything is right.
    """
    try:
        hints = typing.get_type_hints(function.__init__ if isinstance(function, type) else function)  # type: ignore[misc]
    except Exception:  # names that are imported for types alone: what the function raises has to do
        return {}
    return {
        name: f"{name}: got {shown(value)}, expected {' or '.join(expected)}"
        for name, value in options.items()
        if (expected := _expected(hints.get(name, Any), value))
    }


def _expected(hint: Any, value: Any) -> list[str]:
    """Return what a hint asks for, nothing where `value` is it."""
    if get_origin(hint) in (Union, types.UnionType):
        parts = [_expected(part, value) for part in get_args(hint) if part is not types.NoneType]
        return [] if value is None or [] in parts else list(dict.fromkeys(text for part in parts for text in part))
    if get_origin(hint) is Literal:
        words = get_args(hint)
        is_word = any(value == word and type(value) is type(word) for word in words)
        return [] if is_word else [f"one of {', '.join(map(str, words))}"]
    if not isinstance(hint, type) or hint not in _KINDS:
        return []
    noun, is_one = _KINDS[hint]
    return [] if is_one(value) else [noun]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", _is_whole),
    float: ("a finite number", lambda value: _is_whole(value) or (isinstance(value, float) and math.isfinite(value))),
    str: ("a text", lambda value: isinstance(value, str) and "\0" not in value),
    bool: ("true or false", lambda value: isinstance(value, bool)),
}
