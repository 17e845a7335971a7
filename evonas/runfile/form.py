"""The form of a run file: whether its keys and values are of the right kind, and what is left where some are not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from evonas.options import shown
from evonas.runfile.schema import (
    DataSection,
    HardwareSection,
    ObjectiveSection,
    RunFile,
    SearchSection,
    SpaceSection,
    StrategySection,
    TrainingSection,
)
from evonas.runfile.toml_text import DEEPEST, key_of, odd_values

Section = TypeVar("Section", bound=BaseModel)

_EXAMPLES: dict[tuple[str | int, ...], str] = {
    ("search",): 'a section [search] with space = "spatial_temporal" and evaluations = 60',
    ("data",): 'a section [data] with name = "digits"',
    ("objectives",): 'one or more sections [[objectives]] with name = "accuracy"',
    ("strategies",): 'one or more sections [[strategies]] with name = "evolution"',
    ("ladder", "epochs"): "one or more numbers of epochs, such as [2, 6]",
    ("search", "space"): 'space = "spatial_temporal"',
    ("search", "evaluations"): "evaluations = 60",
}


def parse(data: Mapping[str, Any]) -> tuple[RunFile | None, list[str]]:
    """Return the run file, None if its form is wrong, and a sentence for each fault of its form."""
    odd = dict(odd_values(data))
    if any(len(place) > DEEPEST for place in odd):
        return None, [f"{key_of(place)}: {fault}" for place, fault in odd.items()]
    file: RunFile | None = None
    faults = {}
    try:
        file = RunFile.model_validate(data)
    except ValidationError as error:
        items = error.errors(include_url=False)
        # a list whose items are wrong is empty only for that
        hollow = {item["loc"][:depth] for item in items for depth in range(1, len(item["loc"]))}
        faults = {
            item["loc"]: _sentence(item) for item in items if item["type"] != "too_short" or item["loc"] not in hollow
        }
    for place, fault in odd.items():
        if not any(place[: len(known)] == known for known in faults):
            faults[place] = f"{key_of(place)}: {fault}"
    return (None if odd else file), list(faults.values())


@dataclass(frozen=True)
class Sections:
    """The sections of a run file without the keys whose form is wrong; None and left out where nothing is left.

    Attributes:
        search: Its `evaluations` is 1 where none is given.
        space: As in the run file, like all that follow.
        data: The data set.
        objectives: By number in the run file.
        strategies: By number in the run file.
        hardware: The chip.
        training: How every network is trained.
    """

    search: SearchSection | None
    space: SpaceSection | None
    data: DataSection | None
    objectives: Mapping[int, ObjectiveSection]
    strategies: Mapping[int, StrategySection]
    hardware: HardwareSection | None
    training: TrainingSection

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Sections:
        """Return the sections of the content of a run file."""
        search = data.get("search")
        return cls(
            search=_right(SearchSection, {"evaluations": 1, **search} if isinstance(search, dict) else search),
            space=_right(SpaceSection, data.get("space")),
            data=_right(DataSection, data.get("data")),
            objectives=_right_ones(ObjectiveSection, data.get("objectives")),
            strategies=_right_ones(StrategySection, data.get("strategies")),
            hardware=_right(HardwareSection, data.get("hardware")),
            training=_right(TrainingSection, data.get("training")) or TrainingSection(),
        )


def _right(kind: type[Section], raw: Any) -> Section | None:
    """Return a section as far as its keys are right, None where a key is wrong that it cannot do without."""
    if not isinstance(raw, dict):
        return None
    left = dict(raw)
    for _ in range(2):  # what is wrong with keys is all found at once; without them, one may be missing
        try:
            return kind.model_validate(left)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                left.pop(item["loc"][0], None)
            if kind is SearchSection:
                left.setdefault("evaluations", 1)
    return None


def _right_ones(kind: type[Section], raw: Any) -> dict[int, Section]:
    found = {index: _right(kind, item) for index, item in enumerate(raw if isinstance(raw, list) else [])}
    return {index: section for index, section in found.items() if section is not None}


def _sentence(item: Any) -> str:
    """Return the sentence for one fault that pydantic lists: its key, what came, what is expected."""
    location: tuple[str | int, ...] = item["loc"]
    key, came, kind = key_of(location), shown(item["input"]), item["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(location)
        near = difflib.get_close_matches(str(location[-1])[:100], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"{key}: unknown key, got {came}; {hint}"
    if kind == "missing":
        return f"{key}: missing; add {_EXAMPLES.get(location, f'{location[-1]} = …')}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{key}: expected a section of keys and values, got {came}"
    if kind == "tuple_type" and location in _EXAMPLES:
        return f"{key}: expected {_EXAMPLES[location]}, got {came}"
    if kind == "too_short":
        return f"{key}: expected {_EXAMPLES.get(location, 'one or more')}, got {came}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, got {came}"


def _keys_beside(location: Sequence[str | int]) -> list[str]:
    fields = RunFile.model_fields
    if len(location) == 1:
        return list(fields)
    annotation = fields[str(location[0])].annotation
    section = next((part for part in get_args(annotation) if part is not NoneType), annotation)
    return [field.alias or name for name, field in getattr(section, "model_fields", {}).items()]
