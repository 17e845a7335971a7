"""Documents: the commands and blocks of a Markdown page in their order, and how each is carried out in a folder.

A page is a story. What a block is for is told by its language and its first line:

    toml, python, its first line a comment with a path    saved there
    toml                                                  checked as a run file, or as a part of runs/digits.toml
    python                                                run as a script
    sh, and code in a table that begins like a command    run; a command after `!` has to fail
    text                                                  shown output, or a drawing

Nothing is left out. What takes long is shortened, as `shortened` says; what only a cluster or an installation can do is
looked at as closely as is possible here, as `carried_out` says.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import write_few_digits

from evonas import load
from evonas.export.nir_graph import refusals

ROOT = Path(__file__).parent.parent
PROGRAMS = ("evonas", "python", "make", "source", "ray", "!")

FEWER = {
    "search.evaluations": "8",
    "search.seed": "3",
    "search.parallel": "2",
    "ladder.epochs": "[1]",
    "training.batch_size": "8",
    "objectives.0.at_least": "0.05",
    "workers.count": "0",
}
"""What every search is set to, whatever its run file and its own options say: eight networks of one epoch, in this process.
Of this seed more than half have neurons that all chips can price."""

FEWER_DATA = {"digits": {"data.name": "few_digits:read"}, "images": {"data.limit": "120"}}
"""By the data of the run file: 120 images, of which 72 are for training."""

SHORTER_SEARCHES = {
    "warm_up": "0",
    "epochs": "1",
    "contexts": "{channels=[4], nodes=[1], layers=[2], 'stem.stride'=[1], 'readout.input'=['mean']}",
}
"""Options of each strategy `differentiable`."""

SMALLER_POOLS = {"pool": "12", "part": "6"}
"""Options of each strategy `zero_shot`."""


SMALLER_SUPERNETS = {"epochs": "1", "networks": "6", "pop_size": "4", "calibration": "32"}
"""Options of each strategy `one_shot`."""


@dataclass(frozen=True)
class Block:
    """A piece of a page that can be carried out.

    Attributes:
        page: Its file.
        line: Where it begins.
        kind: Language of the block; `"sh"` for commands in tables.
        text: What stands in it.
    """

    page: Path
    line: int
    kind: str
    text: str

    @property
    def path(self) -> str | None:
        """Where it is to be saved, None if nowhere."""
        named = re.match(r"# (\S+\.(?:py|toml))\n", self.text)
        return named[1] if named else None

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, comments left out, continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        without = (re.sub(r"(^|\s+)# .*", "", line).strip() for line in lines)
        return [command for command in without if command]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield every block of a page, and every command of its tables, in their order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    inside: tuple[int, str, str] | None = None
    held: list[str] = []
    for number, line in enumerate(lines, start=1):
        fence = re.fullmatch(r"( *)```(\w*)", line)
        if fence and inside is None:
            inside, held = (number, fence[1], fence[2]), []
        elif fence and inside is not None:
            begin, indent, language = inside
            assert language, f"{page}, line {begin}: the block has no language"
            text = "\n".join(one.removeprefix(indent) for one in held) + "\n"
            yield Block(page, begin, language, text)
            inside = None
        elif inside is not None:
            held.append(line)
        elif line.startswith("|"):
            for code in re.findall(r"`([^`]+)`", line):
                if code.split()[0] in PROGRAMS and " " in code:
                    yield Block(page, number, "sh", f"{code}\n")


def workplace(folder: Path) -> Path:
    """Return a folder in which commands work as in a fresh checkout, though nothing of evonas itself lies there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("runs", "examples", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    write_few_digits(folder)
    return folder


def shortened(words: list[str]) -> list[str]:
    """Return a command that does the same in less: searches as `FEWER` says, results of clusters in this folder."""
    words = [word.replace("/shared/", "shared/") for word in words]
    if words[:2] == ["evonas", "export"]:
        return exported(words)
    if words[:2] == ["evonas", "train"]:  # one epoch from one seed in this process; the data are a file of its own
        return [*words, "--epochs", "1", "--seeds", "1", "--workers", "0", "--trust"]
    if words[0] != "evonas" or words[1] not in ("run", "sweep") or "--dry-run" in words:
        return words
    file = tomllib.loads(Path(words[2]).read_text(encoding="utf-8"))
    less = {**FEWER, **FEWER_DATA.get(file["data"]["name"], {})}
    for number, strategy in enumerate(file["strategies"]):
        if strategy["name"] == "differentiable":
            less |= {f"strategies.{number}.{key}": value for key, value in SHORTER_SEARCHES.items()}
        if strategy["name"] == "zero_shot":
            less |= {f"strategies.{number}.{key}": value for key, value in SMALLER_POOLS.items()}
        if strategy["name"] == "one_shot":
            less |= {f"strategies.{number}.{key}": value for key, value in SMALLER_SUPERNETS.items()}
    if "search.evaluations=200" in words:  # more than before, so that it goes on from there
        less["search.evaluations"] = "10"
    if any(word.startswith("search.seed=") for word in words):  # another seed is what is shown
        del less["search.seed"]
    return [*words, *(word for key, value in less.items() for word in ("--set", f"{key}={value}"))]


def exported(words: list[str]) -> list[str]:
    """Return an export of fewer samples; the data of the shortened search are a file of its own, which is trusted.

    Of a few networks with one epoch it is chance whether NIR can say the one that is picked, so another one is.
    """
    words = [*words, "--samples", "8", "--trust"]
    if words[words.index("--to") + 1] != "nir":
        return words
    able = [network.key for network in load(words[2], trust=True).front() if not refusals(network.plan)]
    assert able, "NIR can say no network of the shortened search: give it another seed"
    picks = [index + 1 for index, word in enumerate(words) if word == "--pick"]
    for index in picks:
        words[index] = able[0]
    return words if picks else [*words, "--pick", able[0]]


def as_evonas(words: list[str]) -> list[str]:
    """Return `python -m evonas.run …` as `evonas run …`, everything else as it is."""
    if words[:2] == ["python", "-m"] and words[2].startswith("evonas."):
        return ["evonas", words[2].removeprefix("evonas."), *words[3:]]
    return words


def made(target: str) -> list[str]:
    """Return what `make target` runs at its end, with the programs of the environment under their plain names."""
    done = subprocess.run(
        ["make", "--no-print-directory", "--always-make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1]
    return shlex.split(last.replace(".venv/bin/", ""))


def fragment_of(text: str) -> dict[str, Any]:
    """Return a run file of which a part is shown: `runs/digits.toml` with the sections of `text` in the place of its."""
    whole = tomllib.loads((ROOT / "runs" / "digits.toml").read_text(encoding="utf-8"))
    return _over(whole, tomllib.loads(text))


def _over(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(whole)
    for key, value in part.items():
        known = merged.get(key)
        merged[key] = _over(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged
