"""The peer of `real_search.py`: Optuna's NSGA-II over SpikingJelly networks, as a user of both would write it.

    python benchmarks/user_script.py --data FILE.npz --journal FILE --seconds N [--seed N] [--most-error N]

Two processes share one study in a journal file. The data are `images`, `labels`, `validation_images` and
`validation_labels`, images of shape `(samples, channels, side, side)` with values in [0, 1]. A trial is a network of
1 to 3 blocks (convolution, batch norm, LIF, max pooling) and a hidden layer, trained for 3 epochs; minimised are the
validation error and the log10 of all operations per sample. Each trial keeps the seconds since the start.
"""

from __future__ import annotations

import argparse
import math
import time
from multiprocessing import Process
from pathlib import Path
from typing import cast

import numpy as np
import optuna
import torch
from optuna.storages.journal import JournalFileBackend, JournalStorage
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy

STUDY, PROCESSES, EPOCHS, HIDDEN = "search", 2, 3, 128


class Network(nn.Module):
    """A convolutional spiking network; its output is the mean of the readout over time."""

    def __init__(self, trial: optuna.trial.BaseTrial, *, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.time_steps = trial.suggest_int("time_steps", 1, 8)
        tau = trial.suggest_float("tau", 1.1, 5.0, log=True)
        threshold = trial.suggest_float("threshold", 0.25, 1.5)

        def lif() -> nn.Module:
            return neuron.LIFNode(tau, v_threshold=threshold, surrogate_function=surrogate.ATan(), detach_reset=True)  # type: ignore[no-any-return]

        width, side = shape[0], shape[-1]
        layers: list[nn.Module] = []
        for block in range(trial.suggest_int("blocks", 1, 3)):
            channels = trial.suggest_categorical(f"channels{block}", [4, 8, 16, 32])
            layers += [layer.Conv2d(width, channels, 3, padding=1, bias=False), layer.BatchNorm2d(channels), lif()]
            layers += [layer.MaxPool2d(2)]
            width, side = channels, side // 2
        layers += [layer.Flatten(), layer.Linear(width * side**2, HIDDEN), lif(), layer.Linear(HIDDEN, classes)]
        self.layers = nn.Sequential(*layers)
        functional.set_step_mode(self.layers, "m")

    def forward(self, images: Tensor) -> Tensor:
        """Return `(batch, classes)` logits of `(batch, channels, side, side)` images, which are shown at each step."""
        functional.reset_net(self.layers)
        return self.layers(images.expand(self.time_steps, *images.shape)).mean(0)  # type: ignore[no-any-return]


def operations(connection: nn.Module, inputs: Tensor) -> float:
    """Return what `(time, batch, ...)` inputs deliver: each that is not zero, to all targets that it reaches.

    Of spikes these are accumulates, of the image multiply-accumulates, at each time step anew, as they are computed.
    """
    counts = (inputs != 0).sum((0, 1)).double()  # all is linear, so that one look at the sums is enough
    weight = torch.ne(cast(Tensor, connection.weight), 0).double()
    if isinstance(connection, nn.Conv2d):
        return float(conv2d(counts[None], weight, stride=connection.stride, padding=connection.padding).sum())
    return float((weight @ counts).sum())


def validate(network: Network, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the error and the operations per sample."""
    delivered: list[float] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: delivered.append(operations(module, inputs[0])))
        for module in network.layers
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    network.eval()
    with torch.no_grad():
        hits = sum((network(x).argmax(1) == y).sum().item() for x, y in zip(images.split(128), labels.split(128)))
    for hook in hooks:
        hook.remove()
    return 1 - hits / len(labels), sum(delivered) / len(labels)


def search(options: argparse.Namespace, *, process: int, began: float) -> None:
    """Try networks until the time is over."""
    torch.set_num_threads(1)
    with np.load(options.data) as file:
        images, labels, *validation = (torch.from_numpy(file[name]) for name in file.files)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        torch.manual_seed(1000 * options.seed + trial.number)
        network = Network(trial, shape=images.shape[1:], classes=int(labels.max()) + 1)
        batch_size = trial.suggest_categorical("batch_size", [64, 128])
        optimiser = torch.optim.Adam(network.parameters(), trial.suggest_float("learning_rate", 3e-4, 3e-2, log=True))
        for _ in range(EPOCHS):
            network.train()
            for batch in torch.randperm(len(images)).split(batch_size):
                optimiser.zero_grad()
                cross_entropy(network(images[batch]), labels[batch]).backward()
                optimiser.step()
        error, delivered = validate(network, *validation)
        trial.set_user_attr("seconds", time.monotonic() - began)
        trial.set_user_attr("error", error)
        return error, math.log10(delivered)

    study = optuna.load_study(
        study_name=STUDY,
        storage=JournalStorage(JournalFileBackend(str(options.journal))),
        sampler=optuna.samplers.NSGAIISampler(
            population_size=16,
            seed=PROCESSES * options.seed + process,
            constraints_func=lambda trial: (trial.user_attrs["error"] - options.most_error,),
        ),
    )
    study.optimize(objective, timeout=options.seconds)


def main() -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the .npz file")
    parser.add_argument("--journal", type=Path, required=True, help="where the study is kept")
    parser.add_argument("--seconds", type=float, required=True, help="after which no trial is started")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-error", type=float, default=0.5, help="networks with more are not wanted")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(options.journal)))
    optuna.create_study(study_name=STUDY, storage=storage, directions=["minimize", "minimize"])
    processes = [
        Process(target=search, args=(options,), kwargs={"process": process, "began": began})
        for process in range(PROCESSES)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join()


if __name__ == "__main__":
    main()
