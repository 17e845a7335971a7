"""Evaluation: a genotype is built, trained and measured on the validation data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from evonas.data.dataset import SearchData
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.engine.training_log import Trained
from evonas.errors import EvonasError
from evonas.measurement import Measurement
from evonas.robustness import Robustness
from evonas.snn.network import Network
from evonas.space import Space
from evonas.task import RateTask
from evonas.training.batches import Batches
from evonas.training.fit import Fit
from evonas.training.measuring import MEASURING_SEED, measured
from evonas.training.process import seeded, torch_threads
from evonas.training.robustness import robust_metrics
from evonas.training.seeds import network_seed
from evonas.training.surrogate_search import Range, Searchable, SurrogateSearch
from evonas.training.training_settings import Training
from evonas.training.unfinished import Unfinished


class TrainingEvaluator:
    """Builds, trains and measures: `evaluator(job)` returns a `Measurement` and what the training took.

    The result depends on the run's seed and the genotype alone, on one kind of device with one number of threads:
    training at a higher rung repeats that of the lower rung exactly and goes on, or goes on from where it was kept.

    Args:
        space: Builds the networks.
        data: Training and validation samples.
        training: How to train.
        threads: Threads of torch while it works; results on other numbers of threads differ in the last bits.
        device: Where to train.
        measures: What objectives ask of a network beside the metrics of the task.
        unfinished: Folder in which lower rungs leave their trainings, so that higher ones go on from there, with the
            same result (`Unfinished`); None where each begins anew.

    Raises:
        EvonasError: If the space has no `build`, or does not say which widths may be searched where they are, or if
            labels are to be smoothed, or answers compared with rates, that are no classes.
    """

    def __init__(
        self,
        space: Space,
        data: SearchData,
        *,
        training: Training,
        threads: int = 1,
        device: str = "cpu",
        measures: Sequence[Robustness] = (),
        unfinished: Path | None = None,
    ) -> None:
        if space.build is None:
            raise EvonasError("The space has no `build`, so that its genotypes cannot be made into networks.")
        if training.label_smoothing and not data.task.smooths_labels:
            raise EvonasError(
                f"label_smoothing = {training.label_smoothing:g} is for classes, and the task is {data.task.summary}. "
                "Leave it out."
            )
        if training.loss == "squared_error" and not isinstance(data.task, RateTask):
            raise EvonasError(
                f'loss = "squared_error" is for classes, and the task is {data.task.summary}. Set it to "of_mean".'
            )
        self._search = surrogate_search_of(space, training)
        self._threads = threads
        self._build = space.build
        self._data = data
        self._training = training
        self._measures = tuple(measures)
        self._device = torch.device(device)
        self._train = Batches(data.train, self._device)
        self._validation = Batches(data.validation, self._device)
        kind = f"{self.device}, {threads} threads"
        self._unfinished = None if unfinished is None else Unfinished(unfinished, kind=kind)

    @property
    def device(self) -> str:
        """Kind of device, as it is stored with each row."""
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "cpu"

    def __call__(self, job: Job) -> Result:
        """Return the measurement of the network of `job` after `job.epochs` epochs.

        Raises:
            TrainingDivergedError: If the loss is no longer a finite number.
        """
        return self.train(job)[1]

    def train(self, job: Job) -> tuple[Network, Result]:
        """Return the network of `job` after `job.epochs` epochs as well as its measurement.

        Raises:
            TrainingDivergedError: If the loss is no longer a finite number.
        """
        with torch_threads(self._threads), seeded(network_seed(job.genotype, job.seed), device=self._device):
            network = self._network(job)
            trained = self._fit(network, job)
            return network, Result(measurement=self._measured(network, job), trained=trained)

    def _network(self, job: Job) -> Network:
        network: Network = self._build(job.genotype, self._data.input_shape, self._data.task.outputs).to(self._device)
        if self._training.train_neurons:
            network.train_neurons()
        return network

    def _measured(self, network: Network, job: Job) -> Measurement:
        task, seed = self._data.task, network_seed(job.genotype, job.seed)
        measurement = measured(network, self._validation, task, seconds=self._data.seconds)
        robust = robust_metrics(network, self._validation, task, asked=self._measures, seed=seed)
        return replace(measurement, metrics={**measurement.metrics, **robust}) if robust else measurement

    def _fit(self, network: Network, job: Job) -> Trained:
        search = None if self._search is None else self._search(network)
        seed = network_seed(job.genotype, job.seed)
        fit = Fit(network, self._train, self._data.task, training=self._training, seed=seed, search=search)
        self._train_on(fit, job)
        return Trained(fit.sample_steps, () if search is None else tuple(search.trace))

    def _train_on(self, fit: Fit, job: Job) -> None:
        """Train from what a lower rung left, or from the beginning, and leave it to the next rung if there is one."""
        kept = self._unfinished
        state = None if kept is None or job.rung == 0 else kept.state(job)
        if state is not None and state["epochs"] <= job.epochs:
            fit.take_up(state)
        while fit.epochs < job.epochs:
            fit.run_epoch()
        if kept is not None and job.epochs < self._training.epochs:
            kept.keep(job, fit.state())
        elif kept is not None:
            kept.drop(job)


@torch.no_grad()
def check_answers(network: nn.Module, data: SearchData) -> None:
    """Check that a network answers two samples of the data; raise whatever it raises, or `EvonasError`.

    Raises:
        EvonasError: If its answers have another shape than those of the task.
    """
    inputs = Batches(data.validation, torch.device("cpu")).inputs(
        torch.arange(2) % len(data.validation), time_steps=_time_steps(network, data), seed=MEASURING_SEED
    )
    answers = network.eval()(inputs)
    shape, expected = getattr(answers, "shape", None), (2, *data.task.answer_shape)
    if shape != expected:
        came = f"the shape {tuple(shape)}" if shape is not None else f"the type {type(answers).__name__}"
        raise EvonasError(f"Its answers have {came}, expected {expected} for two samples of {data.task.summary}.")


def _time_steps(network: nn.Module, data: SearchData) -> int:
    """Return the time steps of a network, those of the data where a user's own says nothing."""
    steps = getattr(getattr(network, "plan", None), "time_steps", None)
    return steps if isinstance(steps, int) else data.frames or 1


def surrogate_search_of(space: Space, training: Training) -> Callable[[Searchable], SurrogateSearch] | None:
    """Return what begins a search of surrogate gradients in a network, None where none are searched.

    Raises:
        EvonasError: If they are to be searched and the space does not say which.
    """
    if training.search_surrogates_every is None:
        return None
    if space.surrogate_widths is None:
        raise EvonasError(
            "The space has no `surrogate_width`, so that training cannot search surrogate gradients. Name the variable "
            "that is their width, or leave out search_surrogates_every."
        )
    return partial(SurrogateSearch, widths=Range(*space.surrogate_widths), every=training.search_surrogates_every)
