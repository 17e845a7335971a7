"""Genotypes: what a network is made from, as one canonical choice of values of the variables of a space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import cached_property
from typing import TypeVar, overload

from evonas.variables import Scalar

_Default = TypeVar("_Default")

_JSON = json.JSONEncoder(separators=(",", ":"))


class Genotype(Mapping[str, Scalar]):
    """A canonical choice: a flat, immutable mapping from the names of the active variables to plain scalars.

    Two genotypes are equal, and have the same `key`, if and only if their contents are. Made by `Space`.

    Example:
        >>> from evonas import Integer, Space
        >>> genotype = Space({"layers": Integer(1, 6)}).canonical({"layers": 2})
        >>> genotype["layers"], genotype.key
        (2, '868b289781a58a4c')
    """

    def __init__(self, values: Mapping[str, Scalar]) -> None:
        self._values = {name: values[name] for name in sorted(values)}

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: the hash of the content, the same on every machine and in every process."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the content as JSON, names sorted; `Space.from_json` reads it back without loss."""
        return _JSON.encode(self._values)

    def as_dict(self) -> dict[str, Scalar]:
        """Return the content as a new `dict`, in less time than `dict(genotype)` takes."""
        return self._values.copy()

    def __getitem__(self, name: str) -> Scalar:
        return self._values[name]

    @overload
    def get(self, name: str, /) -> Scalar | None: ...

    @overload
    def get(self, name: str, /, default: Scalar | _Default) -> Scalar | _Default: ...

    def get(self, name: str, /, default: Scalar | _Default | None = None) -> Scalar | _Default | None:
        """Return the value of a variable, `default` where it is inactive."""
        return self._values.get(name, default)

    def keys(self) -> KeysView[str]:
        """Return the names of the active variables, sorted."""
        return self._values.keys()

    def values(self) -> ValuesView[Scalar]:
        """Return the values, in the order of the names."""
        return self._values.values()

    def items(self) -> ItemsView[str, Scalar]:
        """Return the names of the active variables, sorted, each with its value."""
        return self._values.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Genotype):
            return self.key == other.key
        return self._values == other

    def __repr__(self) -> str:
        return f"Genotype({self._values})"
