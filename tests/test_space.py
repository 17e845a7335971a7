from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toys import mixed_space, small_space

from evonas.errors import OptionError, OutsideError, SpaceError
from evonas.genotype import Genotype
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.space import Space
from evonas.variables import Choice, Integer

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_a_genotype_survives_json_and_pickle_without_loss(seed: int) -> None:
    space = mixed_space()
    genotype = space.sample(np.random.default_rng(seed))
    assert space.from_json(genotype.to_json()) == genotype
    assert dict(space.from_json(genotype.to_json())) == dict(genotype)
    assert pickle.loads(pickle.dumps(genotype)).key == genotype.key


@given(seeds)
def test_every_value_is_a_plain_scalar(seed: int) -> None:
    genotype = mixed_space().sample(np.random.default_rng(seed))
    assert {type(value) for value in genotype.values()} <= {bool, int, float, str}


@given(seeds)
def test_a_variable_that_does_not_matter_is_no_part_of_a_genotype(seed: int) -> None:
    genotype = mixed_space().sample(np.random.default_rng(seed))
    assert ("tau" in genotype) == (genotype["kind"] == "leaky")


def test_assignments_that_differ_in_an_inactive_variable_only_are_the_same_genotype() -> None:
    space = mixed_space()
    same = {"kind": "integrate", "layers": 2, "threshold": 0.5}
    assert space.canonical({**same, "tau": 3.0}) == space.canonical({**same, "tau": 70.0})


@given(seeds)
def test_filling_a_genotype_and_making_it_canonical_gives_it_back(seed: int) -> None:
    space, rng = mixed_space(), np.random.default_rng(seed)
    genotype = space.sample(rng)
    assert space.canonical(space.fill(genotype, rng)) == genotype


def test_the_key_is_the_same_in_every_process() -> None:
    genotype = Genotype({"b": 1.5, "a": "x"})
    code = "from evonas.space import Genotype; print(Genotype({'a': 'x', 'b': 1.5}).key)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == genotype.key


def test_a_genotype_is_hashable_by_its_key_and_equals_a_plain_mapping() -> None:
    genotype = Genotype({"a": 1})
    assert {genotype: "found"}[Genotype({"a": 1})] == "found"
    assert genotype == {"a": 1}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (Real(0.0, 1.0, step=0.05), 0.3249, 0.3),
        (Real(0.0, 1.0, step=0.05), np.float32(0.35), 0.35),
        (LogReal(1.0, 100.0), 12.345, 12.0),
        (LogReal(1.0, 100.0, digits=3), 12.345, 12.3),
        (Integer(1, 6), np.int64(4), 4),
        (Choice(["x", 3]), np.str_("x"), "x"),
    ],
)
def test_a_value_is_rounded_to_the_resolution_of_its_variable(
    variable: object, value: object, expected: object
) -> None:
    result = variable.canonical(value)  # type: ignore[attr-defined]
    assert result == expected
    assert type(result) is type(expected)


@given(st.floats(0.25, 4.0))
def test_rounding_twice_is_rounding_once(value: float) -> None:
    for variable in (LogReal(0.25, 4.0), Real(0.25, 4.0, step=0.07)):
        once = variable.canonical(value)
        assert variable.canonical(once) == once


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (Real(0.0, 1.0, step=0.1), 1.01),
        (Real(0.0, 1.0, step=0.1), "0.5"),
        (LogReal(1.0, 10.0), 0.5),
        (Integer(1, 6), 2.5),
        (Integer(1, 6), True),
        (Choice([0, 1]), True),
        (Choice(["x"]), "y"),
    ],
)
def test_a_value_that_a_variable_cannot_take_is_refused(variable: object, value: object) -> None:
    with pytest.raises(SpaceError, match="expected"):
        variable.canonical(value)  # type: ignore[attr-defined]


def test_all_faults_of_an_assignment_are_told_at_once() -> None:
    with pytest.raises(SpaceError, match=r"deph: the space has no such variable.*layers: missing.*threshold: expected"):
        mixed_space().canonical({"deph": 1, "kind": "leaky", "threshold": 7, "tau": 1.0})


def test_a_genotype_with_an_inactive_variable_is_refused() -> None:
    with pytest.raises(SpaceError, match="differs in tau"):
        mixed_space().genotype({"kind": "integrate", "layers": 2, "threshold": 0.5, "tau": 3.0})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Choice([]),
        lambda: Choice(["x", "x"]),
        lambda: Integer(3, 2),
        lambda: Real(0.0, 1.0, step=2.0),
        lambda: LogReal(0.0, 1.0),
        lambda: Space({"a": Choice([1])}, rules=[Rule(("b",), lambda values: True)]),
        lambda: Space({"a": Choice([1])}, surrogate_width="a"),
        lambda: Space({"a": Choice([1])}, surrogate_width="b"),
        lambda: Space({"a": Choice([1])}, constants=["a", "stage*.b"]),
    ],
)
def test_a_variable_or_rule_that_makes_no_sense_is_refused(make: object) -> None:
    with pytest.raises(SpaceError):
        make()  # type: ignore[operator]


def test_the_size_of_a_finite_space_is_the_number_of_its_assignments() -> None:
    assert small_space().size == 24
    assert json.loads(small_space().sample(np.random.default_rng(0)).to_json()).keys() == {"a", "b", "c"}


def test_the_widths_of_surrogate_gradients_are_the_range_of_the_variable_that_is_named() -> None:
    assert Space({"w": LogReal(0.5, 2.0)}, surrogate_width="w").surrogate_widths == (0.5, 2.0)
    assert small_space().surrogate_widths is None


@pytest.mark.parametrize(
    "values",
    [[(1, 1), (3, 3)], [[1], [2]], [None], [np.arange(3)], [math.nan], [math.inf], [1 + 2j], [b"x"], [2**63], {"a", "b"},
     {"a": 1}, 5, [1, True], [0, 0.0], [np.float32(0.5), 0.5], [object()]],
)  # fmt: skip
def test_a_choice_of_what_does_not_survive_json_is_refused_when_it_is_made(values: Any) -> None:
    with pytest.raises(SpaceError, match="Choice"):
        Choice(values)


class Shade(StrEnum):
    dark = "dark"


@pytest.mark.parametrize(
    "values",
    [np.arange(5), np.array([0.5, 1.5]), np.array(["x", "y"]), [np.True_, np.False_], range(3), [Shade.dark], "abc"],
)
def test_scalars_of_numpy_are_taken_as_pythons_and_come_back_from_json(values: Any) -> None:
    space = Space({"a": Choice(values)})
    for value in values:
        genotype = space.canonical({"a": value})
        assert type(genotype["a"]) in (bool, int, float, str)
        assert space.from_json(genotype.to_json()) == genotype


ENDS = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))


@st.composite
def variables(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["integer", "real", "log", "choice"]))
    if kind == "choice":
        return Choice(draw(st.lists(st.integers(-5, 5) | st.text(max_size=3), min_size=1, max_size=6, unique=True)))
    if kind == "integer":
        low = draw(st.integers(-100, 100))
        return Integer(low, low + draw(st.integers(0, 60)))
    if kind == "real":
        low, wide = draw(ENDS), draw(st.floats(0.01, 50))
        return Real(low, low + wide, wide / draw(st.floats(1, 60)))
    low = draw(st.floats(1e-4, 1e3))
    return LogReal(low, low * draw(st.floats(1, 1e3)), draw(st.integers(1, 2)))


@example(Real(0.0, 10.122141339409687, 6.748094226273125), 0)  # one step and a half, as it rounds to 12 digits
@given(variables(), seeds)
def test_what_a_variable_draws_counts_and_lists_is_what_it_takes(variable: Any, seed: int) -> None:
    values = list(variable.listed())
    assert len(values) == variable.size == len(set(values))
    assert all(variable.canonical(value) == value for value in values)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        assert variable.sample(rng) in values
    if not isinstance(variable, Choice):
        assert values == sorted(values)
        assert variable.canonical(variable.low) == values[0]
        assert variable.canonical(variable.high) == values[-1]


@given(variables(), st.data())
def test_a_narrowed_variable_has_those_values_that_lie_within_and_no_other(variable: Any, data: st.DataObject) -> None:
    values = list(variable.listed())
    low, high = sorted((data.draw(st.integers(0, len(values) - 1)), data.draw(st.integers(0, len(values) - 1))))
    chosen = values[low : high + 1]
    narrow = variable.narrowed(chosen if isinstance(variable, Choice) else [chosen[0], chosen[-1]])
    assert list(narrow.listed()) == chosen
    assert narrow.size == len(chosen)


def test_the_end_of_a_range_counts_where_it_is_taken() -> None:
    assert list(Real(0, 1, 0.35).listed()) == [0.0, 0.35, 0.7, 1.0]
    assert Real(0, 1, 0.35).size == 4
    assert list(Real(0, 1, 0.3).listed()) == [0.0, 0.3, 0.6, 0.9]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Integer(0.0, 3),  # type: ignore[arg-type]
        lambda: Integer(True, 3),
        lambda: Integer(0, 2**60),
        lambda: Integer("0", 3),  # type: ignore[arg-type]
        lambda: Real(0, math.inf, 1),
        lambda: Real(0, math.nan, 1),
        lambda: Real(0, 1, 0),
        lambda: Real(0, 1, -0.1),
        lambda: Real(0, 10**400, 1),
        lambda: Real(1e15, 1e15 + 1, 1e-3),
        lambda: Real(-1e300, 1e300, 1e-300),
        lambda: Real(0, 1, 5e-324),
        lambda: Real(1, 1, 5e-324),
        lambda: Real(0, 1, 0.5, origin=1e300),
        lambda: LogReal(1, 10, digits=0),
        lambda: LogReal(1, 10, digits=2.0),  # type: ignore[arg-type]
        lambda: LogReal(10, 1),
        lambda: LogReal(5e-324, 1),
        lambda: Rule((), lambda values: True),
        lambda: Rule(("a", 3), lambda values: True),  # type: ignore[arg-type]
        lambda: Rule(("a",), True),  # type: ignore[arg-type]
        lambda: Space({"a": [1, 2]}),  # type: ignore[dict-item]
        lambda: Space({"a": Choice([1])}, sizes=["b"]),
    ],
)
def test_a_part_of_a_space_that_cannot_be_meant_is_refused(make: Any) -> None:
    with pytest.raises(SpaceError):
        make()


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, None, [1], np.array([1, 2]), 1 + 0j, "1", True, b"1"])
@pytest.mark.parametrize("variable", [Integer(0, 9), Real(0, 9, 1), LogReal(1, 9)])
def test_a_value_that_is_no_number_is_refused_with_a_sentence(variable: Any, value: Any) -> None:
    with pytest.raises(SpaceError, match="expected a"):
        variable.canonical(value)


def test_a_bare_string_is_the_one_name_of_a_rule() -> None:
    rule = Rule("kernel", lambda values: False)
    assert rule.names == ("kernel",)
    assert dict(Space({"kernel": Choice([1]), "a": Choice([2])}, rules=[rule]).sample(np.random.default_rng(0))) == {
        "a": 2
    }


def test_a_narrowed_space_draws_counts_and_takes_what_is_left() -> None:
    narrow = mixed_space().narrowed(
        {"kind": ["integrate"], "layers": [2, 4], "ta*": [1.0, 1.0], "threshold": [0.5, 0.6]}
    )
    assert narrow.is_narrowed
    assert narrow.size == 1 * 3 * 3 * 1
    for seed in range(30):
        genotype = narrow.sample(np.random.default_rng(seed))
        assert genotype["kind"] == "integrate"
        assert genotype["layers"] in (2, 3, 4)
        assert genotype["threshold"] in (0.5, 0.55, 0.6)
        assert mixed_space().genotype(genotype) == genotype
    with pytest.raises(SpaceError, match="layers: expected a whole number from 2 to 4"):
        narrow.canonical({"kind": "integrate", "layers": 5, "threshold": 0.5, "tau": 1.0})


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ({"layer": [1, 2]}, "layer: the space has no such variable; did you mean 'layers'?"),
        ({"x*": [1, 2]}, "x*: the space has no such variable"),
        ({"layers": [0, 2]}, "layers: expected a whole number from 1 to 6, got 0"),
        ({"layers": [4, 2]}, "layers: expected the lowest value before the highest"),
        ({"layers": [2]}, "layers: expected the lowest and the highest value, two whole numbers"),
        ({"layers": 2}, "layers: expected the lowest and the highest value"),
        ({"layers": ["a", "b"]}, "layers: expected a whole number"),
        ({"kind": []}, "kind: expected a list of one or more of"),
        ({"kind": "leaky"}, "kind: expected a list of one or more of"),
        ({"kind": ["leak"]}, "kind: expected one of ['leaky', 'integrate'], got 'leak'"),
        ({"threshold": [0.51, 0.54]}, "threshold: no value lies between 0.51 and 0.54"),
        ({"tau": [1.01, 1.04]}, "tau: no number of 2 significant digits lies between"),
    ],
)
def test_what_a_space_cannot_be_narrowed_to_is_told(only: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        mixed_space().narrowed(only)
    assert any(fault.startswith(said) for fault in caught.value.faults), caught.value.faults


def test_a_genotype_whose_one_form_lies_outside_is_neither_drawn_nor_taken() -> None:
    def arrange(values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "b": values["a"]}  # b follows a

    whole = Space({"a": Integer(0, 9), "b": Integer(0, 9)}, arrange=arrange)
    narrow = whole.narrowed({"b": [3, 4]})
    assert {narrow.sample(np.random.default_rng(seed))["a"] for seed in range(40)} == {3, 4}
    with pytest.raises(OutsideError, match="b = 7, which is left out"):
        narrow.canonical({"a": 7, "b": 3})
    with pytest.raises(OptionError, match="none lies within"):
        whole.narrowed({"a": [0, 2], "b": [5, 9]})


@pytest.mark.parametrize("rules", ["tau", ("tau",), [lambda values: True], None, {"tau": 3}])
def test_what_is_no_rule_is_rejected_in_a_sentence(rules: Any) -> None:
    with pytest.raises(SpaceError, match=r"needs rules such as Rule\("):
        Space({"tau": Integer(0, 3)}, rules=rules)


def test_a_single_rule_needs_no_list() -> None:
    space = Space({"a": Integer(0, 1), "b": Integer(0, 9)}, rules=Rule("b", lambda values: values["a"] == 1))
    assert dict(space.canonical({"a": 0, "b": 5})) == {"a": 0}


@pytest.mark.parametrize("variable", [Choice, Integer, [1, 2], (0, 1), "lif", range(3), None])
def test_what_is_no_variable_is_rejected_in_a_sentence(variable: Any) -> None:
    with pytest.raises(SpaceError, match="needs variables such as Choice or Integer by name"):
        Space({"a": variable})


def test_what_was_taken_once_is_taken_alike_again_and_nothing_that_merely_equals_it() -> None:
    space = Space({"flag": Choice([False, True]), "size": Choice([1, 2]), "real": Real(-1.0, 1.0, 0.5)})
    for _ in range(2):
        genotype = space.canonical({"flag": True, "size": 1, "real": -0.0})
        assert genotype.to_json() == '{"flag":true,"real":0.0,"size":1}'
        assert space.canonical({"flag": np.True_, "size": 1.0, "real": 0}).to_json() == genotype.to_json()
        for wrong in ({"flag": 1}, {"size": True}, {"real": "0.0"}, {"real": [0.0]}):
            with pytest.raises(SpaceError, match="expected"):
                space.canonical({**genotype, **wrong})
    narrowed = space.narrowed({"size": [2]})
    with pytest.raises(SpaceError, match="expected one of"):
        narrowed.canonical(dict(genotype))
    assert pickle.loads(pickle.dumps(space)).canonical(dict(genotype)) == genotype


@pytest.mark.parametrize("variable", [Real(-1.0, 1.0, 0.3), LogReal(1.234, 98.7), LogReal(0.1, 5.0, digits=3)])
def test_the_grid_that_a_variable_remembers_is_bounded_and_changes_no_value(
    variable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.random.default_rng(0).uniform(variable.low, variable.high, 200).tolist()
    fresh = [pickle.loads(pickle.dumps(variable)).canonical(number) for number in numbers]
    monkeypatch.setattr("evonas.real_variables.MOST_KNOWN", 3)
    assert [variable.canonical(number) for number in (*numbers, *numbers)] == [*fresh, *fresh]
    kept = [value for value in vars(variable).values() if isinstance(value, dict)]
    assert [0 < len(one) <= 3 for one in kept] == [True]


def test_a_copy_of_a_variable_carries_nothing_that_it_remembers() -> None:
    used = LogReal(1.0, 100.0)
    unused = len(pickle.dumps(used))
    used.sample(np.random.default_rng(0))
    assert len(pickle.dumps(used)) == unused


@given(seeds)
def test_a_number_is_drawn_as_numpy_draws_it(seed: int) -> None:
    real, logarithmic = Real(-1.0, 2.5, 0.001), LogReal(0.3, 70.0, digits=12)
    ours, numpys = np.random.default_rng(seed), np.random.default_rng(seed)
    assert real.sample(ours) == real.canonical(numpys.uniform(-1.0, 2.5))
    ends = math.log(0.3), math.log(70.0)
    assert logarithmic.sample(ours) == logarithmic.canonical(math.exp(numpys.uniform(*ends)))


def test_a_genotype_hands_out_copies_and_views_of_its_content_and_never_itself() -> None:
    genotype = Genotype({"b": 1.5, "a": "x"})
    genotype.as_dict()["a"] = "y"
    assert genotype.as_dict() == dict(genotype) == {"a": "x", "b": 1.5}
    assert (list(genotype.keys()), list(genotype.values())) == (["a", "b"], ["x", 1.5])
    assert list(genotype.items()) == [("a", "x"), ("b", 1.5)]
    assert (genotype.get("b"), genotype.get("c"), genotype.get("c", 0)) == (1.5, None, 0)
