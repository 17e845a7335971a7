"""Recordings of events: files cut short, headers that lie, tables and options of every kind."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import event_files
import h5py
import numpy as np

from evonas.data import aedat4, cifar10_dvs, dvs_gesture, events, nmnist, prophesee, shd, stmnist
from evonas.data.dataset import DataSet
from evonas.data.event_frames import EventFrames
from fuzz.damage import ODD_VALUES, damaged
from fuzz.verdict import Verdict, attempt

FORMATS: Mapping[str, tuple[ModuleType, Callable[[event_files.Recording], bytes], str, tuple[int, int]]] = {
    "nmnist": (nmnist, event_files.nmnist, ".bin", (34, 34)),
    "aedat 2": (cifar10_dvs, event_files.aedat2, ".aedat", (128, 128)),
    "prophesee": (prophesee, event_files.dat, ".dat", (40, 30)),
    "stmnist": (stmnist, event_files.mat, ".mat", (10, 10)),
    "aedat 4": (aedat4, event_files.aedat4, ".aedat4", (40, 30)),
}
OPTIONS = (
    "frames", "bin_by", "milliseconds", "elements", "jitter_ms", "limit", "validation_part", "test_part", "downscale",
    "merge_polarities", "hot_pixel_hz", "flip", "shift",
)  # fmt: skip
FORGED = (
    b"",
    b"%",
    b"#",
    b"#!AER-DAT2.0\r\n",
    b"#!AER-DAT3.1\r\n",
    b"#!AER-DAT4.0\r\n",
    b"MATLAB 5.0",
    b"\x89HDF\r\n\x1a\n",
    b"PK\x03\x04",
)
"""Beginnings of files, which are followed by anything."""


class EventFolders:
    """Folders of a file a recording in one of `FORMATS`, one of them changed."""

    def __init__(self, folder: Path, *, form: str) -> None:
        self._folder, self._form = folder, form
        _, written, ending, (height, width) = FORMATS[form]
        sizes = {"height": height, "width": width, "events": 40}
        event_files.class_folders(folder, written, ending=ending, names=["a", "b"], each=4, **sizes)
        self._bytes = next(iter(sorted(folder.rglob(f"*{ending}")))).read_bytes()

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one folder."""
        module, _, ending, _ = FORMATS[self._form]
        content, options = self._bytes, dict[str, Any]()
        match int(rng.integers(6)):
            case 0 | 1 | 2:
                change = damaged_inside if self._form == "stmnist" and rng.random() < 0.7 else damaged
                for _ in range(int(rng.integers(1, 4))):
                    content = change(content, rng)
            case 3:
                content = FORGED[int(rng.integers(len(FORGED)))] + rng.bytes(int(rng.integers(200)))
            case 4:
                begin = int(rng.integers(max(len(content) - 4, 1)))
                number = struct.pack("<I", int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, len(content)])))
                content = content[:begin] + number + content[begin + 4 :]
            case _:
                options = odd_options(rng)
        (self._folder / f"a/00000{ending}").write_bytes(content)
        verdict = attempt(
            lambda: module.read(path=str(self._folder), **options),
            check=lambda data: fault_of(data, options) or slow_fault(self._form, data, content, options),
        )
        return Verdict(verdict.outcome, f"{options}: {verdict.detail}", content[:80].hex())


class Gestures:
    """DVS128 Gesture with a list, a table or a recording in AEDAT 3 changed."""

    name = "aedat 3"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "gestures"
        event_files.gestures(self._folder, each=1, events=4)
        self._files = {file: file.read_bytes() for file in sorted(self._folder.iterdir())}

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one data set."""
        file = list(self._files)[int(rng.integers(len(self._files)))]
        content = self._files[file]
        for _ in range(int(rng.integers(1, 4))):
            content = damaged(content, rng)
        file.write_bytes(content)
        verdict = attempt(lambda: dvs_gesture.read(path=str(self._folder)), check=lambda data: fault_of(data, {}))
        file.write_bytes(self._files[file])
        return Verdict(verdict.outcome, f"{file.name}: {verdict.detail}", content[:200].hex())


class EventArrays:
    """A file of events or of spikes in HDF5, with bytes or data sets changed."""

    def __init__(self, folder: Path, *, is_shd: bool) -> None:
        if is_shd:
            self._file, self._options = folder / "shd_train.h5", OPTIONS[:8]
            for name in ("shd_train.h5", "shd_test.h5"):
                event_files.shd(folder / name, recordings=12, classes=3)
            self._read = partial(shd.read, path=str(folder))
        else:
            self._file, self._options = folder / "own.h5", OPTIONS
            rng = np.random.default_rng(0)
            recordings = [event_files.recording(rng, events=20, width=6, height=4) for _ in range(12)]
            split = ["train"] * 9 + ["test"] * 3
            event_files.own(self._file, recordings, ["x", "y"] * 6, width=6, height=4, split=split)
            self._read = partial(events.read, path=str(self._file))
        self._bytes = self._file.read_bytes()

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one file."""
        file, content, how = self._file, self._bytes, "damaged"
        if rng.random() < 0.5:
            for _ in range(int(rng.integers(1, 4))):
                content = damaged(content, rng)
            file.write_bytes(content)
        else:
            file.write_bytes(content)
            how = changed_data_set(file, rng)
        options = odd_options(rng) if rng.random() < 0.1 else {}
        options = {name: value for name, value in options.items() if name in self._options}
        verdict = attempt(lambda: self._read(**options), check=lambda data: fault_of(data, options))
        file.write_bytes(self._bytes)
        return Verdict(verdict.outcome, f"{how} {options}: {verdict.detail}", content[:80].hex())


def damaged_inside(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a MATLAB file whose compressed element was unpacked, damaged and packed again."""
    packed = zlib.compress(damaged(zlib.decompress(content[136:]), rng))
    return content[:132] + struct.pack("<I", len(packed)) + packed


def odd_options(rng: np.random.Generator) -> dict[str, Any]:
    """Return one or two options with odd values."""
    names = rng.choice(OPTIONS, int(rng.integers(1, 3)), replace=False).tolist()
    return {name: ODD_VALUES[int(rng.integers(len(ODD_VALUES)))] for name in names}


def changed_data_set(file: Path, rng: np.random.Generator) -> str:
    """Replace a data set of a file by one of another kind, shape or length; return which."""
    with h5py.File(file, "r+") as opened:
        names: list[str] = []
        opened.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        name = names[int(rng.integers(len(names)))]
        values = opened[name][()]
        del opened[name]
        match int(rng.integers(8)):
            case 0:
                pass
            case 1:
                opened[name] = rng.integers(-5, 300, int(rng.integers(0, 400)))
            case 2:
                opened[name] = rng.random((3, 4))
            case 3:
                opened.create_dataset(
                    name, (2 ** int(rng.integers(10, 60)),), np.int64, chunks=(1024,), compression="gzip"
                )
            case 4:
                opened[name] = h5py.ExternalLink("/etc/passwd", "x")
            case 5:
                opened.create_dataset(name, data=["x", "y"], dtype=h5py.string_dtype())
            case 6:
                opened.create_group(name)
            case _:
                opened[name] = np.asarray(values).astype(np.float64) if values.dtype.kind in "iuf" else np.arange(12)
        return f"{name} changed"


def fault_of(data: DataSet, options: Mapping[str, Any]) -> str:
    """Return what is wrong with a data set that was called right."""
    if any(
        isinstance(value, str | list | dict) or value != value
        for name, value in options.items()
        if name not in ("bin_by", "elements")
    ):
        return f"the options {options} were taken"
    search = data.for_search()
    parts = [data.samples, search.train, search.validation]
    if options.get("test_part", 0.2) > 0.125:  # a sample of eight
        parts.append(data.test())
    for samples in parts:
        if not len(samples):
            return "a part is empty"
        inputs = samples.inputs
        if not isinstance(inputs, EventFrames):
            return f"inputs are {type(inputs).__name__}"
        recordings = inputs.recordings
        if (recordings.t < 0).any() or (len(recordings.t) and recordings.place.max() >= np.prod(recordings.shape)):
            return "an event lies outside"
        if len(recordings) != len(samples) or recordings.offsets[-1] != len(recordings.t):
            return "recordings and labels differ in number"
    if (options.get("frames") or 1) > 50:
        return ""
    frames = search.validation.inputs.batch(np.arange(1), time_steps=3, rng=np.random.default_rng(0))
    return "" if np.isfinite(frames).all() and (frames >= 0).all() else "frames are no counts"


def slow_fault(name: str, data: DataSet, content: bytes, options: Mapping[str, Any]) -> str:
    """Return whether the first recording has other events than a loop over the bytes of its file finds."""
    if options or name not in SLOW:
        return ""
    expected = SLOW[name](content)
    assert isinstance(data.samples.inputs, EventFrames)
    recordings = data.samples.inputs.recordings
    _, height, width = recordings.shape
    came = [
        (int(t), int(place) // (height * width), int(place) // width % height, int(place) % width)
        for t, place in zip(
            *(column[: recordings.offsets[1]] for column in (recordings.t, recordings.place)), strict=True
        )
    ]
    begin = min((t for t, *_ in expected), default=0)
    found = sorted(((t - begin, *rest) for t, *rest in expected), key=lambda event: event[0])
    return "" if sorted(came) == sorted(found) else f"{len(came)} events were read, {len(found)} are there"


def slow_nmnist(content: bytes) -> list[tuple[int, int, int, int]]:
    found, late = [], 0
    for begin in range(0, len(content), 5):
        x, y, a, b, c = content[begin : begin + 5]
        if y == 240:
            late += 2**13
        else:
            found.append(((a % 128) * 65536 + b * 256 + c + late, a // 128, y, x))
    return found


def slow_dat(content: bytes) -> list[tuple[int, int, int, int]]:
    while content.startswith(b"%"):
        content = content.partition(b"\n")[2]
    return [
        (t, word >> 28 & 1, word >> 14 & 0x3FFF, word & 0x3FFF) for t, word in struct.iter_unpack("<II", content[2:])
    ]


SLOW: Mapping[str, Callable[[bytes], list[tuple[int, int, int, int]]]] = {"nmnist": slow_nmnist, "prophesee": slow_dat}
"""Formats to the obvious twin of their reader: (time, polarity, y, x) of each event."""
