"""Retraining: one row of a run trained again as the run did, which gives the same weights."""

from __future__ import annotations

from typing import Any

from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.errors import RunFileError
from evonas.measurement import Measurement
from evonas.objective import measures_of
from evonas.runfile.data_section import known_data
from evonas.runfile.objective_sections import objectives_of
from evonas.runfile.schema import DataSection, RunFile
from evonas.runfile.space_section import space_of
from evonas.training.training_settings import Training


def data_section_of(file: RunFile, *, path: str | None) -> DataSection:
    """Return the section that names the data, which may lie at another path than when the run began."""
    named = file.data.model_dump(by_alias=True, exclude_none=True)
    return file.data if path is None else DataSection.model_validate({**named, "path": path})


def retrained(
    file: RunFile, job: Job, *, fingerprint: str | None, path: str | None = None, trusted: bool = True
) -> tuple[Any, Measurement]:
    """Return the trained network of a job, and what is measured of it, both as in the run.

    Training depends on the seed of the run and the genotype alone, on one kind of device with one number of threads.

    Args:
        file: The run file.
        job: The job of the row.
        fingerprint: Of the data that the run began with; None where it is not known.
        path: Where the data lie now; None is where the run file says.
        trusted: Whether code of the user's own may be imported.

    Raises:
        RunFileError: If what the run file names is missing.
        DataError: If the data are others than those of the run.
        TrainingDivergedError: If the loss is no longer a finite number.
    """
    from evonas.training.trainer import TrainingEvaluator  # torch, which looking at results does without

    space, faults = space_of(file.search, file.space, trusted=trusted)
    if space is None:
        raise RunFileError(faults)
    data = data_of(file, fingerprint=fingerprint, path=path, trusted=trusted)
    objectives, faults = objectives_of(file.objectives, trusted=trusted)
    if faults:
        raise RunFileError(faults)
    evaluator = TrainingEvaluator(
        space.on(data.input_shape),
        data,
        training=Training(epochs=file.ladder.epochs[-1], **file.training.model_dump()),
        threads=max(1, int(file.workers.num_cpus)),
        device="cuda" if file.workers.num_gpus else "cpu",
        measures=measures_of(objectives),
    )
    network, result = evaluator.train(job)
    assert isinstance(result.measurement, Measurement)
    return network.cpu().eval(), result.measurement


def validation_inputs(data: SearchData, *, most: int, time_steps: int) -> Any:
    """Return `(time, samples, channels, height, width)` inputs of the first validation samples, time 1 where static.

    Args:
        data: The data of a run.
        most: How many at most.
        time_steps: Time steps of the network.
    """
    import torch

    from evonas.training.batches import Batches

    index = torch.arange(min(most, len(data.validation)))
    return Batches(data.validation, torch.device("cpu")).inputs(index, time_steps=time_steps, seed=(0,))


def data_of(file: RunFile, *, fingerprint: str | None, path: str | None = None, trusted: bool = True) -> SearchData:
    """Return the training and validation samples of a run; the arguments are those of `retrained`.

    Raises:
        RunFileError: If they are not found.
        DataError: If they are others than those of the run.
    """
    return known_data(data_section_of(file, path=path), fingerprint=fingerprint, trusted=trusted)
