"""The bi-level searcher: a `search` job of the differentiable strategy becomes one training of a relaxed network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch

from evonas.bilevel import Relaxation, differentiable_search
from evonas.data.dataset import SearchData
from evonas.evaluate import Training
from evonas.measurement import Job
from evonas.snn.expected_counts import PriceFunction
from evonas.space import Genotype, Space
from evonas.strategies.differentiable import context_of


class BilevelSearcher:
    """Does search jobs: `searcher(job)` returns the genotypes that `job` proposes.

    They depend on the run's seed and the settings of the job alone, on one kind of device with one number of threads.

    Args:
        space: A space with `relax`.
        data: Training samples; those for validation are not read.
        price: The priced objective as a function of expected counts.
        training: How weights are trained; the schedule is that of the search.
        device: Where to train.
    """

    def __init__(
        self, space: Space, data: SearchData, *, price: PriceFunction, training: Training, device: str = "cpu"
    ) -> None:
        self._space = space
        self._data = data
        self._price = price
        self._training = training
        self._device = torch.device(device)

    def __call__(self, job: Job) -> Sequence[Genotype]:
        """Return the genotypes that `job` proposes.

        Raises:
            TrainingDivergedError: If a loss is no longer a finite number.
            EvonasError: If the settings do not fit the space or the data.
        """
        told = job.settings
        found = differentiable_search(
            self._space,
            self._data,
            context=context_of(told),
            price=float(told["price"]),
            objective_price=self._price,
            relaxation=Relaxation(
                warm_up=int(told["warm_up"]),
                epochs=int(told["epochs"]),
                proposals=int(told["proposals"]),
                batch_size=self._training.batch_size,
            ),
            training=self._training,
            seed=_seed(job),
            device=self._device,
        )
        return found.genotypes


def _seed(job: Job) -> int:
    """Return a seed made of the run's seed and of all that the job is told."""
    told = json.dumps([job.seed, dict(job.settings)], sort_keys=True)
    return int(hashlib.sha256(told.encode()).hexdigest()[:15], 16)
