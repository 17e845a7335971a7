"""The searcher of one-shot searches: trains a supernet, and searches its networks with the weights they inherit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from evonas.data.dataset import SearchData
from evonas.engine.budget import Budget
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.engine.memory_rows import MemoryRows
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.rejection import Reject
from evonas.engine.search import search
from evonas.engine.supernet_search import SupernetSearch
from evonas.engine.training_log import Trained
from evonas.engine.view import Row, Strategy
from evonas.engine.workers import InlineWorkers
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.space import Space
from evonas.training.batches import Batches
from evonas.training.inheritance import Inheritance
from evonas.training.path_draws import PathDraws
from evonas.training.process import seeded, torch_threads
from evonas.training.seeds import search_seed
from evonas.training.supernet import Supernet
from evonas.training.supernet_fit import SupernetFit
from evonas.training.training_settings import Training

INHERITED = "inherited"
"""Begin of the name under which the score of a network with inherited weights is kept."""


class SupernetSearcher:
    """Does search jobs: `searcher(job)` returns each network that was judged with inherited weights, and its score.

    A score is the first metric of the task on the validation samples, turned so that more is better, and its cost the
    priced objective there. Both are no measurement of a network trained alone, and are never ranked with any.
    All depends on the run's seed and the settings of the job alone, on one kind of device with one number of threads.

    Args:
        space: A space with `build` and `share`.
        data: The supernet is trained on training samples, and networks are judged on validation samples.
        objective: What the metric is traded against.
        evolve: Returns the strategy of the search among the networks, with a population of a given size.
        reject: Says which networks cannot take the data; None where all can.
        training: How the supernet is trained; the number of epochs is that of the job.
        threads: Threads of torch while it works.
        device: Where to compute.
    """

    def __init__(
        self,
        space: Space,
        data: SearchData,
        *,
        objective: Objective,
        evolve: Callable[[int], Strategy],
        reject: Reject | None,
        training: Training,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self._space, self._data, self._objective = space, data, objective
        self._evolve, self._reject, self._training = evolve, reject, training
        self._threads, self._device = threads, torch.device(device)

    def __call__(self, job: Job) -> Result:
        """Return the networks that `job` has judged.

        Raises:
            TrainingDivergedError: If a loss is no longer a finite number.
            EvonasError: If networks of the space share no weights, or none could be judged.
        """
        told, seed = SupernetSearch.of(job.settings), search_seed(job)
        with torch_threads(self._threads), seeded(seed, device=self._device):
            fit, losses, supernet = self._trained(told, seed=seed)
            inheritance = Inheritance(
                supernet, self._data, calibration=told.calibration, seed=seed, device=self._device
            )  # fmt: skip
            rows = self._judged(told, inheritance, seed=seed)
        return Result(
            proxy_scores=tuple(self._score(row) for row in rows),
            trained=Trained(fit.sample_steps + inheritance.sample_steps, epochs=tuple({"loss": one} for one in losses)),
        )

    def _trained(self, told: SupernetSearch, *, seed: int) -> tuple[SupernetFit, list[float], Supernet]:
        """Return the supernet after its training, the training, and the mean loss of each epoch."""
        task = self._data.task
        supernet = Supernet(
            self._space,
            self._data.input_shape,
            task.outputs,
            train_neurons=self._training.train_neurons,
            device=self._device,
        )
        draws = PathDraws(
            self._space,
            warm_up=told.warm_up,
            reject=self._reject,
            operations=None if self._space.operations is None else self._operations,
            rng=np.random.default_rng([seed, 0]),
        )
        fit = SupernetFit(
            supernet,
            Batches(self._data.train, self._device),
            task,
            training=replace(self._training, epochs=told.epochs),
            draw=draws,
            seed=seed,
        )
        return fit, [fit.run_epoch() for _ in range(told.epochs)], supernet

    def _operations(self, genotype: Genotype) -> float:
        assert self._space.operations is not None
        return self._space.operations(genotype, self._data.input_shape, self._data.task.outputs)

    def _judged(self, told: SupernetSearch, inheritance: Inheritance, *, seed: int) -> list[Row]:
        """Return the networks that a search with inherited weights has seen, in the order in which it saw them.

        Raises:
            EvonasError: If none of them could be judged.
        """
        metric = self._data.task.metrics[0].objective()
        rows = MemoryRows((metric, self._objective), seed=seed % 2**63)
        search(
            self._space,
            rows,
            strategy=self._evolve(told.pop_size),
            workers=InlineWorkers(inheritance),
            budget=Budget(told.networks),
            reject=self._reject,
        )
        judged = [row for row in rows.rows if not row.is_rejected]
        if not any(row.costs for row in judged):
            why = judged[-1].evaluation.message if judged else "All networks were rejected."
            raise EvonasError(f"No network could be judged with the weights of the supernet. The last: {why}")
        return judged

    def _score(self, row: Row) -> ProxyScore:
        """Return a network with the score that it has with inherited weights, or why it has none."""
        metric = self._data.task.metrics[0]
        name = f"{INHERITED} {metric.name}"
        if row.costs is None or row.score is None:
            why = row.evaluation.message or f"The {self._objective.name} of this network has no value."
            return ProxyScore(row.job.genotype, name, None, message=f"{why:.300}")
        value, cost = row.costs
        return ProxyScore(row.job.genotype, name, -value, cost=self._objective.sign * cost)
