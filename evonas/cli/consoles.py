"""Consoles of the doors: as wide as the terminal, or as wide as what reads a pipe can take."""

from __future__ import annotations

import sys

from rich.console import Console


def console(*, piped_width: int, on_stderr: bool = False) -> Console:
    """Return a console on standard output, or on standard error.

    Args:
        piped_width: Width in cells where the output is no terminal.
        on_stderr: Whether people read standard error, because programs read standard output.
    """
    stream = sys.stderr if on_stderr else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    return Console(width=None if is_terminal else piped_width, stderr=on_stderr, markup=False, highlight=False)
