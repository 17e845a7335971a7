"""Exit codes of the doors: 0 done, 1 failed while running, 2 the run file or the command is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from evonas.errors import ChangedRunError, EvonasError, OptionError


@contextmanager
def exit_codes(given: Path, *, cannot: str) -> Iterator[None]:
    """Tell errors as sentences, and end with the code for their kind.

    Args:
        given: What the door was given: a run file, or a folder of results.
        cannot: What cannot be done with it where it is wrong, such as `"be run"`.

    Raises:
        typer.Exit: If anything failed.
    """
    try:
        yield
    except (OptionError, ChangedRunError) as error:
        typer.echo(f"{given} cannot {cannot}:\n{error}", err=True)
        raise typer.Exit(2) from None
    except EvonasError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
