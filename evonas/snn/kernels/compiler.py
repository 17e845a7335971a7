"""C++ to a library of this very processor, built once and kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

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
SECONDS = 120
"""A compiler that needs longer has gone wrong; a few seconds are usual."""


def compiled(source: Path) -> Path:
    """Return the library built from `source`: at once where it is in the cache, else after a few seconds.

    Several processes may ask at the same time: one builds, the others wait for it. The name holds a hash of source,
    compiler, flags and kind of processor, so a cache on a shared disk serves different machines.

    Raises:
        EvonasError: If there is no C++ compiler, it fails, or the cache cannot be written.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    if compiler is None:
        raise EvonasError("There is no C++ compiler: install g++, or name one in the environment variable CXX.")
    try:
        library = _cache() / f"{source.stem}-{_key(source, compiler)}.so"
        if library.exists():
            return library
        library.parent.mkdir(parents=True, exist_ok=True)
        with open(library.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not library.exists():
                _build(compiler, source, library)
    except OSError as error:
        raise EvonasError(f"The library of {source.name} cannot be kept in {_cache()}: {error}.") from error
    return library


def _build(compiler: str, source: Path, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        fresh = Path(folder) / library.name
        command = [compiler, *FLAGS, "-o", str(fresh), str(source)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise EvonasError(f"{compiler} needed more than {SECONDS} s for {source.name}.") from None
        if done.returncode:
            raise EvonasError(f"{compiler} could not compile {source.name}: {_complaint(done.stderr)}")
        os.replace(fresh, library)


def _complaint(said: str) -> str:
    """Return what a compiler complains of: its lines that tell errors, however long the paths in the others are."""
    errors = [line.strip() for line in said.splitlines() if "error" in line]
    return " ".join(line[-300:] for line in errors[:3]) or said.strip()[-500:]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evonas"


def _key(source: Path, compiler: str) -> str:
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    parts = (source.read_text(encoding="utf-8"), version.stdout, " ".join(FLAGS), _processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Return what `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    wanted = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(sorted({line for line in lines if line.partition(":")[0].strip() in wanted}))
