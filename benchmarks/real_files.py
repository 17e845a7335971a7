"""Real recordings and images, from the HDF5 files in which they lie at hand to files that run files read."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image
from scipy.io import wavfile

RATE = 8000
"""Samples a second of the spoken digits."""


def as_it_is(source: Path, folder: Path) -> Path:
    """Return the source."""
    return source


def nmnist_files(source: Path, folder: Path) -> Path:
    """Return a folder of N-MNIST's own files, five bytes an event, made of the recordings in `source`."""
    with h5py.File(source) as file:
        for split, name in (("train", "Train"), ("test", "Test")):
            offsets, labels = file[f"{split}_off"][:], file[f"{split}_label"][:]
            t, x, y, p = (file[f"{split}_{key}"][:] for key in "txyp")
            packed = np.empty((len(t), 5), np.uint8)
            packed[:, 0], packed[:, 1] = x, y
            packed[:, 2] = (p.astype(np.uint8) << 7) | (t >> 16).astype(np.uint8)
            packed[:, 3], packed[:, 4] = t >> 8 & 255, t & 255
            for index, label in enumerate(labels):
                place = folder / name / str(label)
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{index:05}.bin").write_bytes(packed[offsets[index] : offsets[index + 1]].tobytes())
    return folder


def spoken_digits(source: Path, folder: Path) -> Path:
    """Return a folder of WAV files named `{digit}_{speaker}_{index}.wav`, made of the recordings in `source`."""
    with h5py.File(source) as file:
        offsets, pcm = file["off"][:], file["pcm"][:]
        names = [str(name) for name in file.attrs["speakers"]]
        speakers = [names[index] for index in file["speaker"][:]]
        for index, (digit, speaker, take) in enumerate(zip(file["digit"][:], speakers, file["index"][:], strict=True)):
            wavfile.write(folder / f"{digit}_{speaker}_{take}.wav", RATE, pcm[offsets[index] : offsets[index + 1]])
    return folder


def coded_images(source: Path, part: str, *, count: int | None = None) -> tuple[list[Image.Image], np.ndarray]:
    """Return the first images of a part in `source`, all by default, and their labels. They may be JPEG or WebP."""
    with h5py.File(source) as file:
        name = next(name for name in (f"{part}_jpeg", f"{part}_webp") if name in file)
        ends, labels = file[f"{part}_off"][: None if count is None else count + 1], file[f"{part}_y"][:count]
        coded = file[name][: ends[-1]]
    return [Image.open(io.BytesIO(coded[first:last].tobytes())) for first, last in pairwise(ends)], labels


def image_arrays(source: Path, folder: Path) -> Path:
    """Return an `.npz` file of images for training and for test, made of the coded ones in `source`."""
    arrays: dict[str, Any] = {}
    for part in ("train", "test"):
        images, labels = coded_images(source, part)
        arrays |= {f"{part}_images": np.stack([np.asarray(image) for image in images]), f"{part}_labels": labels}
    np.savez(folder / "images.npz", **arrays)
    return folder / "images.npz"
