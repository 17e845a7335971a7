"""Write arrays as the four idx files that `[data] name = "images"` reads.

    python examples/write_idx.py images.npz data/mine

`images.npz` holds `train_images`, `train_labels`, `test_images` and `test_labels`: grey images `(n, height, width)` of
unsigned bytes, classes `(n,)` from 0. Without a file, scikit-learn's digits are written: something to try it with.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def write(arrays: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write each array under the name of its file; `folder` is made where it is missing.

    Raises:
        ValueError: If an array has values other than unsigned bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in NAMES.items():
        array = np.asarray(arrays[name])
        if array.min() < 0 or array.max() > 255 or (array != array.astype(np.uint8)).any():
            raise ValueError(
                f"{name} has values from {array.min()} to {array.max()}, expected whole numbers from 0 to 255."
            )
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / file).write_bytes(head + array.astype(np.uint8).tobytes())


def digits() -> dict[str, np.ndarray]:
    """Return scikit-learn's digits, the last 360 as the test."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images, labels = (found.images * 15).astype(np.uint8), found.target
    return {
        "train_images": images[:-360],
        "train_labels": labels[:-360],
        "test_images": images[-360:],
        "test_labels": labels[-360:],
    }


def main(*arguments: str) -> None:
    """Write the file that is named, or the digits, into the folder that is named last."""
    *source, folder = arguments
    write(np.load(source[0]) if source else digits(), Path(folder))
    print(f"written: {', '.join(NAMES.values())} in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
