"""The searchers of a run: what does the search jobs of each strategy on a worker, by their method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evonas.data.dataset import SearchData
from evonas.errors import EvonasError, ProfileError
from evonas.expected_counts import PriceFunction
from evonas.runfile.counted_objective import counted_objective_of
from evonas.runfile.data_section import frames_of
from evonas.runfile.lookup import LookupFault, look_up
from evonas.runfile.schema import ObjectiveSection
from evonas.runfile.space_section import plan_of
from evonas.space import Space
from evonas.strategies.evolution import Evolution
from evonas.training.training_settings import Training

if TYPE_CHECKING:
    from evonas.scores.untrained import UntrainedScore
    from evonas.training.evaluator import Searcher


@dataclass(frozen=True)
class SearchesOf:
    """The search jobs of a strategy, as a worker is told of them: plain values.

    Attributes:
        method: Method that they follow.
        objective: Section of the objective that they compute on their own, None where they need none.
    """

    method: str
    objective: ObjectiveSection | None


@dataclass(frozen=True)
class SearchTools:
    """What a worker has for search jobs.

    Attributes:
        space: The space that is searched.
        data: Training samples.
        training: How networks are trained.
        threads: Threads of torch.
        device: Where to compute.
    """

    space: Space
    data: SearchData
    training: Training
    threads: int
    device: str

    def searcher(self, searches: SearchesOf) -> Searcher:
        """Return what does the search jobs of a strategy.

        Raises:
            LookupFault: If they need what the objective does not define.
            ProfileError: If the chip of the objective has no coefficients for it.
            EvonasError: If nothing here does jobs of this method.
        """
        if searches.method not in _SEARCHERS:
            raise EvonasError(
                f"No worker does search jobs of the method {searches.method!r}, expected one of {', '.join(_SEARCHERS)}"
            )
        return _SEARCHERS[searches.method](self, searches.objective)


def price_of(section: ObjectiveSection) -> PriceFunction:
    """Return an objective as a function of expected counts, which a differentiable search can follow.

    Raises:
        LookupFault: If the objective has no such function.
        ProfileError: If its chip has no coefficients for it.
    """
    make = look_up(section.name, folder="objectives", attribute="expected")
    price: PriceFunction = make(**section.options)
    return price


def score_of(name: str) -> UntrainedScore:
    """Return the score of a name.

    Raises:
        LookupFault: If there is none.
    """
    score: UntrainedScore = look_up(name, folder="evonas.scores", attribute="score")
    return score


def _by_gradients(tools: SearchTools, objective: ObjectiveSection | None) -> Searcher:
    from evonas.training.bilevel_search import BilevelSearcher

    assert objective is not None
    return BilevelSearcher(
        tools.space,
        tools.data,
        price=price_of(objective),
        training=tools.training,
        threads=tools.threads,
        device=tools.device,
    )


def _by_scores(tools: SearchTools, objective: ObjectiveSection | None) -> Searcher:
    from evonas.training.score_searcher import ScoreSearcher

    return ScoreSearcher(
        tools.space,
        tools.data,
        find=score_of,
        objective=None if objective is None else counted_objective_of(objective),
        threads=tools.threads,
        device=tools.device,
    )


def _by_supernet(tools: SearchTools, objective: ObjectiveSection | None) -> Searcher:
    from evonas.training.supernet_searcher import SupernetSearcher

    assert objective is not None
    frames = frames_of(tools.space, tools.data, plan=plan_of(tools.space, tools.data))
    return SupernetSearcher(
        tools.space,
        tools.data,
        objective=counted_objective_of(objective),
        evolve=lambda pop_size: Evolution(pop_size=pop_size, screen=1),
        reject=None if frames is None else frames.reject,
        training=tools.training,
        threads=tools.threads,
        device=tools.device,
    )


_SEARCHERS: Mapping[str, Callable[[SearchTools, ObjectiveSection | None], Searcher]] = {
    "gradients": _by_gradients,
    "scores": _by_scores,
    "supernet": _by_supernet,
}
"""Method to what makes its searcher: a row for each of `evonas.engine.search_job.METHODS`."""


@dataclass(frozen=True)
class _Use:
    """What the jobs of a method need of an objective.

    Attributes:
        option: Option of the strategy that names it.
        noun: What it has to have.
        check: Returns what the search leaves out of it; raises where it has not what it needs.
    """

    option: str
    noun: str
    check: Callable[[ObjectiveSection], Sequence[str]]


def _left_out_of_price(section: ObjectiveSection) -> Sequence[str]:
    left_out: Sequence[str] = getattr(price_of(section), "uncounted", ())
    return left_out


def _left_out_of_count(section: ObjectiveSection) -> Sequence[str]:
    counted_objective_of(section)
    return ()


_USES: Mapping[str, _Use] = {
    "gradients": _Use("objective", "price for a differentiable search", _left_out_of_price),
    "scores": _Use("against", "value without training", _left_out_of_count),
    "supernet": _Use("objective", "value of its counts alone", _left_out_of_count),
}
"""Method to what it needs of an objective, for the methods that compute one."""


def left_out(method: str, section: ObjectiveSection, *, name: str) -> Sequence[str]:
    """Return what the search jobs of a method leave out of the objective that they compute on their own.

    Raises:
        LookupFault: If they cannot compute it; the sentence begins with the option that names it.
    """
    use = _USES[method]
    try:
        return use.check(section)
    except (LookupFault, ProfileError) as error:
        raise LookupFault(f"{use.option}: {name!r} has no {use.noun}: {error}") from error
