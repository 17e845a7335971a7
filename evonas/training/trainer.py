"""Evaluation: a genotype is built, trained and measured on the validation data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from evonas.data.dataset import SearchData
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.engine.training_log import Trained
from evonas.errors import EvonasError, TrainingDivergedError
from evonas.measurement import Measurement
from evonas.snn.network import Network
from evonas.space import Space
from evonas.training.batches import Batches
from evonas.training.optimizer import flattened, optimizer_of, parameter_groups
from evonas.training.process import seeded, torch_threads
from evonas.training.surrogate_search import Range, Searchable, SurrogateSearch, samples_from
from evonas.training.training_settings import Training

VALIDATION_SEED = (0,)
"""Of draws in validation inputs, the same for all networks."""

NORM_MOMENTUM = 0.1
"""Weight of a new batch in the running statistics of the batch norms, once there have been ten."""


class TrainingEvaluator:
    """Builds, trains and measures: `evaluator(job)` returns a `Measurement` and what the training took.

    The result depends on the run's seed and the genotype alone, on one kind of device with one number of threads:
    training at a higher rung repeats that of the lower rung exactly and goes on.

    Args:
        space: Builds the networks.
        data: Training and validation samples.
        training: How to train.
        threads: Threads of torch while it works; results on other numbers of threads differ in the last bits.
        device: Where to train.

    Raises:
        EvonasError: If the space has no `build`, or does not say which widths may be searched where they are, or if
            labels are to be smoothed that are no classes.
    """

    def __init__(
        self, space: Space, data: SearchData, *, training: Training, threads: int = 1, device: str = "cpu"
    ) -> None:
        if space.build is None:
            raise EvonasError("The space has no `build`, so that its genotypes cannot be made into networks.")
        if training.label_smoothing and not data.task.smooths_labels:
            raise EvonasError(
                f"label_smoothing = {training.label_smoothing:g} is for classes, and the task is {data.task.summary}. "
                "Leave it out."
            )
        self._search = surrogate_search_of(space, training)
        self._threads = threads
        self._build = space.build
        self._data = data
        self._training = training
        self._device = torch.device(device)
        self._train = Batches(data.train, self._device)
        self._validation = Batches(data.validation, self._device)

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
        with torch_threads(self._threads), seeded(_seed(job), device=self._device):
            network = self._network(job)
            trained = self._fit(network, job)
            return network, Result(measurement=self._measure(network), trained=trained)

    def _network(self, job: Job) -> Network:
        network: Network = self._build(job.genotype, self._data.input_shape, self._data.task.outputs).to(self._device)
        if self._training.train_neurons:
            network.train_neurons()
        return network

    def _fit(self, network: Network, job: Job) -> Trained:
        settings = self._training
        train, steps = self._train, network.plan.time_steps
        groups = [flattened(group) for group in parameter_groups(network)]
        flat = [parameter for group in groups for parameter in group]
        gradients = [parameter.grad for parameter in flat if parameter.grad is not None]
        optimizer = optimizer_of(groups, settings)
        batches = math.ceil(len(train) / settings.batch_size)
        schedule = learning_rate_schedule(optimizer, steps=settings.epochs * batches, warm_up=settings.warm_up)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        network.train()
        search = None if self._search is None else self._search(network)
        step, samples = 0, 0
        for epoch in range(job.epochs):
            shuffle = torch.Generator().manual_seed((_seed(job) + 0x9E3779B97F4A7C15 * (epoch + 1)) % 2**63)
            order = torch.randperm(len(train), generator=shuffle).to(self._device)
            for index in order.split(settings.batch_size):
                step, samples = step + 1, samples + len(index)
                seed = (_seed(job), step)
                for norm in norms:  # a plain mean at first, so that short trainings do not keep the initial statistics
                    norm.momentum = max(1 / step, NORM_MOMENTUM)
                if search is not None and search.is_due(step):
                    first = (step - 1) % batches * settings.batch_size
                    looked_at = samples_from(order, first=first, batch_size=settings.batch_size)
                    rate = float(schedule.get_last_lr()[0])
                    search.move(partial(self._losses, network, seed), looked_at, learning_rate=rate)
                inputs = train.inputs(index, time_steps=steps, seed=seed)
                loss = self._loss(network, inputs, train.labels[index])
                if not torch.isfinite(loss):
                    raise TrainingDivergedError(f"The loss is {loss.item()} in epoch {epoch + 1} of {job.epochs}.")
                for gradient in gradients:
                    gradient.zero_()
                loss.backward()
                length = nn.utils.clip_grad_norm_(flat, settings.clip_norm)
                if not torch.isfinite(length):
                    raise TrainingDivergedError(f"The gradient norm is {length} in epoch {epoch + 1} of {job.epochs}.")
                optimizer.step()
                schedule.step()
        if search is None:
            return Trained(float(samples * steps))
        return Trained((samples + search.samples) * steps, tuple(search.trace))

    def _loss(self, network: Network, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        task, smoothing = self._data.task, self._training.label_smoothing
        if self._training.loss == "of_mean":
            of_mean: torch.Tensor = task.loss(network(inputs), targets, label_smoothing=smoothing)
            return of_mean
        if not hasattr(network, "potentials"):
            raise EvonasError(
                f"The network, a {type(network).__name__}, has no `potentials`, whose loss at each time step is asked "
                "for. Give it a method that returns the answers at each step, time first, or set training.loss to "
                '"of_mean".'
            )
        potentials = network.potentials(inputs)
        repeated = targets.repeat(len(potentials), *[1] * (targets.ndim - 1))
        of_steps: torch.Tensor = task.loss(potentials.flatten(0, 1), repeated, label_smoothing=smoothing)
        return of_steps

    def _losses(self, network: Network, seed: Sequence[int], samples: torch.Tensor) -> torch.Tensor:
        inputs = self._train.inputs(samples, time_steps=network.plan.time_steps, seed=seed)
        losses: torch.Tensor = self._data.task.losses(network(inputs), self._train.labels[samples])
        return losses

    @torch.no_grad()
    def _measure(self, network: Network) -> Measurement:
        validation, labels, steps = self._validation, self._validation.labels, network.plan.time_steps
        network.eval()
        recorder = network.recorder()
        tally = self._data.task.tally()
        for index in torch.arange(len(labels), device=self._device).split(256):
            answers = network(validation.inputs(index, time_steps=steps, seed=VALIDATION_SEED), recorder)
            tally.add(answers, labels[index])
        metrics = tally.metrics()
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingDivergedError(f"The validation {name} is {value}.")
        activity = recorder.activity()
        if self._data.seconds is not None:
            activity = replace(activity, step_seconds=self._data.seconds / activity.time_steps)
        return Measurement(
            metrics=metrics,
            samples=len(labels),
            parameters=sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
            time_steps=activity.time_steps,
            silent=activity.is_silent,
            activity=activity,
            counts=tally.counts(),
        )


def learning_rate_schedule(
    optimizer: torch.optim.Optimizer, *, steps: int, warm_up: float
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a line from 0 over a part `warm_up` of `steps`, then a cosine to 0; with no warm-up the cosine alone."""
    rising = min(round(warm_up * steps), steps - 1)
    if not rising:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _seed(job: Job) -> int:
    return int(job.genotype.key, 16) ^ job.seed


@torch.no_grad()
def check_answers(network: nn.Module, data: SearchData) -> None:
    """Check that a network answers two samples of the data; raise whatever it raises, or `EvonasError`.

    Raises:
        EvonasError: If its answers have another shape than those of the task.
    """
    inputs = Batches(data.validation, torch.device("cpu")).inputs(
        torch.arange(2) % len(data.validation), time_steps=_time_steps(network, data), seed=VALIDATION_SEED
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
