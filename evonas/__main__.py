"""The script `evonas`: every door is a verb, `evonas run …` is `python -m evonas.run …`."""

from __future__ import annotations

import typer

from evonas.export.__main__ import export
from evonas.front import front
from evonas.profiles import profiles
from evonas.run import run
from evonas.sweep import sweep
from evonas.train import train

app = typer.Typer(help="Finds spiking neural networks for real hardware.", no_args_is_help=True)
app.command()(run)
app.command()(front)
app.command()(sweep)
app.command()(train)
app.command()(export)
app.command()(profiles)


def main() -> None:
    """Run the verb that the command line names."""
    app()


if __name__ == "__main__":
    main()
