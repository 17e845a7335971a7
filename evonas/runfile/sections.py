"""Sections: what of a run file has the right form, whatever else of it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evonas.runfile.schema import (
    DataSection,
    HardwareSection,
    ObjectiveSection,
    SearchSection,
    SpaceSection,
    StrategySection,
    TrainingSection,
)

Section = TypeVar("Section", bound=BaseModel)


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
