"""Runs beside each other: which of them differ only in their seed, and in what settings the others differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from evonas.archive.results import Results
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.report.growth import Growth
from evonas.runfile.schema import FREE_SETTINGS

SEED = "search.seed"


@dataclass(frozen=True)
class ComparedRun:
    """One run among those that are compared.

    Attributes:
        label: What it is called: the name of its folder, or its whole path where two have the same name.
        results: Its rows, under the common objectives.
        front: Its front after as many evaluations as all runs have, in slot order.
        growth: Its hypervolume over its evaluations, between the common corners.
        hypervolume: Of that front.
    """

    label: str
    results: Results
    front: tuple[Row, ...]
    growth: Growth
    hypervolume: float


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ only in their seed; one run alone as well.

    Attributes:
        runs: The runs, by rising seed.
    """

    runs: tuple[ComparedRun, ...]

    @property
    def label(self) -> str:
        """What it is called, for people."""
        more = len(self.runs) - 1
        return f"{self.runs[0].label} and {more} more" if more else self.runs[0].label

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs."""
        return tuple(run.results.seed for run in self.runs)

    @cached_property
    def hypervolumes(self) -> np.ndarray:
        """The `(runs,)` hypervolumes."""
        return np.array([run.hypervolume for run in self.runs])


def grouped(runs: Sequence[ComparedRun]) -> tuple[SeedGroup, ...]:
    """Return the runs in groups that differ only in their seed, in the order of their first runs.

    Archives without settings, as programs of one's own write them, are told apart by what they say of their search.

    Raises:
        RunFileError: If two runs have the same seed as well, so that one only goes on with the other.
    """
    groups: dict[str, list[ComparedRun]] = {}
    faults = []
    for run in runs:
        known = groups.setdefault(json.dumps(_identity(run.results), sort_keys=True), [])
        same = [one for one in known if one.results.seed == run.results.seed]
        if same:
            faults.append(
                f"{run.label} and {same[0].label} are one search: all their settings and their seed "
                f"{run.results.seed} are equal; expected runs of other seeds or settings"
            )
        known.append(run)
    if faults:
        raise RunFileError(faults)
    by_seed = [sorted(found, key=lambda run: run.results.seed) for found in groups.values()]
    return tuple(SeedGroup(tuple(found)) for found in by_seed)


def differing_settings(groups: Sequence[SeedGroup]) -> dict[str, tuple[Any, ...]]:
    """Return the settings in which groups differ: the key of the run file to the value in each, None where absent."""
    settings = [_settings(group.runs[0].results) for group in groups]
    keys = dict.fromkeys(key for one in settings for key in one)
    values = {key: tuple(one.get(key) for one in settings) for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def _settings(results: Results) -> dict[str, Any]:
    """Return the settings that decide what a run finds, without its seed, as they are after a passage through JSON."""
    plain: Mapping[str, Any] = json.loads(json.dumps(dict(results.settings), default=str))
    return {key: value for key, value in plain.items() if key != SEED and key not in FREE_SETTINGS}


def _identity(results: Results) -> dict[str, Any]:
    """Return what decides on what a run finds, without its seed."""
    header = results.header
    return {"settings": _settings(results), "space": header.space, "search": header.search, "rung": header.top_rung}
