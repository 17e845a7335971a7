"""Lookup: what a run file names is a file of a folder, the working directory's first, or `package.module:name`.

A name is code that is executed, so it is looked at first: a module is found and its text read before it is imported,
what it defines is called only where it is of the kind that the key of the run file asks for, and what comes out is
checked as well. Whoever reads somebody else's results looks names up with `trusted=False`: nothing but what evonas
ships is then found.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from evonas.errors import EvonasError, OptionError, ProfileError
from evonas.runfile.kinds import KINDS
from evonas.runfile.modules import LONGEST_NAME, Module, by_full_name, in_folder, in_the_way, is_name, names_in
from evonas.runfile.option_kinds import kind_faults
from evonas.runfile.toml_text import key_of


class LookupFault(Exception):
    """One sentence: what is named but not there, is none of what is asked for, or does not take what it is given."""


def look_up(name: str, *, folder: str, attribute: str, trusted: bool = True) -> Any:
    """Return `attribute` of the module `folder.name`, or what `package.module:attribute` names.

    Args:
        name: A file of `folder` without its ending, or `package.module:attribute`.
        folder: An import package, such as `"spaces"`; parts of it in the working directory come first.
        attribute: What such a file has to define. Of `package.module:attribute` it tells the kind.
        trusted: Whether code of the user's own may be imported; otherwise only what evonas ships is found.

    Raises:
        LookupFault: If there is no such module or it lacks the attribute, it cannot be imported, or what it defines is
            none of the kind that `attribute` stands for.
    """
    module_name, colon, own = name.partition(":")
    if not is_name(module_name) or (colon and not own.isidentifier()):
        raise LookupFault(
            f"expected the name of a file in {_place(folder)}/ without its ending, or package.module:name"
        )
    if colon and not trusted:
        raise LookupFault(f"{name} is code of its own; give --trust to run it")
    # what a differentiable search follows lies beside the objective that is named
    wanted = own if colon and attribute != "expected" else attribute
    module = by_full_name(module_name) if colon else _file_of(module_name, folder, attribute, trusted=trusted)
    if module is None:
        raise LookupFault(f"there is no {module_name}")
    if module.owner == "python":
        raise LookupFault(f"{module_name} belongs to Python itself and holds nothing for a run file")
    if not module.defines(wanted):
        raise LookupFault(f"{module.name} does not define {wanted!r}")
    kind = KINDS[attribute]
    if fault := kind.fault_of_text(module.returns(wanted), owner=module.owner):
        raise LookupFault(f"{module.name}:{wanted} {fault}")
    try:
        thing = getattr(module.imported(), wanted)
    except AttributeError:
        raise LookupFault(f"{module.name} does not define {wanted!r}") from None
    except (Exception, SystemExit) as error:  # a user's own file may raise anything
        raise LookupFault(f"importing {module.name} failed with {type(error).__name__}: {error}") from error
    if fault := kind.fault(thing):
        raise LookupFault(f"{module.name}:{wanted} {fault}")
    return thing


def members(folder: str, *, attribute: str, trusted: bool = True) -> list[str]:
    """Return the names of the modules of an import package that define `attribute`; none is imported for that."""
    return names_in(folder, attribute=attribute, trusted=trusted)


def is_shipped(name: str, *, folder: str) -> bool:
    """Return whether evonas ships the module that a run file names."""
    return ":" not in name and in_folder(name, folder=folder, trusted=False) is not None


def _file_of(name: str, folder: str, attribute: str, *, trusted: bool) -> Module:
    if trusted and (file := in_the_way(folder)) is not None:
        raise LookupFault(
            f"{file} is in the way of the folder {folder}/, in which names are looked up; rename it, or start elsewhere"
        )
    module = in_folder(name, folder=folder, trusted=trusted)
    if module is not None:
        return module
    if not trusted and in_folder(name, folder=folder, trusted=True) is not None:
        raise LookupFault(f"{_place(folder)}/{name}.py is code of its own; give --trust to run it")
    known = members(folder, attribute=attribute, trusted=trusted)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}" if known else ""
    raise LookupFault(f"there is no {_place(folder)}/{name.replace('.', '/')}.py{hint}")


def _place(folder: str) -> str:
    return folder.replace(".", "/")


def option_faults(function: Callable[..., Any], options: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option that `function` does not take and each that it misses."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ["cannot be called with options"]
    kinds = {parameter.kind for parameter in parameters.values()}
    takes = [name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    faults = []
    for name in options:
        if name not in takes and inspect.Parameter.VAR_KEYWORD not in kinds:
            near = difflib.get_close_matches(name, takes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(takes) or 'none'}"
            faults.append(f"{key_of([name])}: unknown option; {hint}")
    for name in takes:
        if parameters[name].default is inspect.Parameter.empty and name not in options:
            faults.append(f"{name}: missing; {name} = … is needed here")
    return faults


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
        is_ours: Whether evonas ships it. A user's own function may raise anything; what one of ours raises
            unexpectedly is a fault of evonas and keeps its traceback.
    """
    unknown = option_faults(function, options)
    odd = kind_faults(function, options)
    if not unknown and not odd:
        return _called(function, options, key=key, is_ours=is_ours)
    wrong = [f"{key}.{fault}" for fault in [*unknown, *odd.values()]]
    right = {name: value for name, value in options.items() if name not in odd}
    if not option_faults(function, right):  # what is wrong with the others is told at once
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
