"""Lookup of what a run file names: a file of a folder, the working directory's first, or `package.module:name`.

Importing a module executes it, so it is checked before: its text is read, what it defines is called only where it is of
the kind that the key of the run file asks for, and what the call returns is checked as well. To read the results of
others, names are looked up with `trusted=False`, which finds only what evonas ships.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from evonas.data.dataset import DataSet
from evonas.engine.view import Strategy
from evonas.objective import Objective
from evonas.runfile.modules import Module, Owner, by_full_name, in_folder, in_the_way, is_name, names_in, owner_of_code
from evonas.space import Space


class LookupFault(Exception):
    """One sentence: why what a run file names cannot be used, because it is missing or of another kind."""


def look_up(name: str, *, folder: str, attribute: str, trusted: bool = True) -> Any:
    """Return `attribute` of the module `folder.name`, or what `package.module:attribute` names.

    Args:
        name: A file of `folder` without its ending, or `package.module:attribute`.
        folder: An import package, such as `"spaces"`; parts of it in the working directory come first.
        attribute: What such a file has to define. `package.module:attribute` has to be of the same kind.
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
    # an objective's expected value is defined beside it, in the same file
    wanted = own if colon and attribute != "expected" else attribute
    module = by_full_name(module_name) if colon else _file_of(module_name, folder, attribute, trusted=trusted)
    if module is None:
        raise LookupFault(f"there is no {module_name}")
    if module.owner == "python":
        raise LookupFault(f"{module_name} belongs to Python itself and holds nothing for a run file")
    if not module.binds(wanted):
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


@dataclass(frozen=True)
class Kind:
    """A kind of thing that a run file may name.

    Attributes:
        noun: For people, with its article.
        type_: What is named is one, or a function or class that makes one.
        is_one: Returns whether a value is one.
        is_made: Whether what is named is a function or class that makes one of options.
        may_be_ready: Whether what is named may be one itself.
        is_annotated: Whether the functions are known by what they say that they return.
    """

    noun: str
    type_: type
    is_one: Callable[[Any], bool]
    is_made: bool = True
    may_be_ready: bool = False
    is_annotated: bool = True

    def fault_of_text(self, annotation: str | None, *, owner: Owner) -> str:
        """Return why a function cannot be of this kind by the text of its module, empty where it may be.

        Args:
            annotation: Its return annotation, as `Module.returns` gives it.
            owner: Who wrote the module.
        """
        if annotation is None or not self.is_annotated or (not annotation and owner == "user"):
            return ""
        if not self.is_made:
            return f"is no {self.noun.partition(' ')[2]} but a function"
        if not annotation:
            return f"does not say what it returns; {self._expected}"
        is_plain = self.type_ is not Strategy and annotation.replace(".", "").isidentifier() and owner != "user"
        is_other = is_plain and annotation.rpartition(".")[2] != self.type_.__name__
        return f"returns {annotation}; {self._expected}" if is_other else ""

    @property
    def _expected(self) -> str:
        return f"expected a function that returns {self.noun}, declared with -> {self.type_.__name__}"

    def fault(self, thing: Any) -> str:
        """Return why `thing`, which is not called, is not of this kind; empty where it is."""
        if not isinstance(thing, type) and self.may_be_ready and self.is_one(thing):
            return ""
        if not self.is_made:
            return f"is no {self.noun.partition(' ')[2]} but {_described(thing)}"
        if isinstance(thing, type):
            return "" if self._makes(thing) else f"is {_described(thing)}; {self._expected}"
        function = inspect.unwrap(thing) if isinstance(thing, FunctionType | _CACHED) else None
        if not isinstance(function, FunctionType):
            return f"is {_described(thing)}; {self._expected}"
        if not self.is_annotated:
            return ""
        annotation = _returned(function)
        if annotation is None or annotation is Any:
            owner = owner_of_code(function.__code__.co_filename)
            return "" if owner == "user" else f"does not say what it returns; {self._expected}"
        is_right = (
            annotation.rpartition(".")[2] == self.type_.__name__
            if isinstance(annotation, str)
            else self._makes(annotation)
        )
        return (
            ""
            if is_right
            else f"returns {annotation if isinstance(annotation, str) else _name(annotation)}; {self._expected}"
        )

    def made_fault(self, made: Any) -> str:
        """Return why the result of a function is not of this kind; empty where it is."""
        return "" if self.is_one(made) else f"returned {_described(made)}, expected {self.noun}"

    def _makes(self, kind: Any) -> bool:
        if not isinstance(kind, type):
            return False
        return callable(getattr(kind, "propose", None)) if self.type_ is Strategy else issubclass(kind, self.type_)


_CACHED = type(functools.cache(lambda: None))


def _is_strategy(value: Any) -> bool:
    return isinstance(getattr(value, "name", None), str) and callable(getattr(value, "propose", None))


KINDS = {
    "space": Kind(
        "a Space with a `build`", Space, lambda value: isinstance(value, Space), is_made=False, may_be_ready=True
    ),
    "objective": Kind("an Objective", Objective, lambda value: isinstance(value, Objective)),
    "expected": Kind("a function of counts", FunctionType, callable, is_annotated=False),
    "read": Kind("a DataSet", DataSet, lambda value: isinstance(value, DataSet)),
    "score": Kind(
        "a function of a network and samples",
        FunctionType,
        lambda value: callable(value) and not isinstance(value, type),
        is_made=False,
        may_be_ready=True,
        is_annotated=False,
    ),
    "strategy": Kind("a Strategy", Strategy, _is_strategy, may_be_ready=True),
}
"""Kinds by the attribute that a file of the kind has to define."""


def _returned(function: FunctionType) -> Any:
    """Return the return annotation of a function: a type, a text where it cannot be evaluated, None without one."""
    try:
        return typing.get_type_hints(function).get("return")
    except Exception:  # names that are imported for types alone
        return function.__annotations__.get("return")


def _described(thing: Any) -> str:
    """Return what a thing is, without its value, which may be long and comes from code of others."""
    if inspect.ismodule(thing):
        return f"the module {thing.__name__}"
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    if inspect.isbuiltin(thing):
        return "a function built into Python"
    if isinstance(thing, FunctionType):
        return "a function"
    return "None" if thing is None else f"a value of the type {type(thing).__name__}"


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))
