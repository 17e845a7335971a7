"""A Ray cluster, perhaps of this machine alone: starting or joining it, whether it lives, how many workers fit."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray

from evonas.engine.attempt import first_line
from evonas.engine.ray_environment import (
    LOCAL_SETTINGS,
    ProcessState,
    address,
    check_cluster,
    check_environment,
    default_environment,
    python_random_kept,
    sigterm_kept,
)
from evonas.errors import LostWorkersError, WorkersError

log = logging.getLogger("evonas")

CHECK_EVERY = 5.0
"""Seconds between two checks that the cluster lives."""

ANSWER_SECONDS = 20.0
"""How long Ray's control service may take to answer; Ray ends the whole process after 60 s without an answer."""

CLOSE_SECONDS = 20.0
"""How long stopping may take before it is no longer waited for."""

ROOM_SECONDS = 600.0
"""How long to wait for a machine with room for a worker, once all that had any are dead."""


class RayCluster:
    """A connection to Ray. `close` stops Ray if it was started here; a cluster that ran before goes on.

    Raises:
        WorkersError: If Ray can be neither started nor reached.
    """

    def __init__(self) -> None:
        self.is_owned = not ray.is_initialized()
        self._before = ProcessState.now()
        if self.is_owned:
            try:
                _start()
            except BaseException:
                self._before.restore()
                raise
        self._node = ray.get_runtime_context().get_node_id()
        self._checked = time.monotonic()
        self._without_room_since: float | None = None
        self._logged_at = 0.0
        here = [node for node in ray.nodes() if node["NodeID"] == self._node]
        self._socket = str(here[0]["RayletSocketName"]) if here else ""

    def room(self, *, num_cpus: float, num_gpus: float) -> int:
        """Return how many workers of this size fit on the living machines, those that work included."""
        return _room(_alive(ray.nodes()), num_cpus=num_cpus, num_gpus=num_gpus)

    def size(self) -> str:
        """Return how large the cluster is, for people."""
        alive = _alive(ray.nodes())
        cpus, gpus = (sum(resources.get(name, 0) for resources in alive) for name in ("CPU", "GPU"))
        machines = f" on {len(alive)} machines" if len(alive) > 1 else ""
        return f"{cpus:g} CPUs and {gpus:g} GPUs{machines}"

    def check(self, *, num_cpus: float, num_gpus: float, is_waiting: bool = False, now: bool = False) -> None:
        """Check every few seconds that the cluster lives; raise otherwise.

        Args:
            num_cpus: CPUs of a worker.
            num_gpus: GPUs of a worker.
            is_waiting: Whether no worker works, the reason of which is then logged.
            now: Check even if the last check was a moment ago.

        Raises:
            LostWorkersError: If Ray is dead on this machine, or no machine with room has come back within
                `ROOM_SECONDS`.
        """
        if not now and time.monotonic() - self._checked < CHECK_EVERY:
            return
        nodes = self._nodes()
        self._checked = time.monotonic()
        alive = _alive(nodes)
        if _room(alive, num_cpus=num_cpus, num_gpus=num_gpus):
            self._without_room_since = None
            if is_waiting:
                self._log("Still waiting for a worker: the cluster is busy, or starts slowly.")
            return
        self._without_room_since = self._without_room_since or time.monotonic()
        situation = (
            f"{len(nodes) - len(alive)} of {len(nodes)} machines of the cluster are dead, and no other has room for a "
        )
        situation += f"worker of {num_cpus:g} CPUs and {num_gpus:g} GPUs"
        if time.monotonic() - self._without_room_since > ROOM_SECONDS:
            raise LostWorkersError(f"{situation}; none has come back for {ROOM_SECONDS:g} s.")
        self._log(f"Waiting for a machine: {situation}.")

    def close(self) -> None:
        """Stop Ray, if it was started here."""
        if self.is_owned and ray.is_initialized():
            with sigterm_kept() as keep, python_random_kept():
                answer_within(CLOSE_SECONDS, ray.shutdown, meanwhile=keep)
            self._before.restore()

    def _nodes(self) -> Sequence[Mapping[str, Any]]:
        """Return the machines of the cluster, living and dead.

        Raises:
            LostWorkersError: If Ray is dead on this machine.
        """
        if self._socket and _is_refused(self._socket):
            raise LostWorkersError(_dead("its local scheduler, the raylet, is gone"))
        nodes: Sequence[Mapping[str, Any]] | None = answer_within(ANSWER_SECONDS, ray.nodes)
        if nodes is None:
            raise LostWorkersError(_dead(f"its control service has not answered for {ANSWER_SECONDS:g} s"))
        for node in nodes:
            if node["NodeID"] == self._node and not node["Alive"]:
                raise LostWorkersError(_dead("its local scheduler, the raylet, is dead"))
        return nodes

    def _log(self, sentence: str) -> None:
        if time.monotonic() - self._logged_at > 60:
            self._logged_at = time.monotonic()
            log.info(sentence)


def answer_within(seconds: float, ask: Callable[[], Any], *, meanwhile: Callable[[], None] | None = None) -> Any:
    """Return what `ask` returns, None if it takes longer than `seconds` or raises an error.

    It runs in a thread, which is abandoned if it hangs: calls to a dead cluster cannot be ended. `meanwhile` is called
    again and again as long as it runs.
    """
    answer: queue.Queue[Any] = queue.Queue()

    def run() -> None:
        with suppress(Exception):
            answer.put(ask())

    thread = threading.Thread(target=run, daemon=True, name="evonas-asks-ray")
    thread.start()
    until = time.monotonic() + seconds
    while meanwhile is not None and thread.is_alive() and time.monotonic() < until:
        meanwhile()
        thread.join(MEANWHILE_SECONDS)
    thread.join(max(0.0, until - time.monotonic()))
    return answer.get_nowait() if not answer.empty() else None


def _start() -> None:
    check_environment()
    check_cluster()
    where = address()
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if where is None:
        # without an address Ray would look for the cluster that ran here last, and wait for it if it is dead
        where, options["include_dashboard"] = "local", False
    with default_environment(LOCAL_SETTINGS), sigterm_kept(), python_random_kept():
        try:
            ray.init(where, **options)
        except Exception as error:
            place = "on this machine" if where == "local" else f"at RAY_ADDRESS={where}"
            raise WorkersError(
                f"Ray cannot be used {place}: {first_line(error)}. "
                "Remove the cause, or set workers.count to 0 to evaluate in this process."
            ) from error


def _alive(nodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, float]]:
    return [node["Resources"] for node in nodes if node["Alive"]]


def _room(machines: Sequence[Mapping[str, float]], *, num_cpus: float, num_gpus: float) -> int:
    needs = {name: amount for name, amount in (("CPU", num_cpus), ("GPU", num_gpus)) if amount}
    if not needs:
        return len(machines)
    return sum(min(int(machine.get(name, 0) / amount + 1e-9) for name, amount in needs.items()) for machine in machines)


def _is_refused(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CHECK_EVERY)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:  # the socket is gone or the machine busy: other checks tell whether Ray lives
            return False
    return False


def _dead(why: str) -> str:
    return f"Ray is dead on this machine: {why}."


MEANWHILE_SECONDS = 0.001
"""Time between two calls of what is to happen while Ray is asked."""
