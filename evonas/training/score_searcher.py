"""The searcher that scores networks without training: draws its part of a pool, builds each network, and scores it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from evonas.data.dataset import SearchData
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.score_search import NOTHING, OPERATIONS, ScoreSearch
from evonas.engine.training_log import Trained
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.scores.untrained import UntrainedScore
from evonas.snn.network import Network
from evonas.space import Space
from evonas.training.batches import Batches
from evonas.training.cost_model import steps_of_frames
from evonas.training.measuring import counted
from evonas.training.process import seeded, torch_threads
from evonas.training.seeds import network_seed

_OF_POOL, _OF_SAMPLES = 0x706F6F6C, 0x73616D70
"""Tell the draws of the pool and of the samples apart from others with the same seed."""


class ScoreSearcher:
    """Does search jobs: `searcher(job)` returns its part of the pool, each network with its score.

    All depends on the run's seed and the settings of the job alone, on one kind of device with one number of threads.
    A network starts from the weights with which its training would begin, and all networks see the same training
    samples; validation samples are not read.

    Args:
        space: A space with `build`.
        data: Training samples.
        find: Returns the score of a name.
        objective: What scores may be traded against besides operations.
        threads: Threads of torch while it works.
        device: Where to compute.
    """

    def __init__(
        self,
        space: Space,
        data: SearchData,
        *,
        find: Callable[[str], UntrainedScore],
        objective: Objective | None,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self._space = space
        self._data = data
        self._find = find
        self._objective = objective
        self._threads = threads
        self._device = torch.device(device)

    @cached_property
    def _samples(self) -> Batches:
        return Batches(self._data.train, self._device)

    def __call__(self, job: Job) -> Result:
        """Return the scores of the networks of `job`, each different network once.

        Raises:
            EvonasError: If the space has no `build`.
            SpaceError: If it has no networks for the data.
        """
        told = ScoreSearch.of(job.settings)
        networks = list({one.key: one for one in self._drawn(told, seed=job.seed)}.values())
        steps = sum(int(one.get("time_steps", self._data.frames or 1)) for one in networks)
        samples = min(told.batch_size, len(self._samples))
        return Result(proxy_scores=self.scored(networks, told, seed=job.seed), trained=Trained(float(steps * samples)))

    def scored(self, networks: Sequence[Genotype], told: ScoreSearch, *, seed: int) -> tuple[ProxyScore, ...]:
        """Return given networks with their scores, as a run with this seed would score them."""
        score = self._find(told.score)
        order = np.random.default_rng([seed, _OF_SAMPLES]).permutation(len(self._samples))
        index = torch.from_numpy(order[: told.batch_size])
        with torch_threads(self._threads):
            return tuple(self._scored(one, told, score, index=index, seed=seed) for one in networks)

    def _drawn(self, told: ScoreSearch, *, seed: int) -> list[Genotype]:
        """Return the networks of a part of the pool, each from a generator of its own."""
        frames = steps_of_frames(self._space, self._data.frames)
        networks = []
        for place in range(told.first, told.first + told.networks):
            rng = np.random.default_rng([seed, _OF_POOL, place])
            drawn = {name: values[int(rng.integers(len(values)))] for name, values in told.only.items()}
            networks.append(self._space.sample(rng, given={**drawn, **frames}))
        return networks

    def _scored(
        self, genotype: Genotype, told: ScoreSearch, score: UntrainedScore, *, index: Tensor, seed: int
    ) -> ProxyScore:
        """Return a network with its score, or why it has none: one bad network must not take the others with it."""
        unscored = ProxyScore(genotype, told.score, None)
        try:
            with seeded(network_seed(genotype, seed), device=self._device):
                network = self._built(genotype)
                steps = network.plan.time_steps
                inputs = self._samples.inputs(index, time_steps=steps, seed=(seed, _OF_SAMPLES))
                cost = self._cost(genotype, network, inputs, against=told.against)
                value = float(score(network, inputs))
        except Exception as error:  # a space, a score or an objective of a user's own may raise anything
            why = str(error) if isinstance(error, EvonasError) else f"{type(error).__name__}: {error}"
            return replace(unscored, message=f"{why:.300}")
        if not math.isfinite(value):
            return replace(unscored, cost=cost, message=f"The score is {value}, which is no finite number.")
        return replace(unscored, value=value, cost=cost)

    def _built(self, genotype: Genotype) -> Network:
        if self._space.build is None:
            raise EvonasError("The space has no `build`, so that its genotypes cannot be made into networks.")
        network: Network = self._space.build(genotype, self._data.input_shape, self._data.task.outputs)
        return network.to(self._device).train()

    def _cost(self, genotype: Genotype, network: Network, inputs: Tensor, *, against: str) -> float | None:
        """Return what the score is traded against, None for nothing.

        Raises:
            EvonasError: If there is no finite number.
        """
        if against == NOTHING:
            return None
        if against == OPERATIONS:
            assert self._space.operations is not None
            return float(self._space.operations(genotype, self._data.input_shape, self._data.task.outputs))
        assert self._objective is not None
        cost = float(self._objective.score(self._counted(network, inputs)))
        if not math.isfinite(cost):
            raise EvonasError(f"The {against} is {cost}, which is no finite number.")
        return cost

    @torch.no_grad()
    def _counted(self, network: Network, inputs: Tensor) -> Measurement:
        """Return what the untrained network does with these samples, its batch norms on their own statistics."""
        recorder = network.recorder()
        network(inputs, recorder)
        return counted(network, recorder, seconds=self._data.seconds)
