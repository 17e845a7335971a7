"""Every public name of the library has an example in its docstring, and the examples do what they show."""

from __future__ import annotations

import contextlib
import doctest
import inspect
from pathlib import Path

import pytest

import evonas


@pytest.mark.parametrize("name", evonas.__all__)
def test_a_public_name_has_an_example_that_does_what_it_shows(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member = getattr(evonas, name)
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(member) or "", {}, name, None, 0)
    assert example.examples, f"{name} has no example in its docstring"
    with contextlib.chdir(tmp_path):
        result = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(example, clear_globs=True)
    assert result.failed == 0, capsys.readouterr().out
