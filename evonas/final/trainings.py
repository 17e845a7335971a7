"""Trainings: all trials of a command, one after another in this process or as trials of Ray Tune."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from evonas.engine.attempt import message_of
from evonas.errors import EvonasError
from evonas.final.training import Setup, train
from evonas.final.trial import Trial

OnTrial = Callable[[Trial, int, Mapping[str, float]], None]
"""Called with a trial, the number of its epochs done and the values of the last one."""


class Trainings(Protocol):
    """Trains all trials; each keeps its weights in the folder of the setup."""

    def __call__(self, trials: Sequence[Trial], setup: Setup, *, on_epoch: OnTrial) -> dict[Trial, str]:
        """Return why each trial failed that did; of the others the weights are there."""
        ...


def one_after_another(trials: Sequence[Trial], setup: Setup, *, on_epoch: OnTrial) -> dict[Trial, str]:
    """Train in this process; return why each trial failed that did."""
    faults = {}
    for trial in trials:

        def tell(epoch: int, values: Mapping[str, float], trial: Trial = trial) -> None:
            on_epoch(trial, epoch, values)

        if fault := tried(trial, setup, tell):
            faults[trial] = fault
    return faults


def tried(trial: Trial, setup: Setup, on_epoch: Callable[[int, Mapping[str, float]], None]) -> str:
    """Train, and return why it failed, empty where it did not: another try would fail in the same way."""
    try:
        train(trial, setup, on_epoch=on_epoch)
    except EvonasError as error:
        return str(error)
    except Exception as error:  # a user's own space may raise anything
        return message_of(error)
    return ""
