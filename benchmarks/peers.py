"""Who evonas is compared with: each asks for evaluations, one training at a time, as its users would run it."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2, binary_tournament
from pymoo.core.mixed import MixedVariableDuplicateElimination, MixedVariableMating, MixedVariableSampling
from pymoo.core.problem import ElementwiseProblem
from pymoo.core.variable import Choice as PymooChoice
from pymoo.core.variable import Integer as PymooInteger
from pymoo.core.variable import Real as PymooReal
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.optimize import minimize
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
from tabulated import Tabulated, hypervolume_of

from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.search import search
from evonas.engine.view import Row, Strategy
from evonas.objective import Objective
from evonas.real_variables import LogReal, Real
from evonas.strategies.random import values_of
from evonas.variables import Choice, Integer, Scalar


@dataclass
class Trials:
    """What a searcher has evaluated, in order.

    Attributes:
        problem: What is searched.
        rng: Decides which training of a network is seen.
        points: Rows of the table, -1 for what is no network.
        costs: What was seen of them; NaN for what is no network.
    """

    problem: Tabulated
    rng: np.random.Generator
    points: list[int] = field(default_factory=list)
    costs: list[np.ndarray] = field(default_factory=list)

    def evaluate(self, values: Mapping[str, Scalar]) -> np.ndarray | None:
        """Return `(objectives,)` costs of one training, None where the values are no network."""
        point = self.problem.index(values)
        self.points.append(point)
        objectives = self.problem.costs.shape[1]
        self.costs.append(self.problem.draw(point, self.rng) if point >= 0 else np.full(objectives, np.nan))
        return self.costs[-1] if point >= 0 else None

    def share(self, evaluations: int) -> float:
        """Return the part of the true hypervolume, on means over all trainings, of what seems best after so many."""
        points, costs = np.array(self.points[:evaluations]), np.array(self.costs[:evaluations])
        points, costs = points[points >= 0], costs[points >= 0]
        if not len(points):
            return 0.0
        seems_best = NonDominatedSorting().do(costs, only_non_dominated_front=True)
        return hypervolume_of(self.problem.costs[np.unique(points[seems_best])]) / self.problem.volume


class TableMemory:
    """The memory of one search: rows in a dictionary."""

    def __init__(self, objectives: list[Objective], *, seed: int) -> None:
        self.objectives = tuple(objectives)
        self.seed = seed
        self.rows: dict[int, Row] = {}

    def begin(self, run: Mapping[str, Any]) -> None:
        """Take any search."""

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row and its score."""
        self.rows[evaluation.job.slot] = Row.of(evaluation, self.objectives)

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None."""
        return self.rows.get(slot)


class TableWorkers:
    """Workers that look the costs up; what is no network fails."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._jobs: deque[Job] = deque()

    def start(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.append(job)

    def next(self) -> Evaluation:
        """Return the evaluation of the oldest job."""
        job = self._jobs.popleft()
        costs = self._trials.evaluate(job.genotype)
        if costs is None:
            return Evaluation(job, Outcome.CRASHED, "This code is no network.")
        return Evaluation(job, Outcome.MEASURED, measurement={f"f{i}": float(cost) for i, cost in enumerate(costs)})

    def close(self) -> None:
        """Nothing to give back."""


def evonas(trials: Trials, strategy: Strategy, *, evaluations: int, seed: int, parallel: int) -> None:
    """Search with `strategy`, `parallel` jobs open at once."""
    problem = trials.problem
    search(
        problem.space,
        TableMemory(problem.objectives, seed=seed),
        strategy=strategy,
        workers=TableWorkers(trials),
        budget=Budget(evaluations),
        parallel=parallel,
    )


def pymoo(trials: Trials, *, pop_size: int, evaluations: int, seed: int) -> None:
    """Search with pymoo's NSGA2 and its operators for mixed variables; what is no network breaks a constraint.

    Its generations are evaluated whole, so that any number of workers up to `pop_size` gives the same rows. Real
    variables are handed over as such, those with a logarithmic axis as their logarithm.
    """
    problem = trials.problem

    class Table(ElementwiseProblem):
        def _evaluate(self, x: Mapping[str, Any], out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            values = {
                key: math.exp(x[key]) if isinstance(variable, LogReal) else x[key]
                for key, variable in problem.space.variables.items()
            }
            costs = trials.evaluate(problem.space.canonical(values))
            out["F"] = np.ones(problem.costs.shape[1]) if costs is None else costs
            out["G"] = np.array([1.0 if costs is None else -1.0])

    variables: dict[str, Any] = {}
    for key, variable in problem.space.variables.items():
        match variable:
            case Choice():
                variables[key] = PymooChoice(options=np.array(variable.values))
            case Integer():
                variables[key] = PymooInteger(bounds=(variable.low, variable.high))
            case LogReal():
                variables[key] = PymooReal(bounds=(math.log(variable.low), math.log(variable.high)))
            case Real():
                variables[key] = PymooReal(bounds=(variable.low, variable.high))
    algorithm = NSGA2(
        pop_size=pop_size,
        sampling=MixedVariableSampling(),
        mating=MixedVariableMating(
            selection=TournamentSelection(func_comp=binary_tournament),
            eliminate_duplicates=MixedVariableDuplicateElimination(),
        ),
        eliminate_duplicates=MixedVariableDuplicateElimination(),
    )
    table = Table(vars=variables, n_obj=problem.costs.shape[1], n_ieq_constr=1)
    minimize(table, algorithm, ("n_eval", evaluations), seed=seed, verbose=False)


def optuna(trials: Trials, *, sampler: str, evaluations: int, seed: int, parallel: int) -> None:
    """Search with one of Optuna's samplers, `"nsga2"` or `"tpe"`, `parallel` trials open at once."""
    import optuna

    problem = trials.problem
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = (
            optuna.samplers.NSGAIISampler(seed=seed)
            if sampler == "nsga2"
            else optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=parallel > 1)
        )
        study = optuna.create_study(directions=["minimize"] * problem.costs.shape[1], sampler=made)
        running: deque[tuple[Any, np.ndarray | None]] = deque()
        for _ in range(evaluations):
            if len(running) == parallel:
                trial, costs = running.popleft()
                if costs is None:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                else:
                    study.tell(trial, costs.tolist())
            trial = study.ask()
            running.append((trial, trials.evaluate(problem.space.canonical(_suggest(trial, problem)))))


def _suggest(trial: Any, problem: Tabulated) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, variable in problem.space.variables.items():
        match variable:
            case Choice():
                values[key] = trial.suggest_categorical(key, list(variable.values))
            case Integer():
                values[key] = trial.suggest_int(key, variable.low, variable.high)
            case LogReal():
                values[key] = trial.suggest_float(key, variable.low, variable.high, log=True)
            case Real():
                values[key] = trial.suggest_float(key, variable.low, variable.high, step=variable.step)
    return values


def local_search(trials: Trials, *, evaluations: int, seed: int, parallel: int) -> None:
    """Evaluate the neighbours of the front, one changed variable each; draw networks at random where none is left."""
    rng, axes = np.random.default_rng(seed), _axes(trials.problem)
    seen: dict[tuple[int, ...], np.ndarray] = {}
    known: set[tuple[int, ...]] = set()
    finished: set[tuple[int, ...]] = set()
    running: deque[tuple[tuple[int, ...], np.ndarray | None]] = deque()
    wanted: list[tuple[int, ...]] = []
    while len(trials.points) < evaluations:
        if len(running) == parallel:
            code, costs = running.popleft()
            if costs is not None:
                seen[code] = costs
        if not wanted:
            front = _front(seen)
            centres = [code for code in front if code not in finished]
            if centres and len(known) >= 10:
                centre = centres[int(rng.integers(len(centres)))]
                finished.add(centre)
                wanted = [code for code in _neighbours(centre, axes) if code not in known]
                rng.shuffle(wanted)
        code = tuple(wanted.pop()) if wanted else tuple(int(rng.integers(len(axis))) for axis in axes.values())
        known.add(code)
        running.append((code, trials.evaluate(_values(code, axes))))


def ageing_evolution(trials: Trials, *, evaluations: int, seed: int, parallel: int) -> None:
    """Change one variable of the best of ten in a population whose oldest member leaves.

    Source: Real et al., Regularized evolution for image classifier architecture search, AAAI 2019, with non-dominated
    rank, ties by chance, in the place of accuracy.
    """
    rng, axes = np.random.default_rng(seed), _axes(trials.problem)
    population: deque[tuple[tuple[int, ...], np.ndarray]] = deque(maxlen=50)
    running: deque[tuple[tuple[int, ...], np.ndarray | None]] = deque()
    for number in range(evaluations):
        if len(running) == parallel:
            code, costs = running.popleft()
            if costs is not None:
                population.append((code, costs))
        if number < 50 or not population:
            code = tuple(int(rng.integers(len(axis))) for axis in axes.values())
        else:
            some = rng.choice(len(population), size=min(10, len(population)), replace=False)
            best = NonDominatedSorting().do(np.array([population[i][1] for i in some]), only_non_dominated_front=True)
            parent = population[some[int(rng.choice(best))]][0]
            neighbours = list(_neighbours(parent, axes))
            code = neighbours[int(rng.integers(len(neighbours)))]
        running.append((code, trials.evaluate(_values(code, axes))))


def _axes(problem: Tabulated) -> dict[str, Sequence[Scalar]]:
    return {key: [variable.canonical(value) for value in values_of(variable) or ()]
            for key, variable in problem.space.variables.items()}  # fmt: skip


def _values(code: Sequence[int], axes: Mapping[str, Sequence[Scalar]]) -> dict[str, Scalar]:
    return {key: axis[i] for (key, axis), i in zip(axes.items(), code, strict=True)}


def _neighbours(code: tuple[int, ...], axes: Mapping[str, Sequence[Scalar]]) -> Iterator[tuple[int, ...]]:
    for place, axis in enumerate(axes.values()):
        for value in range(len(axis)):
            if value != code[place]:
                yield (*code[:place], value, *code[place + 1 :])


def _front(seen: Mapping[tuple[int, ...], np.ndarray]) -> list[tuple[int, ...]]:
    if not seen:
        return []
    codes = list(seen)
    return [codes[i] for i in NonDominatedSorting().do(np.array([*seen.values()]), only_non_dominated_front=True)]
