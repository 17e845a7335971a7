"""How long a front for another chip takes: 10,000 stored networks under one hardware objective, and read from disk.

    python benchmarks/scoring.py [--quick] [--json FILE]

The networks are 10,000 different genotypes of the joint space (1,000 with --quick, the seconds scaled up), every second
one planned for static images of 1 x 8 x 8, the others for event frames of 2 x 32 x 32, and all stages spike, so that
few are rejected early. What they did is drawn at random. One pass over values that were never scored before is timed,
as a user who asks for another chip waits for it.

    score_10000_seconds_<profile>_<objective>   energy_dynamic, energy_total, latency and fit, where the chip has them
    score_10000_seconds                         the slowest of them
    read_10000_seconds                          an archive of as many rows at rest, read and not scored
    read_journal_10000_seconds                  the same while a search writes it, when all rows are in its journal
    front_20000_seconds, front_20000_mb         CPU seconds and peak memory of `evonas front` on a folder of 20,000 rows
    front_journal_20000_seconds, …_mb           the same while a search writes it; both are left out with --quick
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from peak_memory import spent_by
from table import Figure, publish

from evonas import Archive, Objective
from evonas.architecture.plan import INPUT, Plan, PlannedConnection
from evonas.archive.contents import Stored
from evonas.archive.hdf5_file import write_archive
from evonas.archive.journal_lines import encode_all
from evonas.archive.record import activity_record, to_record
from evonas.archive.results import Results
from evonas.archive.run_header import Header, versions
from evonas.chips.profile import SHIPPED, names
from evonas.engine.description import described_objective, described_space
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.errors import ProfileError
from evonas.genotype import Genotype
from evonas.measurement import Activity, Connection, Measurement, Population
from evonas.runfile.resolve import resolve
from objectives import energy, fit, latency
from spaces.spatial_temporal import LEVELS, plan
from spaces.spatial_temporal import space as joint

KINDS = ("lif", "lif_box", "integrate_and_fire")
space = joint.without(["adaptive", "feedback", "attention"])  # what was measured
SAMPLES = 359
ROWS = 10_000
FRONT_ROWS = 20_000
RUN_FILE = Path(__file__).parents[1] / "runs" / "digits.toml"
INPUT_SHAPES = ((1, 8, 8), (8, 2, 32, 32))
MAKERS: dict[str, Callable[..., Objective]] = {
    "energy_dynamic": partial(energy.objective, part="dynamic"),
    "energy_total": partial(energy.objective, part="total"),
    "latency": latency.objective,
    "fit": fit.objective,
}

Counts = tuple[int, ...]


def genotypes(count: int, rng: np.random.Generator) -> list[Genotype]:
    """Return so many different genotypes whose stages all spike."""
    found: dict[Genotype, None] = {}
    while len(found) < count:
        values = space.fill({}, rng)
        kinds = {f"stage{stage}.kind": KINDS[rng.integers(len(KINDS))] for stage in range(LEVELS)}
        found[space.canonical({**values, **kinds})] = None
    return list(found)


def counted(planned: Plan, rng: np.random.Generator) -> Activity:
    """Return what a network of this plan might have done: each layer and the data at a rate of its own."""

    def drawn(most: float) -> Counts:
        return tuple(rng.binomial(int(most), rng.uniform(0.01, 0.4), planned.time_steps).tolist())

    channels, height, width = planned.input_shape
    spikes = {INPUT: drawn(SAMPLES * channels * height * width)}
    populations = []
    for population in planned.populations:
        neurons, kind = int(np.prod(population.shape)), population.dynamics.kind
        sent = (0,) * planned.time_steps if kind == "readout" else drawn(SAMPLES * neurons)
        updates = drawn(SAMPLES * neurons)
        spikes[population.name] = sent
        populations.append(
            Population(
                population.name, kind, population.shape, population.dynamics.state_variables, population.static, sent,
                updates,
            )
        )  # fmt: skip
    connections = tuple(_connection(edge, spikes) for edge in planned.connections)
    return Activity(SAMPLES, planned.time_steps, tuple(populations), connections)


def _connection(planned: PlannedConnection, spikes: dict[str, Counts]) -> Connection:
    """Return the connection with the events of what its sources sent, as if every input reached equally many."""
    inputs = tuple(sum(step) for step in zip(*(spikes[name] for name in planned.sources), strict=True))
    reach = planned.dense / int(np.prod(planned.in_shape))
    delivered = tuple(int(count * reach) for count in inputs)
    nothing = (0,) * len(inputs)
    is_graded = planned.element == "graded"
    shared = {name: getattr(planned, name) for name in Connection.__annotations__ if hasattr(planned, name)}
    return Connection(
        **shared,
        events=delivered if planned.element == "binary" else nothing,
        graded=delivered if is_graded else nothing,
        macs=delivered if planned.element == "real" else nothing,
        inputs=inputs,
        units=tuple(2 * count for count in inputs) if is_graded else nothing,
        unrolled=tuple(2 * count for count in delivered) if is_graded else nothing,
    )


def rows(count: int, rng: np.random.Generator) -> list[Evaluation]:
    """Return the rows of an archive of so many different networks."""
    found = []
    for slot, genotype in enumerate(genotypes(count, rng)):
        planned = plan(genotype, INPUT_SHAPES[slot % len(INPUT_SHAPES)], 10)
        parameters = sum(edge.weights + edge.biases for edge in planned.connections)
        activity = counted(planned, rng)
        measured = Measurement(
            {"accuracy": rng.uniform(0.5, 1.0)}, SAMPLES, parameters, planned.time_steps, False, activity
        )
        found.append(Evaluation(Job(slot, "evaluate", genotype, "random"), Outcome.MEASURED, measurement=measured))
    return found


def objectives() -> dict[str, Objective]:
    """Return the objectives of every shipped profile by profile and kind, where it says enough for one."""
    found = {}
    for profile in names(folder=SHIPPED):
        for kind, make in MAKERS.items():
            try:
                found[f"{profile}_{kind}"] = make(profile=profile)
            except ProfileError as error:
                print(f"{profile} has no {kind}: {str(error).splitlines()[0]}")
    return found


def scoring_seconds(stored: Stored, objective: Objective) -> float:
    """Return how long it takes to see the rows under an objective."""
    results = Results(stored, ())
    began = time.perf_counter()
    scored = results.under((objective,)).rows
    seconds = time.perf_counter() - began
    broken = [row.evaluation.message for row in scored if row.score is None]
    if broken:
        raise RuntimeError(f"{len(broken)} rows could not be scored, expected none: {broken[0]}")
    return seconds


def journal_records(stored: Stored) -> Iterator[tuple[dict[str, Any], ...]]:
    """Yield the records of a journal that holds all that is stored."""
    yield ({"header": stored.header.to_json()},)
    for row in stored.evaluations:
        assert isinstance(row.measurement, Measurement)
        values = {"values": stored.values[row.job.slot]} if stored.values else {}
        yield {"evaluation": to_record(row), **values}, activity_record(row.measurement.activity)


def reading_seconds(stored: Stored) -> tuple[float, float]:
    """Return how long it takes to read an archive at rest, and one whose rows are all in the journal."""
    with tempfile.TemporaryDirectory() as folder:
        at_rest, open_one = Path(folder) / "at_rest.h5", Path(folder) / "open.h5"
        write_archive(at_rest, stored)
        open_one.with_name("open.h5.journal").write_bytes(encode_all(journal_records(stored)))
        seconds = []
        for path in (at_rest, open_one):
            began = time.perf_counter()
            read = Archive.read(path)
            seconds.append(time.perf_counter() - began)
            if len(read.evaluations) != len(stored.evaluations):
                raise RuntimeError(f"{len(read.evaluations)} rows were read, expected {len(stored.evaluations)}.")
            del read
    return seconds[0], seconds[1]


def front_figures(evaluations: list[Evaluation]) -> list[Figure]:
    """Return what a front costs of a results folder of so many rows, at rest and while a search runs."""
    run = resolve(RUN_FILE)
    described = tuple({**described_objective(one), "basis": one.basis} for one in run.objectives)
    header = Header(0, dict(run.settings), described_space(run.space), described, versions=(versions(),))
    stored = Results(Stored(header, (), evaluations), run.objectives).with_values()
    figures = []
    for label in ("front", "front_journal"):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(RUN_FILE, Path(folder, "run.toml"))
            if label == "front":
                write_archive(Path(folder, "archive.h5"), stored)
            else:
                Path(folder, "archive.h5.journal").write_bytes(encode_all(journal_records(stored)))
            seconds, megabytes = spent_by("evonas.front", folder)
        name = f"{label}_{len(evaluations)}"
        figures.append(Figure(f"{name}_seconds", seconds, unit="s of CPU", goal="<= 3" if label == "front" else None))
        figures.append(Figure(f"{name}_mb", megabytes, unit="MB", goal="<= 300" if label == "front" else None))
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 networks in the place of 10,000")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    count = 1000 if options.quick else ROWS
    header = Header(0, {}, described_space(space), (), versions=(versions(),))
    measured = rows(count if options.quick else FRONT_ROWS, np.random.default_rng(0))
    stored = Stored(header, (), measured[:count])
    scale = ROWS / count
    scoring = {label: scale * scoring_seconds(stored, objective) for label, objective in objectives().items()}
    at_rest, in_journal = (scale * seconds for seconds in reading_seconds(stored))
    publish(
        [
            *(Figure(f"score_10000_seconds_{label}", scoring[label], unit="s", goal="<= 2") for label in scoring),
            Figure("score_10000_seconds", max(scoring.values()), unit="s", goal="<= 2"),
            Figure("read_10000_seconds", at_rest, unit="s", goal=None),
            Figure("read_journal_10000_seconds", in_journal, unit="s", goal=None),
            *([] if options.quick else front_figures(measured)),
        ],
        title=f"scoring, {count:,} different networks" + (f", times {scale:g}" if scale != 1 else ""),
        file=options.json,
    )


if __name__ == "__main__":
    main()
