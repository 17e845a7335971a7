"""Where Ray runs: wrong environments are sentences, at once; nothing of the process is changed for good."""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType

import pytest

from evonas.engine import ray_environment
from evonas.engine.ray_environment import (
    address,
    check_cluster,
    check_environment,
    default_environment,
    sigterm_kept,
)
from evonas.errors import WorkersError


@pytest.mark.parametrize(
    "named", ["my-cluster", "http://127.0.0.1:8265", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:99999", ":6379", "a b:1"]
)
def test_what_is_no_address_is_told_with_what_one_looks_like(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", named)
    with pytest.raises(WorkersError, match=r"expected a host and a port such as 10\.0\.0\.1:6379"):
        check_environment()


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "localhost:{}"])
def test_a_dead_address_is_told_without_asking_ray_which_waits(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_environment.subprocess, "run", lambda *command, **options: pytest.fail("Ray is asked"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", form.format(probe.getsockname()[1]))
        with pytest.raises(WorkersError, match="No cluster can be reached"):
            check_environment()


def test_a_port_at_which_something_else_answers_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_environment, "PROBE_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{other.getsockname()[1]}")
        check_environment()
        with pytest.raises(WorkersError, match="unset RAY_ADDRESS"):
            check_cluster()


@pytest.mark.parametrize("named", ["", "local", " "])
def test_without_a_name_it_is_this_machine(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", named)
    assert address() is None
    check_environment()


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_for_temporary_files_that_is_too_long_for_sockets_is_told(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, "/tmp/" + "x" * 80)
    with pytest.raises(WorkersError, match=f"{variable}=.* RAY_TMPDIR to a short folder"):
        check_environment()
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    check_environment()


def test_settings_are_told_for_a_while_and_never_over_those_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "7")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    with default_environment({"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_USAGE_STATS_ENABLED": "0"}):
        assert (os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"], os.environ["RAY_USAGE_STATS_ENABLED"]) == ("7", "0")
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ


def test_a_handler_that_somebody_else_sets_meanwhile_is_taken_back() -> None:
    came: list[int] = []

    def own(number: int, frame: FrameType | None) -> None:
        came.append(number)

    former = signal.signal(signal.SIGTERM, own)
    try:
        with sigterm_kept():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is own
        with pytest.raises(SystemExit), sigterm_kept():
            raise SystemExit(signal.SIGTERM)  # what Ray's handler does as SIGTERM comes
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, former)
