"""The ladder: many networks are trained for a few epochs, the better part of them for more."""

from __future__ import annotations

from dataclasses import dataclass

from evonas.engine.pareto import order
from evonas.engine.view import Proposal, View
from evonas.errors import EvonasError


@dataclass(frozen=True)
class Ladder:
    """Asynchronous successive halving with non-dominated rank in the place of one metric.

    A network at a rung is promoted as soon as it stands among the best `keep` of the rows seen there, by
    feasibility, non-dominated rank and crowding within that rung. Rows of different rungs are never compared.

    Source: Li et al., A system for massively parallel hyperparameter tuning, MLSys 2020, algorithm 2 (ASHA);
    the rank function in several objectives follows Schmucker et al., arXiv 2106.12639.

    Attributes:
        epochs: Epochs of training at each rung, rising. The learning-rate schedule is always that of the last.
        keep: Part of the rows of a rung that climb to the next.
    """

    epochs: tuple[int, ...] = (1,)
    keep: float = 0.5

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip(self.epochs, self.epochs[1:], strict=False))
        if not self.epochs or self.epochs[0] < 1 or not rising or not 0 < self.keep < 1:
            raise EvonasError(
                f"A ladder needs rising epochs from 1 on and 0 < keep < 1, got {self.epochs} and {self.keep}."
            )

    @property
    def top(self) -> int:
        """The last rung, the only one that fronts are made of."""
        return len(self.epochs) - 1

    def promotion(self, view: View) -> Proposal | None:
        """Return the next network to climb, from the highest rung that has one, or None."""
        for rung in reversed(range(self.top)):
            rows = view.scored(rung)
            places = int(self.keep * len(rows))
            if sum(view.is_known(row.job.genotype, rung=rung + 1) for row in rows) >= places:
                continue
            for row in order(rows)[:places]:
                genotype = row.job.genotype
                if not view.is_known(genotype, rung=rung + 1):
                    return Proposal(genotype, row.job.strategy, parents=(row.job.slot,), rung=rung + 1)
        return None
