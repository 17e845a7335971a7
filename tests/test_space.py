from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import mixed_space, small_space

from evonas.errors import SpaceError
from evonas.space import Genotype, Rule, Space
from evonas.variables import Choice, Integer, LogReal, Real

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
