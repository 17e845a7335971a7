"""Files of images: headers that lie, bytes that change, compression that is none, labels of every kind."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from evonas.data import images
from evonas.data.dataset import DataSet
from fuzz.damage import ODD_VALUES, damaged
from fuzz.verdict import Verdict, attempt

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SIZES = (0, 1, 4, 7, 8, 255, 2**16, 2**31, 2**32 - 1)


class DataFiles:
    """Folders of four idx files, one of them changed."""

    name = "idx files"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        rng = np.random.default_rng(0)
        self._arrays = [
            rng.integers(0, 256, (60, 8, 8), dtype=np.uint8),
            np.arange(60, dtype=np.uint8) % 5,
            rng.integers(0, 256, (20, 8, 8), dtype=np.uint8),
            np.arange(20, dtype=np.uint8) % 5,
        ]

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one folder."""
        contents = [idx(array) for array in self._arrays]
        which = int(rng.integers(4))
        options: dict[str, Any] = {}
        match int(rng.integers(6)):
            case 0:
                contents[which] = damaged(contents[which], rng)
            case 1:
                sizes = [SIZES[int(rng.integers(len(SIZES)))] for _ in range(int(rng.integers(0, 5)))]
                head = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
                least = min(math.prod(sizes), 4096)
                contents[which] = head + rng.bytes(least if rng.random() < 0.7 else 64)
            case 2:
                contents[which] = damaged(gzip.compress(contents[which]), rng)
            case 3:
                labels = rng.choice(np.array([0, 1, 5, 26, 255], dtype=np.uint8), 60)
                contents[1] = idx(labels if rng.random() < 0.8 else np.full(60, 3, np.uint8))
            case 4:
                array = self._arrays[which]
                contents[which] = idx(array[: int(rng.integers(0, 3))] if rng.random() < 0.5 else array[..., :0])
            case _:
                options = {
                    ("limit", "side", "validation_part")[int(rng.integers(3))]: ODD_VALUES[
                        int(rng.integers(len(ODD_VALUES)))
                    ]
                }
        for name, content in zip(NAMES, contents, strict=True):
            for path in (self._folder / name, self._folder / f"{name}.gz"):
                path.unlink(missing_ok=True)
            (self._folder / (name if rng.random() < 0.8 else f"{name}.gz")).write_bytes(content)
        verdict = attempt(
            lambda: images.read(path=str(self._folder), **options),
            check=lambda data: fault_of(data, contents, options),
        )
        return Verdict(verdict.outcome, f"{options or NAMES[which]}: {verdict.detail}", contents[which][:64].hex())


def idx(array: np.ndarray) -> bytes:
    """Return an array of bytes in the idx format."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def slow_read(data: bytes) -> np.ndarray | None:
    """Return what an idx file holds, plain or gzipped, None where it is no such file: the obvious twin."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return None
    if data[:3] != b"\0\0\x08" or len(data) < 4:
        return None
    sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    values = data[4 + 4 * len(sizes) :]
    if len(data) < 4 + 4 * len(sizes) or not sizes or math.prod(sizes) != len(values):
        return None
    return np.frombuffer(values, np.uint8).reshape(sizes)


def fault_of(data: DataSet, contents: list[bytes], options: dict[str, Any]) -> str:
    """Return what is wrong with a data set that was called right."""
    arrays = [slow_read(content) for content in contents]
    if any(array is None or 0 in array.shape for array in arrays):
        return "a file that is none was taken"
    train, labels, test, test_labels = (array for array in arrays if array is not None)
    if (train.ndim, labels.ndim, test.ndim, test_labels.ndim) != (3, 1, 3, 1) or train.shape[1:] != test.shape[1:]:
        return f"shapes {train.shape}, {labels.shape}, {test.shape} were taken"
    if len(train) != len(labels) or len(test) != len(test_labels) or set(test_labels) - set(labels):
        return "labels that do not fit were taken"
    if len(set(labels.tolist())) < 2:
        return "a single class was taken"
    if data.classes != len(set(labels.tolist())):
        return f"{data.classes} classes, expected {len(set(labels.tolist()))}"
    if any(isinstance(value, bool | str | list | dict) or value != value for value in options.values()):
        return f"the options {options} were taken"
    if not options:
        seen = data.samples.inputs.batch(np.arange(len(train)), time_steps=1, rng=np.random.default_rng(0)).reshape(
            len(train), -1
        )
        scale = 255.0 if seen.max() <= 1 else 1.0
        if not np.allclose(seen * scale, train.reshape(len(train), -1), atol=1e-3):
            return "the pixels are others"
    search = data.for_search(seed=0) if "seed" in DataSet.for_search.__annotations__ else data.for_search()  # type: ignore[call-arg]
    if not (len(search.train) and len(search.validation)):
        return "a part is empty"
    return ""
