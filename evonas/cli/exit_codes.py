"""Exit codes of the doors: 0 done, 1 failed while running, 2 the run file or the command is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer

from evonas.errors import ChangedRunError, EvonasError, OptionError
from evonas.report.escaping import visible

INTERRUPTED = 130
"""What shells say of a program that Ctrl-C has ended."""


@contextmanager
def exit_codes(given: Path | str, *, cannot: str) -> Iterator[None]:
    """Tell errors as sentences, and end with the code for their kind; what is unexpected keeps its traceback.

    Args:
        given: What the door was given: a run file, or a folder of results.
        cannot: What cannot be done with it where it is wrong, such as `"be run"`.

    Raises:
        typer.Exit: If anything failed.
    """
    if sys.stdout is None:
        _tell("Standard output is closed, so that nothing could be shown. Give it a place, such as > out.txt.")
        raise typer.Exit(2)
    try:
        yield
        sys.stdout.flush()  # while a full disk or a closed pipe can still be told
    except (OptionError, ChangedRunError) as error:
        _tell(f"{given} cannot {cannot}:\n{error}")
        raise typer.Exit(2) from None
    except EvonasError as error:
        _tell(str(error))
        raise typer.Exit(1) from None
    except BrokenPipeError:
        _give_up_output()
        _tell("Standard output was closed before everything was shown.")
        raise typer.Exit(1) from None
    except OSError as error:
        _give_up_output()
        _tell(sentence_of(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def sentence_of(error: OSError) -> str:
    """Return what the operating system refused, as a sentence."""
    what = error.strerror or str(error) or type(error).__name__
    names = [name for name in (error.filename, error.filename2) if name is not None]
    where = " and ".join(os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in names)
    return f"{where or 'What is shown'} cannot be read or written: {what}."


def _tell(text: str) -> None:
    with suppress(OSError):  # standard error may be closed as well, and then nobody listens
        typer.echo(visible(text), err=True)


def _give_up_output() -> None:
    """Send what is still unwritten nowhere, so that Python does not try it again at its end."""
    with suppress(OSError, ValueError):
        descriptor = sys.stdout.fileno()
        try:
            sys.stdout.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
