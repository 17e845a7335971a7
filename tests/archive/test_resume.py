"""Resuming is a contract: whatever decides what a search finds is compared, each difference told with both values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from toys import OBJECTIVES, measure, mixed_space

from evonas.archive.archive import Archive
from evonas.archive.run_header import Header
from evonas.engine.budget import Budget
from evonas.engine.description import described, described_objective, described_space
from evonas.engine.job import Cost
from evonas.engine.ladder import Ladder
from evonas.engine.rejection import Rejection
from evonas.engine.search import search
from evonas.engine.view import Proposal
from evonas.engine.workers import InlineWorkers
from evonas.errors import ChangedRunError
from evonas.objective import Objective
from evonas.rule import Rule
from evonas.space import Space
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.random import RandomSearch
from evonas.variables import Choice, Integer


def searched(path: Path, *, evaluations: int = 6, space: Space | None = None, **changes: Any) -> None:
    space = space or mixed_space()
    opened = {name: changes.pop(name) for name in ("seed", "reference_rows", "top_rung") if name in changes}
    objectives = changes.pop("objectives", OBJECTIVES)
    with Archive(path, changes.pop("archive_space", space), objectives, **opened) as archive:
        arguments = {"strategy": Evolution(pop_size=4), "parallel": 2, **changes}
        search(space, archive, workers=InlineWorkers(measure), budget=Budget(evaluations), **arguments)


def other_space() -> Space:
    variables = {**mixed_space().variables, "layers": Integer(1, 7)}
    return Space(variables, rules=mixed_space().rules)


def reordered_space() -> Space:
    variables = mixed_space().variables
    return Space({name: variables[name] for name in reversed(list(variables))}, rules=mixed_space().rules)


def cost(proposal: Proposal, epochs: int, *, each: float = 1.0) -> Cost:
    return Cost(each * epochs)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "more jobs open": ({"parallel": 3}, "search.parallel: stored 2, now 3"),
    "fewer jobs open": ({"parallel": 1}, "search.parallel: stored 2, now 1"),
    "population": ({"strategy": Evolution(pop_size=6)}, "search.strategy.pop_size: stored 4, now 6"),
    "strategy": ({"strategy": RandomSearch()}, 'search.strategy.type: stored "Evolution", now "RandomSearch"'),
    "ladder": ({"ladder": Ladder((1, 2))}, r"search.ladder.epochs: stored \[1\], now \[1, 2\]"),
    "predicted cost": ({"predict": cost}, 'search.predict.function: stored absent, now "cost"'),
    "rejection": ({"reject": lambda genotype: Rejection(("no",), 1.0)}, "search.reject: stored null"),
    "seed": ({"seed": 1}, "seed: stored 0, now 1"),
    "corner": ({"reference_rows": 8}, "reference_rows: stored 16, now 8"),
    "rung": ({"top_rung": 1}, "top_rung: stored 0, now 1"),
    "space": ({"space": other_space()}, "space.variables.layers.high: stored 6, now 7"),
    "order of variables": ({"space": reordered_space()}, "space.variables: stored"),
    "space of the search alone": (
        {"space": other_space(), "archive_space": mixed_space()},
        "layers.high: stored 6, now 7",
    ),
    "bound": (
        {"objectives": (replace(OBJECTIVES[0], at_most=1.0), OBJECTIVES[1])},
        r"objectives.error.at_most: stored null, now 1.0",
    ),
    "direction": (
        {"objectives": (replace(OBJECTIVES[0], direction="max"), OBJECTIVES[1])},
        'objectives.error.direction: stored "min", now "max"',
    ),
    "one more objective": (
        {"objectives": (*OBJECTIVES, Objective("joules", lambda m: m["joules"]))},
        "objectives.joules.direction: stored absent, now",
    ),
    "another function of the same name": (
        {"objectives": (Objective("error", lambda m: m["rate"]), OBJECTIVES[1])},
        "values of error: 6 rows have another value now, such as slot 0: stored",
    ),
    "a function that old rows have no value of": (
        {"objectives": (Objective("error", lambda m: m["joules"]), OBJECTIVES[1])},
        "values of error: 6 rows have another value now, such as slot 0: stored .* now None",
    ),
}


@pytest.mark.parametrize(("changes", "told"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_run_is_not_resumed_and_what_changed_is_told(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    path = tmp_path / "a.h5"
    searched(path)
    before = path.read_bytes()
    with pytest.raises(ChangedRunError, match=told):
        searched(path, evaluations=8, **changes)
    assert path.read_bytes() == before
    searched(path, evaluations=8)
    assert Archive.read(path).front().evaluations == 8


@pytest.mark.parametrize("name", ["\x1b[2J", "a" * 5000, "line\nline", "\u202e"])
def test_odd_names_are_told_in_one_short_line(tmp_path: Path, name: str) -> None:
    stored = Header(seed=0, settings={}, space={}, objectives=(odd_objective(name),))
    with pytest.raises(ChangedRunError) as caught:
        replace(stored, objectives=(odd_objective("error"),)).check_same_run(stored, path=tmp_path)
    lines = str(caught.value).splitlines()
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    assert sum("at_least" in line for line in lines) >= 1


def test_of_many_changes_the_first_are_told_and_how_many_there_are(tmp_path: Path) -> None:
    stored = Header(seed=0, settings={f"key{index}": index for index in range(1000)}, space={}, objectives=())
    with pytest.raises(ChangedRunError, match="and 950 more"):
        replace(stored, settings={}).check_same_run(stored, path=tmp_path)


def odd_objective(name: str) -> dict[str, Any]:
    return described_objective(OBJECTIVES[0]) | {"name": name}


def test_what_a_search_was_called_with_is_known_from_the_journal_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    searched(path)
    searched(tmp_path / "b.h5")
    header = Archive.read(path).header
    assert header.search["parallel"] == 2
    assert header.search["strategy"]["pop_size"] == 4
    with Archive(path, mixed_space(), OBJECTIVES) as archive:
        archive.begin({"space": described_space(mixed_space()), **header.search})
        assert Archive.read(path).header.search == header.search


def test_rows_that_no_search_has_added_are_searched_with_anything(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    searched(tmp_path / "b.h5")
    with Archive(path, mixed_space(), OBJECTIVES) as archive:
        for evaluation in Archive.read(tmp_path / "b.h5").evaluations:
            archive.add(evaluation)
    searched(path, evaluations=8)
    with pytest.raises(ChangedRunError, match="parallel"):
        searched(path, evaluations=9, parallel=5)


def _more_than(least: int) -> Callable[[Any], bool]:
    return lambda values: values["layers"] > least


def _at_least(values: Any, *, least: int) -> bool:
    return bool(values["layers"] >= least)


def test_rules_are_told_apart_by_what_is_bound_to_their_functions() -> None:
    def space(when: Any) -> Space:
        return Space({"layers": Integer(1, 6), "kind": Choice(["a", "b"])}, rules=[Rule(("kind",), when)])

    functions = [_more_than(1), _more_than(2), partial(_at_least, least=1), partial(_at_least, least=2)]
    told = [described_space(space(when)) for when in functions]
    assert all(one != other for i, one in enumerate(told) for other in told[:i])
    assert told[0] == described_space(space(_more_than(1)))
    assert told[2]["rules"] == [{"names": ["kind"], "when": {"function": "_at_least", "least": 1}}]


def test_a_mixture_is_told_with_its_members() -> None:
    told = described(Mixture([(Evolution(pop_size=4), 0.5), (RandomSearch(), 0.5)]))
    assert told["members"][0][0]["pop_size"] == 4
    assert told["members"][1] == [described(RandomSearch()), 0.5]
