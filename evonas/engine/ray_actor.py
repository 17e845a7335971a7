"""The actor in the process of a worker: it makes its `evaluate` once, and always returns a row that can be sent."""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ray

from evonas.engine.attempt import Evaluate, attempt, first_line
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job


class Worker:
    """Lives in a process of its own, keeps what `make_evaluate` returned, and runs one job at a time."""

    def __init__(self, make_evaluate: Callable[[], Evaluate], paths: list[str]) -> None:
        sys.path[:0] = [path for path in paths if path not in sys.path and os.path.isdir(path)]
        self._fault = ""
        try:
            self._evaluate = make_evaluate()
        except BaseException as error:  # reported by `fault`, because an actor that raises here looks like a lost one
            self._fault = f"{type(error).__name__}: {first_line(error)}"

    def fault(self) -> str:
        """Return why this worker cannot work; empty where it can."""
        return self._fault

    def run(self, job: Job) -> bytes:
        """Return the evaluation of `job`, pickled; a result that cannot be pickled becomes a failed row."""
        evaluation = attempt(self._evaluate, job)
        try:
            return bytes(ray.cloudpickle.dumps(evaluation))
        except Exception as error:
            message = f"The result cannot be sent, because it cannot be pickled: {first_line(error)}."
            failed = Evaluation(job, Outcome.CRASHED, message, host=evaluation.host, device=evaluation.device)
            return pickle.dumps(replace(failed, seconds=evaluation.seconds))


def maker(evaluate: Callable[..., Any]) -> Callable[[], Evaluate]:
    """Return what makes an `evaluate` in a worker: the argument itself if it can be called without a job."""
    try:
        signature = inspect.signature(evaluate)
    except (TypeError, ValueError):  # some builtins have no signature
        return evaluate
    return evaluate if _takes(signature, 0) or not _takes(signature, 1) else _Returning(evaluate)


def _takes(signature: inspect.Signature, arguments: int) -> bool:
    try:
        signature.bind(*[None] * arguments)
    except TypeError:
        return False
    return True


@dataclass(frozen=True)
class _Returning:
    evaluate: Evaluate

    def __call__(self) -> Evaluate:
        return self.evaluate
