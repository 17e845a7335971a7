"""The page in a real browser: it draws, answers clicks, says no error, and asks nobody for anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser, browser, program
from pages import HOSTILE, write_hostile, written
from priced_runs import busy, write_priced_run

from evonas.archive.archive import Archive
from evonas.archive.hdf5_file import write_archive

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="no Chromium is installed; apt install chromium runs these tests"),
]

NETWORKS = [(0.5 + 0.3 * (slot % 7) / 7, busy(1 + slot % 40)) for slot in range(60)]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
def page(shown: Browser) -> Iterator[Browser]:
    """Yield the browser; after the test, check that it said no error and requested files alone."""
    shown.errors.clear()
    shown.requests.clear()
    yield shown
    assert shown.errors == []
    assert [url for url in shown.requests if not url.startswith("file://")] == []
    assert len(shown.requests) > 0


def open_page(page: Browser, folder: Path, *options: str, width: int = 1400) -> None:
    written(folder, *options)
    page.open(folder / "report.html", width=width)
    page.wait_for("document.querySelectorAll('#front .point').length > 0")


@pytest.mark.parametrize("width", [1400, 800])
def test_everything_is_drawn_and_nothing_is_wider_than_the_window(page: Browser, tmp_path: Path, width: int) -> None:
    open_page(page, write_priced_run(tmp_path / "run", networks=NETWORKS), width=width)
    assert page.run("document.querySelectorAll('#front .point').length") == len(NETWORKS)
    assert page.run("document.querySelectorAll('#front .error').length") > 0
    assert page.run("document.querySelectorAll('#network [data-layer]').length") == 2
    assert page.run("document.querySelectorAll('#network .edge').length") == 2
    for title in ("Energy by layer and term", "Spikes by layer and time step", "Latency", "Fit on loihi1_davies"):
        assert title in page.run("document.querySelector('#costs').innerText")
    for title in ("Hypervolume", "Strategies", "Which variables matter", "Failures and refusals"):
        assert title in page.run("document.querySelector('#search').innerText")
    assert page.run(
        "document.querySelector('#parallel canvas').getContext('2d').getImageData(0, 0, 900, 300).data.some(Boolean)"
    )
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_click_on_a_point_shows_that_network(page: Browser, tmp_path: Path) -> None:
    open_page(page, write_priced_run(tmp_path / "run", networks=NETWORKS))
    key = "document.querySelector('#chosen-key').textContent"
    before, energy = page.run(key), page.run("document.querySelector('#costs').innerText")
    rows = page.run("[...document.querySelectorAll('#front .point')].map((one) => Number(one.dataset.row))")
    chosen = next(
        row
        for row in reversed(rows)  # what is drawn last lies on top
        if page.run(f"JSON.parse(document.querySelector('#content').textContent).rows.key[{row}]") != before
    )
    page.click(f"#front .point[data-row='{chosen}'] circle")
    after = page.run(key)
    assert after != before
    assert page.run("location.hash") == f"#{after}"
    assert after in page.run("document.querySelector('#network-title').textContent")
    assert page.run("document.querySelector('#costs').innerText") != energy


def test_axes_colours_and_chips_are_chosen_in_menus(page: Browser, tmp_path: Path) -> None:
    open_page(page, write_priced_run(tmp_path / "run", networks=NETWORKS), "--profiles", "odin28")
    choose = (
        "((id, value) => {{ const one = document.querySelector(id); one.value = value; "
        "one.dispatchEvent(new Event('change')); }})('{}', '{}')"
    )
    axis = "[...document.querySelectorAll('#front svg text')].map((one) => one.textContent).join()"
    page.run(choose.format("#front-x", "slot"))
    assert "slot" in page.run(axis)
    page.run(choose.format("#front-colour", "variable a"))
    assert (
        page.run(
            "new Set([...document.querySelectorAll('#front .point circle')].map((one) => one.getAttribute('fill'))).size"
        )
        > 5
    )
    page.run(choose.format("#growth-axis", "seconds"))
    page.run(choose.format("#chip", "1"))
    assert "on odin28" in page.run("document.querySelector('#network-title').textContent")
    assert "Fit on odin28" in page.run("document.querySelector('#costs').innerText")


def test_hostile_names_are_shown_and_not_run(page: Browser, tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE.replace("/", "\\")
    folder.mkdir()
    open_page(page, write_hostile(folder))
    assert page.run("document.querySelector('h1').textContent") == folder.name
    assert HOSTILE in page.run("document.querySelector('#about').textContent")
    assert page.run("document.querySelectorAll('script').length") == 2
    assert page.run("document.querySelectorAll('b[onload]').length") == 0


def test_a_run_of_5_000_networks_is_small_and_fluid(page: Browser, tmp_path: Path) -> None:
    few = write_priced_run(tmp_path / "few", networks=[(slot / 100, busy(1 + slot * 91 % 97)) for slot in range(100)])
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(few / "run.toml", folder)
    stored = Archive.read(few / "archive.h5").stored()
    known = list(stored.evaluations)
    many = [replace(known[slot % 100], job=replace(known[slot % 100].job, slot=slot)) for slot in range(5000)]
    values = {slot: stored.values[slot % 100] for slot in range(5000)}
    write_archive(folder / "archive.h5", replace(stored, evaluations=tuple(many), values=values))
    written(folder)
    assert (folder / "report.html").stat().st_size < 12e6
    open_page(page, folder)
    assert page.run("document.querySelectorAll('#front .point').length") == 5000
    page.run("window.kept = document.querySelector('#front .point')")
    page.run("window.kept.dispatchEvent(new MouseEvent('click'))")
    assert page.run("document.querySelector('#front .point') === window.kept")  # a click draws no point anew
    assert page.run("document.querySelectorAll('#front .ring').length") == 1
