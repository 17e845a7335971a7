"""Pre-selection: a Gaussian process for each objective chooses which of many candidates is proposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import ThreadpoolController

from evonas.engine.job import Job
from evonas.engine.pareto import axes, front, hypervolume_improvement, nondominated, order
from evonas.engine.view import Row, View
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.strategies.encoding import PER_TRAIT, Encoding, can_be_encoded
from evonas.strategies.gaussian_process import GaussianProcess, Kernel, likelier_kernel
from evonas.strategies.trend import Trend

FEWEST_ROWS = 8
"""Feasible rows that are needed before anything is modelled."""

MOST_ROWS = 256
"""Rows that the processes are made of at most: their cost grows with the cube."""

BEST_ROWS, OTHER_ROWS = 112, 32
"""Rows that stay when there are more: the best, and others at equal steps of rank among the rest."""

FIT_EVERY, FIT_GROWTH = 8, 12
"""The kernels are fitted anew after FIT_EVERY more feasible rows, or after 1 / FIT_GROWTH more, if that is later."""

FIT_ROWS = 128
"""Rows that kernels are fitted to at most."""

FEASIBILITY = 0.25, 0.1
"""Decay and noise of the kernel that predicts feasibility."""

LEAST = -0.9
"""Lowest cost of a trend: this part of the distance from the best to the median below the best."""

CHEBYSHEV = 1 / 2
"""Part of the choices by weighted Chebyshev distance to the ideal point; the others are by hypervolume improvement."""


class PreSelection:
    """Chooses among candidates by a Gaussian process for each objective, made of rows of the lowest rung.

    One function for each objective is drawn from the posterior (Thompson sampling), so that an uncertain candidate is
    chosen as often as it may be best. One of two criteria, drawn at random, decides what is best: the hypervolume
    improvement of a candidate, or its weighted Chebyshev distance to the ideal point, for random weights, which reaches
    every part of the front. The front is that of the posterior means, because the noisy costs that reach a front
    are the lucky ones; open networks count as measured, with their drawn costs. Candidates that are predicted to fail
    or to break a bound are passed over while there are others.

    Source: Thompson sampling for several objectives as in Bradford, Schweidtmann and Lapkin, Journal of Global
    Optimization 71, 2018; the random weights are those of Knowles, ParEGO, IEEE TEVC 10(1), 2006, equation 2.

    What is known of networks before they are evaluated (`View.traits`) are further coordinates, and what is modelled is
    the difference from a linear trend in them: counts and energies follow from the size of a network but for how often
    its neurons fire, so that they are nearly known after a few rows.

    All that is kept is a fold over the rows in the order in which they are seen, whenever it is made.

    Args:
        space: The space that is searched.
    """

    def __init__(self, space: Space) -> None:
        self._encoding = Encoding(space) if can_be_encoded(space) else None
        self._feasible: list[Row] = []
        self._infeasible: list[Job] = []
        self._folded = 0
        self._seen = 0
        self._next_fit = FEWEST_ROWS
        self._median: np.ndarray | None = None
        self._kernels: dict[int, Kernel] = {}
        self._processes: list[GaussianProcess] = []
        self._fresh_rows = 0  # of the feasible rows, so many are those that processes are made of; the others are added
        self._modelled = 0  # rows in the processes, 0 where they have to be made anew
        self._threads = ThreadpoolController()  # matrices are small here: more threads only wait for one another

    def choose(self, view: View, candidates: Sequence[Genotype], *, rng: np.random.Generator) -> int:
        """Return the index of the candidate to propose; the first where nothing can be modelled."""
        if self._encoding is None or len(candidates) < 2:
            return 0
        self._fold(view)
        if self._median is None:
            return 0
        with self._threads.limit(limits=1):
            return self._chosen(view, candidates, rng=rng)

    def _chosen(self, view: View, candidates: Sequence[Genotype], *, rng: np.random.Generator) -> int:
        assert self._encoding is not None
        likely = np.flatnonzero(self._is_likely_feasible(candidates))
        if not len(likely):
            likely = np.arange(len(candidates))
        costs = axes(np.array([row.costs for row in self._feasible]), view.objectives)
        open_genotypes = [job.genotype for job in view.open.values() if job.kind == "evaluate"]
        self._model(view)
        asked = [*(candidates[int(index)] for index in likely), *open_genotypes]
        drawn, fitted = self._drawn(view, costs, asked, rng=rng)
        known = np.vstack([fitted, drawn[len(likely) :]])
        return int(likely[_most_promising(drawn[: len(likely)], known, worst=costs.max(0), rng=rng)])

    def front(self, view: View) -> list[Row]:
        """Return the non-dominated feasible rows of the lowest rung."""
        self._fold(view)
        return front(self._feasible)

    def _drawn(
        self, view: View, costs: np.ndarray, asked: Sequence[Genotype], *, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `(asked, objectives)` drawn costs, and `(rows, objectives)` posterior means of the rows' costs."""
        assert self._median is not None
        scale = _Scale(costs, self._median)
        trend = _trend(view, self._feasible, costs, scale=scale)
        seen, ahead = trend([row.job.genotype for row in self._feasible]), trend(asked)
        points, values = self._points(view, asked), scale.compressed(costs) - seen
        drawn, fitted = [], []
        for index, process in enumerate(self._processes):
            process.see(values[:, index])
            drawn.append(process.sample(points, rng) + ahead[:, index])
            fitted.append(process.fitted + seen[:, index])
        return scale.restored(np.array(drawn).T), scale.restored(np.array(fitted).T)

    def _points(self, view: View, genotypes: Sequence[Genotype]) -> np.ndarray:
        """Return the `(genotypes, coordinates and traits)` points."""
        assert self._encoding is not None
        return np.hstack([self._encoding.matrix(genotypes), PER_TRAIT * _traits(view, genotypes)])

    def _owners(self, points: np.ndarray) -> np.ndarray:
        """Return the variable of each coordinate of points; each trait counts as a variable of its own."""
        assert self._encoding is not None
        traits = points.shape[1] - len(self._encoding.owners)
        return np.concatenate([self._encoding.owners, self._encoding.variables + np.arange(traits)])

    def _is_likely_feasible(self, candidates: Sequence[Genotype]) -> np.ndarray:
        """Return `(candidates,)` whether each is more likely feasible than not."""
        assert self._encoding is not None
        if not self._infeasible:
            return np.ones(len(candidates), dtype=bool)
        kept = [row.job for row in self._feasible[-MOST_ROWS // 2 :]]
        decay, noise = FEASIBILITY
        process = GaussianProcess(
            self._encoding.matrix([job.genotype for job in (*kept, *self._infeasible)]),
            kernel=Kernel((decay,) * self._encoding.variables, noise),
            owners=self._encoding.owners,
        )
        process.see(np.repeat([1.0, 0.0], [len(kept), len(self._infeasible)]))
        likely: np.ndarray = process.means_at(self._encoding.matrix(candidates)) >= 0.5
        return likely

    def _fold(self, view: View) -> None:
        new = view.rows[self._folded :]
        self._folded = len(view.rows)
        if new:
            with self._threads.limit(limits=1):
                self._add_all(new, view)

    def _add_all(self, rows: Sequence[Row], view: View) -> None:
        for row in rows:
            if row.job.kind != "evaluate" or row.job.rung > 0 or row.is_rejected:
                continue
            if row.is_feasible:
                self._add(row, view)
            else:
                self._infeasible = [*self._infeasible, row.job][-MOST_ROWS // 2 :]

    def _add(self, row: Row, view: View) -> None:
        self._feasible.append(row)
        self._seen += 1
        if len(self._feasible) > MOST_ROWS:
            ranked = order(self._feasible, objectives=view.objectives)
            others = ranked[BEST_ROWS:]
            kept = {one.job.slot for one in (*ranked[:BEST_ROWS], *others[:: -(-len(others) // OTHER_ROWS)])}
            self._feasible = [one for one in self._feasible if one.job.slot in kept]
            self._begin_anew()
        if self._seen == self._next_fit and self._encoding is not None:
            self._next_fit += max(FIT_EVERY, self._seen // FIT_GROWTH)
            self._fit(view)

    def _fit(self, view: View) -> None:
        """Fit the kernels to the rows that are kept now; the result does not depend on when the fold was made."""
        assert self._encoding is not None
        costs = axes(np.array([row.costs for row in self._feasible]), view.objectives)
        self._median = np.median(costs, axis=0)
        some = slice(None, None, -(-len(costs) // FIT_ROWS))
        rows, scale = self._feasible[some], _Scale(costs, self._median)
        genotypes = [row.job.genotype for row in rows]
        points = self._points(view, genotypes)
        trend = _trend(view, rows, costs[some], scale=scale)
        for index, values in enumerate((scale.compressed(costs[some]) - trend(genotypes)).T):
            self._kernels[index] = likelier_kernel(
                points,
                values,
                owners=self._owners(points),
                known=self._kernels.get(index),
                rng=np.random.default_rng([view.seed, self._seen, index]),
            )
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Let the processes be made of the rows that are kept now, when they are needed."""
        self._fresh_rows, self._modelled = len(self._feasible), 0

    def _model(self, view: View) -> None:
        """Make a process for each objective of the rows that were kept when they began anew; add the later ones."""
        assert self._encoding is not None
        if not self._modelled:
            points = self._points(view, [row.job.genotype for row in self._feasible[: self._fresh_rows]])
            kernels = (self._kernels[index] for index in sorted(self._kernels))
            self._processes = [GaussianProcess(points, kernel=one, owners=self._owners(points)) for one in kernels]
            self._modelled = self._fresh_rows
        new = [row.job.genotype for row in self._feasible[self._modelled :]]
        for point in self._points(view, new) if new else ():
            for process in self._processes:
                process.add(point)
        self._modelled = len(self._feasible)


class _Scale:
    """Costs on a logarithmic scale, so that the few worst networks do not dominate the fit of a kernel.

    Args:
        costs: `(rows, objectives)`; the best of each objective becomes 0.
        median: `(objectives,)` costs that become log 2; where half of the rows have the best, the middle of the range
            does.
    """

    def __init__(self, costs: np.ndarray, median: np.ndarray) -> None:
        self._best = costs.min(0)
        spread = np.where(median > self._best, median - self._best, np.ptp(costs, axis=0) / 2)
        self._unit = np.maximum(spread, 1e-9)

    def compressed(self, costs: np.ndarray) -> np.ndarray:
        """Return `(rows, objectives)` costs on the logarithmic scale; those far below the best are cut off."""
        return np.asarray(np.log1p(np.maximum((costs - self._best) / self._unit, LEAST)))

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Return the `(rows, objectives)` costs of values on the logarithmic scale: the inverse of `compressed`."""
        costs: np.ndarray = np.expm1(values) * self._unit + self._best
        return costs


def _traits(view: View, genotypes: Sequence[Genotype]) -> np.ndarray:
    """Return the `(genotypes, traits)` traits of one or more networks."""
    return np.array([view.traits(genotype) for genotype in genotypes])


def _trend(
    view: View, rows: Sequence[Row], costs: np.ndarray, *, scale: _Scale
) -> Callable[[Sequence[Genotype]], np.ndarray]:
    """Return the function from networks to the trend of `(rows, objectives)` costs, on the scale; 0 without traits."""
    if not view.foresees:
        return lambda genotypes: np.zeros((len(genotypes), costs.shape[1]))
    trend = Trend(_traits(view, [row.job.genotype for row in rows]), costs)
    return lambda genotypes: scale.compressed(trend.at(_traits(view, genotypes)))


def _most_promising(drawn: np.ndarray, known: np.ndarray, *, worst: np.ndarray, rng: np.random.Generator) -> int:
    """Return the index of the best of `(candidates, objectives)` costs, given the `(rows, objectives)` known costs."""
    best = known[nondominated(known)]
    ideal, nadir = best.min(0), best.max(0)
    weights = rng.dirichlet(np.ones(best.shape[1]))
    if rng.random() >= CHEBYSHEV:
        improvements = hypervolume_improvement(best, drawn, ref_point=worst, rng=rng)
        if improvements.max() > 0:
            return int(improvements.argmax())
    distances = (drawn - ideal) / np.maximum(nadir - ideal, 1e-9) * weights
    return int((distances.max(1) + 0.05 * distances.sum(1)).argmin())
