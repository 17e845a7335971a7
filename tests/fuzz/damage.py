"""Damage: bytes that change on a disk or in an editor, and values that somebody typed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ODD_VALUES: tuple[Any, ...] = (
    True, False, 0, 1, -1, 2, 7, 16.0, 0.5, -0.0, 1e-320, 1e155, 1e308, -1e308, float("inf"), float("-inf"), float("nan"),
    2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**20, 10**400, "", " ", "x", "4", "1e3", "-5", "nan",
    "²", "é", "\x1b[2J", "x[/red]", "=1+1", "../..", "/", "~", "a" * 5000, "os:system", "builtins:exit", "evonas.data.digits:read",
    "spaces.spatial_temporal:space", "subprocess:call", "evolution", "digits", "energy", "loihi1_davies", [], [1], [0], [[]],
    ["x"], [1, 2, 3], [2, 1], list(range(2000)), {}, {"x": 1}, [{}], [{"name": "x"}],
)  # fmt: skip
"""Values of every kind that TOML knows, at the ends of their ranges and of the wrong kind."""


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one damage of those that files come by."""
    if not data:
        return b"\0" * int(rng.integers(1, 9))
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 65))
    match int(rng.integers(9)):
        case 0 | 1 | 2:
            return flipped(data, rng)
        case 3:
            return zeroed(data, rng)
        case 4:
            return data[:at]
        case 5:
            return data[:at] + data[at + length :]
        case 6:
            return data[:at] + rng.bytes(length) + data[at:]
        case 7:
            return data + rng.bytes(length)
        case _:
            return data[:at] + data[at : at + length] + data[at:]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one byte another."""
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :]


def zeroed(data: bytes, rng: np.random.Generator, *, most: int = 64) -> bytes:
    """Return the bytes with a run of zeros in them."""
    at, length = int(rng.integers(len(data))), int(rng.integers(1, most + 1))
    end = min(at + length, len(data))
    return data[:at] + b"\0" * (end - at) + data[end:]


def odd(rng: np.random.Generator) -> Any:
    """Return an odd value."""
    return copy.deepcopy(ODD_VALUES[int(rng.integers(len(ODD_VALUES)))])


def places(document: Any, trail: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value of a document of mappings and lists."""
    found = [trail] if trail else []
    if isinstance(document, Mapping):
        found += [way for key in document for way in places(document[key], (*trail, key))]
    elif isinstance(document, list):
        found += [way for index, item in enumerate(document) for way in places(item, (*trail, index))]
    return found


def changed(document: Any, rng: np.random.Generator) -> tuple[Any, str]:
    """Return the document with a value replaced, removed, renamed or added, and which of these."""
    document = copy.deepcopy(document)
    ways = places(document)
    way = ways[int(rng.integers(len(ways)))]
    holder = document
    for part in way[:-1]:
        holder = holder[part]
    last = way[-1]
    match int(rng.integers(8)):
        case 0:
            del holder[last]
            return document, "removed"
        case 1 if isinstance(holder, dict):
            holder[f"{last}_" if rng.random() < 0.5 else str(last)[::-1] + "q"] = holder.pop(last)
            return document, "renamed"
        case 2 if isinstance(holder, dict):
            holder[["x", "seed", "path", "name", "²", "", "a.b", "profile"][int(rng.integers(8))]] = odd(rng)
            return document, "added"
        case _:
            holder[last] = odd(rng)
            return document, "replaced"


def texts(document: Any) -> Sequence[str]:
    """Return every text in a document."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, Mapping):
        return [text for key, value in document.items() for text in (str(key), *texts(value))]
    if isinstance(document, list | tuple):
        return [text for item in document for text in texts(item)]
    return []
