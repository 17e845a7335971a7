"""What all doors share: a console, exit codes, and how to resume a search that was stopped.

Exit codes: 0 done, 1 failed while running, 2 the run file or the command is wrong.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console

from evonas.errors import ChangedRunError, EvonasError, LostWorkersError, OptionError
from evonas.report.escaping import visible

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended, as shells have it."""


@contextmanager
def exit_codes(given: Path | str, *, cannot: str) -> Iterator[None]:
    """Print expected errors as sentences, and exit with the code of their kind; others keep their traceback.

    Args:
        given: What the door was given: a run file, or a folder of results.
        cannot: What cannot be done with it if it is wrong, such as `"be run"`.

    Raises:
        typer.Exit: If anything failed.
    """
    if sys.stdout is None:
        _tell("Standard output is closed, so that nothing could be shown. Give it a place, such as > out.txt.")
        raise typer.Exit(2)
    try:
        yield
        sys.stdout.flush()  # while a full disk or a closed pipe can still be reported
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


@contextmanager
def resumable(command: str, *, kept: str = "every finished evaluation is kept") -> Iterator[None]:
    """Say how to resume if Ctrl-C or SIGTERM stops the command, or its workers die.

    Args:
        command: What was typed, as `command_line` returns it.
        kept: What is not lost.

    Raises:
        typer.Exit: With code 1, if it was stopped.
        LostWorkersError: If its workers are dead; its text then says how to resume.
    """
    how = f"{kept}. Go on with the same command:\n  {visible(command)}"
    try:
        with _stopped_by_sigterm():
            try:
                yield
            except KeyboardInterrupt:
                typer.echo(f"Stopped; {how}", err=True)
                raise typer.Exit(1) from None
    except LostWorkersError as error:
        raise LostWorkersError(f"{str(error).rstrip('.')}; {how}") from error


def command_line(door: str, typed: Sequence[str]) -> str:
    """Return the command that was typed, quoted for a shell: `python -m evonas.DOOR …` or `evonas DOOR …`.

    Args:
        door: Name of the command.
        typed: `sys.argv`.

    Example:
        >>> command_line("run", ["/usr/bin/evonas", "run", "my run.toml"])
        "evonas run 'my run.toml'"
    """
    is_module = Path(typed[0]).name == f"{door}.py"
    program, arguments = (f"python -m evonas.{door}", typed[1:]) if is_module else (f"evonas {door}", typed[2:])
    return f"{program} {shlex.join(arguments)}".rstrip()


def console(*, piped_width: int, on_stderr: bool = False) -> Console:
    """Return a console on standard output, or on standard error.

    Args:
        piped_width: Width in characters if the output is not a terminal.
        on_stderr: Whether to write to standard error, because programs read standard output.
    """
    stream = sys.stderr if on_stderr else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    return Console(width=None if is_terminal else piped_width, stderr=on_stderr, markup=False, highlight=False)


def sentence_of(error: OSError) -> str:
    """Return an error of the operating system as a sentence."""
    what = error.strerror or str(error) or type(error).__name__
    names = [name for name in (error.filename, error.filename2) if name is not None]
    where = " and ".join(os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in names)
    return f"{where or 'What is shown'} cannot be read or written: {what}."


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Return a context in which SIGTERM, by which `ray job stop` and batch systems end programs, acts as Ctrl-C does.

    Only the first one does: a second would interrupt the saving of results. It is ignored until the process has ended,
    so that the exit code says what the first one came to.
    """
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        after = signal.SIG_DFL if former is None else former
        signal.signal(signal.SIGTERM, signal.SIG_IGN if received else after)


def _tell(text: str) -> None:
    with suppress(OSError):  # standard error may be closed as well
        typer.echo(visible(text), err=True)


def _give_up_output() -> None:
    """Discard unwritten output, so that Python does not try to write it again as it exits."""
    with suppress(OSError, ValueError):
        descriptor = sys.stdout.fileno()
        try:
            sys.stdout.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
