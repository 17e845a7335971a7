"""Compiled libraries: built once, kept where nobody else can write, and built again where they are damaged."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evonas.errors import EvonasError
from evonas.snn.kernels import compiler, cpp_scan
from evonas.snn.kernels.compiler import compiled, load

ONE = 'extern "C" int one() { return 1; }'
STRANGER = 'extern "C" int one() { return 666; }'


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "_gave_up", {})
    return tmp_path / "cache" / "evonas"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "one.cpp"
    path.write_text(ONE)
    return path


def compiler_that(does: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "a compiler"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o700)
    monkeypatch.setenv("CXX", str(script))


def is_at_work(process: str) -> bool:
    """Return whether there is such a process that has not ended; there is none without a number."""
    try:
        return bool(process) and Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cut(length: int):
    return lambda content: content[:length]


def flipped(place: int):
    def damage(content):
        changed = bytearray(content)
        changed[place] ^= 0x10
        return bytes(changed)

    return damage


def test_a_library_is_built_once_and_again_after_a_change(cache, source):
    built = compiled(source)
    when = built.stat().st_mtime_ns
    assert compiled(source) == built
    assert built.stat().st_mtime_ns == when
    source.write_text(ONE.replace("1", "2"))
    assert compiled(source) != built
    assert load(source, functions=["one"]).one() == 2


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        *((".so", damage) for damage in (cut(0), cut(1), cut(1000), flipped(0), flipped(9999), flipped(-1))),
        *((".sha256", damage) for damage in (cut(0), cut(63), flipped(0), flipped(-1))),
    ],
)
def test_what_is_damaged_in_the_cache_is_built_again_and_this_is_said(cache, source, damage, suffix, caplog):
    library = compiled(source)
    content = library.read_bytes()
    damaged = library.with_suffix(suffix)
    damaged.write_bytes(damage(damaged.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert compiled(source) == library
        assert compiled(source) == library
    assert library.read_bytes() == content
    assert [record.getMessage().count("built again") for record in caplog.records] == [1]


@pytest.mark.parametrize("suffix", [".so", ".sha256"])
def test_what_is_missing_in_the_cache_is_built_again(cache, source, suffix):
    library = compiled(source)
    library.with_suffix(suffix).unlink()
    assert load(source, functions=["one"]).one() == 1


@pytest.mark.parametrize("cut_to", [0, 1000])
def test_networks_run_where_the_cached_libraries_were_cut(cache, cut_to):
    """In a process of its own: a library that is loaded while it is cut would end it."""
    run = (
        "import torch; from evonas.architecture.neuron import Dynamics; from evonas.snn.neurons import Neuron;"
        "from evonas.snn.kernels.cpp_scan import compiled_scan; torch.set_num_threads(1);"
        "print(int(Neuron(Dynamics('lif_box'), time_steps=3)(torch.ones(3, 2, 4)).sum()), compiled_scan() is not None)"
    )
    first = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    for library in cache.glob("*.so"):
        library.write_bytes(library.read_bytes()[:cut_to])
    again = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    assert first.stdout == again.stdout
    assert again.stdout.endswith("True\n")
    assert again.stderr.count("built again") == 1


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o707, 0o1777])
def test_a_cache_that_others_may_write_is_not_used(cache, source, mode):
    cache.mkdir(parents=True)
    cache.chmod(mode)
    with pytest.raises(EvonasError, match=r"others may write into it.*chmod 700 .*XDG_CACHE_HOME"):
        compiled(source)
    assert not list(cache.iterdir())


def test_a_cache_of_somebody_else_is_not_used(cache, source, monkeypatch):
    library = compiled(source)
    monkeypatch.setattr(compiler.os, "geteuid", lambda: library.stat().st_uid + 1)
    with pytest.raises(EvonasError, match="belongs to somebody else"):
        compiled(source)


def test_a_library_that_others_may_write_is_built_again(cache, source, tmp_path):
    library = compiled(source)
    stranger = tmp_path / "stranger.cpp"
    stranger.write_text(STRANGER)
    library.write_bytes(compiled(stranger).read_bytes())
    library.with_suffix(".sha256").write_bytes(compiled(stranger).with_suffix(".sha256").read_bytes())
    library.chmod(0o666)
    assert load(source, functions=["one"]).one() == 1
    assert library.stat().st_mode & 0o777 == 0o600


def test_the_cache_is_made_for_its_owner_alone(cache, source):
    assert compiled(source).parent == cache
    assert cache.stat().st_mode & 0o777 == 0o700


def test_several_processes_that_ask_at_once_get_one_library(cache, source):
    ask = (
        "from pathlib import Path; from evonas.snn.kernels.compiler import load;"
        f"print(load(Path({str(source)!r}), functions=['one']).one())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=100) for process in processes]
    assert answers == [("1\n", "")] * 4
    assert len(list(cache.glob("*.so"))) == 1
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_what_the_compiler_says_is_passed_on(cache, tmp_path):
    wrong = tmp_path / "wrong.cpp"
    wrong.write_text("int main( {")
    with pytest.raises(EvonasError, match=r"could not compile wrong\.cpp.*error"):
        compiled(wrong)
    assert not list(cache.rglob("*.so"))


def test_a_compiler_that_hangs_is_ended_with_its_children_and_waited_for_once(cache, source, tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "SECONDS", 0.5)
    child = tmp_path / "child"
    compiler_that(f"sleep 3600 & echo $! > '{child}'; wait", monkeypatch, tmp_path)
    with pytest.raises(EvonasError, match=r"needed more than 0\.5 s for one\.cpp"):
        compiled(source)
    while child.exists() and is_at_work(child.read_text().strip()):  # a child that is left is told by the time limit
        time.sleep(0.01)
    compiler_that(f"touch '{tmp_path}/asked'", monkeypatch, tmp_path)
    with pytest.raises(EvonasError, match=r"needed more than 0\.5 s for one\.cpp"):
        compiled(cpp_scan.SOURCE)
    assert not (tmp_path / "asked").exists()


def test_another_process_that_never_finishes_compiling_is_not_waited_for_for_ever(cache, source, monkeypatch):
    library = compiled(source)
    library.unlink()
    monkeypatch.setattr(compiler, "SECONDS", 0.3)
    with open(library.with_suffix(".lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EvonasError, match=r"Another process has been compiling one\.cpp for more than 0\.3 s"):
            compiled(source)


@pytest.mark.parametrize(
    ("does", "complaint"),
    [
        ("exit 0", "wrote no library"),
        ("echo no room left; exit 3", "could not compile one.cpp: no room left"),
        ('while [ $# -gt 2 ]; do shift; done; [ $# = 1 ] || echo rubbish > "$1"', "cannot be loaded"),
    ],
)
def test_a_compiler_that_does_not_compile_is_told_of(cache, source, tmp_path, monkeypatch, does, complaint):
    compiler_that(does, monkeypatch, tmp_path)
    with pytest.raises(EvonasError, match=complaint):
        load(source, functions=["one"])


def test_a_compiler_that_cannot_be_run_is_told_of(cache, source, tmp_path, monkeypatch):
    script = tmp_path / "no program"
    script.write_bytes(b"\x7fELF rubbish")
    script.chmod(0o700)
    monkeypatch.setenv("CXX", str(script))
    with pytest.raises(EvonasError, match="cannot be run"):
        compiled(source)


def test_a_library_without_the_functions_that_are_wanted_is_told_of(cache, source):
    assert isinstance(load(source, functions=["one"]), ctypes.CDLL)
    with pytest.raises(EvonasError, match="lacks the functions two, three"):
        load(source, functions=["one", "two", "three"])


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EvonasError, match="cannot be kept in"):
        compiled(cpp_scan.SOURCE)


def test_where_there_is_no_home_the_remedy_is_named(monkeypatch, source):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compiler.Path, "home", homeless)
    with pytest.raises(EvonasError, match=r"home directory\. Name one in the environment variable XDG_CACHE_HOME"):
        compiled(source)
