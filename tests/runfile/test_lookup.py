"""Lookup: what a run file may name, what is refused before it is executed, and that nothing is left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evonas.objective import Objective
from evonas.runfile.lookup import LookupFault, is_shipped, look_up, members
from evonas.runfile.section_options import make_named
from evonas.space import Space

OBJECTIVE = (
    "from evonas import Objective\n\n\ndef objective(*, factor: float = 1.0):\n"
    "    return Objective('mine', lambda m: factor * m)\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory that is on no path."""
    before = dict(sys.modules)
    monkeypatch.chdir(tmp_path)
    finders = list(sys.meta_path)
    yield tmp_path
    sys.meta_path[:] = finders
    for name in set(sys.modules) - set(before):
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def canary(folder: Path, *, name: str, text: str = "") -> Path:
    """Return a file that is written as soon as the module `name` is executed."""
    hatched = folder / f"hatched-{name.replace('/', '-')}"
    write(folder / f"{name}.py", f"open({str(hatched)!r}, 'w').close()\n{text}")
    return hatched


def refused(name: str, *, folder: str = "objectives", attribute: str = "objective", trusted: bool = True) -> str:
    with pytest.raises(LookupFault) as caught:
        look_up(name, folder=folder, attribute=attribute, trusted=trusted)
    return str(caught.value)


@pytest.mark.parametrize("name", ["os:system", "builtins:exit", "subprocess:call", "sys:exit", "antigravity:fly"])
@pytest.mark.parametrize(
    ("folder", "attribute"),
    [("objectives", "objective"), ("spaces", "space"), ("evonas.data", "read"), ("evonas.strategies", "strategy")],
)
def test_nothing_of_python_itself_is_named(name: str, folder: str, attribute: str) -> None:
    assert "belongs to Python itself" in refused(name, folder=folder, attribute=attribute)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("name", "folder", "attribute", "told"),
    [
        ("evonas.data.digits:read", "objectives", "objective", "returns DataSet; expected a function that returns an Objective"),
        ("objectives.accuracy:objective", "evonas.data", "read", "returns Objective; expected a function that returns a DataSet"),
        ("spaces.spatial_temporal:space", "evonas.strategies", "strategy", "a value of the type Space; expected a function that returns a Strategy"),
        ("evonas.strategies.random:strategy", "objectives", "objective", "is the class RandomSearch; expected"),
        ("evonas.objective:Objective", "spaces", "space", "is no Space with a `build` but the class Objective"),
        ("evonas.__main__:main", "objectives", "objective", "returns None; expected"),
        ("numpy:sum", "objectives", "objective", "expected a function that returns an Objective"),
        ("typer.main:get_command", "evonas.strategies", "strategy", "expected a function that returns a Strategy"),
    ],
)  # fmt: skip
def test_what_is_named_has_to_be_of_the_kind_that_the_key_asks_for(
    name: str, folder: str, attribute: str, told: str
) -> None:
    assert told in refused(name, folder=folder, attribute=attribute)


def test_a_function_that_is_imported_from_elsewhere_is_not_the_users_own(here: Path) -> None:
    write(here / "borrowed.py", "from os import system\nfrom subprocess import call\nfrom shutil import rmtree\n")
    assert "built into Python; expected" in refused("borrowed:system")
    assert "does not say what it returns" in refused("borrowed:call")
    assert "does not say what it returns" in refused("borrowed:rmtree")


def test_a_function_of_the_users_own_need_not_say_what_it_returns_and_what_it_returns_is_checked(here: Path) -> None:
    text = "from evonas import Objective, RandomSearch\n"
    text += "def bare(): return Objective('bare', lambda m: 0.0)\ndef nothing(): pass\ndef number(): return 3\n"
    text += "def fails(): raise KeyError('x')\ndef ends(): raise SystemExit(0)\ndef late() -> 'Objective': return 1\n"
    text += "class Own(Objective): pass\nready = RandomSearch()\ndef other() -> int: return 3\n"
    write(here / "my_own.py", text)

    def made(name: str, *, folder: str = "objectives", attribute: str = "objective") -> tuple[object, list[str]]:
        return make_named(f"my_own:{name}", {}, folder=folder, attribute=attribute, key="objectives.0")

    assert isinstance(made("bare")[0], Objective)
    assert made("nothing") == (None, ["objectives.0.name: my_own:nothing returned None, expected an Objective"])
    assert "returned a value of the type int, expected an Objective" in made("number")[1][0]
    assert "returned a value of the type int, expected an Objective" in made("late")[1][0]
    assert "returns int; expected" in made("other")[1][0]
    assert made("fails")[1] == ["objectives.0: calling it failed with KeyError: 'x'"]
    assert made("ends")[1] == ["objectives.0: calling it failed with SystemExit: 0"]
    assert made("Own")[1][0].startswith("objectives.0.name: missing")
    assert getattr(made("ready", folder="evonas.strategies", attribute="strategy")[0], "name", "") == "random"


def test_a_module_that_cannot_be_what_is_asked_for_is_not_executed(here: Path) -> None:
    hatched = canary(here, name="eggs", text="def objective() -> int:\n    return 3\n")
    assert "eggs does not define 'other'" in refused("eggs:other")
    assert "is no Space with a `build` but a function" in refused("eggs:objective", folder="spaces", attribute="space")
    assert not hatched.exists()
    assert "returns int" in refused("eggs:objective")
    assert hatched.exists()


def test_a_package_above_a_module_that_is_not_there_is_not_executed(here: Path) -> None:
    hatched = canary(here, name="nest/__init__")
    assert refused("nest.eggs:objective") == "there is no nest.eggs"
    assert not hatched.exists()


@pytest.mark.parametrize("name", ["objectives/canary", "canary"])
def test_who_is_not_trusted_executes_nothing_but_what_is_shipped(here: Path, name: str) -> None:
    hatched = canary(here, name=name, text=OBJECTIVE)
    wanted = "canary" if "/" in name else "canary:objective"
    assert "code of its own; give --trust to run it" in refused(wanted, trusted=False)
    assert not hatched.exists()
    look_up(wanted, folder="objectives", attribute="objective")
    assert hatched.exists()


def test_without_trust_a_shipped_name_is_the_shipped_file(here: Path) -> None:
    hatched = canary(here, name="objectives/accuracy", text=OBJECTIVE)
    shipped = look_up("accuracy", folder="objectives", attribute="objective", trusted=False)
    assert shipped().name == "accuracy"
    assert not hatched.exists()
    assert look_up("accuracy", folder="objectives", attribute="objective")().name == "mine"
    assert look_up("accuracy", folder="objectives", attribute="objective", trusted=False)().name == "accuracy"
    assert is_shipped("accuracy", folder="objectives")
    assert not is_shipped("objectives.accuracy:objective", folder="objectives")


@pytest.mark.parametrize("folder", ["objectives", "spaces"])
def test_a_script_with_the_name_of_a_folder_is_told_and_not_executed(here: Path, folder: str) -> None:
    hatched = canary(here, name=folder)
    told = refused("accuracy", folder=folder, attribute=folder.removesuffix("s"))
    assert told.startswith(f"{here / folder}.py is in the way of the folder {folder}/")
    assert not hatched.exists()


def test_the_path_is_left_as_it_is_and_modules_of_ones_own_still_find_each_other(here: Path) -> None:
    write(here / "spaces" / "mine.py", "from evonas import Choice, Space\nimport parts_of_mine\n\n\ndef _build(*a):\n"
          "    import spaces.mine_later\n    import later_still\n    return spaces.mine_later.NUMBER + later_still.NUMBER\n\n\n"
          "space = Space({'a': Choice([parts_of_mine.NUMBER, 2])}, build=_build)\n")  # fmt: skip
    for name in ("parts_of_mine", "spaces/mine_later", "later_still", "queue"):
        write(here / f"{name}.py", "NUMBER = 1\n")
    path = list(sys.path)
    space = look_up("mine", folder="spaces", attribute="space")
    assert isinstance(space, Space)
    assert sys.path == path
    assert space.build is not None
    assert space.build() == 2
    sys.modules.pop("queue", None)
    import queue

    assert not hasattr(queue, "NUMBER"), "a file of the working directory hides nothing of Python's"


def test_only_files_that_define_what_is_asked_for_are_listed(here: Path) -> None:
    hatched = canary(here, name="objectives/mine", text=OBJECTIVE)
    write(here / "objectives" / "helper.py", "x = 1\n")
    for name in ("test_mine", "conftest"):
        write(here / "objectives" / f"{name}.py", OBJECTIVE)
    write(here / "objectives" / "user.py", "from objectives.mine import objective\n")
    assert "mine" in members("objectives", attribute="objective")
    assert not {"helper", "test_mine", "conftest", "user"} & set(members("objectives", attribute="objective"))
    assert "mine" not in members("objectives", attribute="objective", trusted=False)
    assert {"differentiable", "evolution", "random", "zero_shot"} <= set(
        members("evonas.strategies", attribute="strategy")
    )
    told = refused("zzz")
    assert told.startswith(
        "there is no objectives/zzz.py; there are accuracy, balanced_accuracy, energy, fit, latency, metric, mine,"
    )
    assert not hatched.exists()


@pytest.mark.parametrize(
    "name",
    ["../energy", "a b", "a:b:c", "a..b", ":x", "x:", "." * 3000, "a" * 5000, "é/x", "x\x1b[2J", "1x", "²:x", "/", ""],
)
def test_what_can_be_no_name_is_told(name: str) -> None:
    assert "expected the name of a file in objectives/" in refused(name)
    assert not is_shipped(name, folder="objectives")


def test_an_import_that_fails_is_told_and_tried_again(here: Path) -> None:
    write(here / "objectives" / "broken.py", "objective = 1 / 0\n")
    assert "importing objectives.broken failed with ZeroDivisionError" in refused("broken")
    write(here / "objectives" / "broken.py", "def objective(:\n")
    assert "importing objectives.broken failed with SyntaxError" in refused("broken")
    write(here / "objectives" / "broken.py", OBJECTIVE)
    assert look_up("broken", folder="objectives", attribute="objective")().name == "mine"
