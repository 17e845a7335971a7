"""Compiles C++ to a shared library for this processor, once, and keeps it in the user's cache."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import logging
import os
import platform
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from evonas.errors import EvonasError

FLAGS = (
    "-O3",
    "-std=c++17",
    "-march=native",
    "-fopenmp",  # torch's own pool of threads, because its OpenMP is loaded already
    "-ffp-contract=off",  # one rounding after each operation, as in torch: the same spikes
    "-fno-math-errno",
    "-fno-trapping-math",
    "-shared",
    "-fPIC",
)
SECONDS = 120.0
"""Time limit of a compiler; a few seconds are usual."""

_gave_up: dict[str, str] = {}
"""Compiler to the reason why this process gave it up: each further library would take as long again."""

_reasons: set[str] = set()
"""Reasons that this process has warned of already: several missing libraries mostly have one reason."""

_log = logging.getLogger(__name__)


def load_if_possible(source: Path, *, functions: Sequence[str]) -> ctypes.CDLL | None:
    """Return what `load` returns, or None where it raises; a warning gives each reason once."""
    try:
        return load(source, functions=functions)
    except EvonasError as error:
        if str(error) not in _reasons:
            _reasons.add(str(error))
            _log.warning("Networks run without compiled kernels, several times slower. %s", error)
        return None


def load(source: Path, *, functions: Sequence[str]) -> ctypes.CDLL:
    """Return the library built from `source`, loaded; it must have these functions.

    Raises:
        EvonasError: As `compiled`, or if what the compiler made cannot be loaded or lacks a function.
    """
    library = compiled(source)
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        raise EvonasError(f"The library of {source.name} cannot be loaded: {error}.") from error
    missing = [name for name in functions if not hasattr(loaded, name)]
    if missing:
        raise EvonasError(f"The library of {source.name}, {library}, lacks the functions {', '.join(missing)}.")
    return loaded


def compiled(source: Path) -> Path:
    """Return the library built from `source`: at once where it is in the cache, else after a few seconds.

    Several processes may ask at the same time: one builds, the others wait for it. The name holds a hash of source,
    compiler, flags and kind of processor, so a cache on a shared disk serves different machines. A checksum beside
    each library detects one that was truncated or changed, which would crash the process: it is built again.

    Raises:
        EvonasError: If there is no C++ compiler, it fails or hangs, or the cache cannot be written or trusted.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    if compiler is None:
        raise EvonasError("There is no C++ compiler: install g++, or name one in the environment variable CXX.")
    if compiler in _gave_up:
        raise EvonasError(_gave_up[compiler])
    try:
        library = _trusted_folder() / f"{source.stem}-{_key(source, compiler)}.so"
        if _is_sound(library):
            return library
        with open(library.with_suffix(".lock"), "w") as lock:
            _wait_for(lock, compiler, source)
            if not _is_sound(library):
                if library.exists():
                    _log.warning("The compiled library %s was damaged or changed, and is built again.", library)
                _build(compiler, source, library)
    except OSError as error:
        raise EvonasError(f"The library of {source.name} cannot be kept in {_cache()}: {error}.") from error
    return library


def _build(compiler: str, source: Path, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        fresh, checksum = Path(folder) / library.name, Path(folder) / "checksum"
        status, output = _run([compiler, *FLAGS, "-o", str(fresh), str(source)], source)
        if status:
            raise EvonasError(f"{compiler} could not compile {source.name}: {_error_lines(output)}")
        if not fresh.is_file():
            raise EvonasError(f"{compiler} reported no error for {source.name}, but wrote no library.")
        fresh.chmod(0o600)
        checksum.write_bytes(_digest(fresh.read_bytes()))
        checksum.chmod(0o600)
        # a process that reads between these two sees a library that is not sound, and waits for the lock
        os.replace(checksum, _checksum(library))
        os.replace(fresh, library)


def _is_sound(library: Path) -> bool:
    """Return whether the library exists, only this user can have written it, and it matches its checksum."""
    try:
        with open(library, "rb") as file, open(_checksum(library), "rb") as checksum:
            are_ours = all(_is_ours_alone(os.fstat(opened.fileno())) for opened in (file, checksum))
            return are_ours and checksum.read() == _digest(file.read())
    except FileNotFoundError:
        return False


def _checksum(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _trusted_folder() -> Path:
    """Return the folder of the cache, created if needed; raise `EvonasError` where others may have written into it.

    A library runs in this process, so everybody who can write there could run code of their own.
    """
    folder = _cache()
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours_alone(folder.stat()):
        raise EvonasError(
            f"The folder of compiled libraries, {folder}, belongs to somebody else, or others may write into it, so it "
            f"is not used. Say `chmod 700 {folder}`, or name another cache in the environment variable XDG_CACHE_HOME."
        )
    return folder


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _wait_for(lock: IO[str], compiler: str, source: Path) -> None:
    """Wait until no other process compiles; raise `EvonasError` after `SECONDS`."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                _gave_up[compiler] = f"Another process has been compiling {source.name} for more than {SECONDS:g} s."
                raise EvonasError(_gave_up[compiler]) from None
        time.sleep(0.05)


def _run(command: Sequence[str], source: Path) -> tuple[int, str]:
    """Return the exit status and the output of a compiler; all of its processes have ended.

    Raises:
        EvonasError: If it cannot be run, or needs too long.
    """
    with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as any child of the compiler lives
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise EvonasError(f"The compiler {command[0]} cannot be run: {error}.") from error
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            _gave_up[command[0]] = f"{command[0]} needed more than {SECONDS:g} s for {source.name}."
            raise EvonasError(_gave_up[command[0]]) from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace")


def _error_lines(output: str) -> str:
    """Return the first error lines of a compiler's output, each cut to its end: paths at the start may be long."""
    errors = [line.strip() for line in output.splitlines() if "error" in line]
    return " ".join(line[-300:] for line in errors[:3]) or output.strip()[-500:]


def _cache() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evonas"
    except RuntimeError as error:  # neither HOME nor an entry of this user
        raise EvonasError(
            f"There is no folder for compiled libraries: {error} Name one in the environment variable XDG_CACHE_HOME."
        ) from error


def _key(source: Path, compiler: str) -> str:
    _, version = _run([compiler, "--version"], source)
    parts = (source.read_text(encoding="utf-8"), version, " ".join(FLAGS), _processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Return the description of the processor, on which `-march=native` depends."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    fields = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(sorted({line for line in lines if line.partition(":")[0].strip() in fields}))
