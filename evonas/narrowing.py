"""Fewer variables, or fewer values of them: what is left of a space."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from evonas.errors import OptionError, SpaceError
from evonas.options import shown
from evonas.variables import Choice, Scalar, Variable

WILDCARDS = frozenset("*?[")
"""Characters that make a name a pattern."""

Optional = Mapping[str, Mapping[str, Sequence[Scalar] | None]]
"""Name of what a space can do without, to the variables, or patterns, that go with it: values of a `Choice`, or None
where the whole variable goes."""


def narrowed(variables: Mapping[str, Variable], only: Mapping[str, Any]) -> dict[str, Variable]:
    """Return the variables with only those values that `only` names; see `Space.narrowed`.

    Raises:
        OptionError: If there is no such name or value; a sentence for each fault.
    """
    left, faults = dict(variables), []
    for pattern, values in only.items():
        names = matching(left, pattern)
        if not names:
            faults.append(f"{pattern}: {_no_such(left, pattern)}")
        wrong: dict[str, list[str]] = {}
        for name in names:
            narrow = getattr(left[name], "narrowed", None)
            if narrow is None:
                kind = type(left[name]).__name__
                wrong.setdefault(f"a variable of the kind {kind} cannot be narrowed", []).append(name)
                continue
            try:
                left[name] = narrow(values)
            except SpaceError as error:
                wrong.setdefault(str(error), []).append(name)
        faults += [
            f"{pattern}: {fault}" + (f" (for {', '.join(of)})" if of != [pattern] else "")
            for fault, of in wrong.items()
        ]
    if faults:
        raise OptionError(faults)
    return left


def without(variables: Mapping[str, Variable], names: Iterable[str], *, optional: Optional) -> dict[str, Variable]:
    """Return the variables without what `names` name; see `Space.without`.

    Raises:
        OptionError: If the space cannot do without one of them.
    """
    left, faults = dict(variables), []
    for name in names:
        if name not in optional:
            can = f"it can do without {', '.join(optional)}" if optional else "it can do without nothing"
            faults.append(f"the space has nothing of this name that it can do without; {can}, got {shown(name)}")
            continue
        for pattern, values in optional[name].items():
            for variable in matching(left, pattern):
                if values is None:
                    del left[variable]
                    continue
                choice = left[variable]
                assert isinstance(choice, Choice)
                left[variable] = choice.narrowed([value for value in choice.values if value not in values])
    if faults:
        raise OptionError(faults)
    return left


def matching(variables: Mapping[str, Variable], pattern: str) -> list[str]:
    """Return the names of the variables that a name or a pattern means."""
    if pattern in variables or not WILDCARDS & set(pattern):
        return [pattern] if pattern in variables else []
    return [name for name in variables if fnmatchcase(name, pattern)]


def _no_such(variables: Mapping[str, Variable], pattern: str) -> str:
    near = difflib.get_close_matches(pattern, variables, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(variables)}"
    return f"the space has no such variable; {hint}"
