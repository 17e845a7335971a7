"""A run as a job of a real Ray head on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).parent / "ray"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("ray")]


@dataclass(frozen=True)
class Head:
    """A Ray head: the address of its job server, and the folder it writes to."""

    address: str
    folder: Path

    def agent_log(self) -> str:
        """Return the end of what the agent says that takes jobs."""
        logs = self.folder.glob("session_latest/logs/dashboard_agent*")
        return "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in sorted(logs))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "PYTEST"))}
    return {**plain, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Head]:
    """Return a Ray head with two CPUs."""
    dashboard = free_port()
    said = tmp_path_factory.mktemp("head") / "log.txt"
    temporary = tempfile.mkdtemp(prefix="ray-")  # short, because sockets lie in it
    with said.open("w") as log:
        process = subprocess.Popen(
            [str(RAY), "start", "--head", "--block", "--num-cpus=2", f"--port={free_port()}", "--disable-usage-stats"]
            + ["--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--include-dashboard=true"]
            # an agent whose port is taken, by a Ray of anybody else, never takes a job
            + [f"--{agent}-port={free_port()}" for agent in ("dashboard-agent-listen", "dashboard-agent-grpc")]
            + [f"--{agent}-port={free_port()}" for agent in ("runtime-env-agent", "metrics-export")]
            + [f"--temp-dir={temporary}"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{dashboard}"
    try:
        for _ in range(600):  # five minutes: it takes seconds, but not where everything else runs as well
            assert process.poll() is None, said.read_text()
            if answers(f"{address}/api/version"):
                break
            time.sleep(0.5)
        else:
            raise AssertionError(f"The job server did not answer: {said.read_text()}")
        yield Head(address, Path(temporary))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
        shutil.rmtree(temporary, ignore_errors=True)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def working_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working tree with 200 MB of results, which no upload could take."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("evonas", "spaces", "objectives", "runs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "results").mkdir()
    (tree / "results" / "large.bin").write_bytes(b"\0" * 200_000_000)
    return tree


def submit(head: Head, tree: Path, environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Return what a job came to; the job server answers before it can take one, so it is asked again until it can."""
    for _ in range(60):
        done = subprocess.run(
            [str(RAY), "job", "submit", "--address", head.address, "--working-dir", "."]
            + ["--runtime-env", "runs/job.yaml", "--", sys.executable, "-m", "evonas.run", *command],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        if "No available agent" not in done.stdout + done.stderr:
            return done
        time.sleep(2)
    raise AssertionError(f"The job server can take no job: {done.stdout}{done.stderr}{head.agent_log()}")


def test_a_job_succeeds_with_plain_lines_and_its_results_where_the_user_said(
    head: Head, working_tree: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "results"
    small = ["--set", "search.evaluations=4", "--set", "ladder.epochs=[1, 2]"]
    done = submit(head, working_tree, environment, "runs/digits.toml", "--output", str(output), *small)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout
    assert "4/4 evaluations" in done.stdout
    assert "Pareto front" in done.stdout
    assert "\r" not in done.stdout
    assert {"archive.h5", "run.toml", "front.csv", "log.txt"} <= {path.name for path in output.iterdir()}


def test_the_exit_code_of_a_run_is_the_status_of_its_job(
    head: Head, working_tree: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    wrong = ["--set", "search.evaluations=0"]
    done = submit(head, working_tree, environment, "runs/digits.toml", "--output", str(tmp_path / "none"), *wrong)
    assert done.returncode != 0
    assert "search.evaluations" in done.stdout + done.stderr
    assert "exit code 2" in done.stdout + done.stderr
    assert not (tmp_path / "none").exists()
