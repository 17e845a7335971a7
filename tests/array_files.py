"""Arrays in files, and what networks see of the samples that are read from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from evonas.data.dataset import DataSet


def write(file: Path, **arrays: Any) -> Path:
    if file.suffix == ".npz":
        np.savez_compressed(file, **arrays)
    else:
        with h5py.File(file, "w") as opened:
            for name, array in arrays.items():
                is_text = np.asarray(array).dtype.kind == "U"
                opened.create_dataset(name, data=list(map(str, array)) if is_text else array)
    return file


def seen_by_a_network(data: DataSet) -> np.ndarray:
    inputs = data.samples.inputs
    return inputs.batch(np.arange(len(inputs)), time_steps=1, rng=np.random.default_rng(0)).swapaxes(0, 1)
