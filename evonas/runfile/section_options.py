"""Options of a section: what a run file gives a function is checked against its signature, and the function called."""

from __future__ import annotations

import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from evonas.errors import EvonasError, OptionError, ProfileError
from evonas.options import shown
from evonas.runfile.lookup import KINDS, LookupFault, is_shipped, look_up
from evonas.runfile.modules import LONGEST_NAME
from evonas.runfile.toml_text import key_of


def make_named(
    name: str, options: Mapping[str, Any], *, folder: str, attribute: str, key: str, trusted: bool = True
) -> tuple[Any | None, list[str]]:
    """Return what the function that a section names makes of its options, None and a sentence for each fault.

    Args:
        name: As in `look_up`, as are `folder`, `attribute` and `trusted`.
        options: What the function is given.
        folder: An import package.
        attribute: Name of the function.
        key: The section in the run file, with which each sentence begins.
        trusted: Whether code of the user's own may be imported.
    """
    kind = KINDS[attribute]
    try:
        function = look_up(name, folder=folder, attribute=attribute, trusted=trusted)
    except LookupFault as fault:
        return None, [f"{key}.name: {fault}, got {_shown(name)}"]
    if kind.may_be_ready and not isinstance(function, type) and kind.is_one(function):
        return function, [f"{key}.{option}: unknown option; {name} is made already" for option in options]
    made, faults = make(function, options, key=key, is_ours=":" not in name and is_shipped(name, folder=folder))
    if faults:
        return None, faults
    wrong = kind.made_fault(made)
    return (None, [f"{key}.name: {name} {wrong}"]) if wrong else (made, [])


def make(
    function: Callable[..., Any], options: Mapping[str, Any], *, key: str, is_ours: bool = True
) -> tuple[Any | None, list[str]]:
    """Return what `function` makes of the options of the section `key`, None and a sentence for each fault.

    Args:
        function: What is called.
        options: What it is given.
        key: The section in the run file, with which each sentence begins.
        is_ours: Whether evonas ships it. A user's own function may raise anything; an unexpected error of one of
            ours is a fault of evonas and keeps its traceback.
    """
    unknown = option_faults(function, options)
    odd = kind_faults(function, options)
    if not unknown and not odd:
        return _called(function, options, key=key, is_ours=is_ours)
    wrong = [f"{key}.{fault}" for fault in [*unknown, *odd.values()]]
    right = {name: value for name, value in options.items() if name not in odd}
    if not option_faults(function, right):  # the faults of the right ones are added, so that all come at once
        wrong += _called(function, right, key=key, is_ours=is_ours)[1]
    return None, wrong


def _called(
    function: Callable[..., Any], options: Mapping[str, Any], *, key: str, is_ours: bool
) -> tuple[Any | None, list[str]]:
    try:
        return function(**options), []
    except ProfileError as error:
        return None, [f"{key}.profile: {error}"]
    except OptionError as error:
        return None, [f"{key}.{fault}" for fault in error.faults]
    except (EvonasError, TypeError, ValueError) as error:
        return None, [f"{key}: {error}"]
    except (Exception, SystemExit) as error:
        if is_ours:
            raise
        return None, [f"{key}: calling it failed with {type(error).__name__}: {error}"]


def _shown(name: str) -> str:
    return repr(name if len(name) <= LONGEST_NAME else f"{name[:40]}…")


def option_faults(function: Callable[..., Any], options: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option that `function` does not take and each that it misses."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ["cannot be called with options"]
    kinds = {parameter.kind for parameter in parameters.values()}
    takes = [name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    shared = _unpacked(function)
    takes_all = inspect.Parameter.VAR_KEYWORD in kinds and not shared
    takes += shared
    faults = []
    for name in options:
        if name not in takes and not takes_all:
            near = difflib.get_close_matches(name, takes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(takes) or 'none'}"
            faults.append(f"{key_of([name])}: unknown option; {hint}")
    for name in takes:
        if name in parameters and parameters[name].default is inspect.Parameter.empty and name not in options:
            faults.append(f"{name}: missing; {name} = … is needed here")
    return faults


def kind_faults(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for each option, by name, whose value does not match its annotation in `function`.

    Checked are int, float, str, bool, `Literal` and unions of these; options with another annotation, or none, are
    right whatever they are.
    """
    hints = {**_hints(function), **_unpacked(function)}
    return {
        name: f"{name}: got {shown(value)}, expected {' or '.join(expected)}"
        for name, value in options.items()
        if (expected := _expected(hints.get(name, Any), value))
    }


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function, none where one cannot be evaluated: the function itself has to check."""
    try:
        return typing.get_type_hints(function.__init__ if isinstance(function, type) else function)  # type: ignore[misc]
    except Exception:  # names imported for type checking only
        return {}


def _unpacked(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of the options that are declared as `**options: Unpack[SomeTypedDict]`, by name."""
    for hint in _hints(function).values():
        if get_origin(hint) is typing.Unpack and typing.is_typeddict(get_args(hint)[0]):
            return typing.get_type_hints(get_args(hint)[0])
    return {}


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
