"""Files of recordings, written in their real formats by the obvious means, and random recordings to write."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

Recording = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""t in microseconds, x, y, p: int64, one an event."""


def recording(
    rng: np.random.Generator, *, events: int = 60, width: int = 34, height: int = 34, length: int = 300_000
) -> Recording:
    """Return a random recording, in order of time."""
    t = np.sort(rng.integers(0, length, events))
    return t, rng.integers(0, width, events), rng.integers(0, height, events), rng.integers(0, 2, events)


def class_folders(
    folder: Path,
    written: Callable[[Recording], bytes],
    *,
    ending: str,
    names: Sequence[str],
    each: int = 10,
    **sizes: int,
) -> dict[Path, Recording]:
    """Write `each` files for each class; return what is in them."""
    rng = np.random.default_rng(0)
    found = {}
    for name in names:
        (folder / name).mkdir(parents=True)
        for index in range(each):
            file = folder / name / f"{index:05}{ending}"
            found[file] = recording(rng, **sizes)
            file.write_bytes(written(found[file]))
    return found


def nmnist(events: Recording) -> bytes:
    return b"".join(
        bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255])
        for t, x, y, p in zip(*(a.tolist() for a in events), strict=True)
    )


def aedat2(events: Recording) -> bytes:
    head = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# Timestamps tick: 1 us\r\n"
    return head + b"".join(
        struct.pack(">II", (127 - x) << 1 | (127 - y) << 8 | (1 - p), t)
        for t, x, y, p in zip(*(a.tolist() for a in events), strict=True)
    )


def aedat3(events: Recording, *, packet: int = 25) -> bytes:
    parts = [b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"]
    parts.append(struct.pack("<hhiiiiii", 0, 1, 8, 4, 0, 1, 1, 1) + struct.pack("<II", 3, 0))  # a special event
    rows = list(zip(*(a.tolist() for a in events), strict=True))
    for begin in range(0, len(rows), packet):
        some = rows[begin : begin + packet]
        overflow = some[0][0] >> 31
        fitting = [row for row in some if row[0] >> 31 == overflow]
        parts.append(struct.pack("<hhiiiiii", 1, 1, 8, 4, overflow, len(fitting) + 1, len(fitting) + 1, len(fitting)))
        parts += [struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t & 2**31 - 1) for t, x, y, p in fitting]
        parts.append(struct.pack("<II", 5 << 17, fitting[-1][0] & 2**31 - 1))  # an event that is marked as invalid
        assert len(fitting) == len(some)
    return b"".join(parts)


def dat(events: Recording, *, sensor: tuple[int, int] | None = None) -> bytes:
    head = b"% Data file containing CD events.\n% Version 2\n% Date 2017-10-31 11:29:21\n"
    if sensor is not None:
        head += f"% Height {sensor[0]}\n% Width {sensor[1]}\n".encode()
    head += b"\x00\x08"
    return head + b"".join(
        struct.pack("<II", t, x | y << 14 | p << 28) for t, x, y, p in zip(*(a.tolist() for a in events), strict=True)
    )


def mat(events: Recording) -> bytes:
    from scipy.io import savemat

    t, x, y, p = events
    matrix = np.zeros((101, len(t)))
    matrix[y * 10 + x, np.arange(len(t))] = 2 * p - 1
    matrix[100] = t / 1e6
    stream = io.BytesIO()
    savemat(stream, {"spiketrain": matrix}, do_compression=True)
    return stream.getvalue()


def aedat4(
    events: Recording,
    *,
    compress: Callable[[bytes], bytes] | None = None,
    packet: int = 25,
    sensor: tuple[int, int] | None = None,
) -> bytes:
    """Return an AEDAT 4 file with a stream of another kind, number 0, and one of events, number 1."""
    size = (
        ""
        if sensor is None
        else f'<attr key="sizeX" type="int">{sensor[1]}</attr><attr key="sizeY" type="int">{sensor[0]}</attr>'
    )
    xml = '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">' + "".join(
        f'<node name="{number}" path="/mainloop/Recorder/outInfo/{number}/">'
        f'<attr key="typeIdentifier" type="string">{kind}</attr><node name="info" path="/x/">{size}</node></node>'
        for number, kind in ((0, "IMUS"), (1, "EVTS"))
    )
    return aedat4_of((xml + "</node></dv>").encode(), events, compress=compress, packet=packet)


def aedat4_of(
    text: bytes, events: Recording, *, compress: Callable[[bytes], bytes] | None = None, packet: int = 25
) -> bytes:
    """Return an AEDAT 4 file whose head has this text."""
    # root offset, name, table of fields (3 entries), the table, then its text
    fields = struct.pack("<HHHHH", 10, 20, 4, 8, 16)
    table = struct.pack("<iiqI", 10, 1 if compress else 0, -1, 4)
    head = struct.pack("<I4s", 18, b"IOHE") + fields + table + struct.pack("<I", len(text)) + text + b"\0"
    parts = [b"#!AER-DAT4.0\r\n", struct.pack("<I", len(head)), head]
    rows = list(zip(*(a.tolist() for a in events), strict=True))
    for begin in range(0, len(rows), packet):
        some = rows[begin : begin + packet]
        structs = b"".join(struct.pack("<qhhB3x", t, x, y, p) for t, x, y, p in some)
        body = struct.pack("<I4sHHHHiI", 16, b"EVTS", 6, 8, 4, 0, 8, 4) + struct.pack("<I", len(some)) + structs
        content = struct.pack("<I", len(body)) + body
        for number, bytes_ in ((0, b"other"), (1, content)):
            packed = compress(bytes_) if compress else bytes_
            parts.append(struct.pack("<ii", number, len(packed)) + packed)
    return b"".join(parts)


def gestures(
    folder: Path, *, each: int = 2, length: int = 100_000, events: int = 80
) -> dict[str, list[tuple[int, Recording]]]:
    """Write a DVS128 Gesture of three files to train and one to test; return the gestures of each part."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[int, Recording]]] = {"train": [], "test": []}
    for part, count in (("train", 3), ("test", 1)):
        names = [f"user{index:02}_{part}.aedat" for index in range(count)]
        (folder / f"trials_to_{part}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            rows, pieces = ["class,startTime_usec,endTime_usec"], []
            for number, label in enumerate(list(range(1, 12)) * each):
                begin = number * (length + 1000)
                t, x, y, p = recording(rng, events=events, width=128, height=128, length=length)
                pieces.append((begin + t, x, y, p))
                found[part].append((label, pieces[-1]))
                rows.append(f"{label},{begin},{begin + length}")
            (folder / f"{name.removesuffix('.aedat')}_labels.csv").write_text("\n".join(rows) + "\n")
            joined = tuple(np.concatenate(column) for column in zip(*pieces, strict=True))
            (folder / name).write_bytes(aedat3(joined))
    return found


def shd(file: Path, *, recordings: int = 60, classes: int = 20, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Write a file of SHD; return times in seconds and units of each recording."""
    rng = np.random.default_rng(seed)
    found = []
    with h5py.File(file, "w") as opened:
        times = opened.create_dataset("spikes/times", (recordings,), h5py.vlen_dtype(np.float32))
        units = opened.create_dataset("spikes/units", (recordings,), h5py.vlen_dtype(np.uint16))
        for index in range(recordings):
            found.append((np.sort(rng.random(40)).astype(np.float32), rng.integers(0, 700, 40).astype(np.uint16)))
            times[index], units[index] = found[-1]
        opened["labels"] = np.arange(recordings) % classes
        opened["extra/speaker"] = np.zeros(recordings, np.uint16)
    return found


def own(
    file: Path,
    recordings: Sequence[Recording],
    labels: Sequence[int] | Sequence[str],
    *,
    width: int = 34,
    height: int = 34,
    split: Sequence[str] | None = None,
) -> None:
    """Write the layout for events of one's own."""
    t, x, y, p = (np.concatenate(column) for column in zip(*recordings, strict=True))
    with h5py.File(file, "w") as opened:
        opened.create_dataset("t", data=t, compression="gzip")
        for name, values in (("x", x), ("y", y), ("p", p)):
            opened[name] = values.astype(np.uint16)
        opened["offsets"] = np.concatenate([[0], np.cumsum([len(one[0]) for one in recordings])])
        texts = any(isinstance(label, str) for label in labels)
        opened.create_dataset("labels", data=list(labels), dtype=h5py.string_dtype() if texts else np.int64)
        if split is not None:
            opened.create_dataset("split", data=list(split), dtype=h5py.string_dtype())
        opened["width"], opened["height"] = width, height
