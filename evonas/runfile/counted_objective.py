"""Objectives that need no training: what they say of a network follows from its counts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.measurement import Activity, Measurement
from evonas.objective import Objective
from evonas.runfile.lookup import LookupFault
from evonas.runfile.objective_sections import objectives_of
from evonas.runfile.schema import ObjectiveSection


class _IsReadError(Exception):
    """Raised by metrics that are read."""


class _Unread(Mapping[str, Any]):
    """Metrics of which none may be read."""

    def __getitem__(self, name: str) -> Any:
        raise _IsReadError

    def __contains__(self, name: object) -> bool:
        raise _IsReadError

    def __iter__(self) -> Iterator[str]:
        raise _IsReadError

    def __len__(self) -> int:
        raise _IsReadError


def counted_objective_of(section: ObjectiveSection) -> Objective:
    """Return the objective of a section, which can be computed for untrained networks.

    Raises:
        LookupFault: If it reads metrics, or the whole numbers that these are made of: only training tells those.
    """
    objectives, faults = objectives_of((section,))
    if not objectives:
        raise LookupFault("; ".join(faults))
    if _reads_metrics(objectives[0]):
        raise LookupFault("it is measured after training")
    return objectives[0]


def _reads_metrics(objective: Objective) -> bool:
    nothing = Activity(samples=1, time_steps=1, populations=(), connections=())
    try:
        objective.score(Measurement(_Unread(), 1, 1, time_steps=1, silent=True, activity=nothing, counts=_Unread()))
    except _IsReadError:
        return True
    except Exception:  # of counts that no network has, an objective may say anything
        return False
    return False
