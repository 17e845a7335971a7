"""The bi-level searcher: a `search` job of the differentiable strategy becomes one training of a relaxed network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from evonas.data.dataset import SearchData
from evonas.engine.attempt import attempt
from evonas.engine.evaluation import Evaluation
from evonas.engine.job import Job
from evonas.engine.returned import Returned
from evonas.engine.search_job import SearchSettings
from evonas.expected_counts import PriceFunction
from evonas.space import Genotype, Space
from evonas.training.bilevel_search import SearchedNetworks, differentiable_search
from evonas.training.bilevel_settings import Relaxation
from evonas.training.training_settings import Training

Warm = Callable[[Job, Mapping[str, Tensor]], Returned]


class BilevelSearcher:
    """Does search jobs: `searcher(job)` returns what `job` proposes, tried with its weights if `job` says so.

    All depends on the run's seed and the settings of the job alone, on one kind of device with one number of threads.

    Args:
        space: A space with `relax`.
        data: Training samples; those for validation are not read.
        price: The priced objective as a function of expected counts.
        training: How weights are trained; the schedule is that of the search.
        warm: `warm(job, weights)` measures the network of a job from the weights of the search on.
        device: Where to train.
    """

    def __init__(
        self,
        space: Space,
        data: SearchData,
        *,
        price: PriceFunction,
        training: Training,
        warm: Warm,
        device: str = "cpu",
    ) -> None:
        self._space = space
        self._data = data
        self._price = price
        self._training = training
        self._warm = warm
        self._device = torch.device(device)

    def __call__(self, job: Job) -> Returned:
        """Return the genotypes that `job` proposes.

        Raises:
            TrainingDivergedError: If a loss is no longer a finite number.
            EvonasError: If the settings do not fit the space or the data.
        """
        told = SearchSettings.of(job.settings)
        found = differentiable_search(
            self._space,
            self._data,
            context=told.context,
            price=told.price,
            objective_price=self._price,
            relaxation=Relaxation(
                warm_up=told.warm_up,
                epochs=told.epochs,
                proposals=told.proposals,
                batch_size=self._training.batch_size,
            ),
            training=self._training,
            seed=_seed(job),
            device=self._device,
        )
        warm = tuple(self._tried(one, found, job, told.warm_epochs) for one in found.genotypes if told.warm_epochs)
        sample_steps = found.trained.sample_steps + sum(one.sample_steps for one in warm)
        trained = replace(found.trained, sample_steps=sample_steps)
        return Returned(proposals=found.genotypes, warm=warm, trained=trained)

    def _tried(self, genotype: Genotype, found: SearchedNetworks, search: Job, epochs: int) -> Evaluation:
        """Return what came of training a network of the search on; a failure is its outcome, not that of the search."""
        time_steps = int(genotype.get("time_steps", self._data.train.inputs.shape[1]))
        job = Job(
            search.slot,
            "warm",
            genotype,
            search.strategy,
            parents=(search.slot,),
            epochs=epochs,
            sample_steps=float(epochs * len(self._data.train) * time_steps),
            seed=search.seed,
        )
        return attempt(lambda job: self._warm(job, found.weights[genotype.key]), job)


def _seed(job: Job) -> int:
    """Return a seed made of the run's seed and of all that the search is told; what comes after it is left out."""
    settings = {name: value for name, value in job.settings.items() if name != "warm_epochs"}
    told = json.dumps([job.seed, settings], sort_keys=True)
    return int(hashlib.sha256(told.encode()).hexdigest()[:15], 16)
