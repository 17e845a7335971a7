"""The table of networks that were scored without training; an archive without any, as older ones are, has none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import h5py

from evonas.archive.hdf5_table import read_table, write_table
from evonas.engine.proxy_score import ProxyScore

_GROUP = "proxy_scores"
_COLUMNS: dict[str, Any] = {
    "row": int, "key": str, "genotype": str, "score": str, "value": float, "cost": float, "message": str
}  # fmt: skip


def write_proxy_scores(file: h5py.File, scores: Sequence[tuple[int, ProxyScore]]) -> None:
    """Write slots and what their search jobs have scored, in the order of slots; nothing where there is nothing."""
    if not scores:
        return
    columns: dict[str, list[Any]] = {
        "row": [slot for slot, _ in scores],
        "key": [one.genotype.key for _, one in scores],
        "genotype": [one.genotype.to_json() for _, one in scores],
        "score": [one.score for _, one in scores],
        "value": [math.nan if one.value is None else one.value for _, one in scores],
        "cost": [math.nan if one.cost is None else one.cost for _, one in scores],
        "message": [one.message for _, one in scores],
    }
    write_table(file.create_group(_GROUP), _COLUMNS, columns=columns)


def read_proxy_scores(file: h5py.File, *, parse: Any) -> Mapping[int, tuple[ProxyScore, ...]]:
    """Return slot to what its search job has scored.

    Args:
        file: The archive.
        parse: `parse(texts, keys=keys)` returns genotypes, verified.

    Raises:
        ValueError: If the table is not as `write_proxy_scores` writes it.
    """
    if _GROUP not in file:
        return {}
    columns = {name: column.part() for name, column in read_table(file[_GROUP], _COLUMNS).items()}
    if any(one > other for one, other in pairwise(columns["row"])):
        raise ValueError("scored networks are not in the order of slots")
    found: dict[int, list[ProxyScore]] = {}
    genotypes = parse(columns["genotype"], keys=columns["key"])
    rest = (columns[name] for name in ("row", "score", "value", "cost", "message"))
    for genotype, slot, score, value, cost, message in zip(genotypes, *rest, strict=True):
        one = ProxyScore(genotype, score, _number(value), cost=_number(cost), message=message)
        found.setdefault(slot, []).append(one)
    return {slot: tuple(scores) for slot, scores in found.items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
