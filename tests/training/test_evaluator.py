from __future__ import annotations

import pytest
from searching import SPACE, search_mixed
from toys import measure

from evonas.engine.attempt import attempt
from evonas.engine.evaluation import Outcome
from evonas.engine.job import Job
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.training.evaluator import JobEvaluator

NETWORK = SPACE.canonical({"kind": "leaky", "layers": 2, "threshold": 0.5, "tau": 5.0})


class Evaluate:
    device = "a toy"

    def __call__(self, job: Job) -> object:
        return measure(job)


BOTH = JobEvaluator(Evaluate(), searchers={"differentiable": search_mixed})


def test_each_kind_of_job_goes_to_whom_it_is_for() -> None:
    measured = attempt(BOTH, Job(0, "evaluate", NETWORK, "evolution"))
    assert measured.measurement == measure(Job(0, "evaluate", NETWORK, "evolution"))
    searched = attempt(BOTH, Job(1, "search", Genotype({}), "differentiable", settings={"price": 0.5}))
    assert len(searched.proposals) == 1
    assert measured.device == searched.device == "a toy"


def test_a_search_that_nobody_does_is_a_row_that_says_so() -> None:
    row = attempt(BOTH, Job(1, "search", Genotype({}), "other"))
    assert row.outcome is Outcome.CRASHED
    assert "There is no searcher for the strategy 'other'; there are searchers for: differentiable." in row.message
    with pytest.raises(EvonasError, match="searchers for: none"):
        JobEvaluator(Evaluate(), searchers={})(Job(1, "search", Genotype({}), "other"))
