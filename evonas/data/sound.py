"""Recordings of sound in WAV files: a class a folder, or named by the files; seen through a mel filter bank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from evonas.data.class_labels import first_of_each
from evonas.data.dataset import DataSet, Samples
from evonas.data.files import LARGEST, path_of, quoted
from evonas.data.formats.wav import Sound, read_wav
from evonas.data.publisher_parts import data_of_parts
from evonas.data.reader_options import said_of
from evonas.data.sound_files import SoundFile, apart, files_by_folder, files_by_name
from evonas.data.sound_options import SoundOptions, SoundSettings
from evonas.data.spectrograms import Spectrograms
from evonas.errors import DataError


def read(*, path: str, **options: Unpack[SoundOptions]) -> DataSet:
    """Return the recordings in the WAV files of a folder, with a test part where folders or names set one apart.

    Files have 8, 16, 24 or 32 bits, or floating-point numbers; channels are averaged. The logarithms of the energies
    of each recording get mean 0 and deviation 1 over all its bands, so that it does not matter how loud it is.

    Args:
        path: The folder.

    Raises:
        DataError: If there are no files, or one is not what it should be.
        OptionError: If an option has no such value.
    """
    given = SoundSettings(**options)
    folder = path_of(path, example="data/sound")
    found = files_by_folder(folder) if given.pattern is None else files_by_name(folder, given.pattern)
    files = apart(found.files, held_out_speakers=given.held_out_speakers, test_below=given.test_below)
    labels = np.array([file.label for file in files["train"]])
    files["train"] = [files["train"][index] for index in first_of_each(labels, given.limit).tolist()]
    sounds = _Sounds(given)
    parts = {
        part: Samples(sounds.read(some), np.array([file.label for file in some]))
        for part, some in files.items()
        if some
    }
    expected = "CLASS/….wav" if given.pattern is None else given.pattern
    said = {name: getattr(given, name) for name in ("limit", "validation_part", "test_below")}
    with said_of(folder, said, what="recordings"):
        return data_of_parts(
            parts,
            validation_part=given.validation_part,
            test_part=given.test_part,
            class_labels=tuple(np.unique(labels).tolist()),
            notes=(*found.notes(folder, expected=expected), *sounds.notes()),
        )


class _Sounds:
    """Recordings on their way through the filters, and what there is to say of them."""

    def __init__(self, options: SoundSettings) -> None:
        self._options = options
        self._rates: Counter[int] = Counter()
        self._several, self._silent, self._windows = 0, 0, 0

    def read(self, files: Sequence[SoundFile]) -> Spectrograms:
        """Return the recordings of these files."""
        loudness = [self._loudness(read_wav(file.path), file.path) for file in files]
        given = self._options
        return Spectrograms(
            np.concatenate(loudness),
            np.cumsum([0, *map(len, loudness)]),
            given.hop_ms,
            given.code,
            given.frames,
            given.milliseconds,
        )

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each thing that was done to the recordings and was perhaps not intended."""
        if len(self._rates) > 1:
            rates = ", ".join(f"{count:,} of {rate:,} Hz" for rate, count in sorted(self._rates.items())[:5])
            yield f"Recordings differ in their rate ({rates}); the bands are the same for all."
        if self._several:
            yield f"{self._several:,} recordings have more than one channel; their channels are averaged."
        if self._silent:
            yield f"{self._silent:,} recordings are silent, so that networks hear nothing of them."

    def _loudness(self, sound: Sound, path: Path) -> np.ndarray:
        given = self._options
        if sound.rate < 2 * given.max_hz:
            raise DataError(
                f"{quoted(path)} has {sound.rate:,} samples a second, in which nothing above {sound.rate / 2:g} Hz can "
                f"be heard; expected at least {2 * given.max_hz:,.0f}, or a lower data.max_hz (now {given.max_hz:g})."
            )
        self._windows += int(1000 * sound.seconds / given.hop_ms) + 1
        if 4 * given.bands * self._windows > LARGEST:
            raise DataError(
                f"The recordings up to {quoted(path)} have {self._windows:,} windows of {given.bands} bands, too many "
                "for memory; expected fewer bands, a longer data.hop_ms, or a data.limit."
            )
        self._rates[sound.rate] += 1
        self._several += sound.channels > 1
        energies = given.bank.log_energies(sound.samples, rate=sound.rate)
        if float(np.ptp(energies)) < 1e-3:
            self._silent += 1
            return np.zeros_like(energies)
        loudness: np.ndarray = ((energies - energies.mean()) / energies.std()).astype(np.float32)
        return loudness
