"""What the space of MA-DARTS and its relaxed form share: the fixed path, and what a node may send through."""

from __future__ import annotations

PATH = (0, 0, 1, 1, 1, 2, 2, 2)
"""The level of each layer: `2 ** -level` of the height and width, `2 ** level` times the channels."""

ATTENTION = ("none", "eca", "cbam", "binary_eca", "binary_cbam")
"""What a node may send through; two of `evonas.architecture.attention.ATTENTION` are left out, which see all time steps
of a sample before the first one is let through."""
