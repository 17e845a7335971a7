"""The training of one trial, epoch by epoch, from its last checkpoint to its weights."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from evonas.archive.atomic_file import write_whole
from evonas.data.dataset import SearchData
from evonas.errors import ArchiveError, EvonasError, RunFileError
from evonas.final.events import Events
from evonas.final.folder import TrainedFolder
from evonas.final.recipe import Recipe
from evonas.final.trial import Trial
from evonas.measurement import Measurement
from evonas.robustness import Robustness
from evonas.runfile.schema import SearchSection, SpaceSection
from evonas.runfile.space_section import space_of
from evonas.snn.network import Network
from evonas.space import Space
from evonas.training.batches import Batches
from evonas.training.fit import Fit, state_bytes, state_from
from evonas.training.measuring import measured
from evonas.training.process import seeded, torch_threads
from evonas.training.quantization import quantized, rounded_while_trained
from evonas.training.trainer import surrogate_search_of
from evonas.training.weight_average import WeightAverage
from evonas.training.weights import packed, unpack

OnEpoch = Callable[[int, Mapping[str, float]], None]
"""Called with the number of epochs done and the values of the last one."""


@dataclass(frozen=True)
class Setup:
    """What all trials of a command share; picklable.

    Attributes:
        search: Names the space.
        narrowing: What the search has left of the space.
        data: What is trained on, and the validation samples.
        recipe: How.
        folder: Where weights and checkpoints are kept.
        trusted: Whether code of the user's own may be imported.
        measures: What objectives ask of a network beside the metrics of the task.
    """

    search: SearchSection
    narrowing: SpaceSection | None
    data: SearchData
    recipe: Recipe
    folder: TrainedFolder
    trusted: bool
    measures: tuple[Robustness, ...] = ()

    def space(self) -> Space:
        """Return the space.

        Raises:
            RunFileError: If it is not found.
        """
        space, faults = space_of(self.search, self.narrowing, trusted=self.trusted)
        if space is None:
            raise RunFileError(faults)
        return space.on(self.data.input_shape)

    def build(self, trial: Trial) -> Network:
        """Return the network of a trial as it is drawn from torch's global generator, on the device."""
        build = self.space().build
        assert build is not None
        network: Network = build(trial.genotype, self.data.input_shape, self.data.task.outputs)
        if self.recipe.training.train_neurons:
            network.train_neurons()
        return network.to(self.recipe.device)

    def trained(self, trial: Trial) -> Network:
        """Return the network of a trial with its trained weights.

        Raises:
            ArchiveError: If they cannot be read.
        """
        with torch.random.fork_rng(devices=[]):
            network = self.build(trial)
        path = self.folder.weights(trial)
        try:
            unpack(path.read_bytes(), network)
        except (OSError, EvonasError) as error:
            raise ArchiveError(
                f"{path} cannot be used: {error}. Remove it, and the network is trained again."
            ) from error
        return network.eval()


def train(trial: Trial, setup: Setup, *, on_epoch: OnEpoch) -> None:
    """Train from the last checkpoint on, or from the beginning, until the weights are kept.

    After each epoch the state is kept, so that a training that is killed at any moment comes to the same weights. Where
    validation samples are held out, the weights are those after the best epoch on them, else those after the last.

    Raises:
        TrainingDivergedError: If the loss is no longer a finite number.
        ArchiveError: If a checkpoint cannot be written, or is damaged.
    """
    recipe, folder = setup.recipe, setup.folder
    if not folder.path.is_dir():
        raise ArchiveError(
            f"{folder.path} is not there on {socket.gethostname()}. On a cluster, results have to lie where all of its "
            "machines see them."
        )
    device = torch.device(recipe.device)
    with torch_threads(recipe.threads), seeded(trial.random_seed, device=device):
        network = setup.build(trial)
        average = WeightAverage(network, decay=recipe.average) if recipe.average else None
        search, bits = surrogate_search_of(setup.space(), recipe.training), recipe.weight_bits
        fit = Fit(
            network,
            Batches(setup.data.train, device),
            setup.data.task,
            training=recipe.training,
            seed=trial.random_seed,
            search=None if search is None else search(network),
            average=average,
            precision=mixed_precision(network, device) if recipe.mixed_precision else None,
            weights=None if bits is None else partial(rounded_while_trained, network, bits=bits),
        )
        best = _Best(setup, average) if recipe.keep_validation else None
        checkpoint = folder.checkpoint(trial)
        if checkpoint.is_file():
            _take_up(checkpoint, fit, best)
            on_epoch(fit.epochs, {})
        with Events(folder.events(trial), after=fit.epochs) as events:
            while fit.epochs < recipe.training.epochs:
                values = {"loss": fit.run_epoch()}
                if best is not None:
                    values |= best.see(network)
                state = {"fit": fit.state(), "best": None if best is None else best.state()}
                write_whole(checkpoint, state_bytes(state))
                events.add(fit.epochs, values)
                on_epoch(fit.epochs, values)
        about = {"key": trial.key, "seed": str(trial.seed), "recipe": json.dumps(recipe.to_json())}
        with nullcontext() if average is None else average.applied():
            last = packed(deployed(network, recipe), about=about)
        weights = last if best is None else best.weights(network, about=about)
    write_whole(folder.weights(trial), weights)
    checkpoint.unlink(missing_ok=True)


class _Best:
    """The weights after the best epoch on the validation samples, by the first metric of the task."""

    def __init__(self, setup: Setup, average: WeightAverage | None) -> None:
        self._samples = Batches(setup.data.validation, torch.device(setup.recipe.device))
        self._task, self._average, self._recipe = setup.data.task, average, setup.recipe
        self._state: dict[str, Any] | None = None

    def see(self, network: Network) -> dict[str, float]:
        """Return the metrics of a network after an epoch; its weights are kept if it is better than all before."""
        with nullcontext() if self._average is None else self._average.applied():
            kept = deployed(network, self._recipe)
            measurement: Measurement = measured(kept, self._samples, self._task, seconds=None)
            metric = self._task.metrics[0]
            value = measurement.metric(metric.name)
            cost = value if metric.direction == "min" else -value
            if self._state is None or cost < self._state["cost"]:
                weights = {name: tensor.detach().clone() for name, tensor in kept.state_dict().items()}
                self._state = {"cost": cost, "weights": weights}
        return {f"validation {name}": found for name, found in measurement.metrics.items()}

    def weights(self, network: Network, *, about: Mapping[str, str]) -> bytes:
        """Return the content of the file of the best weights."""
        assert self._state is not None
        network.load_state_dict(self._state["weights"])
        return packed(network, about=about)

    def state(self) -> dict[str, Any] | None:
        """Return the best weights so far."""
        return self._state

    def take_up(self, state: dict[str, Any] | None) -> None:
        """Go on from the best weights of the epochs before."""
        self._state = state


def deployed(network: Network, recipe: Recipe) -> Network:
    """Return what is kept of a trained network: itself, or a copy whose weights have the bits of the recipe."""
    return network if recipe.weight_bits is None else quantized(network, bits=recipe.weight_bits)


def mixed_precision(network: Network, device: torch.device) -> torch.autocast:
    """Return a context in which the products of weights are computed in bfloat16, and neurons see float32.

    A membrane adds up small currents over many steps, for which the eight bits of a bfloat16 are too few.
    """
    for operation in network.operations.values():
        operation.register_forward_hook(lambda module, given, output: output.float())
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _take_up(path: Path, fit: Fit, best: _Best | None) -> None:
    """Go on from a checkpoint: numbers and texts, nothing of which is executed."""
    try:
        state = state_from(path.read_bytes())
        fit.take_up(state["fit"])
        if best is not None:
            best.take_up(state["best"])
    except Exception as error:  # a damaged file may raise anything
        raise ArchiveError(
            f"The checkpoint {path} cannot be used: {error}. Remove it, and this training begins anew."
        ) from error
