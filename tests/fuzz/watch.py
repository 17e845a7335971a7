"""Two processes try inputs, and one watches over them: an input may hang, or end its process."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.verdict import Verdict

HANG_SECONDS = 30.0
"""An input that takes longer hangs: the slowest take one."""


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        make: `make(folder)` returns what tries inputs of it.
        weight: How many of its inputs are tried in a round.
        is_reader: Whether it is read by a reader of data.
    """

    make: Callable[[Path], Any]
    weight: int
    is_reader: bool = True


def kinds() -> dict[str, Kind]:
    """Return each kind of input by its name: one for each format that data are read from, and all others."""
    from fuzz import (
        archives,
        data_files,
        event_data,
        folders,
        image_files,
        journals,
        own_code,
        profiles,
        run_files,
        sound_files,
    )

    readers = (
        (data_files.DataFiles, 10),
        (image_files.CifarFolders, 6),
        (image_files.ImageFolders, 6),
        (image_files.ArrayFiles, 8),
        (image_files.Hdf5Files, 1),
        (event_data.Gestures, 4),
        (sound_files.SoundFolders, 8),
        (sound_files.SequenceFiles, 6),
    )
    others = (
        (run_files.RunFiles, 6),
        (profiles.Profiles, 10),
        (archives.Archives, 10),
        (archives.Copies, 1),
        (journals.Journals, 8),
        (journals.ForgedJournals, 10),
        (folders.Folders, 2),
        (own_code.OwnCode, 8),
    )
    return {
        **{kind.name: Kind(kind, weight) for kind, weight in readers},
        **{name: Kind(partial(event_data.EventFolders, form=name), 3) for name in event_data.FORMATS},
        "hdf5 events": Kind(partial(event_data.EventArrays, is_shd=False), 1),
        "shd": Kind(partial(event_data.EventArrays, is_shd=True), 1),
        **{kind.name: Kind(kind, weight, is_reader=False) for kind, weight in others},
    }


def watch(
    known: dict[str, int], *, first: int, seconds: float, inputs: int | None
) -> tuple[Counter[tuple[str, str]], list[dict[str, Any]], float]:
    """Return how often each kind ended in each way, what went wrong, and the memory that a process took at most, MiB.

    That is what its peak rose by since its first input, or the peak of a process that it started.
    """
    counts: Counter[tuple[str, str]] = Counter()
    faults: list[dict[str, Any]] = []
    context = multiprocessing.get_context("spawn")
    began: float | None = None  # the first process is ready
    given, most = 0, 0.0
    workers: dict[Connection, dict[str, Any]] = {}

    round_ = [name for name, weight in known.items() for _ in range(weight)]

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, list(known)), daemon=True)
        process.start()
        theirs.close()
        workers[ours] = {"process": process, "task": None, "since": time.monotonic()}

    def give(pipe: Connection) -> None:
        nonlocal given, began
        began = time.monotonic() if began is None else began
        if time.monotonic() - began > seconds or (inputs is not None and given >= inputs):
            pipe.send(None)
            workers[pipe]["task"] = None
            return
        task = (round_[given % len(round_)], first + given)
        given += 1
        workers[pipe].update(task=task, since=time.monotonic())
        pipe.send(task)

    def note(task: tuple[str, int], verdict: Verdict) -> None:
        counts[task[0], verdict.outcome] += 1
        if verdict.outcome not in ("right", "told"):
            faults.append({"kind": task[0], "number": task[1], **vars(verdict)})
            print(f"{verdict.outcome}: {task[0]} {task[1]}: {verdict.detail.strip()[-300:]}", flush=True)
        if sum(counts.values()) % 2000 == 0:
            print(f"{sum(counts.values()):,} inputs, {len(faults)} faults", flush=True)

    for _ in range(min(2, os.cpu_count() or 1)):
        start()
    while workers:
        for pipe in wait(list(workers), timeout=1.0):
            assert isinstance(pipe, Connection)
            state = workers[pipe]
            try:
                answer = pipe.recv()
            except (EOFError, ConnectionResetError):
                state["process"].join()
                workers.pop(pipe)
                if state["task"] is not None:
                    note(state["task"], Verdict("died", f"exit code {state['process'].exitcode}"))
                    start()
                elif state["process"].exitcode:
                    code = state["process"].exitcode
                    raise RuntimeError(f"A process of the fuzzer ended before its first input: {code}") from None
                continue
            if answer is not None:
                verdict, memory = answer
                most = max(most, memory)
                note(state["task"], verdict)
            give(pipe)
        for pipe, state in list(workers.items()):
            if state["task"] is not None and time.monotonic() - state["since"] > HANG_SECONDS:
                state["process"].kill()
                state["process"].join()
                workers.pop(pipe)
                note(state["task"], Verdict("hang", f"more than {HANG_SECONDS:g} s"))
                start()
    return counts, faults, most


def work(pipe: Connection, names: list[str]) -> None:
    """Try what comes through the pipe, and send what came of it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    with open(os.devnull, "w") as quiet, tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        sys.stdout = sys.stderr = quiet
        os.chdir(folder)
        made, known = dict[str, Any](), kinds()
        for name in names:
            place = Path(folder) / name.replace(" ", "_")
            place.mkdir()
            made[name] = known[name].make(place)
        before = _peak(resource.RUSAGE_SELF)
        pipe.send(None)
        while (task := pipe.recv()) is not None:
            name, number = task
            rng = np.random.default_rng([number, *name.encode()])
            try:
                verdict = made[name].attempt(rng)
            except BaseException:
                verdict = Verdict("traceback", traceback.format_exc()[-3000:])
            pipe.send((verdict, max(_peak(resource.RUSAGE_SELF) - before, _peak(resource.RUSAGE_CHILDREN))))


def _peak(whose: int) -> float:
    """Return the largest memory so far of this process, or of one that it started and that ended, in MiB."""
    kibibytes = resource.getrusage(whose).ru_maxrss * (1 if sys.platform == "linux" else 1 / 1024)
    return kibibytes / 1024
