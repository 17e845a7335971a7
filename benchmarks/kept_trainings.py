"""Trainings that are kept in a folder, so that none is done twice: from scratch, and from the weights of a parent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from evonas.data.dataset import SearchData
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.engine.training_log import Trained
from evonas.errors import TrainingDivergedError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.snn.network import Network
from evonas.space import Space
from evonas.training.batches import Batches
from evonas.training.fit import Fit
from evonas.training.inheritance import calibrate
from evonas.training.measuring import measured
from evonas.training.process import seeded
from evonas.training.seeds import network_seed
from evonas.training.training_settings import Training
from evonas.training.weights import packed, unpack

CPU = torch.device("cpu")
CONSTANTS = "neurons."
"""How the names of time constants and thresholds begin: the genotype says them, no parent does."""


@dataclass(frozen=True)
class Start:
    """What a training begins with.

    Attributes:
        seed: Of the run.
        parent: Whose weights are taken over, None for none.
    """

    seed: int = 0
    parent: Genotype | None = None


class KeptTrainings:
    """Trains networks and remembers their accuracies on the validation samples.

    Args:
        space: Builds the networks.
        data: Training and validation samples.
        epochs: Of the whole training of a network, whose weights are kept for its children.
        folder: Where all is kept; what is there already is not done again.
    """

    def __init__(self, space: Space, data: SearchData, *, epochs: int, folder: Path) -> None:
        self._space, self._data, self._epochs, self._folder = space, data, epochs, folder
        self._train, self._validation = Batches(data.train, CPU), Batches(data.validation, CPU)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "accuracies.jsonl"
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        self._known: dict[str, list[float]] = dict(json.loads(line) for line in lines)

    def __call__(self, job: Job) -> Result:
        """Return the measurement of the network of `job` after the whole training, and keep its weights.

        Raises:
            TrainingDivergedError: If the loss is no longer a finite number.
        """
        with seeded(network_seed(job.genotype, job.seed), device=CPU):
            network = self._network(job.genotype)
            found = self._trained(network, job.genotype, epochs=self._epochs, seed=job.seed)
        self._keep(f"{job.genotype.key} {job.seed} {self._epochs}", [one.accuracy for one in found])
        self._weights(job.genotype).write_bytes(packed(network, about={}))
        steps = len(self._train) * self._epochs * network.plan.time_steps
        return Result(measurement=found[-1], trained=Trained(float(steps)))

    def accuracies(self, genotype: Genotype, *, epochs: int, start: Start) -> list[float]:
        """Return the accuracy before the first and after each of `epochs` of a training with a schedule of its own.

        Where training diverges, the accuracy stays that of a guess.
        """
        parent = "" if start.parent is None else f" {start.parent.key}"
        name = f"{genotype.key} {start.seed} {epochs}{parent}"
        if name not in self._known:
            with seeded(network_seed(genotype, start.seed), device=CPU):
                network = self._network(genotype)
                if start.parent is not None:
                    self.inherit(network, start.parent)
                try:
                    found = self._trained(network, genotype, epochs=epochs, seed=start.seed)
                except TrainingDivergedError:
                    found = []
            guess = 1 / self._data.task.outputs
            self._keep(name, [one.accuracy for one in found] or [guess] * (epochs + 1))
        return self._known[name]

    def inherit(self, network: Network, parent: Genotype) -> None:
        """Give a network what its parent has of the same name and shape.

        Its norms then take their statistics from the training samples, as those of a supernet's networks do.
        """
        with torch.no_grad():
            for own, other in shared(network, self._parent(parent)).values():
                own.copy_(other)
        calibrate(network, self._train, torch.arange(len(self._train)), seed=(0,))

    def part(self, genotype: Genotype, parent: Genotype) -> float:
        """Return the part of the weights of a network that it takes over from a parent."""
        network = self._network(genotype)
        weights = {name: one.numel() for name, one in network.named_parameters() if not name.startswith(CONSTANTS)}
        taken = shared(network, self._parent(parent))
        return sum(weights[name] for name in weights.keys() & taken.keys()) / sum(weights.values())

    def _network(self, genotype: Genotype) -> Network:
        assert self._space.build is not None
        network: Network = self._space.build(genotype, self._data.input_shape, self._data.task.outputs)
        return network

    def _parent(self, genotype: Genotype) -> Network:
        network = self._network(genotype)
        unpack(self._weights(genotype).read_bytes(), network)
        return network

    def _weights(self, genotype: Genotype) -> Path:
        return self._folder / f"{genotype.key}.safetensors"

    def _trained(self, network: Network, genotype: Genotype, *, epochs: int, seed: int) -> list[Measurement]:
        """Return the measurements before the first and after each epoch."""
        drawn, task = network_seed(genotype, seed), self._data.task
        fit = Fit(network, self._train, task, training=Training(epochs=epochs), seed=drawn) if epochs else None
        found = [measured(network, self._validation, task, seconds=None)]
        for _ in range(epochs):
            assert fit is not None
            fit.run_epoch()
            found.append(measured(network, self._validation, task, seconds=None))
        return found

    def _keep(self, name: str, accuracies: list[float]) -> None:
        self._known[name] = accuracies
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, accuracies]) + "\n")


def shared(network: nn.Module, parent: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the tensors of a network and of its parent by the names that both have, where their shapes agree."""
    own, others = network.state_dict(), parent.state_dict()
    return {
        name: (own[name], others[name])
        for name in own.keys() & others.keys()
        if own[name].shape == others[name].shape and not name.startswith(CONSTANTS)
    }
