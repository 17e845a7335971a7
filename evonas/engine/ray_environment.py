"""Where Ray runs: what the environment says, checked before Ray is started, which would wait for minutes instead."""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from evonas.errors import WorkersError

CONNECT_SECONDS = 10.0
"""How long a cluster may take to answer at its port."""

PROBE_SECONDS = 45.0
"""How long it may then take to answer as a cluster; most of it is for starting Python on a busy machine."""

_ADDRESS = r"(?:ray://)?(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:/\s\[\]]+)):(?P<port>\d{1,5})/?"
_SOCKET = "ray/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store"
_SOCKET_LIMIT = 103 if sys.platform == "darwin" else 107

LOCAL_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # is added to that of this process; Ray's own 15 lets anything else starve a search
}
"""Environment variables of Ray, with the values that they get unless they are set already."""


def address() -> str | None:
    """Return the cluster that the environment variable `RAY_ADDRESS` names, None for this machine."""
    named = os.environ.get("RAY_ADDRESS", "").strip()
    return None if named in ("", "local") else named


def check_environment() -> None:
    """Check that Ray can be started or reached as the environment says; raise otherwise. Takes seconds at most.

    Raises:
        WorkersError: If `RAY_ADDRESS` is not an address, nothing answers there, or the path of Ray's sockets is too
            long.
    """
    where = address()
    if where is None:
        _check_sockets()
    elif where != "auto":
        _check_answer(where)


def check_cluster() -> None:
    """Check that what answers at `RAY_ADDRESS` is a cluster of Ray; raise otherwise.

    Ray itself would try for many minutes, so another process asks, which can be ended.

    Raises:
        WorkersError: If it is not one, or a dead one.
    """
    where = address()
    if where is None or where.startswith("ray://"):  # there Ray gives up by itself
        return
    command = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", where]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise WorkersError(_unreachable(where, f"no cluster of Ray answers within {PROBE_SECONDS:g} s")) from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise WorkersError(_unreachable(where, f"Ray says: {lines[-1] if lines else 'nothing'}"))


@contextmanager
def default_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Return a context in which the environment has these settings, except those that it has already."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@dataclass(frozen=True)
class ProcessState:
    """The state of this process before Ray started in it, of which Ray restores only a part.

    Attributes:
        environment: The environment variables.
        log_level: Level of Ray's log.
    """

    environment: Mapping[str, str]
    log_level: int

    @classmethod
    def now(cls) -> ProcessState:
        """Return the present state of this process."""
        return cls(dict(os.environ), logging.getLogger("ray").level)

    def restore(self) -> None:
        """Set Ray's environment variables, and the level of its log, as they were."""
        for name in {*os.environ, *self.environment}:
            if name.startswith("RAY_") or name == "PYTHONBREAKPOINT":
                if name in self.environment:
                    os.environ[name] = self.environment[name]
                else:
                    os.environ.pop(name, None)
        logging.getLogger("ray").setLevel(self.log_level)


@contextmanager
def python_random_kept() -> Iterator[None]:
    """Return a context after which Python's random numbers go on as they would have: Ray draws from them."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def sigterm_kept() -> Iterator[Callable[[], None]]:
    """Return a context after which SIGTERM has its former handler again, and a function that sets it at once.

    Ray sets its own as it starts. As it stops, its C++ part leaves the process with none at all, which Python cannot
    see: a second SIGTERM would end the process before its results are saved, were the handler not set again meanwhile.
    """
    former = signal.getsignal(signal.SIGTERM)

    def keep() -> None:
        if threading.current_thread() is threading.main_thread() and former is not None:
            signal.signal(signal.SIGTERM, former)

    try:
        yield keep
    except SystemExit as ended:
        if ended.code == signal.SIGTERM and callable(former):  # it came meanwhile, and Ray's handler made this of it
            former(signal.SIGTERM, None)
        raise
    finally:
        keep()


def _check_sockets() -> None:
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    folder = os.environ.get(name, "")
    excess = len(os.fsencode(os.path.join(folder, _SOCKET))) - _SOCKET_LIMIT
    if folder and excess > 0:
        raise WorkersError(
            f"{name}={folder} is too long a path for Ray, whose sockets lie in it, by {excess} characters. Set "
            "RAY_TMPDIR to a short folder, such as /tmp, or workers.count to 0 to evaluate in this process."
        )


def _check_answer(where: str) -> None:
    found = re.fullmatch(_ADDRESS, where)
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise WorkersError(
            f"RAY_ADDRESS={where} is no address of a cluster: expected a host and a port such as 10.0.0.1:6379, or "
            "auto for the cluster that runs on this machine. Unset it to work on this machine alone."
        )
    try:
        socket.create_connection((found["six"] or found["host"], int(found["port"])), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise WorkersError(_unreachable(where, f"{getattr(error, 'strerror', None) or error}")) from None


def _unreachable(where: str, why: str) -> str:
    return (
        f"No cluster can be reached at RAY_ADDRESS={where} ({why}). Start it (`ray start --head` on its first "
        "machine), correct the address, or unset RAY_ADDRESS to work on this machine alone."
    )
