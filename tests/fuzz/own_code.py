"""Spaces, objectives and evaluations of one's own that misbehave: a search ends, and each failure is a row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evonas import (
    Archive,
    Budget,
    Choice,
    Evolution,
    InlineWorkers,
    Integer,
    Job,
    LogReal,
    Objective,
    RandomSearch,
    Real,
    Rule,
    Space,
    search,
)
from evonas.errors import TrainingDivergedError
from fuzz.damage import ODD_VALUES
from fuzz.verdict import RIGHT, Verdict, attempt


class Unspeakable(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


def _loops() -> Any:
    ring: list[Any] = []
    ring.append(ring)
    return ring


RESULTS: tuple[Callable[[], Any], ...] = (
    lambda: None, dict, lambda: {"error": 1}, lambda: {"error": "-5", "rate": 1.0}, lambda: {"error": True, "rate": 0},
    lambda: {"error": np.float64(0.5), "rate": np.int64(2)}, lambda: {"error": np.zeros(3), "rate": 1}, lambda: [1, 2],
    lambda: {"error": 1e155, "rate": 1e308}, lambda: {"error": 10**400, "rate": 1}, lambda: {"error": 1 + 2j, "rate": 1},
    lambda: {"error": math.nan, "rate": 1}, lambda: {"error": -math.inf, "rate": 1}, lambda: {1: 2}, lambda: _loops(),
    lambda: {"error": 0.1, "rate": 0.2, "more": object()}, lambda: {"error": 0.1, "rate": 0.2, "deep": [[[[]]] * 3]},
    lambda: {"error": 0.1, "rate": 0.2, "text": "\ud800"}, lambda: {"error": 0.1, "rate": 0.2, "big": "x" * 100_000},
)  # fmt: skip
ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: RuntimeError("x" * 100_000), lambda: KeyError(), lambda: Unspeakable(), lambda: MemoryError(),
    lambda: TrainingDivergedError("The loss is nan."), lambda: RecursionError(), lambda: StopIteration(3),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), lambda: SystemExit(3),
)  # fmt: skip


class OwnCode:
    """Searches in spaces of somebody's own."""

    name = "own code"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one space, or of one search."""
        return self._space(rng) if rng.random() < 0.6 else self._search(rng)

    def _space(self, rng: np.random.Generator) -> Verdict:
        described: list[str] = []

        def make() -> Space:
            variables = {f"v{index}": _variable(rng, described) for index in range(int(rng.integers(1, 4)))}
            rules = [Rule(("v0",), lambda values: len(values) > 1)] if rng.random() < 0.3 else []
            if rng.random() < 0.1:
                rules = [Rule("v0", lambda values: True)]  # type: ignore[arg-type]
            return Space(variables, rules=rules)

        verdict = attempt(make, check=lambda space: _fault_of(space, rng))
        return Verdict(verdict.outcome, verdict.detail, "; ".join(described))

    def _search(self, rng: np.random.Generator) -> Verdict:
        space = Space({"a": Choice(range(5)), "b": Integer(0, 9), "c": LogReal(1.0, 10.0)})
        odd_result, error = RESULTS[int(rng.integers(len(RESULTS)))], ERRORS[int(rng.integers(len(ERRORS)))]
        odd_score = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))] if rng.random() < 0.4 else None

        def evaluate(job: Job) -> Any:
            match int(job.genotype.key, 16) % 4:
                case 0:
                    return odd_result()
                case 1:
                    raise error()
                case _:
                    return {"error": job.genotype["a"] / 7, "rate": float(job.genotype["b"])}

        def rate(measurement: Any) -> Any:
            return odd_score if odd_score is not None and measurement["rate"] > 5 else measurement["rate"]

        objectives = [
            Objective("error", lambda m: m["error"], direction="min"),
            Objective("rate", rate, direction="min"),
        ]
        path = self._folder / "own.h5"
        path.unlink(missing_ok=True)
        strategy = Evolution(pop_size=4) if rng.random() < 0.5 else RandomSearch()
        with Archive(path, space, objectives, seed=int(rng.integers(100))) as archive:
            search(
                space,
                archive,
                strategy=strategy,
                workers=InlineWorkers(evaluate),
                budget=Budget(evaluations=12),
                parallel=2,
            )
            rows = archive.rows
        again = Archive.read(path, objectives)
        detail = f"{odd_result()!r:.80} {type(error()).__name__} {odd_score!r:.40}"
        if len(again.rows) != len(rows) or not rows:
            return Verdict("wrong", f"{len(rows)} rows, {len(again.rows)} after reading: {detail}")
        for row in (*rows, *again.rows):
            if row.costs is not None and not all(math.isfinite(cost) for cost in row.costs):
                return Verdict("wrong", f"costs {row.costs}: {detail}")
            if len(row.evaluation.message) > 2500:
                return Verdict("wrong", f"a message of {len(row.evaluation.message)} characters: {detail}")
        json.loads(again.front().to_json())
        return RIGHT


def _variable(rng: np.random.Generator, described: list[str]) -> Any:
    a, b, c = (ODD_VALUES[int(rng.integers(len(ODD_VALUES)))] if rng.random() < 0.4 else _number(rng) for _ in range(3))
    kind = int(rng.integers(4))
    described.append(f"{('Choice', 'Integer', 'Real', 'LogReal')[kind]}({a!r:.60}, {b!r:.60}, {c!r:.60})")
    if kind == 0:
        return Choice([a, b, c] if rng.random() < 0.8 else np.arange(4))
    if kind == 1:
        return Integer(a, b)
    if kind == 2:
        return Real(a, b, c)
    return LogReal(a, b) if rng.random() < 0.5 else LogReal(a, b, c)


def _number(rng: np.random.Generator) -> Any:
    return [int(rng.integers(-5, 20)), float(np.round(rng.uniform(0, 2), 2)), 0.35, 1.0][int(rng.integers(4))]


def _fault_of(space: Space, rng: np.random.Generator) -> str:
    """Return what is wrong with a space that was called right."""
    for _ in range(5):
        genotype = space.sample(rng)
        again = space.genotype(json.loads(json.dumps(dict(genotype))))
        if again.key != genotype.key:
            return f"{dict(genotype)} is {dict(again)} after a round trip"
    return ""
