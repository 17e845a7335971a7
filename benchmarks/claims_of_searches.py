"""Whether the network that a system finds is better than that of random search, and than one that nobody searched."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import residual
from claims import Claim, Effect, Setting, over_seeds
from paired import result_of
from strategies import DIFFERENTIABLE, EVOLUTION, Curve, cost_of, curve, rows_of, run_file
from table import columns

from evonas.engine.pareto import reference
from evonas.engine.view import Row
from evonas.runfile.resolve import ResolvedRun
from evonas.training.training_settings import Training

UNIT = "sample_steps"
SYSTEMS = {"snasnet": "SNASNet", "autosnn": "AutoSNN", "sts": "STS", "spike_dhs": "SpikeDHS", "ma_darts": "MA-DARTS"}
"""Run file to system."""

QUICK: Mapping[str, Mapping[str, Any]] = {
    "differentiable": {"first": 1, "warm_up": 0, "epochs": 1, "proposals": 1},
    "zero_shot": {"pool": 8, "part": 4, "proposals": 2},
    "one_shot": {"epochs": 1, "networks": 4, "pop_size": 4, "calibration": 32, "proposals": 2},
    "evolution": {"pop_size": 4},
    "random": {},
}
"""Strategy to the options with which it is as short as it can be."""

RANDOM = {"name": "random"}


def shortened(strategies: Sequence[Mapping[str, Any]], *, is_quick: bool) -> list[dict[str, Any]]:
    """Return strategies, as short as they can be if that is asked for."""
    return [{**one, **(QUICK[one["name"]] if is_quick else {})} for one in strategies]


def until(setting: Setting, resolved: ResolvedRun, name: str, *, cost: float | None) -> tuple[Row, ...]:
    """Return the rows of a run: all evaluations of its file, or as many as it takes to spend a cost."""
    evaluations = resolved.file.search.evaluations
    while True:
        rows = rows_of(resolved, setting.folder / name)
        spent = sum(cost_of(row, unit=UNIT) for row in rows)
        if cost is None or spent >= cost or len(rows) < evaluations:  # the space is exhausted
            return rows
        evaluations *= 2
        search = resolved.file.search.model_copy(update={"evaluations": evaluations})
        resolved = replace(resolved, file=resolved.file.model_copy(update={"search": search}))


def within(rows: Sequence[Row], cost: float) -> list[Row]:
    """Return the rows that a cost has bought."""
    bought, spent = [], 0.0
    for row in rows:
        spent += cost_of(row, unit=UNIT)
        if spent > cost:
            break
        bought.append(row)
    return bought


def best(rows: Sequence[Row], *, top: int) -> Row | None:
    """Return the row of the top rung with the best first objective, accuracy in all runs here; None of none."""
    scored = [row for row in rows if row.is_feasible and row.job.rung == top and row.costs is not None]
    return min(scored, key=lambda row: row.costs[0] if row.costs else 0.0, default=None)


def searched(setting: Setting, *, system: str) -> list[Effect]:
    """Return by how much the network of a system is better on test samples, each trained anew for as many epochs.

    Random search has the sample-steps that the system has spent, its scores, supernets and gradients included, and is
    asked of the same space, ladder and objectives. The residual network has the parameters and time steps of the one
    that was searched, and cross entropy as its loss.
    """
    found: dict[str, list[float]] = {"system": [], "random": [], "residual": []}
    for seed in range(setting.seeds):
        own, chance = _runs(setting, system, seed=seed)
        rows = until(setting, own, f"{system}-own-{seed}", cost=None)
        cost = sum(cost_of(row, unit=UNIT) for row in rows)
        others = within(until(setting, chance, f"{system}-random-{seed}", cost=cost), cost)
        pair = best(rows, top=own.top_rung), best(others, top=own.top_rung)
        if pair[0] is None or pair[1] is None:
            print(f"  seed {seed}: left out, {'the system' if pair[0] is None else 'random search'} found no network")
            continue
        ours, random = (_tested(setting, own, row, seed=seed) for row in pair if row is not None)
        found["system"].append(ours)
        found["random"].append(random)
        found["residual"].append(_tested_residual(setting, own, pair[0], seed=seed))
        print(f"  {SYSTEMS[system]}, seed {seed}: {cost:.3g} sample-steps, test accuracy {ours:.1%}, of random search "
              f"{random:.1%}, of the residual network {found['residual'][-1]:.1%}", flush=True)  # fmt: skip
    if not found["system"]:
        return []
    points = {name: [100 * one for one in each] for name, each in found.items()}
    return [
        over_seeds(f"searched - {what}", points[name], points["system"], unit="points of accuracy")
        for name, what in (("random", "random search"), ("residual", "residual network of equal parameters"))
    ]


def _runs(setting: Setting, system: str, *, seed: int) -> list[ResolvedRun]:
    """Return the run of a system, and that of random search in the same space."""
    quick = ("search.evaluations=3", "ladder.epochs=[1]") if setting.is_quick else ()
    whole = setting.run(system, f"{system}-own-{seed}", {})
    own = [one.model_dump(exclude_none=True) for one in whole.file.strategies]
    runs = []
    for name, strategies in (("own", shortened(own, is_quick=setting.is_quick)), ("random", [RANDOM])):
        changes = {"strategies": strategies}
        runs.append(setting.run(system, f"{system}-{name}-{seed}", changes, f"search.seed={seed}", *quick))
    return runs


def _tested(setting: Setting, run: ResolvedRun, row: Row, *, seed: int) -> float:
    """Return the test accuracy of a network of a run, trained anew from other weights."""
    assert run.training is not None
    training = replace(run.training, epochs=setting.epochs, search_surrogates_every=None)
    result = result_of(run.space, setting.for_test, row.job.genotype, training, seed=1000 + seed)
    return 1 / setting.for_test.task.outputs if result is None else result.measurement.accuracy


def _tested_residual(setting: Setting, run: ResolvedRun, row: Row, *, seed: int) -> float:
    data = setting.for_test
    measurement: Any = row.evaluation.measurement
    network = residual.of_parameters(
        measurement.parameters,
        time_steps=measurement.time_steps,
        input_shape=data.input_shape,
        classes=data.task.outputs,
    )
    result = result_of(residual.space, data, network, Training(epochs=setting.epochs), seed=1000 + seed)
    return 1 / data.task.outputs if result is None else result.measurement.accuracy


@dataclass(frozen=True)
class Method:
    """How systems search, as strategies of a run file.

    Attributes:
        of: The systems.
        strategies: Sections of a run file.
    """

    of: str
    strategies: Sequence[Mapping[str, Any]]


OURS = "evolution"
MIXTURE = "evolution and gradients"
METHODS = {
    MIXTURE: Method("both, shares by success", [EVOLUTION, DIFFERENTIABLE]),
    OURS: Method("ours, the default", [EVOLUTION]),
    "gradients": Method("SpikeDHS, STS, MA-DARTS", [DIFFERENTIABLE]),
    "scores": Method("SNASNet", [{"name": "zero_shot", "pool": 500}]),  # a third of what may be spent; 5,000 exceed it
    "random": Method("nobody", [RANDOM]),
}


def joint(setting: Setting, *, evaluations: int) -> list[Effect]:
    """Print the table of methods on the joint space, and return by how much ours is ahead of each.

    All have the sample-steps that the mixture of the same seed has spent on its evaluations.
    """
    rows: dict[tuple[str, int], tuple[Row, ...]] = {}
    costs: list[float] = []
    for seed in range(setting.seeds):
        for name, method in METHODS.items():
            place = f"joint-{name.replace(' ', '-')}-{seed}"
            content = run_file(
                setting.section, shortened(method.strategies, is_quick=setting.is_quick), quick=setting.is_quick
            )
            overrides = f"search.seed={seed}", f"search.evaluations={evaluations}"
            run = setting.run("digits", place, content, *overrides)
            rows[name, seed] = until(setting, run, place, cost=None if name == MIXTURE else costs[seed])
            if name == MIXTURE:
                costs.append(sum(cost_of(row, unit=UNIT) for row in rows[name, seed]))
    corners = reference(run.objectives, [row for each in rows.values() for row in each])
    curves: dict[tuple[str, int], Curve] = {
        place: curve(each, run.objectives, top=run.top_rung, corners=corners) for place, each in rows.items()
    }
    volumes = {
        name: [curves[name, seed].at(costs[seed], unit=UNIT) for seed in range(setting.seeds)] for name in METHODS
    }
    table = [("method", "of", "hypervolume: median (least to most)")]
    for name, each in volumes.items():
        spread = f"{statistics.median(each):.4f} ({min(each):.4f} to {max(each):.4f})"
        table.append((name, METHODS[name].of, spread))
    print(f"\nThe joint space, accuracy and energy, {setting.seeds} seed(s), {statistics.median(costs):.3g} "
          f"sample-steps\n{columns(table)}\n", flush=True)  # fmt: skip
    return [
        over_seeds(f"{OURS} - {name}", volumes[name], volumes[OURS], unit="of the hypervolume")
        for name in METHODS
        if name != OURS
    ]


def claims(*, evaluations: int) -> tuple[Claim, ...]:
    """Return a claim for each system, and the table of the joint space with so many evaluations of the mixture."""
    says = "what is searched beats random search and a network that nobody searched"
    own = [
        Claim(f"search-{system}", f"{name}: {says}", partial(searched, system=system))
        for system, name in SYSTEMS.items()
    ]
    table = Claim(
        "joint",
        "Ours: evolution is ahead of what each system searches with, on the joint space",
        partial(joint, evaluations=evaluations),
        missing="AutoSNN's method: networks of the joint space share no weights",
    )
    return (*own, table)
