"""A process that reads arrays of one HDF5 file and ends: `python hdf5_child.py REQUEST`, for `hdf5_arrays` alone.

HDF5 trusts what it reads: a damaged file may end the process, keep it busy for ever or take all memory. So it is read
here, under limits. Nothing of evonas is imported. The answer is a line of JSON, then the bytes of the arrays.
"""

from __future__ import annotations

import json
import math
import sys
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
"""What HDF5 carries out itself: others are plugins, code that a file would have loaded."""

LENGTHS = "/lengths"
"""What is added to the name of a data set of lists, for the array of their lengths."""

SECONDS = 5
"""Of a processor, and one more for each 4 MiB of the file."""

ROOM, PACKED = 2**28, 256
"""Bytes of memory that any file may take, and that each of its bytes may take beyond that."""

LONGEST_TEXT = 1000
OTHERS = 100
_LIST_BYTES = 16  # of a list of any length, beside its values
_MOST_PACKED = 1032  # bytes that one byte of deflate can stand for, at most; `MOST_PACKED` of files.py


class Fault(Exception):
    """The end of a sentence that begins with the file."""


def main() -> None:
    """Answer the request in the first argument: `path`, its `size`, `names`, `lists`, `largest` bytes of an array."""
    request = json.loads(sys.argv[1])
    size = request["size"]
    _limit(seconds=SECONDS + size // 2**22, memory=min(4 * request["largest"], ROOM + PACKED * size))
    arrays: list[np.ndarray] = []
    try:
        with h5py.File(request["path"], "r", locking=False) as file:
            names = [*request["names"], *request["lists"]]
            found = {name: one for name in names if (one := _dataset(file, name)) is not None}
            read: dict[str, np.ndarray] = {}
            for name, one in found.items():
                if name in request["lists"]:
                    read[name], read[f"{name}{LENGTHS}"] = _lists(one, name, largest=request["largest"])
                else:
                    read[name] = _values(one, name, largest=request["largest"])
            others = [name for name in file if name not in found][:OTHERS]
        arrays = list(read.values())
        told = [[name, one.dtype.str, one.shape] for name, one in read.items()]
        answer: dict[str, Any] = {"arrays": told, "others": others}
    except Fault as fault:
        answer, arrays = {"fault": str(fault)}, []
    except MemoryError:
        answer, arrays = {"fault": "takes more memory than its arrays announce"}, []
    except Exception as error:  # whatever h5py makes of what HDF5 says
        why = f": {error}"[:300] if isinstance(error, OSError | KeyError) else ""
        answer, arrays = {"fault": f"is no HDF5 file, or is damaged{why}"}, []
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    for one in arrays:
        if one.size:
            sys.stdout.buffer.write(one.reshape(-1).view(np.uint8).data)
    sys.stdout.buffer.flush()


def _dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return the data set of a name such as `"images"` or `"spikes/times"`, None where there is none."""
    place: Any = file
    for part in name.split("/"):
        if not isinstance(place, h5py.Group):
            return None
        link = place.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise Fault(f"holds {name!r} as a link to elsewhere, expected the data set itself in this file")
        place = place[part]
    if not isinstance(place, h5py.Dataset):
        raise Fault(f"holds {name!r} as a {type(place).__name__.lower()}, expected a data set")
    return place


def _values(dataset: h5py.Dataset, name: str, *, largest: int) -> np.ndarray:
    """Return the values of a data set, texts as an array of texts, after all that can be checked before reading."""
    if dataset.shape is None:
        raise Fault(f"holds {name!r} without values")
    text = h5py.check_string_dtype(dataset.dtype)
    if text is None and (dataset.dtype.kind not in "biufS" or dataset.dtype.shape):
        raise Fault(f"holds {name!r} as {str(dataset.dtype)[:60]}, expected numbers or texts")
    _check_stored(dataset, name, announced=math.prod(dataset.shape) * dataset.dtype.itemsize, largest=largest)
    if text is None or text.length is not None:  # bytes of one length are texts for whoever asked
        return np.ascontiguousarray(dataset[()])
    return _texts(dataset, name, largest=largest)


def _check_stored(dataset: h5py.Dataset, name: str, *, announced: int, largest: int) -> None:
    """Check that a data set can be read, and that as much is stored as it announces."""
    if dataset.is_virtual or dataset.external:
        raise Fault(f"holds {name!r} as a data set whose values lie in other files, expected them in this one")
    says = f"announces {announced:,} bytes for {name!r} of shape {dataset.shape},"
    if announced > largest:
        raise Fault(f"{says} and {largest:,} are read into memory at most; make a file of fewer or smaller samples")
    created = dataset.id.get_create_plist()
    filters = [created.get_filter(index)[0] for index in range(created.get_nfilters())]
    if foreign := [number for number in filters if number not in FILTERS]:
        known = ", ".join(FILTERS.values())
        raise Fault(f"holds {name!r} behind the filter {foreign[0]}, expected no filter or one of {known}")
    stored = dataset.id.get_storage_size()
    if announced > stored * (_MOST_PACKED if filters else 1):
        raise Fault(f"{says} and the {stored:,} that are stored cannot hold so many")


def _lists(dataset: h5py.Dataset, name: str, *, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of lists of different lengths, one after the other, and the lengths."""
    kind = h5py.check_vlen_dtype(dataset.dtype)
    if not isinstance(kind, np.dtype) or kind.kind not in "biuf" or kind.shape or dataset.ndim != 1:
        raise Fault(f"holds {name!r} as {str(dataset.dtype)[:60]}, expected lists of numbers")
    _check_stored(dataset, name, announced=len(dataset) * _LIST_BYTES, largest=largest)
    parts, lengths, total = [np.empty(0, kind)], [0] * len(dataset), 0
    for index in range(len(dataset)):
        parts.append(np.asarray(dataset[index], kind).reshape(-1))
        lengths[index] = len(parts[-1])
        total += parts[-1].nbytes
        if total > largest:
            raise Fault(f"holds more than {largest:,} bytes in {name!r}, expected that at most")
    return np.concatenate(parts), np.array(lengths, np.int64)


def _texts(dataset: h5py.Dataset, name: str, *, largest: int) -> np.ndarray:
    try:
        values = np.asarray(dataset.asstr("utf-8")[()], object)
    except UnicodeDecodeError:
        raise Fault(f"holds texts in {name!r} that are no UTF-8") from None
    longest = max(map(len, values.flat), default=0)
    if longest > LONGEST_TEXT or 4 * longest * values.size > largest:
        raise Fault(f"holds a text of {longest:,} characters in {name!r}, expected {LONGEST_TEXT:,} at most")
    return np.ascontiguousarray(values.astype(f"<U{max(longest, 1)}"))


def _limit(*, seconds: int, memory: int) -> None:
    """Limit seconds of the processor and bytes of memory beside those in use, where the system can."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm") as now:
            used = int(now.read().split()[0]) * resource.getpagesize()
        most = used + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
