"""Sound: WAV files of every width as scipy reads them, damaged ones in a sentence, and what networks see of them."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_files import spoken_digits
from scipy.io import wavfile
from sounds import tone, tones, wav

from evonas.data.dataset import DataSet
from evonas.data.formats.wav import LARGEST_FILE, read_wav
from evonas.data.mel import MelBank
from evonas.data.sound import read
from evonas.data.spectrograms import SoundCode, Spectrograms
from evonas.errors import DataError, OptionError

PATTERN = "{label}_{speaker}_{index}.wav"


def written(folder: Path, content: bytes, name: str = "a.wav") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


WIDTHS = [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("bits", "is_float"), WIDTHS)
def test_every_width_is_read_as_scipy_reads_it(tmp_path, bits, is_float, extensible):
    file = written(tmp_path, wav(tone(300.0), bits=bits, is_float=is_float, extensible=extensible))
    sound = read_wav(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of the part that it does not know
        rate, values = wavfile.read(file)
    scaled = {8: (values.astype(float) - 128) / 128, 16: values / 2**15}.get(bits, values / 2.0**31)
    expected = values if is_float else scaled
    assert sound.rate == rate
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, expected, atol=1e-7)
    np.testing.assert_allclose(sound.samples, tone(300.0), atol=0.01)


def test_channels_are_averaged(tmp_path):
    both = np.stack([tone(300.0), -0.5 * tone(300.0)], axis=1)
    sound = read_wav(written(tmp_path, wav(both, bits=32, is_float=True)))
    assert sound.channels == 2
    np.testing.assert_allclose(sound.samples, 0.25 * tone(300.0), atol=1e-6)


def test_a_file_that_is_cut_off_anywhere_is_refused_with_its_name(tmp_path):
    content = wav(tone(300.0, seconds=0.01))
    for length in range(len(content)):
        file = written(tmp_path, content[:length])
        with pytest.raises(DataError, match=r"a\.wav"):
            read_wav(file)


WRONG = {
    "an empty file": (b"", "does not begin as"),
    "a text": (b"hello, this is no sound", "does not begin as a WAV file"),
    "big-endian": (b"RIFX" + wav(tone(300.0))[4:], "does not begin as"),
    "compressed": (wav(tone(300.0))[:20] + b"\x55\x00" + wav(tone(300.0))[22:], "byte 20: the samples are MP3"),
    "an unknown format": (wav(tone(300.0))[:20] + b"\x99\x09" + wav(tone(300.0))[22:], "are format 2457, expected"),
    "12 bits": (wav(tone(300.0))[:34] + b"\x0c\x00" + wav(tone(300.0))[36:], "byte 20: samples of 12 bits, expected 8"),
    "no channels": (wav(tone(300.0))[:22] + b"\x00\x00" + wav(tone(300.0))[24:], "0 channels at 8,000 Hz"),
    "no rate": (wav(tone(300.0))[:24] + bytes(4) + wav(tone(300.0))[28:], "at 0 Hz in blocks of 2 bytes"),
    "an immense rate": (wav(tone(300.0))[:24] + b"\xff" * 4 + wav(tone(300.0))[28:], "at 4,294,967,295 Hz"),
    "no samples": (wav(np.zeros(0)), "0 bytes of samples, expected some"),
    "half a sample": (
        wav(tone(300.0))[:48].replace(b"data", b"skip") + b"data\x03\x00\x00\x00abc",
        "ends at byte|3 bytes of samples|of which",
    ),
    "terabytes that are not there": (
        wav(np.zeros(10))[:52] + struct.pack("<I", 0xFFFFFFFF) + bytes(20),
        "has 4,294,967,295 bytes, of which 20 are there; the file is cut off, or was not closed",
    ),
    "not finite": (wav(np.array([0.0, np.nan]), bits=32, is_float=True), "some samples are no finite numbers"),
    "no finite float32": (wav(np.array([0.0, 1e300]), bits=64, is_float=True), "some samples are no finite numbers"),
    "immense samples": (wav(np.array([0.0, 1e38]), bits=32, is_float=True), "is 1e\\+38 times full scale, expected"),
    "samples before their format": (b"RIFF\x10\x00\x00\x00WAVEdata\x02\x00\x00\x00ab", "before their format"),
    "nothing but a head": (b"RIFF\x04\x00\x00\x00WAVE", "ends at byte 12 without the part 'fmt'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_sound_is_refused_with_file_byte_and_what_was_expected(tmp_path, name):
    content, message = WRONG[name]
    file = written(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_wav(file)
    assert str(file) in str(caught.value)


def test_a_file_too_large_for_one_recording_is_refused_unread(tmp_path):
    file = tmp_path / "a.wav"
    with open(file, "wb") as stream:
        stream.truncate(LARGEST_FILE + 1)
    with pytest.raises(DataError, match="has 67,108,865 bytes; expected at most 67,108,864"):
        read_wav(file)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damaged_files_end_in_a_sentence_or_in_finite_samples(tmp_path_factory, data):
    bits, is_float = data.draw(st.sampled_from(WIDTHS))
    content = bytearray(wav(tone(300.0, seconds=0.01), bits=bits, is_float=is_float))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    file = written(tmp_path_factory.getbasetemp(), bytes(content), "damaged.wav")
    said = ""
    try:
        sound = read_wav(file)
    except DataError as error:
        said = str(error)
    assert "damaged.wav" in said or (np.isfinite(sound.samples).all() and len(sound.samples) > 0)


def test_mel_energies_equal_a_sum_over_the_frequencies_of_each_window():
    bank, samples, rate = MelBank(bands=5, min_hz=100.0, max_hz=3000.0), tone(700.0), 8000
    found = bank.log_energies(samples, rate=rate)
    width, hop, size = 200, 80, 256
    weights = bank.filters(size, rate=rate)
    assert found.shape == (1 + (len(samples) - width) // hop, 5)
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / width) for n in range(width)])
    for index in (0, 3, len(found) - 1):
        part = samples[index * hop : index * hop + width] * window
        for band in range(5):
            energy = 0.0
            for k in np.flatnonzero(weights[band]):
                bin_ = sum(part[n] * np.exp(-2j * np.pi * k * n / size) for n in range(width))
                energy += weights[band, k] * abs(bin_) ** 2
            assert found[index, band] == pytest.approx(np.log(4 * energy / window.sum() ** 2 + 1e-8), abs=1e-3)


def test_a_band_without_a_frequency_gets_the_nearest_and_short_sounds_have_one_window():
    bank = MelBank(bands=100, min_hz=0.0, max_hz=4000.0)
    assert (bank.filters(256, rate=8000).sum(axis=1) > 0).all()
    assert bank.log_energies(np.zeros(3), rate=8000).shape == (1, 100)


def test_the_same_sound_at_another_rate_has_nearly_the_same_bands():
    bank = MelBank(bands=20, max_hz=3000.0)
    at_8, at_16 = (bank.log_energies(tone(900.0, rate=rate), rate=rate) for rate in (8000, 16000))
    assert abs(len(at_8) - len(at_16)) <= 1
    assert at_8[10:].mean(0).argmax() == at_16[10:].mean(0).argmax()
    assert abs(float(at_8[20].max() - at_16[20].max())) < 0.2


@pytest.mark.parametrize("is_graded", [False, True])
def test_delta_tells_rises_and_falls_from_the_level_that_was_last_told(is_graded):
    rng = np.random.default_rng(0)
    loudness = rng.normal(size=(20, 3, 4)).astype(np.float32)
    coded = SoundCode("delta", 0.4, is_graded).coded(loudness)
    assert coded.shape == (20, 3, 8)
    for sample in range(3):
        for band in range(4):
            level = 0.0
            for t in range(20):
                steps = int(abs(loudness[t, sample, band] - level) / 0.4)
                steps = steps if is_graded else min(steps, 1)
                is_rise = loudness[t, sample, band] > level
                assert coded[t, sample, band] == (steps if is_rise else 0)
                assert coded[t, sample, 4 + band] == (0 if is_rise else steps)
                level += 0.4 * steps * (1 if is_rise else -1)


def spectrograms(**options) -> Spectrograms:
    rng = np.random.default_rng(1)
    return Spectrograms(rng.normal(size=(60, 3)).astype(np.float32), np.array([0, 7, 27, 60]), hop_ms=10.0, **options)


@pytest.mark.parametrize("milliseconds", [None, 150.0, 400.0])
@pytest.mark.parametrize("frames", [5, 13, 50])
def test_frames_are_the_means_of_their_windows(frames, milliseconds):
    sounds = spectrograms(code=SoundCode("analog"), milliseconds=milliseconds)
    batch = sounds.batch(np.arange(3), time_steps=frames, rng=np.random.default_rng(0))
    assert batch.shape == (frames, 3, 3, 1, 1)
    for sample, (begin, end) in enumerate(((0, 7), (7, 27), (27, 60))):
        windows = sounds.values[begin:end]
        length = len(windows) if milliseconds is None else int(milliseconds / 10)
        for frame in range(frames):
            low, high = frame * length // frames, (frame + 1) * length // frames
            part = windows[low : max(high, low + 1)]
            expected = part.mean(0) if len(part) else np.full(3, windows.min())
            np.testing.assert_allclose(batch[frame, sample, :, 0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["delta", "rate", "analog"])
def test_what_a_recording_becomes_does_not_depend_on_the_others(kind):
    sounds = spectrograms(code=SoundCode(kind))
    whole, alone = (
        sounds.batch(np.array(index), time_steps=9, rng=np.random.default_rng(3)) for index in ([0, 1, 2], [2])
    )
    assert np.array_equal(whole[:, 2:], alone)
    other = sounds.batch(np.array([0, 1, 2]), time_steps=9, rng=np.random.default_rng(4))
    assert np.array_equal(whole, other) == (kind != "rate")
    assert {"delta": "binary", "rate": "binary", "analog": "real"}[kind] == sounds.element
    assert kind == "analog" or set(np.unique(whole)) == {0.0, 1.0}


def test_taken_recordings_are_the_same_and_everything_counts_in_the_digest():
    import hashlib

    def digest(one: Spectrograms) -> str:
        into = hashlib.sha256()
        one.digest(into)
        return into.hexdigest()

    sounds = spectrograms()
    taken = sounds.take(np.array([2, 0]))
    rng = [np.random.default_rng(0) for _ in range(2)]
    assert np.array_equal(
        taken.batch(np.arange(2), time_steps=6, rng=rng[0]), sounds.batch(np.array([2, 0]), time_steps=6, rng=rng[1])
    )
    every = [
        sounds,
        taken,
        spectrograms(frames=3),
        spectrograms(milliseconds=5.0),
        spectrograms(code=SoundCode("rate")),
    ]
    assert len({digest(one) for one in every}) == len(every)
    assert digest(sounds) == digest(spectrograms())
    assert sounds.seconds == pytest.approx(0.2)
    assert spectrograms(milliseconds=500.0).seconds == 0.5


def test_names_say_classes_speakers_and_the_test(tmp_path):
    folder = tones(tmp_path / "tones")
    (folder / "notes.txt").write_text("not a sound")
    data = read(path=str(folder), pattern=PATTERN, test_below=2)
    assert data.class_labels == ("high", "low", "mid")
    assert (len(data.samples), len(data.official_test)) == (90, 18)
    assert data.samples.inputs.shape == (None, 80, 1, 1)
    (note,) = data.notes
    assert "1 files in" in note
    assert "notes.txt" in note
    seen = data.for_search()
    assert (seen.input_shape, seen.input_shape.element, seen.frames) == ((None, 80, 1, 1), "binary", None)
    held_out = read(path=str(folder), pattern=PATTERN, held_out_speakers=["bob"])
    assert (len(held_out.samples), len(held_out.official_test)) == (72, 36)
    limited = read(path=str(folder), pattern=PATTERN, limit=9, test_below=2)
    assert (len(limited.samples), len(limited.official_test)) == (9, 18)
    assert sorted(limited.samples.labels) == sorted(["low", "mid", "high"] * 3)


def test_classes_are_folders_with_or_without_a_test_part(tmp_path):
    for part in ("train", "test"):
        for label in ("3", "12"):
            for index in range(6):
                written(tmp_path / part / label, wav(tone(200.0 * int(label), seed=index)), f"{index}.WAV")
    data = read(path=str(tmp_path))
    assert data.class_labels == (3, 12)
    assert (len(data.samples), len(data.official_test)) == (12, 12)
    whole = read(path=str(tmp_path / "train"))
    assert (len(whole.samples), whole.official_test) == (12, None)
    for label in ("3", "12"):
        for index in range(4):
            written(tmp_path / "valid" / label, wav(tone(200.0 * int(label), seed=index)), f"{index}.wav")
    search = read(path=str(tmp_path)).for_search()
    assert (len(search.train), len(search.validation)) == (12, 8)


def test_what_was_done_to_recordings_is_told(tmp_path):
    for index in range(6):
        written(tmp_path / "a", wav(tone(300.0, seed=index)), f"{index}.wav")
        written(tmp_path / "b", wav(tone(900.0, rate=16000, seed=index), rate=16000), f"{index}.wav")
    written(tmp_path / "a", wav(np.zeros(2000)), "silent.wav")
    written(tmp_path / "b", wav(np.stack([tone(900.0)] * 2, axis=1)), "stereo.wav")
    data = read(path=str(tmp_path))
    assert [note.split(",")[0].split(" (")[0] for note in data.notes[:3]] == [
        "Recordings differ in their rate",
        "1 recordings have more than one channel; their channels are averaged.",
        "1 recordings are silent",
    ]


REFUSED = {
    "a missing folder": ({"path": "nowhere"}, "does not exist; expected a folder"),
    "no folders": ({}, "has no folders; expected one for each class.*or data.pattern"),
    "another pattern": ({"pattern": "{label}-{index}.wav"}, "holds no file whose name is {label}-{index}.wav, but"),
    "no label": ({"pattern": "{speaker}.wav"}, "expected the name of a file with {label}"),
    "an unknown field": ({"pattern": "{label}_{mood}.wav"}, "expected the name of a file with {label}"),
    "nothing between fields": ({"pattern": "{label}{index}.wav"}, "nothing stands between two fields"),
    "an unknown speaker": (
        {"pattern": PATTERN, "held_out_speakers": ["dan"]},
        "there is no speaker 'dan'; there are ann, bob, cy",
    ),
    "no index": ({"pattern": "{label}_{speaker}.wav", "test_below": 5}, "expected {index} in data.pattern"),
    "all for the test": ({"pattern": PATTERN, "test_below": 99}, "none are left to train"),
    "an index that is a word": ({"pattern": "{index}_{speaker}_{label}.wav"}, "the index 'high' is no whole number"),
    "too low a rate": ({"pattern": PATTERN, "max_hz": 5000.0}, "expected at least 10,000, or a lower data.max_hz"),
    "too many windows": ({"pattern": PATTERN, "bands": 512, "hop_ms": 1.0}, "too many for memory"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_folders_and_options_that_do_not_fit_are_refused_in_a_sentence(tmp_path, name, monkeypatch):
    options, message = REFUSED[name]
    folder = tones(tmp_path / "tones", each=3)
    if name == "too many windows":
        monkeypatch.setattr("evonas.data.sound.LARGEST", 2**20)
    with pytest.raises(DataError, match=message):
        read(**{"path": str(folder), **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coding": "morse"}, "coding: got 'morse', expected one of delta, rate, analog"),
        ({"bands": 0, "threshold": -1.0}, "threshold: got -1.0, expected a number from 0.01 to 100\n- bands: got 0"),
        ({"held_out_speakers": "theo"}, 'expected a list of names, such as ."theo".'),
        ({"min_hz": 500.0, "max_hz": 400.0}, "min_hz: got 500, expected less than max_hz = 400"),
        ({"coding": "rate", "elements": "graded"}, "elements: got"),
        ({"held_out_speakers": ["theo"], "test_below": 5}, "test_below: expected 0"),
        ({"milliseconds": float("nan")}, "milliseconds: got nan"),
    ],
)  # fmt: skip
def test_options_without_such_a_value_are_refused(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        read(path=str(tmp_path), **options)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> DataSet:
    """The free spoken digits, as the WAV files in which they come."""
    if "EVONAS_DATA" not in os.environ:
        pytest.skip("EVONAS_DATA is not set: the folder with fsdd.h5")
    folder = tmp_path_factory.mktemp("fsdd")
    spoken_digits(Path(os.environ["EVONAS_DATA"]) / "fsdd.h5", folder)
    return read(path=str(folder), pattern=PATTERN, test_below=5)


def test_the_spoken_digits_are_read_with_their_official_test(digits):
    assert (len(digits.samples), len(digits.official_test), digits.classes) == (2700, 300, 10)
    assert np.bincount(digits.samples.labels).tolist() == [270] * 10
    assert digits.notes == ()
    search = digits.for_search()
    assert 0.4 < search.train.inputs.seconds < 0.45
    batch = search.train.inputs.batch(np.arange(200), time_steps=30, rng=np.random.default_rng(0))
    assert 0.05 < batch.mean() < 0.25
