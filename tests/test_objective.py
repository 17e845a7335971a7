from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from toys import OBJECTIVES, small_space

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row, View
from evonas.errors import NotFiniteError, OptionError, UnpriceableError
from evonas.genotype import Genotype
from evonas.objective import Objective, score


@pytest.mark.parametrize("direction", ["minimize", "MIN", "maximise", "", None, 1, "min ", "Max"])
def test_a_direction_is_min_or_max_and_no_other_word(direction: Any) -> None:
    with pytest.raises(OptionError, match=r"direction: got .*expected one of min, max"):
        Objective("error", float, direction=direction)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 3}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"at_least": math.nan}, "at_least"),
        ({"at_most": math.inf}, "at_most"),
        ({"at_most": "3"}, "at_most"),
        ({"at_most": True}, "at_most"),
        ({"at_most": 10**400}, "at_most"),
        ({"best": 1e308}, "best"),
        ({"log": 1}, "log"),
        ({"score": "error"}, "score"),
    ],
)
def test_an_objective_with_a_wrong_option_is_refused_with_its_name(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(OptionError, match=f"^- {key}: got .*expected"):
        Objective(**{"name": "error", "score": float, **wrong})


@pytest.mark.parametrize(
    "value",
    ["-5", True, np.True_, None, 3 + 0j, np.array([1.0]), np.array(1.0), [1.0], {}, math.nan, -math.inf, 1e155, -1e300,
     10**400, np.float32("inf"), np.complex64(1)],
)  # fmt: skip
def test_a_value_that_is_no_number_or_too_large_fails_the_row_with_the_name_of_the_objective(value: Any) -> None:
    objective = Objective("rate", lambda measurement: measurement["rate"])
    with pytest.raises(NotFiniteError, match="^rate: "):
        score({"rate": value}, [objective])
    job = Job(0, "evaluate", Genotype({}), "toy")
    row = Row.of(Evaluation(job, Outcome.MEASURED, measurement={"rate": value}), [objective])
    assert row.evaluation.outcome is Outcome.NOT_FINITE
    assert row.evaluation.message.startswith("rate: ")
    assert row.score is None


@pytest.mark.parametrize("value", [0, -3, 2.5, np.float32(2.5), np.int8(3), Fraction(1, 2), 1e150, -1e150])
def test_every_kind_of_real_number_is_a_value(value: Any) -> None:
    assert score({}, [Objective("rate", lambda measurement: value)]).values == (float(value),)


def test_what_an_objective_raises_is_told_with_its_name() -> None:
    with pytest.raises(NotFiniteError, match="^rate: KeyError: 'rate'"):
        score({}, [Objective("rate", lambda measurement: measurement["rate"])])


def test_a_network_without_a_price_is_infeasible_and_no_failure() -> None:
    def refuse(measurement: Any) -> float:
        raise UnpriceableError("no price")

    assert score({}, [Objective("rate", refuse)]).reason == "rate: no price"


@pytest.mark.parametrize("objectives", [[], (), ["error"], [OBJECTIVES[0], OBJECTIVES[0]]])
def test_a_search_needs_one_or_more_objectives_of_different_names(objectives: Any) -> None:
    with pytest.raises(OptionError, match=r"^- objectives: got .*expected"):
        View(small_space(), objectives, seed=0)
