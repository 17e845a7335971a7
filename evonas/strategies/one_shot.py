"""One-shot search: networks are judged with the weights of a supernet, and the best of them are trained alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from evonas.engine.job import Job
from evonas.engine.ladder import MOST_EPOCHS
from evonas.engine.supernet_search import METHOD_OF_SUPERNETS, SupernetSearch
from evonas.engine.view import Proposal, View
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.options import NAME, Number, OptionRule, Whole, settle, shown
from evonas.space import Space
from evonas.strategies.proxy_order import best_first

_RULES: dict[str, OptionRule] = {
    "objective": NAME,
    "epochs": Whole(1, MOST_EPOCHS),
    "warm_up": Number(0, 1),
    "networks": Whole(1, 100_000),
    "pop_size": Whole(4, 10_000),
    "calibration": Whole(0, 10_000_000),
    "proposals": Whole(1, 100_000),
    "name": NAME,
}


@dataclass(frozen=True)
class OneShot:
    """Trains a supernet, evolves networks with its weights, and evaluates the best along the front of accuracy.

    One search job draws a network of the space for each batch and trains its part of the shared weights. NSGA-II then
    searches among the networks with the weights they inherit, judged on the validation samples. They are proposed by
    their non-dominated rank, the most spread of a rank first, and trained alone from the lowest rung on like any other:
    what they did with inherited weights is kept with the row of the search job and never ranked with a training. When
    all are evaluated, the next supernet is trained, with other draws.

    Source: AutoSNN (Na et al., ICML 2022), with `epochs = 600`, `warm_up = 0`, `networks = 400`, `pop_size = 10`,
    `calibration = 0`.
    Departures: it maximises accuracy times a power of the spikes over their mean, which is one point of the front that
    is searched here without an exponent and a mean to choose; and its children are mutants and crossovers in equal
    parts, among random networks, where ours are those of NSGA-II.

    Attributes:
        objective: Name of the objective that accuracy is traded against, one that counts alone tell, such as spikes or
            energy.
        epochs: Epochs of the training of the supernet.
        warm_up: Part of this training in which the networks of the batches are drawn near one of them, less and less;
            0 for uniform draws throughout. Without it a supernet needs many epochs until it learns anything.
        networks: Networks that are judged with its weights.
        pop_size: Networks of the population from which they are bred.
        calibration: Training samples from which the norms of a network take their statistics before it is judged; 0
            for those of the supernet.
        proposals: Networks of a supernet that are evaluated.
        name: Stored with every row.

    Raises:
        OptionError: If an option is out of its range.

    Example:
        >>> from evonas import Integer, Objective, OneShot, Space
        >>> spikes = Objective("spikes", lambda found: found["spikes"], log=True)
        >>> OneShot("spikes").faults(Space({"layers": Integer(1, 6)}), [spikes])
        ['name: the space has no `share`, so that its networks share no weights in a supernet; use another one']
    """

    method: ClassVar[str] = METHOD_OF_SUPERNETS

    objective: str
    epochs: int = 20
    warm_up: float = 0.75
    networks: int = 400
    pop_size: int = 10
    calibration: int = 256
    proposals: int = 16
    name: str = "one_shot"

    def __post_init__(self) -> None:
        settle(self, _RULES)

    def faults(self, space: Space, objectives: Sequence[Objective] | None) -> list[str]:
        """Return a sentence for each option that does not fit the space and the objectives of a run, where known."""
        faults = []
        if space.share is None:
            faults.append(
                "name: the space has no `share`, so that its networks share no weights in a supernet; use another one"
            )
        names = [objective.name for objective in objectives or ()]
        if objectives is not None and self.objective not in names:
            faults.append(f"objective: got {shown(self.objective)}, expected one of the objectives {', '.join(names)}")
        return faults

    def propose(self, view: View) -> Proposal | None:
        """Return a network that a supernet has judged, else the next supernet; None while that has to wait."""
        state = view.derived(self, lambda: _State(self.name))
        state.fold(view, sign=next((one.sign for one in view.objectives if one.name == self.objective), 1.0))
        is_open = any(_is_search(job, self.name) for job in view.open.values())
        found = state.next_found(view, at_most=self.proposals)
        if found is not None:
            genotype, slot = found
            return Proposal(genotype, self.name, parents=(slot,))
        if is_open or state.brought_nothing(view):
            return None
        told = SupernetSearch(
            self.epochs, self.warm_up, self.networks, self.pop_size, self.calibration, index=state.supernets
        )
        return Proposal(Genotype({}), self.name, kind="search", settings=told.to_job())


class _State:
    """State derived from a view: a fold over its rows, so that it does not depend on when it was made."""

    def __init__(self, name: str) -> None:
        self.supernets = 0
        self._name = name
        self._folded = 0
        self._slot = -1
        self._best_first: list[tuple[Genotype, int]] = []
        self._evaluated = 0

    def fold(self, view: View, *, sign: float) -> None:
        """Add the new rows; when a supernet has judged networks, they are brought into order."""
        for row in view.rows[self._folded :]:
            self._folded += 1
            if _is_search(row.job, self._name):
                self.supernets += 1
                self._slot, self._evaluated = row.job.slot, 0
                self._best_first = best_first([row], sign=sign)
            elif self._is_child(row.job) and not row.is_rejected:
                self._evaluated += 1

    def next_found(self, view: View, *, at_most: int) -> tuple[Genotype, int] | None:
        """Return the next network of the last supernet that is not known yet, and the slot of its search job."""
        if self._proposed(view) >= at_most:
            return None
        while self._best_first and view.is_known(self._best_first[0][0]):
            del self._best_first[0]
        return self._best_first[0] if self._best_first else None

    def brought_nothing(self, view: View) -> bool:
        """Return whether nothing that the last supernet has judged could be evaluated: the next one brings no more."""
        return self.supernets > 0 and not self._proposed(view)

    def _proposed(self, view: View) -> int:
        """Return the networks of the last supernet that were proposed and not rejected."""
        return self._evaluated + sum(self._is_child(job) for job in view.open.values())

    def _is_child(self, job: Job) -> bool:
        is_first = job.kind == "evaluate" and job.rung == 0 and job.strategy == self._name
        return is_first and job.parents == (self._slot,)


def _is_search(job: Job, name: str) -> bool:
    return job.kind == "search" and job.strategy == name


strategy = OneShot
"""What run files find by the name of this file."""
