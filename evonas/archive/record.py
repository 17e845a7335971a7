"""Records: the form in which an evaluation is stored, one JSON object a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job, Kind
from evonas.engine.plain import as_stored, plain_json
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.training_log import Trained
from evonas.errors import ArchiveError, EvonasError
from evonas.genotype import Genotype
from evonas.measurement import Activity, Connection, Measurement, Population, Shape
from evonas.space import Scalar


def plain_fields(kind: type) -> dict[str, Any]:
    """Return the fields of a dataclass that are stored as they are, name to type.

    These are numbers, texts and tuples of either. A new field of such a type becomes an entry of each record and a
    column of the file without any other change; all other fields are stored by code of their own.
    """
    hints = {name: str if get_origin(type_) is Literal else type_ for name, type_ in get_type_hints(kind).items()}
    return {
        name: type_
        for name, type_ in hints.items()
        if type_ in _PLAIN or (get_origin(type_) is tuple and get_args(type_)[0] in _PLAIN)
    }


_PLAIN = {bool, int, float, str}

JOB, EVALUATION, MEASUREMENT = plain_fields(Job), plain_fields(Evaluation), plain_fields(Measurement)
ACTIVITY, POPULATION, CONNECTION = plain_fields(Activity), plain_fields(Population), plain_fields(Connection)

SLOTS = 2**31
"""Upper bound of slots: more jobs than any run has."""

_KINDS = get_args(Kind)


def to_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return a JSON object that `from_record` reads back. The activity has a record of its own, `activity_record`."""
    job, measurement = evaluation.job, evaluation.measurement
    record: dict[str, Any] = {name: getattr(job, name) for name in JOB}
    record["genotype"] = dict(job.genotype)
    record["settings"] = dict(job.settings)
    record["outcome"] = evaluation.outcome.name
    record.update({name: getattr(evaluation, name) for name in EVALUATION})
    record["proposals"] = [dict(genotype) for genotype in evaluation.proposals]
    if evaluation.proxy_scores:
        record["proxy_scores"] = [one.to_json() for one in evaluation.proxy_scores]
    record["trained"] = None if evaluation.trained is None else evaluation.trained.to_json()
    if isinstance(measurement, Measurement):
        record["measurement"] = {name: getattr(measurement, name) for name in MEASUREMENT}
        record["measurement"]["metrics"] = dict(measurement.metrics)
        record["measurement"]["counts"] = dict(measurement.counts)
    elif measurement is not None:
        record["own_measurement"] = dict(measurement)
    return record


def from_record(record: Any, *, load: Callable[[], Activity]) -> Evaluation:
    """Return the evaluation that `to_record` wrote.

    Args:
        record: What `to_record` returned, read back from JSON.
        load: Returns the activity of its measurement; called when that is asked for.

    Raises:
        ValueError: If it is not the record of an evaluation; the text says why.
    """
    if not isinstance(record, dict):
        raise ValueError(f"an evaluation is {record!r:.60}, expected a JSON object")
    slot, kind, outcome = _of(record, "slot", int), _of(record, "kind", str), _of(record, "outcome", str)
    check_job(slot, kind=kind, outcome=outcome)
    job = Job(
        **{name: checked_number(_of(record, name, type_), name) for name, type_ in JOB.items()},
        genotype=genotype_of(_of(record, "genotype", dict)),
        settings=settings_of(_of(record, "settings", dict)),
    )
    own, measured = record.get("own_measurement"), record.get("measurement")
    if not (own is None or isinstance(own, dict)) or (own is not None and measured is not None):
        raise ValueError(f"own_measurement is {own!r:.60}, expected one JSON object as the measurement")
    return Evaluation(
        job,
        Outcome[outcome],
        **{name: checked_number(_of(record, name, type_), name) for name, type_ in EVALUATION.items()},
        measurement=own if measured is None else _measurement(measured, load=load),
        proposals=tuple(genotype_of(values) for values in _of(record, "proposals", list)),
        proxy_scores=tuple(map(proxy_score_of, _of(record, "proxy_scores", list))) if "proxy_scores" in record else (),
        trained=None if record.get("trained") is None else trained_of(record["trained"]),
    )


def check_job(slot: int, *, kind: str, outcome: str) -> None:
    """Check that a job can have this slot, kind and outcome; raise ValueError otherwise."""
    if not 0 <= slot < SLOTS:
        raise ValueError(f"slot is {slot}, expected a number from 0 to {SLOTS - 1}")
    if kind not in _KINDS:
        raise ValueError(f"kind is {kind!r:.60}, expected one of {', '.join(_KINDS)}")
    if outcome not in Outcome.__members__:
        raise ValueError(f"outcome is {outcome!r:.60}, expected one of {', '.join(Outcome.__members__)}")


def checked_number(value: Any, name: str) -> Any:
    """Return `value`; raise ValueError if it is NaN, or a whole number below 0 or above 63 bits."""
    if (isinstance(value, float) and math.isnan(value)) or (isinstance(value, int) and not 0 <= value < 2**63):
        raise ValueError(f"{name} is {value}, expected a number")
    return value


def genotype_of(values: Any) -> Genotype:
    """Return the genotype of `values`; raise ValueError unless they map names to texts and finite numbers."""
    return Genotype(settings_of(values))


def settings_of(values: Any) -> dict[str, Scalar]:
    """Return `values`; raise ValueError unless they map names to texts and finite numbers."""
    if not isinstance(values, dict) or not all(map(_is_scalar, values.values())):
        raise ValueError(f"there is {values!r:.60}, expected a mapping from names to texts and finite numbers")
    return values


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    return math.isfinite(value) if kind is float else kind in _PLAIN


def trained_of(data: Any) -> Trained:
    """Return the log of a training; raise ValueError if `data` is not one."""
    steps = _of(data, "sample_steps", float) if isinstance(data, dict) else math.nan
    widths, epochs = (
        _of(data, name, list) if isinstance(data, dict) else [] for name in ("surrogate_widths", "epochs")
    )
    if math.isnan(steps) or not all(isinstance(one, dict) for one in (*widths, *epochs)):
        raise ValueError(f"trained is {data!r:.60}, expected what a training took")
    return Trained.from_json(data)


def proxy_score_of(data: Any) -> ProxyScore:
    """Return a network with its score; raise ValueError if `data` is not one."""
    names = {field.name for field in fields(ProxyScore)}
    if not isinstance(data, dict) or {*data} != names:
        raise ValueError(f"a proxy score is {data!r:.60}, expected {', '.join(sorted(names))}")
    value, cost = (None if data[name] is None else _of(data, name, float) for name in ("value", "cost"))
    score, message = (_of(data, name, str) for name in ("score", "message"))
    try:
        return ProxyScore(genotype_of(data["genotype"]), score, value, cost=cost, message=message)
    except EvonasError as error:
        raise ValueError(str(error)) from None


def as_read_back(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation as it will be read back, so that a resumed search sees what the first one saw.

    A user's own measurement becomes plain JSON (tuples become lists, numpy numbers plain numbers). In text, the NUL
    character and halves of surrogate pairs, which UTF-8 and HDF5 cannot hold, become U+FFFD. A measurement that cannot
    be stored at all, such as an array, makes the row a failure that says so.

    Raises:
        ArchiveError: If it succeeded without a measurement, or has a number that is none.
    """
    job, measurement = evaluation.job, evaluation.measurement
    if measurement is None and job.kind != "search" and evaluation.outcome is Outcome.MEASURED:
        raise ArchiveError(
            f"The evaluation of slot {job.slot} ended well but has no measurement. Let evaluate return a measurement, "
            "or an outcome that says what failed."
        )
    try:
        evaluation = replace(evaluation, measurement=None if measurement is None else as_stored(measurement))
    except Exception as error:  # a user's own mapping may raise anything when it is read
        came = f"{type(error).__name__}: {error}"
        message = (
            f"The measurement cannot be kept: it is {_shown(measurement)}, expected a mapping from names to "
            f"numbers, text, lists and mappings of them ({came:.200})."
        )
        evaluation = replace(evaluation, measurement=None, outcome=Outcome.CRASHED, message=message)
    try:
        return replace(
            evaluation,
            job=_plain_job(job),
            proxy_scores=tuple(replace(one, message=_plain_text(one.message)) for one in evaluation.proxy_scores),
            trained=None if evaluation.trained is None else trained_of(plain_json(evaluation.trained.to_json())),
            message=_plain_text(evaluation.message),
            host=_plain_text(evaluation.host),
            device=_plain_text(evaluation.device),
            seconds=checked_number(float(evaluation.seconds), "seconds"),
            degree=checked_number(float(evaluation.degree), "degree"),
            retries=checked_number(int(evaluation.retries), "retries"),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise ArchiveError(f"The evaluation of slot {job.slot} cannot be kept: {error}.") from error


def _plain_job(job: Job) -> Job:
    numbers = {
        name: checked_number(type_(getattr(job, name)), name) for name, type_ in JOB.items() if type_ in (int, float)
    }
    return replace(
        job, **numbers, settings=settings_of(plain_json(dict(job.settings))), parents=tuple(map(int, job.parents))
    )


def _plain_text(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\ufffd")


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.200}"
    except Exception:  # a user's own __repr__ may raise anything
        return f"a {type(value).__name__}"


def activity_record(activity: Activity) -> dict[str, Any]:
    """Return a JSON object that `activity_of` reads back without loss, its parts by column: each name occurs once."""
    return {
        **{name: getattr(activity, name) for name in ACTIVITY},
        "populations": {name: [getattr(part, name) for part in activity.populations] for name in POPULATION},
        "connections": {name: [getattr(part, name) for part in activity.connections] for name in CONNECTION},
    }


def activity_of(data: Any) -> Activity:
    """Return the activity that `activity_record` wrote; raise ValueError if `data` is not one."""
    if not isinstance(data, dict):
        raise ValueError(f"the activity is {data!r:.60}, expected a JSON object")
    return Activity(
        **{name: _of(data, name, type_) for name, type_ in ACTIVITY.items()},
        populations=parts_of(_of(data, "populations", dict), Population),
        connections=parts_of(_of(data, "connections", dict), Connection),
    )


def parts_of(columns: Mapping[str, Any], kind: Any) -> tuple[Any, ...]:
    """Return the instances of a dataclass that columns hold; raise ValueError if these have other types."""
    types = plain_fields(kind)
    found = [[_typed(value, name, type_) for value in _of(columns, name, list)] for name, type_ in types.items()]
    if len({len(values) for values in found}) > 1:
        raise ValueError(f"the columns of {kind.__name__} are of different lengths")
    return tuple(kind(**dict(zip(types, values, strict=True))) for values in zip(*found, strict=True))


def _measurement(data: Any, *, load: Callable[[], Activity]) -> Measurement:
    if not isinstance(data, dict):
        raise ValueError(f"measurement is {data!r:.60}, expected a JSON object")
    metrics, counts = _of(data, "metrics", dict), _of(data, "counts", dict)
    return Measurement.deferred(
        load,
        **{name: _of(data, name, type_) for name, type_ in MEASUREMENT.items()},
        metrics={name: _of(metrics, name, float) for name in metrics},
        counts={name: _of(counts, name, tuple[int, ...]) for name in counts},
    )


def _of(record: Mapping[str, Any], name: str, type_: Any) -> Any:
    """Return an entry of a JSON object; raise ValueError if it is missing or not of this type."""
    if name not in record:
        raise ValueError(f"{name} is missing")
    return _typed(record[name], name, type_)


def _typed(value: Any, name: str, type_: Any) -> Any:
    """Return a value read from JSON as one of `type_`; raise ValueError if it is of another type."""
    if type_ in (int, float, bool, str, dict, list):
        if type(value) is type_ and not (type_ is int and not -(2**63) <= value < 2**63):
            return value
        if type_ is float and type(value) is int:
            return float(value)
    elif type(value) is list and {*map(type, value)} <= {type_.__args__[0]} and (type_ != Shape or len(value) == 3):
        is_held = type_.__args__[0] is not int or all(-(2**63) <= member < 2**63 for member in value)
        if is_held:
            return tuple(value)
    raise ValueError(f"{name} is {value!r:.60}, expected {getattr(type_, '__name__', type_)}")
