"""Arrays of an HDF5 file, read by a process of their own that a damaged file may end."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from evonas.data.files import LARGEST, opened, quoted, said
from evonas.errors import DataError

_CHILD = Path(__file__).with_name("hdf5_child.py")
_LONGEST_ANSWER = 2**20


def read_hdf5(
    file: Path, names: Sequence[str], *, lists: Sequence[str] = (), largest: int = LARGEST
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays of those of the names that a file has, and the names of all else at its top.

    Numbers keep their type, texts become an array of texts. Links, data sets whose values lie in other files, filters
    that HDF5 does not bring along, and more bytes than the file can hold are refused unread.

    Args:
        file: The file.
        names: Names of data sets; one in a group is `"group/name"`.
        lists: Names of data sets of lists of different lengths: their values are given one after the other, and the
            lengths as the array `"name/lengths"`.
        largest: Most bytes of an array.

    Raises:
        DataError: If it is no such file, is damaged, or holds something else under one of the names.
    """
    with opened(file, expected="an HDF5 file") as (_, size):
        asked = {"path": str(file), "size": size, "names": list(names), "lists": list(lists), "largest": largest}
        request = json.dumps(asked)
    command = [sys.executable, "-P", str(_CHILD), request]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        try:
            line = child.stdout.readline(_LONGEST_ANSWER)
            answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
            if "fault" in answer:
                raise DataError(f"{quoted(file)} {said(answer['fault'])}.")
            found = {name: _received(child.stdout, kind, shape) for name, kind, shape in answer.get("arrays", ())}
        finally:
            child.kill()
    if not answer or any(one is None for one in found.values()):
        raise DataError(
            f"{quoted(file)} could not be read: HDF5 ended with it (exit code {child.returncode}), so it is "
            "damaged, or there is not enough memory."
        )
    return {name: one for name, one in found.items() if one is not None}, answer["others"]


def _received(stream: IO[bytes], kind: str, shape: Sequence[int]) -> np.ndarray | None:
    """Return the array whose bytes come next, None if they do not all come."""
    values = np.empty(math.prod(shape), kind)
    room = values.view(np.uint8)
    at = 0
    while at < len(room) and (count := stream.readinto(room[at : at + 2**24].data)):  # type: ignore[attr-defined]
        at += count
    return values.reshape(shape) if at == len(room) else None
