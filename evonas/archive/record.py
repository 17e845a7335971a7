"""Records: the form in which an evaluation is written down, one JSON object a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.plain import plain_json
from evonas.engine.training_log import Trained
from evonas.errors import ArchiveError
from evonas.measurement import Measurement
from evonas.space import Genotype

JOB = {"slot": int, "kind": str, "strategy": str, "rung": int, "epochs": int, "cost": float, "sample_steps": float,
       "start": float, "seed": int}  # fmt: skip
EVALUATION = {"message": str, "seconds": float, "host": str, "device": str, "retries": int, "degree": float}
"""Fields of jobs and evaluations that are written as they are, and their types."""

SINCE_2 = {"degree": 0.0, "sample_steps": 0.0, "start": 0.0}
"""Fields that format 1 had not, and what stands for them."""

_SINCE_3: dict[str, Any] = {"warm": (), "trained": None}  # nor had formats 1 and 2 these


def to_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return a JSON object that `from_record` reads back without loss."""
    job, measurement = evaluation.job, evaluation.measurement
    record: dict[str, Any] = {name: getattr(job, name) for name in JOB}
    record["genotype"] = dict(job.genotype)
    record["parents"] = job.parents
    record["settings"] = dict(job.settings)
    record["outcome"] = evaluation.outcome.name
    record.update({name: getattr(evaluation, name) for name in EVALUATION})
    record["proposals"] = [dict(genotype) for genotype in evaluation.proposals]
    record["warm"] = [to_record(one) for one in evaluation.warm]
    record["trained"] = None if evaluation.trained is None else evaluation.trained.to_json()
    if isinstance(measurement, Measurement):
        record["measurement"] = measurement.to_json()
    elif measurement is not None:
        record["own_measurement"] = dict(measurement)
    return record


def from_record(record: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation that `to_record` wrote, in this format version or an older one.

    Raises:
        KeyError: If a field is missing, or the outcome is not known.
    """
    record = {**SINCE_2, **_SINCE_3, **record}
    measured = record.get("measurement")
    return Evaluation(
        Job(
            **{name: record[name] for name in JOB},
            genotype=Genotype(record["genotype"]),
            parents=tuple(record["parents"]),
            settings=record["settings"],
        ),
        Outcome[record["outcome"]],
        **{name: record[name] for name in EVALUATION},
        measurement=record.get("own_measurement") if measured is None else Measurement.from_json(measured),
        proposals=tuple(Genotype(values) for values in record["proposals"]),
        warm=tuple(from_record(one) for one in record["warm"]),
        trained=None if record["trained"] is None else Trained.from_json(record["trained"]),
    )


def plain(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation as it will be read back, so that a resumed search sees what the first one saw.

    A measurement of the user's own becomes plain JSON (tuples lists, numbers of numpy plain numbers). Text loses
    what UTF-8 and HDF5 cannot hold: the NUL character and halves of surrogate pairs become U+FFFD.

    Raises:
        ArchiveError: If it succeeded without a measurement, or its measurement is no JSON object.
    """
    job, measurement = evaluation.job, evaluation.measurement
    if measurement is None and job.kind != "search" and evaluation.outcome is Outcome.MEASURED:
        raise ArchiveError(
            f"The evaluation of slot {job.slot} ended well but has no measurement. Let evaluate return a measurement, "
            "or an outcome that says what failed."
        )
    if measurement is not None and not isinstance(measurement, Measurement):
        measurement = _plain_json(measurement, job.slot)
    return replace(
        evaluation,
        job=replace(
            job,
            cost=float(job.cost),
            sample_steps=float(job.sample_steps),
            start=float(job.start),
            settings=dict(job.settings),
        ),
        measurement=measurement,
        warm=tuple(plain(one) for one in evaluation.warm),
        message=_plain_text(evaluation.message),
        host=_plain_text(evaluation.host),
        device=_plain_text(evaluation.device),
        seconds=float(evaluation.seconds),
        degree=float(evaluation.degree),
    )


def _plain_json(measurement: Any, slot: int) -> dict[str, Any]:
    try:
        return plain_json(measurement)
    except (TypeError, ValueError, AttributeError) as error:
        raise ArchiveError(
            f"The measurement of slot {slot} is {measurement!r:.200}, expected a mapping from names to JSON values "
            f"({error}). Return numbers, text, lists and mappings of them."
        ) from error


def _plain_text(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\ufffd")
