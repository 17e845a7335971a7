"""WAV files for tests, byte by byte, and folders of tones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from scipy.io import wavfile


def wav(
    samples: np.ndarray, *, bits: int = 16, rate: int = 8000, is_float: bool = False, extensible: bool = False
) -> bytes:
    """Return a file of `(samples,)` or `(samples, channels)` numbers in [-1, 1)."""
    values = samples[:, None] if samples.ndim == 1 else samples
    channels = values.shape[1]
    if is_float:
        data = values.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = np.round(values * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(values.astype(np.float64) * (2 ** (bits - 1) - 1)).astype("<i4")
        data = whole.reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()
    tag, block = 3 if is_float else 1, channels * bits // 8
    fmt = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * block, block, bits)
    if extensible:
        guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
        fmt += struct.pack("<HHI", 22, bits, 0) + guid
    parts = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"LIST\x03\x00\x00\x00abc\x00"
    parts += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


def tone(hertz: float, *, seconds: float = 0.3, rate: int = 8000, seed: int = 0) -> np.ndarray:
    """Return a tone that swells, with a little noise."""
    t = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(scale=0.01, size=len(t))
    return (0.5 * np.sin(2 * np.pi * hertz * t) * np.minimum(1, 10 * t) + noise).astype(np.float32)


def tones(folder: Path, *, each: int = 12, speakers: tuple[str, ...] = ("ann", "bob", "cy")) -> Path:
    """Write `{label}_{speaker}_{index}.wav`: three words that are tones, as high as the speaker."""
    folder.mkdir(parents=True, exist_ok=True)
    for word, hertz in (("low", 400.0), ("mid", 900.0), ("high", 2000.0)):
        for number, speaker in enumerate(speakers):
            for index in range(each):
                samples = tone(hertz * (1 + 0.1 * number), seconds=0.2 + 0.02 * index, seed=100 * number + index)
                wavfile.write(folder / f"{word}_{speaker}_{index}.wav", 8000, (samples * 32767).astype(np.int16))
    return folder
