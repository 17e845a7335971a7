"""Samples and labels as arrays in one file, `.npz` or HDF5, whole or by the publisher's parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evonas.data.class_labels import Label, labels_in, listed
from evonas.data.files import opened, quoted
from evonas.data.formats.hdf5_arrays import read_hdf5
from evonas.data.formats.npz import read_npz
from evonas.data.publisher_parts import PARTS, parts_of
from evonas.data.reader_options import checked_texts
from evonas.errors import DataError


def read_parts(
    file: Path, *, noun: str, check: Callable[[Path, np.ndarray, np.ndarray, str], None]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[str]]:
    """Return samples and labels of each part that there is, of one that is not empty, and notes.

    Args:
        file: The file.
        noun: What the samples are and their array is called: `"images"`.
        check: `check(file, samples, labels, name)` raises `DataError` if an array of this name is not as it should be.

    Raises:
        DataError: If the file is damaged or holds other arrays, or values that are no finite numbers.
    """
    arrays, others = _arrays(file, (noun, "labels", "split", *_by_part(noun)))
    notes = []
    if others:
        verb = "is" if len(others) == 1 else "are"
        notes = [f"{quoted(file)} also holds {listed(others)}, which {verb} not read."]
    return _Parts(file, noun, check).found(arrays), notes


def classes_of(file: Path, parts: Mapping[str, tuple[np.ndarray, np.ndarray]], *, noun: str) -> tuple[Label, ...]:
    """Return the labels that occur in training.

    Raises:
        DataError: If the parts have samples of several shapes.
    """
    shapes = {name: samples.shape[1:] for name, (samples, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        came = ", ".join(f"{shape} in {name}" for name, shape in shapes.items())
        raise DataError(f"{quoted(file)} holds {noun} of several shapes: {came}; expected one shape.")
    return labels_in(parts["train"][1])


def _by_part(noun: str) -> tuple[str, ...]:
    return tuple(f"{part}_{name}" for part in PARTS for name in (noun, "labels"))


def _arrays(file: Path, names: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays that are read by name, and the names of the others."""
    with opened(file, expected="an .npz or HDF5 file") as (stream, size):
        begin = stream.read(8)
    if not size:
        raise DataError(f"{quoted(file)} is empty; expected an .npz or HDF5 file.")
    if begin[:2] == b"PK":
        return read_npz(file, names)
    if begin == b"\x89HDF\r\n\x1a\n" or file.suffix.lower() in (".h5", ".hdf5", ".hdf"):  # HDF5 may begin later
        return read_hdf5(file, names)
    raise DataError(
        f"{quoted(file)} is neither an .npz nor an HDF5 file: it begins with {begin.hex()}, expected 504b or "
        "894844460d0a1a0a. Write it with numpy.savez_compressed or h5py."
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of a file; see `read_parts`."""

    file: Path
    noun: str
    check: Callable[[Path, np.ndarray, np.ndarray, str], None]

    def found(self, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return samples and labels of each part."""
        file, noun = self.file, self.noun
        wanted = (
            f"expected {noun} and labels, and perhaps split; or train_{noun}, train_labels and perhaps val_…, test_…"
        )
        is_whole = [name for name in (noun, "labels", "split") if name in arrays]
        by_part = [name for name in _by_part(noun) if name in arrays]
        if bool(is_whole) == bool(by_part):
            came = ", ".join([*is_whole, *by_part]) or "none of them"
            raise DataError(f"{quoted(file)} holds {came}; {wanted}.")
        there = [f"{part}_" for part in PARTS if {f"{part}_{noun}", f"{part}_labels"} & {*by_part}]
        if by_part and there[0] != "train_":
            raise DataError(f"{quoted(file)} holds {', '.join(by_part)}; {wanted}.")
        found = {prefix.rstrip("_"): self._pair(arrays, prefix) for prefix in ([""] if is_whole else there)}
        if by_part:
            return {name: pair for name, pair in found.items() if len(pair[0])}
        samples, labels = found[""]
        if "split" not in arrays:
            return {"train": (samples, labels)}
        split = parts_of(arrays["split"], count=len(samples), what=f"{quoted(file)} holds split")
        if "train" not in split:
            raise DataError(
                f"{quoted(file)} has no {noun[:-1]} for training in its split; expected some labelled 'train'."
            )
        return {name: (samples[split == name], labels[split == name]) for name in PARTS if name in split}

    def _pair(self, arrays: Mapping[str, np.ndarray], prefix: str) -> tuple[np.ndarray, np.ndarray]:
        file, noun = self.file, self.noun
        for name in (f"{prefix}{noun}", f"{prefix}labels"):
            if name not in arrays:
                raise DataError(f"{quoted(file)} has no {name}; expected {prefix}{noun} and {prefix}labels.")
        samples, labels = arrays[f"{prefix}{noun}"], arrays[f"{prefix}labels"]
        self.check(file, samples, labels, f"{prefix}{noun}")
        if not samples.size and prefix in ("", "train_"):
            raise DataError(f"{quoted(file)} holds {prefix}{noun} of shape {samples.shape}, which are none.")
        if samples.dtype.kind == "f":
            wrong = np.flatnonzero(~np.isfinite(samples).reshape(len(samples), -1).all(axis=1))
            if len(wrong):
                raise DataError(
                    f"{quoted(file)} holds values that are no finite numbers (nan or inf) in {len(wrong):,} of "
                    f"{prefix}{noun}, the first at index {wrong[0]:,}; mend those {noun}."
                )
        return samples, self._labels(labels, f"{prefix}labels")

    def _labels(self, labels: np.ndarray, name: str) -> np.ndarray:
        labels = labels.reshape(-1)
        if labels.dtype.kind in "SU":
            expected = f"expected the name of a class for each {self.noun[:-1]}"
            return checked_texts(labels, what=f"{quoted(self.file)} holds {name}", expected=expected)
        if not labels.size:
            return labels.astype(np.int64)
        try:
            labels_in(labels)
        except DataError as error:
            raise DataError(f"{quoted(self.file)} holds {name} that are none. {error}") from error
        return labels
