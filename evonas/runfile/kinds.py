"""Kinds of things that a run file may name, and how each is told from what must not be called."""

from __future__ import annotations

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
from evonas.runfile.modules import Owner, owner_of_code
from evonas.space import Space


@dataclass(frozen=True)
class Kind:
    """A kind of thing that a run file may name.

    Attributes:
        noun: For people, with its article.
        wanted: What is named is one, or a function or class that makes one.
        is_one: Returns whether a value is one.
        is_made: Whether what is named is a function or class that makes one of options.
        may_be_ready: Whether what is named may be one itself.
        is_annotated: Whether the functions are known by what they say that they return.
    """

    noun: str
    wanted: type
    is_one: Callable[[Any], bool]
    is_made: bool = True
    may_be_ready: bool = False
    is_annotated: bool = True

    def fault_of_text(self, said: str | None, *, owner: Owner) -> str:
        """Return why a function cannot be of this kind by the text of its module, empty where that cannot be told.

        Args:
            said: What the function says that it returns, as `Module.returns` has it.
            owner: Who wrote the module.
        """
        if said is None or not self.is_annotated or (not said and owner == "user"):
            return ""
        if not self.is_made:
            return f"is no {self.noun.partition(' ')[2]} but a function"
        if not said:
            return f"does not say what it returns; {self._expected}"
        is_plain = self.wanted is not Strategy and said.replace(".", "").isidentifier() and owner != "user"
        is_other = is_plain and said.rpartition(".")[2] != self.wanted.__name__
        return f"returns {said}; {self._expected}" if is_other else ""

    @property
    def _expected(self) -> str:
        return f"expected a function that returns {self.noun}, declared with -> {self.wanted.__name__}"

    def fault(self, thing: Any) -> str:
        """Return why `thing`, which is not called, is none of this kind; empty where it is."""
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
        said = _returned(function)
        if said is None or said is Any:
            owner = owner_of_code(function.__code__.co_filename)
            return "" if owner == "user" else f"does not say what it returns; {self._expected}"
        is_right = said.rpartition(".")[2] == self.wanted.__name__ if isinstance(said, str) else self._makes(said)
        return "" if is_right else f"returns {said if isinstance(said, str) else _name(said)}; {self._expected}"

    def made_fault(self, made: Any) -> str:
        """Return why what a function has made is none of this kind; empty where it is."""
        return "" if self.is_one(made) else f"returned {_described(made)}, expected {self.noun}"

    def _makes(self, kind: Any) -> bool:
        if not isinstance(kind, type):
            return False
        return callable(getattr(kind, "propose", None)) if self.wanted is Strategy else issubclass(kind, self.wanted)


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
    "strategy": Kind("a Strategy", Strategy, _is_strategy, may_be_ready=True),
}
"""Kinds by the attribute that a file of the kind has to define."""


def _returned(function: FunctionType) -> Any:
    """Return what a function says that it returns: a type, a text where that cannot be evaluated, None if nothing."""
    try:
        return typing.get_type_hints(function).get("return")
    except Exception:  # names that are imported for types alone
        return function.__annotations__.get("return")


def _described(thing: Any) -> str:
    """Return what a thing is, without its value, which may be long and is a stranger's."""
    if inspect.ismodule(thing):
        return f"the module {thing.__name__}"
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    if inspect.isbuiltin(thing):
        return "a function built into Python"
    if isinstance(thing, FunctionType):
        return "a function"
    return "None" if thing is None else f"a value of the type {type(thing).__name__}"


def _name(said: Any) -> str:
    return getattr(said, "__name__", str(said))
