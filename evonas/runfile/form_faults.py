"""Faults of form: one sentence for what pydantic finds wrong with a key of a run file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel

from evonas.options import shown
from evonas.runfile.toml_text import key_of

_EXAMPLES: dict[tuple[str | int, ...], str] = {
    ("search",): 'a section [search] with space = "spatial_temporal" and evaluations = 60',
    ("data",): 'a section [data] with name = "digits"',
    ("objectives",): 'one or more sections [[objectives]] with name = "accuracy"',
    ("strategies",): 'one or more sections [[strategies]] with name = "evolution"',
    ("search", "space"): 'space = "spatial_temporal"',
    ("search", "evaluations"): "evaluations = 60",
}


def sentence(item: Any, model: type[BaseModel]) -> str:
    """Return the sentence for one fault: its key, what came, what is right.

    Args:
        item: The fault, as pydantic lists it.
        model: The whole run file.
    """
    location: tuple[str | int, ...] = item["loc"]
    key, came, kind = key_of(location), shown(item["input"]), item["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(location, model)
        near = difflib.get_close_matches(str(location[-1])[:100], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"{key}: unknown key, got {came}; {hint}"
    if kind == "missing":
        return f"{key}: missing; add {_EXAMPLES.get(location, f'{location[-1]} = …')}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{key}: expected a section of keys and values, got {came}"
    if kind == "tuple_type" and location in _EXAMPLES:
        return f"{key}: expected {_EXAMPLES[location]}, got {came}"
    said = item["msg"].removeprefix("Value error, ")
    return f"{key}: {said[0].lower()}{said[1:]}, got {came}"


def _keys_beside(location: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    fields = model.model_fields
    if len(location) == 1:
        return list(fields)
    annotation = fields[str(location[0])].annotation
    section = next((part for part in get_args(annotation) if part is not NoneType), annotation)
    return [field.alias or name for name, field in getattr(section, "model_fields", {}).items()]
