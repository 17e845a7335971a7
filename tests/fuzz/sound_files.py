"""Folders of WAV files and files of sequences: headers that lie, files that end early, odd names and options."""

from __future__ import annotations

import io
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from evonas.data import sequences, sound
from evonas.data.dataset import DataSet
from fuzz.damage import ODD_VALUES, damaged
from fuzz.verdict import Verdict, attempt

sys.path.append(str(Path(__file__).parent.parent))
from sounds import wav

WIDTHS = ((8, False), (16, False), (24, False), (32, False), (32, True), (64, True))
SIZES = (0, 1, 2, 3, 7, 2**15, 2**31, 2**32 - 1)
OPTIONS = (
    *("pattern", "held_out_speakers", "test_below", "coding", "threshold", "elements", "frames", "milliseconds"),
    *("bands", "min_hz", "max_hz", "window_ms", "hop_ms", "limit", "validation_part", "test_part"),
)
NAMES = (
    "x.wav",
    "low__0.wav",
    "_a_1.wav",
    "low_a_1e9.wav",
    "low_a_٣.wav",
    "low_a_0.wav.wav",
    ".low_a_3.wav",
    "low\n_a_0.wav",
)


def fault_of(data: DataSet) -> str:
    """Return what is wrong with a data set that was taken."""
    search = data.for_search()
    if not len(search.train) or not len(search.validation):
        return "a part is empty"
    inputs = search.train.inputs
    batch = inputs.batch(np.arange(min(4, len(inputs))), time_steps=inputs.shape[0] or 7, rng=np.random.default_rng(0))
    if not np.isfinite(batch).all():
        return "values that are no finite numbers were taken"
    if inputs.element == "binary" and not ((batch == 0) | (batch == 1)).all():
        return "what is called binary is not"
    return "" if batch.shape[2:] == inputs.shape[1:] else f"a batch of shape {batch.shape} of {inputs.shape}"


class SoundFolders:
    """Folders of WAV files, some of which are changed."""

    name = "wav folders"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        rng = np.random.default_rng(0)
        self._samples = [rng.normal(scale=0.2, size=(400 + 40 * n, 1 + n % 2)).clip(-1, 1) for n in range(8)]

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one folder."""
        shutil.rmtree(self._folder)
        bits, is_float = WIDTHS[int(rng.integers(len(WIDTHS)))]
        by_name = bool(rng.random() < 0.7)
        files = {}
        for number, samples in enumerate(self._samples):
            label, index = ("low", "high")[number % 2], number // 2
            name = f"{label}_{'ab'[index % 2]}_{index}.wav" if by_name else f"{label}/{index}.wav"
            extensible = bool(rng.random() < 0.2)
            files[name] = wav(samples, bits=bits, is_float=is_float, rate=8000, extensible=extensible)
        options: dict[str, Any] = {"pattern": "{label}_{speaker}_{index}.wav"} if by_name else {}
        which = list(files)[int(rng.integers(len(files)))]
        match int(rng.integers(6)):
            case 0:
                options[OPTIONS[int(rng.integers(len(OPTIONS)))]] = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
            case 1:
                files[which] = files[which][: int(rng.integers(len(files[which])))]
            case 2:
                files[which] = _with_a_lie(files[which], rng)
            case 3 if by_name:
                files[NAMES[int(rng.integers(len(NAMES)))]] = files[which]
            case 4:
                samples = self._samples[0].copy()
                samples[int(rng.integers(len(samples)))] = rng.choice([np.nan, np.inf, -np.inf, 1e38])
                files[which] = wav(samples, bits=32, is_float=True)
            case _:
                files[which] = damaged(files[which], rng)
        for name, content in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return attempt(lambda: sound.read(path=str(self._folder), **options), check=fault_of)


def _with_a_lie(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file one number of whose head is another."""
    at, form = ((20, "<H"), (22, "<H"), (24, "<I"), (32, "<H"), (34, "<H"), (16, "<I"))[int(rng.integers(6))]
    size = SIZES[int(rng.integers(len(SIZES)))] % (2 ** (8 * struct.calcsize(form)))
    return content[:at] + struct.pack(form, size) + content[at + struct.calcsize(form) :]


class SequenceFiles:
    """Files of sequences, damaged or of odd arrays."""

    name = "sequence files"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "sequences.npz"
        rng = np.random.default_rng(0)
        self._spikes = rng.random((30, 5, 4)) < 0.4

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one file."""
        types = (bool, np.uint8, np.int64, np.float32, ">f8", np.float16, complex, "U3")
        values = self._spikes.astype(types[int(rng.integers(len(types)))])
        if values.dtype.kind in "if" and rng.random() < 0.3:
            values[int(rng.integers(30)), 0, 0] = rng.choice([-1, 2, 100])
        if rng.random() < 0.2:
            values = values[: int(rng.integers(3))] if rng.random() < 0.5 else values[:, :, int(rng.integers(5)) :]
        arrays = {"sequences": values, "labels": np.arange(len(values)) % 3}
        if rng.random() < 0.3:
            arrays["split"] = rng.choice(
                ["train", "val", "test", "Train", ""], len(values), p=[0.5, 0.2, 0.2, 0.05, 0.05]
            )
        packed = io.BytesIO()
        (np.savez_compressed if rng.random() < 0.5 else np.savez)(packed, **arrays)  # type: ignore[operator]
        content = packed.getvalue() if rng.random() < 0.4 else damaged(packed.getvalue(), rng)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(content)
        options: dict[str, Any] = {}
        if rng.random() < 0.3:
            names = ("elements", "limit", "validation_part", "test_part")
            odd = (*ODD_VALUES, "binary", "graded", "real")
            options = {names[int(rng.integers(4))]: odd[int(rng.integers(len(odd)))]}
        return attempt(lambda: sequences.read(path=str(self._file), **options), check=fault_of)
