"""Why networks keep off a front: one sentence for reasons that differ in numbers alone, and the nearest misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row
from evonas.errors import UnpriceableError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.report.kept_off import kept_off, nearest, unreached


def energy_of(measurement: Mapping[str, float]) -> float:
    if "energy" not in measurement:
        raise UnpriceableError(f"chip has no price for {measurement['macs']:g} MACs, which stage1 needs")
    return measurement["energy"]


def objectives(accuracy: float | None = None, energy: float | None = None) -> tuple[Objective, ...]:
    return (
        Objective("accuracy", lambda m: m["accuracy"], direction="max", unit="fraction", at_least=accuracy),
        Objective("energy", energy_of, unit="J/sample", at_most=energy),
    )


def rows(asked: Sequence[Objective], *measurements: Mapping[str, Any], rung: int = 0) -> list[Row]:
    made = []
    for slot, measurement in enumerate(measurements):
        job = Job(slot, "evaluate", Genotype({"a": slot}), "toy", rung=rung)
        made.append(Row.of(Evaluation(job, Outcome.MEASURED, measurement=measurement), asked))
    return made


def failed(slot: int, message: str) -> Row:
    job = Job(slot, "evaluate", Genotype({"a": slot}), "toy")
    return Row(Evaluation(job, Outcome.CRASHED, message), None, None)


def why(asked: Sequence[Objective], found: Sequence[Row]) -> str:
    return kept_off(found, objectives=asked, top=0)


def test_one_bound_is_one_reason_whatever_the_values() -> None:
    asked = objectives(accuracy=0.999)
    found = rows(asked, *({"accuracy": value, "energy": 1.0} for value in (0.925, 0.8, 0.7, 0.6)))
    assert why(asked, found) == "4 of 4 keep off the front: 4 x accuracy below 0.999 (best 0.925)."


def test_where_every_network_keeps_every_bound_nothing_is_told() -> None:
    asked = objectives(accuracy=0.5)
    found = rows(asked, {"accuracy": 0.9, "energy": 1.0})
    assert why(asked, found) == ""
    assert nearest(found, objectives=asked, top=0) == []
    assert why(asked, []) == ""


def test_reasons_that_differ_in_numbers_alone_are_one() -> None:
    asked = objectives()
    found = rows(asked, *({"accuracy": 0.5, "macs": macs} for macs in (10.0, 2.5e7, 3.0)))
    found += [failed(3, "RuntimeError: 16 bytes at 0x7f3a"), failed(4, "RuntimeError: 32 bytes at 0x7f3a")]
    assert why(asked, found) == (
        "5 of 5 keep off the front: 3 x energy: chip has no price for 10 MACs; 2 x failed: RuntimeError: 16 bytes at "
        "0x7f3a."
    )


def test_networks_on_their_way_up_are_not_counted() -> None:
    asked = objectives(accuracy=0.9)
    found = rows(asked, {"accuracy": 0.5, "energy": 1.0}, rung=1) + rows(asked, {"accuracy": 0.1, "energy": 1.0})
    told = kept_off(found, objectives=asked, top=1)
    assert told == "1 of 1 keep off the front: 1 x accuracy below 0.9 (best 0.5)."


def test_many_reasons_are_told_by_the_commonest() -> None:
    asked = objectives()
    kinds = [f"Error{'x' * index}: no" for index in range(8)]
    told = why(asked, [failed(slot, message) for slot, message in enumerate([*kinds, kinds[7]])])
    assert told.startswith(f"9 of 9 keep off the front: 2 x failed: {kinds[7]};")
    assert told.endswith("; and 3 more reasons.")


def test_an_empty_answer_tells_what_came_nearest_to_each_bound() -> None:
    asked = objectives(accuracy=0.9, energy=2e-6)
    found = rows(
        asked, {"accuracy": 0.95, "energy": 5e-6}, {"accuracy": 0.8, "energy": 1e-6}, {"accuracy": 0.7, "energy": 9e-6}
    )
    first, second = (row.job.genotype.key for row in found[:2])
    assert nearest(found, objectives=asked, top=0) == [
        f"accuracy >= 0.9 fraction: 1 of 3 networks keep it, the best has 0.95 (network {first}); of the 1 that keep all "
        f"other bounds, the best has 0.8 (network {second}).",
        f"energy <= 2e-06 J/sample: 1 of 3 networks keep it, the best has 1e-06 (network {second}); of the 1 that keep "
        f"all other bounds, the best has 5e-06 (network {first}).",
    ]


def test_a_bound_beside_which_nothing_has_a_value_says_so() -> None:
    asked = objectives(accuracy=0.9, energy=2e-6)
    (accuracy, energy) = nearest(rows(asked, {"accuracy": 0.95, "macs": 3.0}), objectives=asked, top=0)
    assert accuracy.endswith("of the 0 that keep all other bounds, none has a value of accuracy.")
    assert "0 of 1 networks keep it, none has a value of energy; of the 1 that keep all other bounds" in energy


def rejected(slot: int, message: str) -> Row:
    job = Job(slot, "evaluate", Genotype({"a": slot}), "toy")
    return Row(Evaluation(job, Outcome.REJECTED, message), None, None)


def test_where_no_network_was_trained_in_full_it_is_told_what_became_of_them() -> None:
    asked = objectives(accuracy=0.5)
    search = Job(9, "search", Genotype({}), "gradients")
    found = [
        *rows(asked, {"accuracy": 0.9, "energy": 1.0}),
        *(rejected(slot, f"chip has no price for {slot} MACs, which stage{slot} needs.") for slot in (1, 2, 3)),
        rejected(4, "does not fit."),
        Row(Evaluation(search, Outcome.CRASHED, "UnpriceableError: no price for gates.\nmore"), None, None),
    ]
    assert unreached(found, top=1) == [
        "1 network was measured at lower rungs of the ladder, none at the last.",
        "4 networks were rejected before training: 3 x chip has no price for 1 MACs; 1 x does not fit.",
        "1 of the searches of a strategy failed. The last said: UnpriceableError: no price for gates.",
    ]
    assert unreached(found, top=0) == []
    assert unreached([], top=0) == []
