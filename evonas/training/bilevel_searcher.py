"""The bi-level searcher: a `search` job of the differentiable strategy becomes one training of a relaxed network."""

from __future__ import annotations

import hashlib
import json

import torch

from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.engine.returned import Returned
from evonas.engine.search_job import SearchSettings
from evonas.expected_counts import PriceFunction
from evonas.space import Space
from evonas.training.bilevel_search import differentiable_search
from evonas.training.bilevel_settings import Relaxation
from evonas.training.training_settings import Training


class BilevelSearcher:
    """Does search jobs: `searcher(job)` returns the genotypes that the search of `job` proposes.

    All depends on the run's seed and the settings of the job alone, on one kind of device with one number of threads.

    Args:
        space: A space with `relax`.
        data: Training samples; those for validation are not read.
        price: The priced objective as a function of expected counts.
        training: How weights are trained; the schedule is that of the search.
        device: Where to train.
    """

    def __init__(
        self,
        space: Space,
        data: SearchData,
        *,
        price: PriceFunction,
        training: Training,
        device: str = "cpu",
    ) -> None:
        self._space = space
        self._data = data
        self._price = price
        self._training = training
        self._device = torch.device(device)

    def __call__(self, job: Job) -> Returned:
        """Return the genotypes that `job` proposes.

        Raises:
            TrainingDivergedError: If a loss is no longer a finite number.
            EvonasError: If the settings do not fit the space or the data.
        """
        told = SearchSettings.of(job.settings)
        return differentiable_search(
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


def _seed(job: Job) -> int:
    """Return a seed made of the run's seed and the settings of the search."""
    told = json.dumps([job.seed, dict(job.settings)], sort_keys=True)
    return int(hashlib.sha256(told.encode()).hexdigest()[:15], 16)
