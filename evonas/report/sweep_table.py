"""The table of a sweep: the best network of each chip and budget, or why there is none, and rank correlations."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from evonas.engine.view import Row
from evonas.objective import Objective, score
from evonas.report.escaping import csv_cell
from evonas.report.rank_correlation import RankCorrelation, rank_correlations
from evonas.runfile.sweep import Cell, ResolvedSweep
from evonas.strategies.multi_target import best_first
from evonas.task import Metric


@dataclass(frozen=True)
class Amount:
    """An estimate and the ends of its band."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CellResult:
    """The result of a sweep for one chip and budget.

    Attributes:
        profile: The chip, as the command names it.
        budget: Upper bounds by name of the objective.
        feasible: Fully trained networks that fit on the chip and keep every bound.
        key: The best network of them, None where there is none.
        slot: Its slot.
        epochs: Epochs of its training.
        merit: Its merit on the validation data.
        merit_error: One sampling error of the merit, from the number of validation samples; None where it is not known.
        amounts: Estimates on the chip by name, such as `"energy"` and `"latency"`.
        parts: Nominal values of the parts of an estimate, by its name, where the chip has several: the dynamic and the
            total energy. A part without a value is None.
        fit: Verdict of the fit.
        reason: Why there is no network; empty where there is one.
    """

    profile: str
    budget: Mapping[str, float]
    feasible: int
    key: str | None = None
    slot: int | None = None
    epochs: int | None = None
    merit: float | None = None
    merit_error: float | None = None
    amounts: Mapping[str, Amount] | None = None
    parts: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    fit: str | None = None
    reason: str = ""

    def part(self, name: str, part: str) -> float | None:
        """Return the nominal value of a part of an estimate, None where there is none."""
        return self.parts.get(name, {}).get(part)


@dataclass(frozen=True)
class SweepTable:
    """The results of a sweep.

    Attributes:
        cells: The result of each chip and budget.
        rank_correlations: One for each quantity with a budget and each pair of chips.
        units: Unit by name of a quantity.
        scopes: What the energies of a chip include, by chip; energies of different scopes are not comparable.
        parts: The part of the energy that is compared, by chip: `"dynamic"` or `"total"`; they are not comparable.
        evaluations: Networks trained, at any rung.
        failed: How many of them failed.
        rejected: How many others were rejected before training: they fit on no chip.
        merit: The metric that says which network is best. Results are told under its name.
    """

    cells: tuple[CellResult, ...]
    rank_correlations: tuple[RankCorrelation, ...]
    units: Mapping[str, str]
    scopes: Mapping[str, str]
    parts: Mapping[str, str]
    evaluations: int
    failed: int
    rejected: int
    merit: Metric

    def to_json(self) -> str:
        """Return all results as the text of one JSON object."""
        content = {
            "evaluations": self.evaluations,
            "failed": self.failed,
            "rejected": self.rejected,
            "units": dict(self.units),
            "scopes": dict(self.scopes),
            "parts": dict(self.parts),
            "cells": [self._told(cell) for cell in self.cells],
            "rank_correlation": [
                {**asdict(correlation), "low": correlation.is_low} for correlation in self.rank_correlations
            ],
            "notes": self.notes(),
        }
        return json.dumps(content, allow_nan=False, indent=1)

    def to_csv(self) -> str:
        """Return all cells as CSV, one a line, units in the header."""
        budgets, quantities = list(self.cells[0].budget), list(self.units)
        ends = ("value", "low", "high")
        header = ["profile", *(f"{name} at most [{self.units[name]}]" for name in budgets), "feasible", "key", "slot"]
        header += ["epochs", *self.merit_titles()]
        header += [f"{name} {end} [{self.units[name]}]".replace(" value", "") for name in quantities for end in ends]
        header += [f"{name}, {part} [{self.units[name]}]" for name, part in self.part_names()]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(csv_cell, [*header, "fit", "reason"]))
        for cell in self.cells:
            values: list[object] = [cell.profile, *(cell.budget[name] for name in budgets), cell.feasible]
            values += [cell.key, cell.slot, cell.epochs, *self.merits_of(cell).values()]
            for name in quantities:
                amount = (cell.amounts or {}).get(name)
                values += [getattr(amount, end) if amount else None for end in ends]
            values += [cell.part(name, part) for name, part in self.part_names()]
            writer.writerow(map(csv_cell, [*values, cell.fit, cell.reason]))
        return text.getvalue()

    def merit_titles(self) -> list[str]:
        """Return the titles of the columns of the merit; a fraction stands without its unit."""
        unit = "" if self.merit.unit in ("", "fraction") else f" [{self.merit.unit}]"
        return [f"{name}{unit}" for name in self.merits_of(self.cells[0])]

    def merits_of(self, cell: CellResult) -> dict[str, float | None]:
        """Return the merit of a cell by its name, and where the metric has a sampling error, that one as well."""
        error = {} if self.merit.sampling_error is None else {f"{self.merit.name}_error": cell.merit_error}
        return {self.merit.name: cell.merit, **error}

    def _told(self, cell: CellResult) -> dict[str, Any]:
        """Return a cell as plain values, its merit under the name of the metric."""
        told: dict[str, Any] = {}
        for name, value in asdict(cell).items():
            if name == "merit":
                told |= self.merits_of(cell)
            elif name != "merit_error":
                told[name] = value
        return told

    def part_names(self) -> list[tuple[str, str]]:
        """Return each quantity and part of which any cell has a value, such as `("energy", "total")`."""
        every = [(name, part) for cell in self.cells for name, parts in cell.parts.items() for part in parts]
        return list(dict.fromkeys(every))

    def notes(self) -> list[str]:
        """Return what readers of the table should know, as sentences."""
        notes = [
            f"{a} and {b} rank {low.networks} networks differently by {low.quantity} (tau {low.tau:.2f}: "
            f"{100 * (1 + (low.tau or 0)) / 2:.0f} % of the pairs stand in the same order)."
            for low in self.rank_correlations
            for a, b in [low.profiles]
            if low.is_low
        ]
        if notes:
            notes.append(
                "Where two such profiles are different chips, each needs its own network. Where they are two models of "
                "one chip, the ranking is made by the model and not by the chip: trust only what both models agree on."
            )
        if len(set(self.scopes.values())) > 1:
            scopes = ", ".join(f"{name} {scope}" for name, scope in self.scopes.items())
            notes.append(f"Joules of different scopes are not comparable from chip to chip: {scopes}.")
        if len(set(self.parts.values())) > 1:
            parts = ", ".join(f"{name} {part}" for name, part in self.parts.items())
            notes.append(
                f"Different parts of the energy are not comparable from chip to chip: {parts}. Give the objective "
                'energy part = "dynamic" or part = "total" in the run file to compare the same part on all chips.'
            )
        return notes


def tabulated(sweep: ResolvedSweep, rows: Sequence[Row]) -> SweepTable:
    """Return the table of a sweep whose archive holds `rows`."""
    networks = [row for row in rows if row.job.kind == "evaluate"]
    evaluated = [row for row in networks if not row.is_rejected]
    chips = [chip for chip in sweep.chips if chip.priced]
    quantities = dict.fromkeys([*sweep.budgets, "energy", "latency"])
    units = {name: next((chip.priced[name].unit for chip in chips if name in chip.priced), None) for name in quantities}
    return SweepTable(
        tuple(result_of(cell, networks, top=sweep.run.top_rung, merit=sweep.merit) for cell in sweep.cells),
        tuple(
            correlation for name in sweep.budgets for correlation in rank_correlations(chips, evaluated, quantity=name)
        ),
        units={name: unit for name, unit in units.items() if unit is not None},
        scopes={chip.name: chip.scope for chip in sweep.chips},
        parts={chip.name: chip.priced["energy"].part or "dynamic" for chip in chips if "energy" in chip.priced},
        evaluations=len(evaluated),
        failed=sum(row.is_failure for row in evaluated),
        rejected=len(networks) - len(evaluated),
        merit=sweep.merit,
    )


def result_of(cell: Cell, rows: Sequence[Row], *, top: int, merit: Metric) -> CellResult:
    """Return the result of a cell, the network of the best `merit`; only rows of the rung `top` are trained in full."""
    if cell.target is None:
        return CellResult(cell.chip.name, cell.budget, 0, reason=cell.why_not)
    own = [cell.target.row(row) for row in rows]
    feasible = sorted((row for row in own if row.is_feasible and row.job.rung == top), key=best_first)
    if not feasible:
        return CellResult(cell.chip.name, cell.budget, 0, reason=why_none(cell, own))
    best = feasible[0]
    measurement: Any = best.evaluation.measurement
    value = None if best.score is None else best.score.values[0]
    assert value is not None  # feasible networks have all values
    return CellResult(
        cell.chip.name,
        cell.budget,
        len(feasible),
        key=best.job.genotype.key,
        slot=best.job.slot,
        epochs=best.job.epochs,
        merit=value,
        merit_error=None if merit.sampling_error is None else merit.sampling_error(value, measurement.samples),
        amounts={
            name: _amount(objective, measurement)
            for name, objective in cell.chip.priced.items()
            if not _faults(objective, measurement)
        },
        parts={
            name: dict(objective.parts(measurement))
            for name, objective in cell.chip.priced.items()
            if objective.parts is not None and not _faults(objective, measurement)
        },
        fit=cell.chip.check(measurement.activity).verdict,
    )


def why_none(cell: Cell, rows: Sequence[Row]) -> str:
    """Return why a cell has no network.

    Args:
        cell: The chip and the budget.
        rows: All networks, scored for the target of the cell.
    """
    assert cell.target is not None
    ready = [row for row in rows if row.is_feasible]
    if ready:
        return (
            f"{_counted(len(ready), 'network')} kept every bound after {_counted(ready[0].job.epochs, 'epoch')}, and "
            "none was trained for longer and did: more evaluations will tell"
        )
    measured: list[Any] = [row.evaluation.measurement for row in rows if row.is_scored]
    if not measured:
        rejected = Counter(row.evaluation.message for row in rows if row.is_rejected)
        examples = f"; {rejected.total()} were rejected, such as: {rejected.most_common(1)[0][0]}" if rejected else ""
        return f"no network has been measured{examples}"
    fits = [(measurement, cell.chip.check(measurement.activity)) for measurement in measured]
    fitting = [measurement for measurement, fit in fits if not fit.violations]
    if not fitting:
        rules = Counter(rule for _, fit in fits for rule in {text.split(":")[0] for text in fit.violations})
        rule, count = rules.most_common(1)[0]
        example = next(text for _, fit in fits for text in fit.violations if text.split(":")[0] == rule)
        return f"none of {len(measured)} networks fits; most often ({count} times): {example}"
    for objective in cell.target.objectives:
        reasons = [_faults(objective, measurement) for measurement in fitting]
        if not all(reasons):
            continue
        values = [value for measurement in fitting if (value := _value(objective, measurement)) is not None]
        if not values:
            return f"{Counter(reasons).most_common(1)[0][0]} (like all {len(fitting)} networks that fit)"
        best = min(values, key=lambda value: objective.sign * value)
        bound = objective.at_most if objective.direction == "min" else objective.at_least
        relation, extreme = ("<=", "smallest") if objective.direction == "min" else (">=", "largest")
        bound_text = f"{objective.name} {relation} {bound:g} {objective.unit}".rstrip()
        return f"none of {len(fitting)} networks that fit keeps {bound_text}: the {extreme} seen is {best:.3g}"
    return f"each bound is kept by some of {len(fitting)} networks that fit, but all of them by none"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _amount(objective: Objective, measurement: Any) -> Amount:
    value = float(objective.score(measurement))
    low, high = (value, value) if objective.band is None else objective.band(measurement)
    return Amount(value, low, high)


def _faults(objective: Objective, measurement: Any) -> str:
    """Return why a network is infeasible under one objective; empty where it is feasible."""
    return score(measurement, [objective]).reason


def _value(objective: Objective, measurement: Any) -> float | None:
    return score(measurement, [objective]).values[0]
