"""What the pages hold of the code, and the pictures, are made by scripts; here is seen that they are what these make."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import get_type_hints
from xml.etree import ElementTree

import pytest
from commands import evonas, write_run_file
from documents import ROOT

from evonas.runfile.schema import RunFile


def script(path: str) -> ModuleType:
    """Return a script of the docs as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_script", ROOT / "docs" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = script("generate.py")


@pytest.mark.parametrize("page", generate.PAGES)
def test_the_generated_part_of_a_page_is_up_to_date(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert generate.generated(page, text) == text, "run `python docs/generate.py`"


def test_every_key_of_a_run_file_has_a_meaning_a_type_and_a_default_in_its_reference() -> None:
    definitions = RunFile.model_json_schema(by_alias=True)["$defs"]
    text = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    for section in definitions.values():
        for key in section["properties"]:
            row = re.search(rf"^\| `{key}` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
            assert row is not None, f"{section['title']}.{key} has no row"


def test_every_option_that_a_section_can_take_stands_in_the_reference() -> None:
    text = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    for folder, attribute in generate.OPTIONS.values():
        for path in (ROOT / folder.replace(".", "/")).glob("*.py"):
            member = getattr(importlib.import_module(f"{folder}.{path.stem}"), attribute, None)
            if member is None:
                continue
            assert f'### `name = "{path.stem}"`' in text
            groups = generate._shared(member)
            names = [
                name
                for name, one in inspect.signature(member).parameters.items()
                if not groups or one.kind is not one.VAR_KEYWORD
            ]
            names += [name for group in groups for name in get_type_hints(group)]
            missing = [name for name in names if f"| `{name}` |" not in text]
            assert missing == [], f"{path.stem}: describe {missing} in the docstring"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a small run on the chip of the pictures."""
    folder = tmp_path_factory.mktemp("drawn")
    chip = (
        "--set",
        "objectives.2.profile=loihi1_davies",
        "--set",
        "objectives.0.at_least=0.0",
        "--set",
        "ladder.epochs=[1]",
    )
    with contextlib.chdir(folder):
        done = evonas("run", write_run_file(folder, evaluations=8), "--output", folder / "results", *chip)
    assert done.exit_code == 0, done.output
    return folder / "results"


@pytest.mark.parametrize(("name", "words"), [("front", "readout"), ("virtual_time", "virtual time")])
def test_a_picture_is_drawn_from_a_results_folder(
    name: str, words: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # text as text
    picture = tmp_path / "picture.svg"
    script(f"figures/{name}.py").main(str(results), str(picture))
    text = picture.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert words in text
    again = tmp_path / "again.svg"
    script(f"figures/{name}.py").main(str(results), str(again))
    assert again.read_bytes() == picture.read_bytes()
