"""The header of an archive: which run its rows belong to."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evonas.archive.sealed_file import FORMAT_VERSION
from evonas.engine.pareto import REFERENCE_ROWS
from evonas.errors import ArchiveError, ChangedRunError, one_a_line
from evonas.options import shown_key

_PACKAGES = ("evonas", "numpy", "torch", "norse", "pymoo", "ray", "h5py")
_LONGEST = 300  # characters of a value in a message


@dataclass(frozen=True)
class Header:
    """Which run the rows of an archive belong to: everything that decides what a search finds.

    The budget, the workers and other free settings are no part of it.

    Attributes:
        seed: Seed of the run.
        settings: Dotted keys of the run file and their JSON values.
        space: Description of the space: each variable in full, the rules, and what arranges assignments.
        objectives: Descriptions of the objectives: name, direction, unit, bounds and the like.
        top_rung: The rung that fronts are made of.
        reference_rows: Number of first rows, at any rung, from which the corners of the hypervolume are made.
        search: Description of the call of `search`: strategy, ladder, `parallel`, …; empty before the first search.
        versions: Package to version, one mapping for each different set that wrote rows, in the order of use.
    """

    seed: int
    settings: Mapping[str, Any]
    space: Mapping[str, Any]
    objectives: tuple[Mapping[str, Any], ...]
    top_rung: int = 0
    reference_rows: int = REFERENCE_ROWS
    search: Mapping[str, Any] = field(default_factory=dict)
    versions: tuple[Mapping[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Any, *, path: object) -> Header:
        """Return the header that `to_json` wrote.

        Raises:
            ArchiveError: If it was written in another format version.
            ValueError: If it is not a header; the text says why.
        """
        if not isinstance(data, dict) or "format_version" not in data:
            raise ValueError("the header of the run has no format version")
        if data["format_version"] != FORMAT_VERSION:
            raise ArchiveError(
                f"{path} is written in archive format {data['format_version']!r:.60}; this evonas reads format "
                f"{FORMAT_VERSION} only. Use the version of evonas that wrote it, or another output folder. Nothing "
                "was changed."
            )
        fields: dict[str, Any] = {name: value for name, value in data.items() if name != "format_version"}
        wrong = [name for name, is_right in _FORM.items() if name not in fields or not is_right(fields[name])]
        wrong += sorted({*fields} - {*_FORM})
        if wrong:
            name = wrong[0]
            raise ValueError(f"the header of the run holds {shown_key(name)} = {fields.get(name, 'nothing')!r:.60}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        return cls(**values)

    def check_same_run(self, stored: Header, *, free: Collection[str] = (), path: object) -> None:
        """Check that a run with this header may continue one with the header `stored`; raise otherwise.

        Args:
            stored: The header that is on disk.
            free: Settings that may change; `"workers"` includes `"workers.count"` and the like.
            path: The archive, for the message.

        Raises:
            ChangedRunError: If they differ in anything that is not free. `search` is compared only if neither is empty.
        """
        knows_both = bool(self.search) and bool(stored.search)
        old, new = stored._settled(with_search=knows_both), self._settled(with_search=knows_both)
        differing = [
            f"{shown_key(key)}: stored {_shown(old, key)}, now {_shown(new, key)}"
            for key in sorted({*old, *new})
            if (key not in old or key not in new or old[key] != new[key])
            and not any(key == name or key.startswith(f"{name}.") for name in free)
        ]
        if differing:
            raise ChangedRunError(
                f"{path} belongs to a run with other settings, so its rows cannot be continued with these:\n"
                + one_a_line(differing)
                + "\nUse the stored settings to resume it, or another output folder to start anew."
            )

    def continuing(self, stored: Header) -> Header:
        """Return this header with the versions that wrote the rows of `stored`, followed by those of this process."""
        versions = stored.versions
        if not versions or versions[-1] != self.versions[-1]:
            versions = (*versions, self.versions[-1])
        return replace(self, versions=versions, search=self.search or stored.search)

    def _settled(self, *, with_search: bool) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(json.dumps(dict(self.settings), default=str))
        run = {
            "seed": self.seed,
            "top_rung": self.top_rung,
            "reference_rows": self.reference_rows,
            "space": self.space,
            "objectives": {one["name"]: {**one, "basis": None} for one in self.objectives},
            "objectives in order": [one["name"] for one in self.objectives],
            "search": self.search if with_search else {},
        }
        return {**dict(_flat(json.loads(json.dumps(run)), prefix="")), **plain}


def _flat(value: Mapping[str, Any], *, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item


_FORM = {
    "seed": lambda value: type(value) is int and 0 <= value < 2**63,
    "settings": lambda value: isinstance(value, dict),
    "space": lambda value: isinstance(value, dict),
    "objectives": lambda value: isinstance(value, list) and all(map(_is_objective, value)),
    "top_rung": lambda value: type(value) is int and 0 <= value < 2**31,
    "reference_rows": lambda value: type(value) is int and 1 <= value < 2**63,
    "search": lambda value: isinstance(value, dict),
    "versions": lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
}


def _is_objective(value: Any) -> bool:
    if not isinstance(value, dict) or {*value} != {*_OBJECTIVE}:
        return False
    return all(is_right(value[name]) for name, is_right in _OBJECTIVE.items())


def _is_bound(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value == value)


_OBJECTIVE = {
    "name": lambda value: isinstance(value, str),
    "direction": lambda value: value in ("min", "max"),
    "unit": lambda value: isinstance(value, str),
    "at_least": _is_bound,
    "at_most": _is_bound,
    "log": lambda value: isinstance(value, bool),
    "best": _is_bound,
    "profile": lambda value: value is None or isinstance(value, str),
    "part": lambda value: value is None or isinstance(value, str),
    "basis": lambda value: isinstance(value, str),
}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that may affect results."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _shown(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return "absent"
    text = json.dumps(settings[key])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
