"""Trainings under Ray Tune: each trial in a process of its own, on this machine or a cluster, tried again when lost."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ray import tune

from evonas.engine.attempt import first_line
from evonas.engine.ray_cluster import RayCluster
from evonas.engine.ray_environment import default_environment
from evonas.errors import WorkersError
from evonas.final.training import Setup
from evonas.final.trainings import OnTrial, tried
from evonas.final.trial import Trial

SETTINGS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # what a run names is looked up from the working directory
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the command, as everywhere in evonas
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",  # of the two ways in which Tune shows progress, the one that can be silent
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""Environment variables of Ray Tune, with the values that they get unless they are set already."""


@dataclass(frozen=True)
class TuneTrainings:
    """Trains as trials of Ray Tune on the cluster that `RAY_ADDRESS` names, else on this machine.

    Checkpoints are those of `evonas.final.training`, in the folder of the setup, which all machines have to see: a
    trial that is tried again, or begun by a later command, goes on from them. Those of Tune hold nothing.

    Attributes:
        count: Trials at once; None for as many as there is room for.
        num_cpus: CPUs of each, fractions allowed.
        num_gpus: GPUs of each, fractions allowed.
        retries: How often a trial is tried again whose process was lost.
    """

    count: int | None
    num_cpus: float
    num_gpus: float
    retries: int

    def __call__(self, trials: Sequence[Trial], setup: Setup, *, on_epoch: OnTrial) -> dict[Trial, str]:
        """Train all trials; return why each failed that did.

        Raises:
            WorkersError: If Ray cannot be used, or there is no room for a trial.
        """
        with default_environment(SETTINGS):
            cluster = RayCluster()
            try:
                room = cluster.room(num_cpus=self.num_cpus, num_gpus=self.num_gpus)
                if room < max(1, self.count or 1):
                    raise WorkersError(
                        f"{self.count or 1} training(s) of {self.num_cpus:g} CPUs and {self.num_gpus:g} GPUs do not "
                        f"fit: the cluster has {cluster.size()}, room for {room}. Lower --workers, --num-cpus or "
                        "--num-gpus, or train in this process with --workers 0."
                    )
                return self._tuned(trials, setup, on_epoch)
            finally:
                cluster.close()

    def _tuned(self, trials: Sequence[Trial], setup: Setup, on_epoch: OnTrial) -> dict[Trial, str]:
        paths = [os.getcwd()]
        with_setup: Any = tune.with_parameters(_trainable, setup=setup, trials=tuple(trials), paths=paths)
        needs = {name: amount for name, amount in (("cpu", self.num_cpus), ("gpu", self.num_gpus)) if amount}
        with _quiet():
            results = tune.Tuner(
                tune.with_resources(with_setup, needs),
                param_space={"trial": tune.grid_search(list(range(len(trials))))},
                tune_config=tune.TuneConfig(max_concurrent_trials=self.count, reuse_actors=True),
                run_config=tune.RunConfig(
                    name="tune",
                    storage_path=str(setup.folder.path.resolve()),
                    failure_config=tune.FailureConfig(max_failures=self.retries),
                    callbacks=[_Telling(trials, on_epoch, epochs=setup.recipe.training.epochs)],
                    verbose=0,
                ),
            ).fit()
        shutil.rmtree(setup.folder.path / "tune", ignore_errors=True)  # nothing in it is ever read again
        faults = {}
        for result in (results[index] for index in range(len(results))):
            trial = trials[result.config["trial"]] if result.config else trials[0]
            if result.error is not None:
                faults[trial] = f"its process was lost {self.retries + 1} times: {first_line(result.error)}"
            elif fault := (result.metrics or {}).get("fault", ""):
                faults[trial] = str(fault)
        lost = [trial for trial in setup.folder.missing(trials) if trial not in faults]
        return faults | dict.fromkeys(lost, "its weights are not there; give the same command again")


def _trainable(config: Mapping[str, Any], *, setup: Setup, trials: Sequence[Trial], paths: Sequence[str]) -> None:
    sys.path[:0] = [path for path in paths if path not in sys.path and os.path.isdir(path)]

    def tell(epoch: int, values: Mapping[str, float]) -> None:
        tune.report({"epoch": epoch, "fault": "", **values})

    fault = tried(trials[config["trial"]], setup, tell)
    tune.report({"epoch": setup.recipe.training.epochs, "fault": fault})


class _Telling(tune.Callback):
    """Hands on what trials report."""

    def __init__(self, trials: Sequence[Trial], on_epoch: OnTrial, *, epochs: int) -> None:
        self._trials, self._epochs = trials, epochs
        self._on_epoch: OnTrial | None = on_epoch

    def __getstate__(self) -> dict[str, Any]:
        """Return the state that Tune keeps on disk, which is never read: without what belongs to this process."""
        return {**self.__dict__, "_on_epoch": None}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Hand on the values of an epoch."""
        names = ("loss", *(name for name in result if name.startswith("validation ")))
        values = {name: float(result[name]) for name in names if name in result}
        is_news = bool(values) or int(result["epoch"]) < self._epochs  # the last report is of the end alone
        if is_news and self._on_epoch is not None:
            self._on_epoch(self._trials[trial.config["trial"]], int(result["epoch"]), values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Return a context in which Ray Tune says nothing of its own."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.train", "ray.air")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
