"""The content of the page: one JSON object with everything that it shows, of every chip in its menu."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evonas.archive.pareto_front import Front
from evonas.engine.view import Row
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.report.answer import Answer
from evonas.report.escaping import visible
from evonas.report.kept_off import counted_reasons, nearest
from evonas.report.page.cards import cards, sampling_error
from evonas.report.page.contributions import spent, strategy_shares
from evonas.report.page.costs import cost
from evonas.report.page.drawing import drawing
from evonas.report.page.importance import FEWEST, importances
from evonas.report.page.networks import DRAWN, Plans, drawn
from evonas.report.run_folder import RunFolder
from evonas.report.ties import ties
from evonas.variables import Scalar

NO_CHIP = "as stored"
"""What the menu says where the run has no chip."""


def content(answers: Mapping[str, Answer], folder: RunFolder, *, title: str, notes: Sequence[str] = ()) -> str:
    """Return the content as JSON text in which every character that steers a display is written out.

    Args:
        answers: The same rows under the objectives of each chip, by the name that the menu shows; the first is shown
            first.
        folder: The folder of the run.
        title: Name of the run.
        notes: Sentences above everything else.
    """
    first = next(iter(answers.values()))
    rows = [row for row in first.results.rows if row.is_scored]
    index = {row.job.slot: position for position, row in enumerate(rows)}
    fronts = {name: answer.results.front() for name, answer in answers.items()}
    full = _in_full(answers, fronts)
    plans = Plans(folder, first.rescoring)
    whole = {
        "title": title,
        "notes": [*notes, *first.remarks],
        "rows": _rows(rows),
        "top": first.results.header.top_rung,
        "variables": _variables(rows),
        "networks": {index[row.job.slot]: _drawing(row, plans) for row in full},
        "missing": _missing(rows, full, plans),
        "chips": [_chip(name, answer, fronts[name], index, full) for name, answer in answers.items()],
    }
    return json.dumps(_shown(whole), allow_nan=False, separators=(",", ":"))


def _in_full(answers: Mapping[str, Answer], fronts: Mapping[str, Front]) -> list[Row]:
    """Return the networks that are drawn and priced: those of every chip, as rows of the first one, in slot order."""
    first = next(iter(answers.values()))
    slots = set()
    for name, answer in answers.items():
        top = [row for row in answer.results.rows if row.is_scored]
        slots |= {row.job.slot for row in drawn(top, fronts[name], picks=answer.picks, most=DRAWN // len(answers))}
    return [row for row in first.results.rows if row.job.slot in slots]


def _rows(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what is known of each network whatever the chip, one list a property."""
    strategies = list(dict.fromkeys(row.job.strategy for row in rows))
    found = [row.evaluation.measurement for row in rows]
    return {
        "key": [row.job.genotype.key for row in rows],
        "slot": [row.job.slot for row in rows],
        "rung": [row.job.rung for row in rows],
        "epochs": [row.job.epochs for row in rows],
        "strategies": strategies,
        "strategy": [strategies.index(row.job.strategy) for row in rows],
        "parameters": [one.parameters if isinstance(one, Measurement) else None for one in found],
        "samples": [one.samples if isinstance(one, Measurement) else None for one in found],
    }


def _variables(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return each variable of the genotypes with its values: numbers as they are, others as positions in `levels`."""
    genotypes = [row.job.genotype for row in rows]
    found: list[dict[str, Any]] = []
    for name in sorted({name for genotype in genotypes for name in genotype}):
        values: list[Scalar | None] = [genotype.get(name) for genotype in genotypes]
        if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
            found.append({"name": name, "levels": None, "values": values})
        else:
            texts = [None if value is None else str(value) for value in values]
            levels = list(dict.fromkeys(text for text in texts if text is not None))
            position = {level: place for place, level in enumerate(levels)}
            places = [None if text is None else position[text] for text in texts]
            found.append({"name": name, "levels": levels, "values": places})
    return found


def _drawing(row: Row, plans: Plans) -> dict[str, Any]:
    measurement = row.evaluation.measurement
    assert isinstance(measurement, Measurement)
    return drawing(measurement.activity, plans.of(row))


def _missing(rows: Sequence[Row], full: Sequence[Row], plans: Plans) -> dict[str, str]:
    """Return what is not on the page, as sentences."""
    uncounted = not any(isinstance(row.evaluation.measurement, Measurement) for row in rows)
    return {
        "network": "The archive holds no counts by layer, so that no network can be drawn."
        if uncounted
        else f"The page draws {len(full)} of {len(rows)} networks, of fronts and the next best, and not this one. "
        "evonas front DIR --html --pick KEY draws it.",
        "constants": f"Constants of neurons are not known: {plans.why_not}" if plans.why_not else "",
        "importance": f"Fewer than {FEWEST} networks were trained in full: too few to tell which variables matter.",
    }


def _chip(name: str, answer: Answer, front: Front, index: Mapping[int, int], full: Sequence[Row]) -> dict[str, Any]:
    """Return everything that depends on the chip and the bounds."""
    results, top = answer.results, answer.results.header.top_rung
    rows = [row for row in results.rows if row.job.slot in index]
    tied = ties(front)
    trained = [row for row in rows if row.costs is not None and row.job.rung == top]
    curve = spent(results, front)
    check = answer.rescoring.check if answer.rescoring.is_moved else None
    reasons = counted_reasons(results.rows, objectives=results.objectives, top=top, check=check)
    costs = {index[row.job.slot]: cost(row, answer) for row in full}
    return {
        "name": name,
        "hasChip": answer.rescoring.profile is not None,
        "summary": _summary(front),
        "nearest": [] if front.rows else nearest(results.rows, objectives=results.objectives, top=top),
        "ties": tied.sentence(front) if tied else "",
        "objectives": [_objective(place, results.objectives, rows) for place in range(len(results.objectives))],
        "feasible": [int(row.is_feasible) for row in rows],
        "front": [index[row.job.slot] for row in front.rows],
        "tied": [index[row.job.slot] for row in tied.rows] if tied and len(tied.rows) > 1 else [],
        "cards": [
            {"title": card.title, "row": index[card.row.job.slot], "sentence": card.sentence}
            for card in cards(front, picks=answer.picks)
        ],
        "costs": costs,
        "growth": None if curve is None else asdict(curve),
        "strategies": [asdict(share) for share in strategy_shares(results.rows, front)],
        "importance": [asdict(one) for one in importances(trained, results.objectives)],
        "reasons": [{"kind": kind, "text": text, "count": count} for kind, text, count in reasons],
    }


def _summary(front: Front) -> str:
    """Return what came of the run, as a sentence."""
    volume = "" if front.hypervolume is None else f", with a hypervolume of {front.hypervolume:.4f}"
    return (
        f"{front.evaluations:,} evaluations, {front.failed:,} failed, {front.rejected:,} rejected before training; "
        f"{len(front.rows):,} networks on the front{volume}."
    )


def _objective(place: int, objectives: Sequence[Objective], rows: Sequence[Row]) -> dict[str, Any]:
    one = objectives[place]
    errors = [sampling_error(row, place, objectives) for row in rows]
    return {
        "name": one.name,
        "unit": one.unit,
        "direction": one.direction,
        "log": one.log,
        "atLeast": one.at_least,
        "atMost": one.at_most,
        "values": [None if row.score is None else row.score.values[place] for row in rows],
        "errors": None if all(error is None for error in errors) else errors,
    }


def _shown(value: Any) -> Any:
    """Return a JSON value with all its texts, names of keys among them, made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(key): _shown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    return value
