"""Pre-selection: of many new networks the one is proposed that a model of the rows seen expects most of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import ThreadpoolController

from evonas.engine.job import Job
from evonas.engine.pareto import axes, front, hypervolume_improvement, nondominated, order
from evonas.engine.view import Row, View
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.strategies.encoding import Encoding, can_be_encoded
from evonas.strategies.gaussian_process import GaussianProcess, Kernel, likelier_kernel

FEWEST_ROWS = 8
"""With fewer feasible rows nothing can be modelled."""

MOST_ROWS = 256
"""Rows that a model is made of at most: its cost grows with their cube."""

BEST_ROWS, OTHER_ROWS = 112, 32
"""Rows that stay when there are more: the best ones, and others spread over all that were kept until then."""

FIT_EVERY, FIT_GROWTH = 8, 12
"""The kernels are fitted whenever so many more feasible rows are seen, or a twelfth more."""

FIT_ROWS = 128
"""Rows that kernels are fitted to at most."""

FEASIBILITY = 0.25, 0.1
"""Decay and noise of the kernel that tells what is feasible."""

CHEBYSHEV = 1 / 2
"""Part of the choices that look for the smallest weighted distance to the ideal, the others for hypervolume."""


class PreSelection:
    """Chooses among candidates by a Gaussian process for each objective, made of rows of the lowest rung.

    One function for each objective is drawn from all that agree with the rows (Thompson sampling), so that what is
    uncertain is tried as often as it may be best. By chance, one of two views decides what is best there: the
    hypervolume by which a candidate would bring the front forward, or its weighted Chebyshev distance to the ideal, for
    random weights, which reaches every part of the front. The front is that of the modelled costs, not of those seen,
    which are lucky where they are noisy; networks that are open count as measured, with the costs that are drawn.
    Candidates that are rather infeasible, as networks that failed or broke a bound let expect, stand back.

    Source: Thompson sampling for several objectives as in Bradford, Schweidtmann and Lapkin, Journal of Global
    Optimization 71, 2018; the random weights are those of Knowles, ParEGO, IEEE TEVC 10(1), 2006, equation 2.

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
        places = self._encoding.matrix(candidates)
        likely = np.flatnonzero(self._is_likely_feasible(places))
        if not len(likely):
            likely = np.arange(len(candidates))
        costs = axes(np.array([row.costs for row in self._feasible]), view.objectives)
        is_open = [job.genotype for job in view.open.values() if job.kind == "evaluate"]
        asked = np.vstack([places[likely], self._encoding.matrix(is_open)]) if is_open else places[likely]
        drawn, fitted = self._drawn(costs, asked, rng=rng)
        known = np.vstack([fitted, drawn[len(likely) :]])
        return int(likely[_most_promising(drawn[: len(likely)], known, worst=costs.max(0), rng=rng)])

    def front(self, view: View) -> list[Row]:
        """Return the rows of the lowest rung that no other one dominates."""
        self._fold(view)
        return front(self._feasible)

    def _drawn(
        self, costs: np.ndarray, asked: np.ndarray, *, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `(asked, objectives)` costs that are drawn, and `(rows, objectives)` costs of the rows as modelled."""
        scale = _Scale(costs, self._median)
        drawn, fitted = [], []
        for process, values in zip(self._processes, scale.compressed(costs).T, strict=True):
            process.see(values)
            drawn.append(process.sample(asked, rng))
            fitted.append(process.fitted)
        return scale.restored(np.array(drawn).T), scale.restored(np.array(fitted).T)

    def _is_likely_feasible(self, places: np.ndarray) -> np.ndarray:
        """Return `(candidates,)` whether each is rather feasible than not."""
        assert self._encoding is not None
        if not self._infeasible:
            return np.ones(len(places), dtype=bool)
        kept = [row.job for row in self._feasible[-MOST_ROWS // 2 :]]
        decay, noise = FEASIBILITY
        process = GaussianProcess(
            self._encoding.matrix([job.genotype for job in (*kept, *self._infeasible)]),
            kernel=Kernel((decay,) * self._encoding.variables, noise),
            owners=self._encoding.owners,
        )
        process.see(np.repeat([1.0, 0.0], [len(kept), len(self._infeasible)]))
        likely: np.ndarray = process.at(places)[0] >= 0.5
        return likely

    def _fold(self, view: View) -> None:
        new = view.rows[self._folded :]
        self._folded = len(view.rows)
        if new:
            with self._threads.limit(limits=1):
                self._take_all(new, view)

    def _take_all(self, rows: Sequence[Row], view: View) -> None:
        for row in rows:
            if row.job.kind != "evaluate" or row.job.rung > 0 or row.is_rejected:
                continue
            if row.is_feasible:
                self._take(row, view)
            else:
                self._infeasible = [*self._infeasible, row.job][-MOST_ROWS // 2 :]

    def _take(self, row: Row, view: View) -> None:
        self._feasible.append(row)
        self._seen += 1
        if len(self._feasible) > MOST_ROWS:
            ranked = order(self._feasible, objectives=view.objectives)
            others = ranked[BEST_ROWS:]
            kept = {one.job.slot for one in (*ranked[:BEST_ROWS], *others[:: -(-len(others) // OTHER_ROWS)])}
            self._feasible = [one for one in self._feasible if one.job.slot in kept]
            self._processes = self._made()
        elif self._encoding is not None:
            for process in self._processes:
                process.add(self._encoding.matrix([row.job.genotype])[0])
        if self._seen == self._next_fit and self._encoding is not None:
            self._next_fit += max(FIT_EVERY, self._seen // FIT_GROWTH)
            self._fit(view)

    def _fit(self, view: View) -> None:
        """Fit the kernels to the rows that are kept now: the same ones whenever this is called."""
        assert self._encoding is not None
        costs = axes(np.array([row.costs for row in self._feasible]), view.objectives)
        self._median = np.median(costs, axis=0)
        some = slice(None, None, -(-len(costs) // FIT_ROWS))
        places = self._encoding.matrix([row.job.genotype for row in self._feasible[some]])
        for index, values in enumerate(_Scale(costs, self._median).compressed(costs[some]).T):
            self._kernels[index] = likelier_kernel(
                places,
                values,
                owners=self._encoding.owners,
                known=self._kernels.get(index),
                rng=np.random.default_rng([view.seed, self._seen, index]),
            )
        self._processes = self._made()

    def _made(self) -> list[GaussianProcess]:
        """Return a process for each objective, made of the rows that are kept now."""
        if self._encoding is None or not self._kernels:
            return []
        places = self._encoding.matrix([row.job.genotype for row in self._feasible])
        kernels = (self._kernels[index] for index in sorted(self._kernels))
        return [GaussianProcess(places, kernel=kernel, owners=self._encoding.owners) for kernel in kernels]


class _Scale:
    """Costs compressed towards the bad end, so that the few worst networks do not decide what is alike.

    Args:
        costs: `(rows, objectives)`; the best of each objective becomes 0.
        median: `(objectives,)`; becomes the logarithm of 2.
    """

    def __init__(self, costs: np.ndarray, median: np.ndarray | None) -> None:
        self._best = costs.min(0)
        self._unit = np.maximum((np.median(costs, axis=0) if median is None else median) - self._best, 1e-9)

    def compressed(self, costs: np.ndarray) -> np.ndarray:
        """Return `(rows, objectives)` costs on the compressed axes."""
        return np.asarray(np.log1p((costs - self._best) / self._unit))

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Return what `compressed` has made of these values."""
        costs: np.ndarray = np.expm1(values) * self._unit + self._best
        return costs


def _most_promising(drawn: np.ndarray, known: np.ndarray, *, worst: np.ndarray, rng: np.random.Generator) -> int:
    """Return which of the `(candidates, objectives)` costs to believe in, given `(rows, objectives)` known ones."""
    best = known[nondominated(known)]
    ideal, nadir = best.min(0), best.max(0)
    weights = rng.dirichlet(np.ones(best.shape[1]))
    if rng.random() >= CHEBYSHEV:
        improvements = hypervolume_improvement(best, drawn, ref_point=worst, rng=rng)
        if improvements.max() > 0:
            return int(improvements.argmax())
    distances = (drawn - ideal) / np.maximum(nadir - ideal, 1e-9) * weights
    return int((distances.max(1) + 0.05 * distances.sum(1)).argmin())
