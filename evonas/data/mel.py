"""Mel filter bank: how loud a recording is over time in bands that lie as far apart as ears hear them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FLOOR = 1e-8
"""Added to energies before the logarithm: 80 dB below the full scale."""

_CHUNK = 2**20
"""Samples that are transformed at once."""


@dataclass(frozen=True)
class MelBank:
    """Triangular filters on the power spectrum of Hann windows, evenly spaced on the mel scale of O'Shaughnessy.

    Attributes:
        bands: Number of filters.
        min_hz: Where the first one begins.
        max_hz: Where the last one ends.
        window_ms: Length of a window in milliseconds.
        hop_ms: Milliseconds from one window to the next.

    Example:
        >>> bank = MelBank(bands=8, min_hz=100.0, max_hz=4000.0)
        >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
        >>> bank.log_energies(tone, rate=8000).shape, int(bank.log_energies(tone, rate=8000)[50].argmax())
        ((98, 8), 3)
    """

    bands: int = 40
    min_hz: float = 50.0
    max_hz: float = 4000.0
    window_ms: float = 25.0
    hop_ms: float = 10.0

    def log_energies(self, samples: np.ndarray, *, rate: int) -> np.ndarray:
        """Return `(windows, bands)` float32 natural logarithms of energies; a recording has one window at least.

        Args:
            samples: `(samples,)` numbers; the last window is the last that lies within them, or is filled with zeros.
            rate: Samples a second, at least twice `max_hz`.
        """
        width, hop = max(1, round(rate * self.window_ms / 1000)), max(1, round(rate * self.hop_ms / 1000))
        size = 1 << (width - 1).bit_length()
        padded = np.pad(samples.astype(np.float32), (0, max(0, width - len(samples))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
        shape, filters = np.hanning(width + 1)[:-1].astype(np.float32), self.filters(size, rate=rate).T
        scale = 4 / shape.sum() ** 2
        energies = np.empty((len(windows), self.bands), np.float32)
        chunk = max(1, _CHUNK // size)
        for first in range(0, len(windows), chunk):
            power = np.abs(np.fft.rfft(windows[first : first + chunk] * shape, size)) ** 2
            energies[first : first + chunk] = np.log(scale * power @ filters + _FLOOR)
        return energies

    def filters(self, size: int, *, rate: int) -> np.ndarray:
        """Return the `(bands, size // 2 + 1)` weights of the frequencies of a Fourier transform of `size` samples.

        A filter so narrow that no frequency lies within it gets the nearest one.
        """
        edges = _hertz(np.linspace(_mel(self.min_hz), _mel(self.max_hz), self.bands + 2))
        frequencies = np.arange(size // 2 + 1) * rate / size
        low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        rise, fall = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
        weights: np.ndarray = np.minimum(rise, fall).clip(0)
        for band in np.flatnonzero(weights.sum(axis=1) == 0):
            weights[band, np.abs(frequencies - edges[band + 1]).argmin()] = 1.0
        return weights


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: np.ndarray) -> np.ndarray:
    hertz: np.ndarray = 700 * (10 ** (mel / 2595) - 1)
    return hertz
