"""An attempt: what comes of a job, whatever the function that does it may raise."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from evonas.engine.evaluation import MESSAGE_LIMIT, Evaluation, Outcome, Result
from evonas.engine.job import Job
from evonas.errors import TrainingDivergedError

Evaluate = Callable[[Job], Any]
"""Returns the measurement of an `evaluate` job: a `Measurement` or a JSON object; of a `search` job the genotypes
that it proposes; or a `Result`, which holds more. What it raises becomes the outcome of the row."""


def attempt(evaluate: Evaluate, job: Job) -> Evaluation:
    """Return what came of `evaluate(job)`; whatever it raises is an outcome, never an exception.

    Raises:
        KeyboardInterrupt: If somebody interrupts this process meanwhile, which is nothing that `evaluate` raised.
    """
    began = time.monotonic()
    outcome, message, result = Outcome.MEASURED, "", Result()
    with _signals() as came:
        try:
            result = Result.of(evaluate(job), kind=job.kind)
        except TrainingDivergedError as error:
            outcome, message = Outcome.DIVERGED, text_of(error)
        except BaseException as error:
            if came and not isinstance(error, Exception):
                raise
            outcome = Outcome.OUT_OF_MEMORY if _is_out_of_memory(error) else Outcome.CRASHED
            message = told(error)
    return Evaluation(
        job,
        outcome,
        message,
        **vars(result),
        seconds=time.monotonic() - began,
        host=socket.gethostname(),
        device=_device(evaluate),
    )


def text_of(error: BaseException) -> str:
    """Return what an exception says, also where it cannot say it."""
    try:
        return str(error)
    except Exception as failure:
        return f"(its text cannot be had: its __str__ raises {type(failure).__name__})"


def _device(evaluate: Evaluate) -> str:
    try:
        return str(getattr(evaluate, "device", "cpu"))
    except Exception:  # a property of a user's own may raise anything
        return "unknown"


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says; its class where it says nothing."""
    lines = text_of(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Return a list of the interrupts that come from outside while this context lasts.

    They are told apart by who raised: an `evaluate` may raise `KeyboardInterrupt` as well, and that is its failure.
    """
    came: list[int] = []
    former: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other thread may ask, nor is interrupted
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                former[number] = handler
                signal.signal(number, _noting(handler, came))
    try:
        yield came
    finally:
        for known, handler in former.items():
            signal.signal(known, handler)


def _noting(handler: Callable[[int, FrameType | None], Any], came: list[int]) -> Callable[[int, FrameType | None], Any]:
    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        handler(number, frame)

    return note


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's CPU allocator raises a plain RuntimeError; torch itself is not imported here
    said = text_of(error)[:MESSAGE_LIMIT].lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def told(error: BaseException) -> str:
    """Return what was raised and where, short enough for a row."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
    said = text_of(error)
    if len(said) + len(where) > MESSAGE_LIMIT - 200:  # room for its class, and for what an Evaluation says of the cut
        said = f"{said[: MESSAGE_LIMIT - 300]} … (cut, {len(said):,} characters)"
    return f"{type(error).__name__}: {said}{where}"
