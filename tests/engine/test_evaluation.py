from __future__ import annotations

from typing import Any

import pytest

from evonas.engine.attempt import attempt
from evonas.engine.evaluation import Evaluation, Outcome, Result
from evonas.engine.job import Job
from evonas.engine.training_log import Trained
from evonas.genotype import Genotype

NETWORK = Genotype({"a": 1})
EVALUATE = Job(3, "evaluate", NETWORK, "toy", sample_steps=7.0)
SEARCH = Job(3, "search", Genotype({}), "toy", sample_steps=7.0)


def test_bare_results_are_taken_as_what_they_are() -> None:
    assert Result.of({"error": 1.0}, kind="evaluate") == Result(measurement={"error": 1.0})
    assert Result.of([NETWORK], kind="search") == Result(proposals=(NETWORK,))


def test_all_that_an_evaluate_returns_is_in_the_row() -> None:
    whole = Result(proposals=(NETWORK,), trained=Trained(12.0))
    row = attempt(lambda job: whole, SEARCH)
    assert (row.proposals, row.trained, row.outcome) == ((NETWORK,), Trained(12.0), Outcome.MEASURED)
    assert row.sample_steps == 12.0


def test_sample_steps_are_those_that_were_predicted_where_nobody_has_counted() -> None:
    assert attempt(lambda job: {"error": 1.0}, EVALUATE).sample_steps == 7.0


@pytest.mark.parametrize(
    ("job", "result", "sentence"),
    [
        (EVALUATE, 7, "returned int, expected a Measurement or a mapping"),
        (EVALUATE, Result(), "returned NoneType, expected a Measurement or a mapping"),
        (
            EVALUATE,
            Evaluation(EVALUATE, Outcome.MEASURED, measurement={"error": 1.0}),
            "returned Evaluation, expected a Measurement or a mapping",
        ),
        (SEARCH, [7], "expected a sequence of genotypes"),
        (SEARCH, {"error": 1.0}, "expected a sequence of genotypes"),
    ],
)
def test_what_no_job_of_the_kind_comes_to_is_a_failed_row(job: Job, result: Any, sentence: str) -> None:
    row = attempt(lambda job: result, job)
    assert row.outcome is Outcome.CRASHED
    assert sentence in row.message


def test_rows_with_other_counts_are_other_results() -> None:
    def row(*, seconds: float = 0.0, steps: float = 1.0) -> Evaluation:
        return Evaluation(SEARCH, Outcome.MEASURED, proposals=(NETWORK,), trained=Trained(steps), seconds=seconds)

    assert row().same_result(row(seconds=9.0))
    assert not row().same_result(row(steps=2.0))
