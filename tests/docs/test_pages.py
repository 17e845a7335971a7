"""Every command and every block of the README and of the pages in docs/ is carried out here, page by page."""

from __future__ import annotations

import contextlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tomli_w
import yaml
from commands import evonas
from documents import ROOT, Block, as_evonas, blocks, fragment_of, made, shortened, workplace

from evonas.runfile.resolve import resolve

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workplace with what `make search` leaves there, though of fewer networks."""
    folder = workplace(tmp_path_factory.mktemp("searched"))
    with at_work(folder):
        run(shlex.join(made("search")))
    return folder


@pytest.fixture
def folder(searched: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a workplace of a page's own, as after `make search`; it is the working directory."""
    place = tmp_path / "work"
    shutil.copytree(searched, place)
    with at_work(place):
        yield place


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Work in `folder`, and forget afterwards what was imported from there."""
    path, modules = list(sys.path), set(sys.modules)
    with contextlib.chdir(folder):
        try:
            yield
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]


def needs_ray(block: Block) -> bool:
    return block.kind == "python" and "RayWorkers" in block.text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_all_that_a_page_shows_works_in_its_order(page: Path, folder: Path) -> None:
    for block in blocks(page):
        if not needs_ray(block):
            carry_out(block, folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_saves_is_used_by_a_command_below_it(page: Path) -> None:
    every = list(blocks(page))
    for index, block in enumerate(every):
        if block.path is not None:
            below = "".join(later.text for later in every[index + 1 :])
            assert Path(block.path).stem in below, f"{block}: nothing uses {block.path}"


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page) if needs_ray(block)], ids=str)
def test_what_a_page_shows_of_ray_works_in_a_process_of_its_own(block: Block, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(block.text)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block}: {done.stderr}"
    assert "on the front" in done.stdout


BENCHMARKS = sorted(
    {
        word
        for page in PAGES
        for block in blocks(page)
        if block.kind == "sh"
        for word in block.text.split()
        if word.startswith("benchmarks/")
    }
)


STARTED = """
import contextlib, io, runpy, sys
scripts = sys.argv[1:]
for script in scripts:
    sys.argv, sys.path[0], said = [script, "--help"], "benchmarks", io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        print(script, ended.code, "--json" in said.getvalue())
"""


@pytest.mark.slow
def test_the_benchmarks_that_pages_name_start() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED, *BENCHMARKS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{script} 0 True" for script in BENCHMARKS]


def carry_out(block: Block, folder: Path) -> None:
    """Do what a block shows; what cannot be done fails with the place where it stands."""
    try:
        if block.kind == "sh":
            for command in block.commands:
                run(command)
        elif block.path is not None:
            (folder / block.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.path).write_text(block.text)
        elif block.kind == "toml":
            (folder / "shown.toml").write_text(tomli_w.dumps(fragment_of(block.text)))
            resolve(folder / "shown.toml")
        elif block.kind == "python":
            exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
        else:
            assert block.kind == "text", f"a block in {block.kind} is nothing that can be run"
    except BaseException as error:
        error.add_note(f"This is shown in {block}.")
        raise


def run(command: str) -> None:
    """Carry out a command: those of evonas in this process, each other program as far as it can be here."""
    words = shlex.split(command)
    fails = words[0] == "!"
    words = shortened(as_evonas(words[fails:]))
    if words[0] == "evonas":
        result = evonas(*words[1:])
        assert (result.exit_code == 2) == fails, f"{command}: exit code {result.exit_code}\n{result.output}"
        assert fails or result.exit_code == 0, f"{command}: exit code {result.exit_code}\n{result.output}"
    else:
        OTHERS[words[0]](words)


def _python(words: list[str]) -> None:
    """Run a script; of a benchmark, which takes minutes, see that it has all the options. A slow test starts it."""
    script, arguments = words[1], words[2:]
    if script.startswith("benchmarks/"):
        known = re.findall(r'add_argument\("(--[\w-]+)"', Path(script).read_text())
        assert {word for word in arguments if word.startswith("--")} <= set(known), f"{script} has {known}"
        return
    before = sys.argv
    sys.argv = words[1:]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.argv = before


def _make(words: list[str]) -> None:
    """Run the searches of a target; of all others make says that it could make them."""
    recipe = as_evonas(made(words[1]))
    if recipe[0] == "evonas":
        run(shlex.join(recipe))


def _source(words: list[str]) -> None:
    """Check that this is what `make search` makes: the slow test of the README enters it."""
    assert words[1] == ".venv/bin/activate"
    assert re.search(r"^BIN := \.venv/bin$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def _ray(words: list[str]) -> None:
    """Run what is submitted; a test of the cluster submits the same to a real Ray head."""
    split = words.index("--")
    options = dict(zip(words[3:split:2], words[4:split:2], strict=True))
    assert words[:3] == ["ray", "job", "submit"]
    assert Path(options["--working-dir"]).is_dir()
    assert yaml.safe_load(Path(options["--runtime-env"]).read_text())["excludes"]
    run(shlex.join(words[split + 1 :]))


OTHERS: dict[str, Callable[[list[str]], None]] = {"python": _python, "make": _make, "source": _source, "ray": _ray}
