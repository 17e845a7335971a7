"""The ladder: many networks are trained for a few epochs, and the best of them for more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from evonas.engine.pareto import order
from evonas.engine.view import Proposal, Row, View
from evonas.errors import OptionError
from evonas.options import Number, Whole, faults_of, shown
from evonas.variables import Scalar

MOST_RUNGS = 64
MOST_EPOCHS = 1_000_000

_EPOCHS = Whole(1, MOST_EPOCHS)
_KEEP = Number(0, 1, is_open=True)

PARTS = 1_000_000
"""`keep` is taken as the nearest fraction with a denominator up to this, so that .29 of 100 rows are 29."""

MOST_RANKED = 1000
"""Rows of a rung that are ranked at most: the newest. What a promotion costs does not grow beyond that."""

Candidates = Callable[[View, int, int], Iterable[tuple[Row, Mapping[str, Scalar]]]]
"""`candidates(view, rung, places)` returns which of the `newest` rows of a rung may be promoted, in order of
precedence, each with the settings of its next job. `places` is how many of them are promoted. A pure function of its
arguments."""


def newest(view: View, rung: int) -> Sequence[Row]:
    """Return the scored rows of a rung that are compared with each other, in the order of their virtual ends."""
    return view.scored(rung)[-MOST_RANKED:]


def best_ranked(view: View, rung: int, places: int) -> Iterable[tuple[Row, Mapping[str, Scalar]]]:
    """Return the best rows of a rung by feasibility, non-dominated rank and crowding, as many as there are places.

    Crowding is measured in decades on the axes of objectives with `log`.
    """
    return ((row, {}) for row in order(newest(view, rung), objectives=view.objectives, most=places))


@dataclass(frozen=True)
class Ladder:
    """Asynchronous successive halving with non-dominated rank instead of one metric.

    A network at a rung is promoted as soon as it stands among the best `keep` of the rows seen there, by
    feasibility, non-dominated rank and crowding within that rung. Rows of different rungs are never compared. Two
    things depart from the papers: of a rung with more than `MOST_RANKED` rows only the newest count, and never are more
    than `keep` of the rows promoted, so that a better network waits where worse ones came before it.

    Source: Li et al., A system for massively parallel hyperparameter tuning, MLSys 2020, algorithm 2 (ASHA);
    the rank function in several objectives follows Schmucker et al., arXiv 2106.12639.

    Attributes:
        epochs: Epochs of training at each rung, rising. The learning-rate schedule is always that of the last.
        keep: Fraction of the rows of a rung that are promoted to the next.
        candidates: Which rows those are; a search for several targets has its own order.

    Raises:
        OptionError: If epochs are not rising whole numbers above 0, or `keep` does not lie between 0 and 1.

    Example:
        >>> from evonas import Ladder
        >>> Ladder(epochs=(2, 6), keep=0.5).top
        1
    """

    epochs: tuple[int, ...] = (1,)
    keep: float = 0.5
    candidates: Candidates = field(default=best_ranked, repr=False)

    def __post_init__(self) -> None:
        faults = [*epochs_faults(self.epochs), *faults_of({"keep": self.keep}, {"keep": _KEEP})]
        if not faults and self.keep >= 1:
            faults = [f"keep: got {self.keep}, expected a number between 0 and 1"]
        if faults:
            raise OptionError(faults)
        object.__setattr__(self, "epochs", tuple(map(int, self.epochs)))
        object.__setattr__(self, "keep", float(self.keep))

    def places(self, rows: int) -> int:
        """Return how many of this number of rows of a rung are promoted to the next."""
        return int(Fraction(self.keep).limit_denominator(PARTS) * rows)

    @property
    def top(self) -> int:
        """The last rung, from which alone fronts are made."""
        return len(self.epochs) - 1

    def promotion(self, view: View) -> Proposal | None:
        """Return the next promotion, from the highest rung that has one, or None."""
        for rung in reversed(range(self.top)):
            rows = newest(view, rung)
            places = self.places(len(rows))
            if sum(view.is_known(row.job.genotype, rung=rung + 1) for row in rows) >= places:
                continue
            for row, settings in self.candidates(view, rung, places):
                job = row.job
                if not view.is_known(job.genotype, rung=rung + 1):
                    return Proposal(job.genotype, job.strategy, parents=(job.slot,), rung=rung + 1, settings=settings)
        return None


def epochs_faults(epochs: Sequence[int]) -> list[str]:
    """Return a sentence unless these can be the epochs of a ladder."""
    if isinstance(epochs, list | tuple) and 0 < len(epochs) <= MOST_RUNGS:
        are_right = not any(faults_of({"": one}, {"": _EPOCHS}) for one in epochs)
        if are_right and all(low < high for low, high in pairwise(epochs)):
            return []
    return [
        f"epochs: got {shown(epochs)}, expected whole numbers from 1 to {MOST_EPOCHS:,} that rise from rung to rung, "
        f"such as [2, 6], at most {MOST_RUNGS} of them"
    ]
