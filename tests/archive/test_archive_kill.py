"""Whatever kills the writer, and whenever: every row that `add` returned for is there afterwards."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from evonas.archive.archive import Archive
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.errors import ArchiveError
from evonas.objective import Objective
from evonas.space import Space
from evonas.variables import Choice

SPACE = Space({"a": Choice(range(1000))})
OBJECTIVES = [Objective("error", lambda m: m["error"]), Objective("rate", lambda m: m["rate"])]


def evaluation(slot: int) -> Evaluation:
    job = Job(slot, "evaluate", SPACE.genotype({"a": slot % 1000}), "toy")
    if slot % 5 == 4:
        return Evaluation(job, Outcome.REJECTED, f"cores: {slot} > 3.", degree=slot / 3)
    return Evaluation(job, Outcome.MEASURED, measurement={"error": slot / 7, "rate": 1.0 + 7 / (slot + 1)})


def acknowledged(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def add_rows(folder: Path, *, rows: int, sessions: int) -> None:
    """Open, add and close again and again; the log tells which rows `add` has returned for."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(sessions):
        with Archive(folder / "a.h5", SPACE, OBJECTIVES, reference_rows=4) as archive:
            first = len(archive.rows)
            for slot in range(first, first + rows):
                archive.add(evaluation(slot))
                os.write(log, b"%d\n" % slot)


def die_at_step(folder: Path, *, step: int) -> None:
    """Add four rows and die, as if killed, just before the `step`-th call that changes the disk."""
    left = [step]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return call(*args, **kwargs)

        return wrapper

    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write = os.write
    for name in ("write", "fsync", "replace", "unlink", "ftruncate"):
        setattr(os, name, counted(getattr(os, name)))
    with Archive(folder / "a.h5", SPACE, OBJECTIVES, reference_rows=4) as archive:
        first = len(archive.rows)
        for slot in range(first, first + 4):
            archive.add(evaluation(slot))
            write(log, b"%d\n" % slot)


def fill_the_disk(folder: Path, *, limit: int) -> None:
    """Add rows until the system refuses to let a file grow over `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    acks: list[int] = []
    messages: list[str] = []
    try:
        with Archive(folder / "a.h5", SPACE, OBJECTIVES) as archive:
            for slot in range(1000):
                archive.add(evaluation(slot))
                acks.append(slot)
    except ArchiveError as error:
        messages = [str(error), *error.__notes__]
    (folder / "told").write_text(json.dumps([len(acks), messages]))


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["evonas.archive.archive", "pytest"])
    return context


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: a kill leaves what was written, and many kills fit into a second."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def check_nothing_is_lost(folder: Path) -> None:
    known = acknowledged(folder / "log")
    if known:
        shown = Archive.read(folder / "a.h5", OBJECTIVES)
        assert {row.job.slot for row in shown.rows} >= set(known)
    with Archive(folder / "a.h5", SPACE, OBJECTIVES, reference_rows=4) as archive:
        slots = [row.job.slot for row in archive.rows]
        assert set(slots) >= set(known)
        assert slots == list(range(len(slots)))
        assert all(archive.get(slot).evaluation == evaluation(slot) for slot in slots)
    assert {path.name for path in folder.iterdir()} == {"a.h5", "log"}, "nothing unfinished is left"


def test_no_acknowledged_row_is_lost_to_24_kills_at_random_moments(folder: Path, context: ForkServerContext) -> None:
    moments = random.Random(0)
    for _ in range(24):
        before = len(acknowledged(folder / "log"))
        writer = context.Process(target=add_rows, args=(folder,), kwargs={"rows": 6, "sessions": 1000})
        writer.start()
        while len(acknowledged(folder / "log")) == before and writer.is_alive():
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, 0.05))
        writer.kill()
        writer.join()
        assert writer.exitcode == -9
        assert len(acknowledged(folder / "log")) > before
        check_nothing_is_lost(folder)


def test_no_acknowledged_row_is_lost_to_a_death_before_any_single_step(
    folder: Path, context: ForkServerContext
) -> None:
    exits = []
    for step in range(40):
        one = folder / str(step)
        one.mkdir()
        with Archive(one / "a.h5", SPACE, OBJECTIVES, reference_rows=4) as archive:
            archive.add(evaluation(0))
        writer = context.Process(target=die_at_step, args=(one,), kwargs={"step": step})
        writer.start()
        writer.join()
        exits.append(writer.exitcode)
        check_nothing_is_lost(one)
        if writer.exitcode == 0:
            break
    assert exits[-1] == 0
    assert exits[:-1] == [9] * (len(exits) - 1)
    assert len(exits) > 15


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path, context: ForkServerContext) -> None:
    writer = context.Process(target=fill_the_disk, args=(tmp_path,), kwargs={"limit": 5000})
    writer.start()
    writer.join()
    count, messages = json.loads((tmp_path / "told").read_text())
    assert count > 3
    assert "the disk is full. Every row added before is safe" in messages[0]
    assert "No row is lost" in messages[1], "closing fails as well and says so without hiding the first error"
    with Archive(tmp_path / "a.h5", SPACE, OBJECTIVES) as archive:
        assert [row.job.slot for row in archive.rows] == list(range(count))
        archive.add(evaluation(count))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "told"]
