"""Results folders of somebody else: names that are code, links, escape sequences, a run file of another run."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from commands import evonas, write_run_file

from fuzz.damage import changed, damaged
from fuzz.run_files import toml
from fuzz.verdict import Verdict, told

EVIL = (
    "os:system", "builtins:exit", "subprocess:call", "canary:objective", "canary", "\x1b]0;title\x07", "x[/red]", "=cmd()", "../canary",
    "energy\x1b[2J", "\u202egnp", "a\nb", "builtins:print", "evonas.__main__:main", "<script>alert(1)</script>",
)  # fmt: skip
WAYS = (
    ["--all"], [], ["--format", "csv"], ["--format", "json"], ["--html"], ["--pick", "knee"], ["--profile", "loihi1_davies"],
    ["--budget", "energy=1e-9"], ["--all", "--format", "csv"],
)  # fmt: skip


class Folders:
    """Results folders that come from elsewhere, shown by `evonas front`."""

    name = "folders"

    def __init__(self, folder: Path) -> None:
        import sys

        self._folder, self._source = folder / "theirs", folder / "ours"
        own = folder / "code"
        own.mkdir()
        run_file = write_run_file(own)
        document = tomllib.loads(run_file.read_text())
        document["data"] = {"name": "digits"}
        document["ladder"] = {"epochs": [1]}
        document["search"]["evaluations"] = 4
        run_file.write_text(tomli_w.dumps(document))
        said = evonas("run", run_file, "--output", self._source)
        assert said.exit_code == 0, said.output
        self._canary = folder / "hatched"
        code = f"open({str(self._canary)!r}, 'w').close()\ndef objective(**options): open({str(self._canary)!r}, 'w').close()\n"
        for place in (
            folder / "canary.py",
            Path("canary.py"),
            Path("objectives/canary.py"),
            self._source / "canary.py",
        ):
            place.parent.mkdir(exist_ok=True)
            place.write_text(code)
        self._document: dict[str, Any] = tomllib.loads((self._source / "run.toml").read_text())
        self._victim = folder / "victim.txt"
        sys.path_importer_cache.clear()

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._source, self._folder)
        self._canary.unlink(missing_ok=True)
        self._victim.write_text("mine")
        run_toml = self._folder / "run.toml"
        document, how = changed(self._document, rng)
        match int(rng.integers(5)):
            case 0:
                section = document.setdefault(("objectives", "strategies")[int(rng.integers(2))], [{}])
                if isinstance(section, list) and section and isinstance(section[0], dict):
                    section[0]["name"] = EVIL[int(rng.integers(len(EVIL)))]
                    section[0]["command"] = "touch canary"
            case 1:
                search, data = document.setdefault("search", {}), document.setdefault("data", {})
                if isinstance(search, dict) and isinstance(data, dict):
                    search["space"] = EVIL[int(rng.integers(len(EVIL)))]
                    data["name"] = EVIL[int(rng.integers(len(EVIL)))]
            case 2:
                for name in (".report.html.tmp", ".run.toml.tmp", "report.html", "front.csv", ".archive.h5.tmp"):
                    (self._folder / name).unlink(missing_ok=True)
                    (self._folder / name).symlink_to(self._victim)
            case _:
                pass
        run_toml.write_bytes(toml(document) if rng.random() < 0.9 else damaged(run_toml.read_bytes(), rng))
        way = WAYS[int(rng.integers(len(WAYS)))]
        result = evonas("front", self._folder, *way)
        given = f"{way} {how} {run_toml.read_bytes()[:3000].decode(errors='replace')}"
        if self._canary.exists():
            return Verdict("wrong", "code of the folder was executed", given)
        if self._victim.read_text() != "mine":
            return Verdict("wrong", "a link was followed", given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if any(
            (ord(character) < 32 and character != "\n") or 127 <= ord(character) < 160 for character in result.output
        ):
            return Verdict("wrong", f"control characters are printed: {result.output[:500]!r}", given)
        if result.exit_code == 0:
            return Verdict("right")
        verdict = told(result.output)
        return Verdict(verdict.outcome, verdict.detail, given)
