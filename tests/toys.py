"""Toys: small real implementations of what the engine is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evonas.engine.evaluation import Evaluation
from evonas.engine.job import Job
from evonas.engine.rejection import Rejection
from evonas.engine.view import Row
from evonas.errors import TrainingDivergedError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.space import Space
from evonas.variables import Choice, Integer

OBJECTIVES = (
    Objective("error", lambda m: m["error"], direction="min"),
    Objective("rate", lambda m: m["rate"], direction="min"),
)


def mixed_space() -> Space:
    """Every kind of variable, and a rule: `tau` matters for leaky neurons only."""
    return Space(
        {
            "kind": Choice(["leaky", "integrate"]),
            "layers": Integer(1, 6),
            "threshold": Real(0.0, 1.0, step=0.05),
            "tau": LogReal(1.0, 100.0),
        },
        rules=[Rule(("tau",), lambda values: values["kind"] == "leaky")],
    )


def small_space() -> Space:
    """24 points."""
    return Space({"a": Choice(["x", "y", "z"]), "b": Integer(0, 3), "c": Choice([False, True])})


unplanned = Space({"a": Integer(0, 3)}, build=lambda genotype, input_shape, classes: None)
"""A space that can build networks and cannot say beforehand what they consist of."""


def measure(job: Job) -> Mapping[str, Any]:
    """Two objectives at odds with each other, on any genotype of `mixed_space`."""
    genotype = job.genotype
    depth, threshold = genotype["layers"], genotype["threshold"]
    tau = genotype.get("tau", 10.0)
    error = abs(math.log10(tau) - threshold) + 1.0 / depth + (0.1 if genotype["kind"] == "leaky" else 0.0)
    return {"error": error / job.epochs, "rate": depth * (1.2 - threshold)}


def foresee(genotype: Genotype) -> tuple[float, ...]:
    """Two traits of a network of `mixed_space`: the rate that `measure` returns, on a logarithmic axis, and its layers."""
    depth, threshold = genotype["layers"], genotype["threshold"]
    return math.log(depth * (1.2 - threshold)), float(depth)


def measure_small(job: Job) -> Mapping[str, Any]:
    """Two objectives on any genotype of `small_space`."""
    genotype = job.genotype
    return {"error": "xyz".index(genotype["a"]) + genotype["b"] / 4, "rate": 3.0 - genotype["b"] + genotype["c"]}


def measure_badly(job: Job) -> Mapping[str, Any]:
    """Like `measure`, but a third of all networks fail, each in one of the ways there are."""
    way = int(job.genotype.key, 16) % 15
    if way == 0:
        raise RuntimeError("no such operator")
    if way == 1:
        raise TrainingDivergedError("The loss is nan.")
    if way == 2:
        raise MemoryError("16 GiB")
    if way == 3:
        return {"error": math.nan, "rate": 0.0}
    if way == 4:
        return {"error": -math.inf, "rate": 0.0}
    return measure(job)


def reject_deep(genotype: Genotype) -> Rejection | None:
    """A chip with room for three layers, of which a leaky one takes twice the place."""
    places = genotype["layers"] * (2 if genotype["kind"] == "leaky" else 1)
    return None if places <= 3 else Rejection((f"layers: {places} > 3",), (places - 3) / 3)


class ListMemory:
    """An archive that forgets when the process ends."""

    def __init__(self, *, seed: int = 0, objectives: tuple[Objective, ...] = OBJECTIVES) -> None:
        self.seed = seed
        self.objectives = objectives
        self.stored: dict[int, Evaluation] = {}
        self.run: Mapping[str, Any] = {}

    def begin(self, run: Mapping[str, Any]) -> None:
        assert self.run in ({}, run)
        self.run = run

    def add(self, evaluation: Evaluation) -> None:
        assert evaluation.job.slot not in self.stored
        self.stored[evaluation.job.slot] = evaluation

    def get(self, slot: int) -> Row | None:
        evaluation = self.stored.get(slot)
        return None if evaluation is None else Row.of(evaluation, self.objectives)
