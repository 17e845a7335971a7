"""Scoring jobs on a worker: which networks, from which weights, on which samples, and at what cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from evonas.data.dataset import SearchData
from evonas.data.samples import Samples
from evonas.engine.attempt import attempt
from evonas.engine.evaluation import Outcome
from evonas.engine.job import Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.score_search import ScoreSearch
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.scores import parameters, sparsity_aware_hamming
from evonas.snn.network import Network
from evonas.tasks.classification import Classification
from evonas.training.score_searcher import ScoreSearcher
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from evonas.variables import Choice
from objectives import accuracy, energy, spikes
from spaces.spatial_temporal import space

RNG = np.random.default_rng(0)
IMAGES = RNG.random((40, 1, 1, 8, 8), np.float32)
LABELS = np.arange(40) % 10


class Unread:
    """Samples that must not be read."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of validation samples was read")


DATA = SearchData(Samples(IMAGES, LABELS), Samples(IMAGES[:10], LABELS[:10]), Classification(10))
TOLD = ScoreSearch("mine", first=0, networks=4, batch_size=16, against="operations")


def job(told: ScoreSearch = TOLD, *, slot: int = 0, seed: int = 5) -> Job:
    return Job(slot, "search", Genotype({}), "zero_shot", seed=seed, settings=told.to_job())


def searcher(score: Any = sparsity_aware_hamming.score, **options: Any) -> ScoreSearcher:
    return ScoreSearcher(
        options.pop("space", space), DATA, find=lambda name: score, objective=options.pop("objective", None)
    )


def found(told: ScoreSearch = TOLD, **options: Any) -> tuple[ProxyScore, ...]:
    return searcher(**options)(job(told)).proxy_scores


def test_a_pool_is_the_same_however_it_is_parted() -> None:
    whole = found()
    assert len({one.genotype.key for one in whole}) == 4
    halves = [found(replace(TOLD, first=first, networks=2)) for first in (0, 2)]
    assert whole == halves[0] + halves[1]
    assert all(one.value is not None and not one.message for one in whole)


def test_what_is_left_of_a_choice_is_what_is_drawn() -> None:
    only = {"stage0.kind": ("analog",), "stage1.kind": ("lif", "lif_box")}
    networks = [one.genotype for one in found(replace(TOLD, networks=12, only=only))]
    assert {one["stage0.kind"] for one in networks} == {"analog"}
    assert {one.get("stage1.kind", "lif") for one in networks} == {"lif", "lif_box"}


def test_another_seed_draws_other_networks_and_the_slot_has_no_effect() -> None:
    first, again, other = (
        searcher()(job(slot=slot, seed=seed)).proxy_scores for slot, seed in ((0, 5), (9, 5), (0, 6))
    )
    assert first == again
    assert first != other


def test_a_network_is_scored_with_the_weights_with_which_its_training_begins() -> None:
    seen: dict[str, torch.Tensor] = {}

    def mine(network: Network, inputs: torch.Tensor) -> float:
        seen["scored"] = torch.cat([one.detach().flatten() for one in network.parameters()])
        assert network.training
        assert inputs.shape[1:] == (16, 1, 8, 8)
        return 0.0

    (one,) = found(replace(TOLD, networks=1), score=mine)
    trainer = TrainingEvaluator(space, DATA, training=Training(learning_rate=1e-9, weight_decay=0.0))
    network, _ = trainer.train(Job(0, "evaluate", one.genotype, "zero_shot", seed=5))
    assert torch.allclose(torch.cat([p.detach().flatten() for p in network.parameters()]), seen["scored"], atol=1e-5)


def test_all_networks_see_the_same_training_samples_and_nobody_reads_others() -> None:
    seen = []

    def mine(network: Network, inputs: torch.Tensor) -> float:
        seen.append(inputs[0])
        return 0.0

    data = replace(DATA, validation=Unread())  # type: ignore[arg-type]
    sealed = ScoreSearcher(space, data, find=lambda name: mine, objective=None)
    sealed(job(replace(TOLD, networks=2)))
    sealed(job(replace(TOLD, first=50, networks=1)))
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])
    rows = {row.tobytes() for row in IMAGES.reshape(40, -1)}
    assert {row.numpy().tobytes() for row in seen[0].flatten(1)} <= rows


def test_operations_are_those_that_the_space_counts() -> None:
    for one in found(score=parameters.score):
        assert one.cost == space.operations(one.genotype, DATA.input_shape, 10)


def test_an_objective_is_that_of_the_counts_of_the_untrained_network() -> None:
    def mine(network: Network, inputs: torch.Tensor) -> float:
        recorder = network.recorder()
        with torch.no_grad():
            network(inputs, recorder)
        return recorder.activity().spikes

    for one in found(replace(TOLD, against="spikes"), score=mine, objective=spikes.objective()):
        assert one.cost == one.value > 0
    costs = [
        one.cost for one in found(replace(TOLD, against="energy"), objective=energy.objective(profile="arith45_fp32"))
    ]
    assert all(cost is not None and 0 < cost < 1e-3 for cost in costs)


def test_nothing_that_is_traded_has_no_cost() -> None:
    assert {one.cost for one in found(replace(TOLD, against="nothing"))} == {None}


def test_a_network_without_a_score_says_why_and_the_others_keep_theirs() -> None:
    values = iter([1.0, float("nan"), EvonasError("It has no memory."), ValueError("odd")])

    def mine(network: Network, inputs: torch.Tensor) -> float:
        value = next(values)
        if isinstance(value, Exception):
            raise value
        return value

    assert [(one.value, one.message) for one in found(score=mine)] == [
        (1.0, ""),
        (None, "The score is nan, which is no finite number."),
        (None, "It has no memory."),
        (None, "ValueError: odd"),
    ]


def test_an_objective_that_only_training_tells_gives_no_cost_and_no_score() -> None:
    (one,) = found(replace(TOLD, networks=1, against="accuracy"), objective=accuracy.objective())
    assert one.value is one.cost is None
    assert "has no metric 'accuracy'" in one.message


def test_effort_is_a_step_of_the_batch_for_each_network() -> None:
    result = searcher()(job())
    assert result.trained is not None
    assert result.trained.sample_steps == 16 * sum(int(one.genotype["time_steps"]) for one in result.proxy_scores)


def test_frames_decide_the_time_steps_of_the_pool() -> None:
    frames = np.repeat(IMAGES, 5, axis=1)
    data = SearchData(Samples(frames, LABELS), Samples(frames[:10], LABELS[:10]), Classification(10))
    rows = ScoreSearcher(space, data, find=lambda name: parameters.score, objective=None)(job()).proxy_scores
    assert {one.genotype["time_steps"] for one in rows} == {5}
    assert all(one.value is not None for one in rows)


def test_a_score_that_cannot_be_found_is_a_failed_row() -> None:
    def find(name: str) -> Any:
        raise EvonasError(f"no {name}")

    row = attempt(ScoreSearcher(space, DATA, find=find, objective=None), job())
    assert row.outcome is Outcome.CRASHED
    assert "no mine" in row.message


def test_equal_networks_of_a_part_are_scored_once() -> None:
    genotype = space.sample(np.random.default_rng(0))
    one_network = space.narrowed(
        {
            name: [value] if isinstance(space.variables[name], Choice) else [value, value]
            for name, value in genotype.items()
        }
    )
    assert [one.genotype for one in found(space=one_network)] == [genotype]
