"""Ray dies for real: that of this machine ends a search, a machine of a cluster costs its jobs, which are repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evonas.engine.ray_cluster import ANSWER_SECONDS, CHECK_EVERY, CLOSE_SECONDS, answer_within

ROOT = Path(__file__).parents[2]

BEGIN = """
import logging, os, random, signal, time
from evonas.engine.evaluation import Outcome
from evonas.engine.job import Job
from evonas.engine.ray_environment import LOCAL_SETTINGS
from evonas.engine.ray_workers import RayWorkers
from evonas.errors import LostWorkersError
from evonas.genotype import Genotype

def evaluate(job):
    time.sleep(job.genotype["seconds"])
    return {"niceness": os.nice(0)}

def job(slot, seconds=0):
    return Job(slot, "evaluate", Genotype({"seconds": seconds}), "toy")
"""

LOCAL = """
workers = RayWorkers(evaluate, count=1)
before = signal.getsignal(signal.SIGTERM), dict(os.environ), random.getstate(), logging.getLogger("ray").level
workers.start(job(0))
first = workers.next()
assert first.measurement == {"niceness": os.nice(0)}, first
assert signal.getsignal(signal.SIGTERM) == before[0]
changed = set(os.environ.items()) ^ set(before[1].items())  # Ray's own until the workers are closed
assert not {name for name, _ in changed} & set(LOCAL_SETTINGS), changed
workers.start(job(1, seconds=600))
children = [int(name) for name in os.listdir("/proc") if name.isdigit()]

def named(number, what):
    try:
        command = open(f"/proc/{number}/cmdline").read().split("\\0")[0]
        parent = int(open(f"/proc/{number}/stat").read().rpartition(")")[2].split()[1])
    except OSError:
        return False
    return command.endswith(what) and parent == os.getpid()

[found] = [number for number in children if named(number, WHAT)]
os.kill(found, signal.SIGKILL)
try:
    workers.next()
except LostWorkersError as error:
    assert "Ray is dead on this machine" in str(error)
else:
    raise AssertionError("nobody noticed")
workers.close()
assert dict(os.environ) == before[1]
assert (random.getstate(), logging.getLogger("ray").level) == before[2:]
"""

CLUSTER = """
import ray
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, logging_level=40, log_to_driver=False)
workers = RayWorkers(evaluate, count=2)
workers.ready()
for slot in range(4):
    workers.start(job(slot, seconds=5))
time.sleep(1)
cluster.remove_node(second, allow_graceful=False)
rows = [workers.next() for _ in range(4)]
assert {row.outcome for row in rows} == {Outcome.MEASURED}, rows
assert sorted(row.retries for row in rows) == [0, 0, 0, 1], rows
workers.close()
"""


def carried_out(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["raylet", "gcs_server"])
def test_a_killed_ray_of_this_machine_ends_the_search(what: str) -> None:
    carried_out(LOCAL.replace("WHAT", repr(what)))


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(600)
def test_a_killed_machine_of_a_cluster_costs_its_jobs_which_are_repeated() -> None:
    carried_out(CLUSTER)


def test_the_waits_for_a_dead_ray_come_to_less_than_a_minute() -> None:
    found, probed, answered, closed = CHECK_EVERY, CHECK_EVERY, ANSWER_SECONDS, CLOSE_SECONDS
    assert found + probed + answered + closed < 60  # after which Ray itself ends the process


def test_what_hangs_or_fails_is_given_up() -> None:
    import threading

    def fail() -> None:
        raise OSError

    assert answer_within(5.0, lambda: 3) == 3
    assert answer_within(5.0, fail) is None
    assert answer_within(0.1, threading.Event().wait) is None
