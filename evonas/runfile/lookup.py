"""Lookup: what a run file names is a file of a folder, the working directory's first, or `package.module:name`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

from evonas.errors import EvonasError, OptionError, ProfileError


class LookupFault(Exception):
    """One sentence: what is named but not there, or does not take what it is given."""


def look_up(name: str, *, folder: str, attribute: str) -> Any:
    """Return `attribute` of the module `folder.name`, or what `package.module:attribute` names.

    Args:
        name: A file of `folder` without its ending, or `package.module:attribute`.
        folder: An import package, such as `"spaces"`; parts of it in the working directory come first.
        attribute: What such a file has to define.

    Raises:
        LookupFault: If there is no such module or it lacks the attribute, or it cannot be imported.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module_name, _, own = name.partition(":")
    full = module_name if own else f"{folder}.{module_name}"
    try:
        there = importlib.util.find_spec(full) is not None
    except (ImportError, ValueError):
        there = False
    if not there:
        known = [] if own else members(folder)
        near = difflib.get_close_matches(module_name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}" if known else ""
        place = full if own else f"{folder.replace('.', '/')}/{module_name}.py"
        raise LookupFault(f"there is no {place}{hint}")
    try:
        module = importlib.import_module(full)
    except Exception as error:  # a user's own file may raise anything
        raise LookupFault(f"importing {full} failed with {type(error).__name__}: {error}") from error
    try:
        return getattr(module, own or attribute)
    except AttributeError:
        raise LookupFault(f"{full} does not define {own or attribute!r}") from None


def members(folder: str) -> list[str]:
    """Return the names of the modules of an import package."""
    package = importlib.import_module(folder)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def option_faults(function: Callable[..., Any], options: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option that `function` does not take and each that it misses."""
    parameters = inspect.signature(function).parameters
    faults = []
    for name in options:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(parameters) or 'none'}"
            faults.append(f"{name}: unknown option; {hint}")
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            faults.append(f"{name}: missing; {name} = … is needed here")
    return faults


def make_named(
    name: str, options: Mapping[str, Any], *, folder: str, attribute: str, key: str
) -> tuple[Any | None, list[str]]:
    """Return what the function that a section names makes of its options, None and a sentence for each fault.

    Args:
        name: As in `look_up`, as are `folder` and `attribute`.
        options: What the function is given.
        folder: An import package.
        attribute: Name of the function.
        key: The section in the run file, with which each sentence begins.
    """
    try:
        function = look_up(name, folder=folder, attribute=attribute)
    except LookupFault as fault:
        return None, [f"{key}.name: {fault}, got {name!r}"]
    return make(function, options, key=key)


def make(function: Callable[..., Any], options: Mapping[str, Any], *, key: str) -> tuple[Any | None, list[str]]:
    """Return what `function` makes of the options of the section `key`, None and a sentence for each fault."""
    wrong = option_faults(function, options)
    if wrong:
        return None, [f"{key}.{fault}" for fault in wrong]
    try:
        return function(**options), []
    except ProfileError as error:
        return None, [f"{key}.profile: {error}"]
    except OptionError as error:
        return None, [f"{key}.{fault}" for fault in error.faults]
    except (EvonasError, TypeError, ValueError) as error:
        return None, [f"{key}: {error}"]
