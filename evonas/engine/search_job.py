"""Search jobs: the methods of searching that workers know, and the settings that each is told.

A method is a row of `METHODS`, the settings of its jobs; the strategy that proposes them; and what does them on a
worker, which `evonas.runfile.searchers` makes. Nothing else knows which methods there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from evonas.engine.effort import Effort
from evonas.engine.gradient_search import GradientSearch
from evonas.engine.score_search import METHOD_OF_SCORES, ScoreSearch
from evonas.engine.supernet_search import METHOD_OF_SUPERNETS, SupernetSearch
from evonas.errors import EvonasError
from evonas.objective import Objective
from evonas.space import Space
from evonas.variables import Scalar

METHOD = "method"
"""Setting of a search job that names its method."""

FIRST_METHOD = "gradients"
"""Method of a search job that names none, as those of the first archives do: seeds are made of all settings."""


class SearchSettings(Protocol):
    """What a search job is told, by the method that it follows."""

    def to_job(self) -> dict[str, Scalar]:
        """Return the settings of its job, `METHOD` among them unless it is the first."""

    def effort(self, samples: int) -> Effort:
        """Return what the job goes through, given the number of training samples."""


@runtime_checkable
class SearchingStrategy(Protocol):
    """A strategy that proposes search jobs of a method."""

    method: ClassVar[str]

    @property
    def name(self) -> str:
        """Short name, stored with every row."""

    @property
    def objective(self) -> str | None:
        """Name of the objective that its search jobs compute on their own, None where they need none."""

    def faults(self, space: Space, objectives: Sequence[Objective] | None) -> list[str]:
        """Return a sentence for each option that does not fit the space and the objectives of a run, where known."""


METHODS: Mapping[str, Callable[[Mapping[str, Scalar]], SearchSettings]] = {
    FIRST_METHOD: GradientSearch.of,
    METHOD_OF_SCORES: ScoreSearch.of,
    METHOD_OF_SUPERNETS: SupernetSearch.of,
}
"""Method to what reads the settings of its jobs."""


def method_of(settings: Mapping[str, Scalar]) -> str:
    """Return the method of a search job with these settings."""
    return str(settings.get(METHOD, FIRST_METHOD))


def search_settings(settings: Mapping[str, Scalar]) -> SearchSettings:
    """Return what the settings of a search job say.

    Raises:
        EvonasError: If they name a method that there is not.
    """
    method = method_of(settings)
    if method not in METHODS:
        raise EvonasError(
            f"There is no method {method!r} of searching, expected one of {', '.join(METHODS)}. Let the strategy set "
            f"{METHOD!r} to one of these, or predict the costs of its jobs yourself."
        )
    return METHODS[method](settings)
