"""Small data sets in the formats that their publishers use."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_set(folder: Path, *, side: int = 28, train: int = 100, test: int = 20) -> Path:
    """Write four idx files of images in 10 classes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    shapes = ((train, side, side), (train,), (test, side, side), (test,))
    for name, shape in zip(IDX, shapes, strict=True):
        array = np.arange(shape[0]) % 10 if len(shape) == 1 else rng.integers(0, 256, shape)
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *shape)
        (folder / name).write_bytes(head + array.astype(np.uint8).tobytes())
    return folder


def cifar_set(folder: Path, *, each: int = 20) -> Path:
    """Write the six binary files of CIFAR-10, `each` images in each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        records = np.c_[np.arange(each) % 10, rng.integers(0, 256, (each, 3072))]
        (folder / name).write_bytes(records.astype(np.uint8).tobytes())
    return folder
