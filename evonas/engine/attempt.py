"""An attempt at a job: whatever `evaluate` returns or raises becomes an evaluation."""

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
"""Does a job. For an `evaluate` job it returns the measurement, a `Measurement` or a JSON object; for a `search` job
the genotypes that it proposes; or a `Result`, which holds more. What it raises becomes the outcome of the row."""

_Handler = Callable[[int, FrameType | None], Any]


def attempt(evaluate: Evaluate, job: Job) -> Evaluation:
    """Return the evaluation of `job`; whatever `evaluate` raises becomes its outcome, never an exception.

    Raises:
        KeyboardInterrupt: If this process is interrupted from outside meanwhile, unlike one that `evaluate` raises.
    """
    began = time.monotonic()
    outcome, message, result = Outcome.MEASURED, "", Result()
    with _signals() as received:
        try:
            result = Result.of(evaluate(job), kind=job.kind)
        except TrainingDivergedError as error:
            outcome, message = Outcome.DIVERGED, text_of(error)
        except BaseException as error:
            if received and not isinstance(error, Exception):
                raise
            outcome = Outcome.OUT_OF_MEMORY if _is_out_of_memory(error) else Outcome.CRASHED
            message = message_of(error)
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
    """Return the text of an exception, or why there is none."""
    try:
        return str(error)
    except Exception as failure:
        return f"(its text cannot be had: its __str__ raises {type(failure).__name__})"


def _device(evaluate: Evaluate) -> str:
    try:
        return str(getattr(evaluate, "device", "cpu"))
    except Exception:  # a user's own property may raise anything
        return "unknown"


def first_line(error: BaseException) -> str:
    """Return the first line of the text of an exception; its class where the text is empty."""
    lines = text_of(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Return a context that notes the signals that interrupt this process from outside, in the list that it gives.

    An `evaluate` may raise `KeyboardInterrupt` as well; without a signal, that is a failure of its own.
    """
    received: list[int] = []
    former: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # others can neither set handlers nor be interrupted
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                former[number] = handler
                signal.signal(number, _noting(handler, received))
    try:
        yield received
    finally:
        for known, handler in former.items():
            signal.signal(known, handler)


def _noting(handler: _Handler, received: list[int]) -> _Handler:
    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        handler(number, frame)

    return note


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's CPU allocator raises a plain RuntimeError; torch itself is not imported here
    text = text_of(error)[:MESSAGE_LIMIT].lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def message_of(error: BaseException) -> str:
    """Return what was raised, and where, as the message of a row."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
    text = text_of(error)
    if len(text) + len(where) > MESSAGE_LIMIT - 200:  # room for its class and for the note of the cut
        text = f"{text[: MESSAGE_LIMIT - 300]} … (cut, {len(text):,} characters)"
    return f"{type(error).__name__}: {text}{where}"
