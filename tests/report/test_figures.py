"""Figures for papers: what they show, that they are the same again, and what is said where there is none."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import evonas
from PIL import Image
from priced_runs import NETWORKS, write_priced_run

from evonas.report.answer import Answer, Command, answered
from evonas.report.comparison import compared
from evonas.report.drawings import energy_figure, front_figure, fronts_figure, growth_figure
from evonas.report.figures import drawn
from evonas.report.growth import Growth
from evonas.report.pick import usual


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_priced_run(tmp_path / "run")


def answer_of(folder: Path) -> Answer:
    return answered(folder, Command())


def test_each_figure_is_a_file_of_each_format_and_again_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for place in ("figures/first", "second"):
        done = evonas("front", folder, "--figures", tmp_path / place)
        assert done.exit_code == 0, done.output
        assert done.stderr.count("Written:") == 9
    first = sorted((tmp_path / "figures" / "first").iterdir())
    assert [path.name for path in first] == [
        f"{name}.{suffix}" for name in ("energy", "front", "hypervolume") for suffix in ("pdf", "png", "svg")
    ]
    for path in first:
        content = path.read_bytes()
        assert content == (tmp_path / "second" / path.name).read_bytes()
        if path.suffix == ".svg":
            assert ElementTree.fromstring(content).tag.endswith("svg")
        elif path.suffix == ".pdf":
            assert content.startswith(b"%PDF")
        else:
            assert Image.open(io.BytesIO(content)).size[0] > 800


def test_the_front_stands_at_its_values_with_its_sampling_errors_and_the_pick_is_marked(folder: Path) -> None:
    answer = answer_of(folder)
    front = answer.results.front()
    (axes,) = front_figure(answer.results, picked=usual(answer.results)).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("energy [J/sample]", "accuracy [fraction]")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    values = [(row.score.values[1], row.score.values[0]) for row in front.rows if row.score is not None]
    (bars,) = axes.containers
    points, _, (lines,) = bars
    assert [*zip(*points.get_data(), strict=True)] == values
    ends = [(segment[:, 1].min(), segment[:, 1].max()) for segment in lines.get_segments()]
    samples = NETWORKS[0][1].samples
    accuracy = answer.results.objectives[0]
    assert accuracy.sampling_error is not None
    for (low, high), (_, value) in zip(ends, values, strict=True):
        assert (high - low) / 2 == pytest.approx(accuracy.sampling_error(value, samples))
    measured, picked = axes.collections[0], axes.collections[-1]
    assert len(measured.get_offsets()) == 1, "the network that is not on the front"
    assert tuple(picked.get_offsets()[0]) == values[1]


def test_the_bars_of_the_energy_add_up_to_it(folder: Path) -> None:
    answer = answer_of(folder)
    breakdown = answer.breakdown_of(usual(answer.results))
    assert breakdown is not None
    assert breakdown.energy is not None
    (axes,) = energy_figure(breakdown).axes
    assert sum(bar.get_width() for bars in axes.containers for bar in bars) == pytest.approx(
        breakdown.energy["nominal"]
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == [*breakdown.joules]
    assert axes.yaxis_inverted()


def test_the_hypervolume_is_a_staircase_of_what_has_been_reached() -> None:
    (axes,) = growth_figure({"one": [Growth((1, 2, 4), (0.0, 0.5, 0.75))], "two": [Growth((1,), (0.25,))]}).axes
    first = axes.lines[0]
    assert first.get_drawstyle() == "steps-post"
    assert [*zip(*first.get_data(), strict=True)] == [(1, 0.0), (2, 0.5), (4, 0.75)]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two"]


def test_runs_over_each_other_have_a_colour_each_and_the_line_is_what_half_attains(tmp_path: Path) -> None:
    folders = [write_priced_run(tmp_path / f"run{seed}", seed=seed) for seed in (0, 1)]
    other = {"strategies": [{"name": "evolution"}]}
    folders.append(write_priced_run(tmp_path / "other", networks=[NETWORKS[1]] * 3, **other))
    comparison = compared([(folder.name, answer_of(folder).results) for folder in folders])
    (axes,) = fronts_figure(comparison).axes
    assert {line.get_color() for line in axes.lines} == {"#0072b2", "#d55e00"}
    solid = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert len(solid) == 2
    for line, group in zip(solid, comparison.groups, strict=True):
        half = next(one for one in comparison.attained(group, (1, 0)) if one.runs == (one.of + 1) // 2)
        assert tuple(zip(*line.get_data(), strict=True)) == half.points
    done = evonas("front", *folders, "--figures", tmp_path / "figures")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "figures").glob("*.svg")} == {"fronts.svg", "hypervolumes.svg"}
    assert "run0 and 1 more" in (tmp_path / "figures" / "fronts.svg").read_text()


def test_texts_of_files_are_no_formulas(folder: Path) -> None:
    answer = answer_of(folder)
    breakdown = answer.breakdown_of(usual(answer.results))
    assert breakdown is not None
    odd = replace(breakdown, profile="$\\frac$ & <b>\x1b[2J")
    text = drawn(lambda: energy_figure(odd), "svg").decode()
    assert "$\\frac$ &amp; &lt;b&gt;\\x1b[2J" in text


def test_what_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    plain = write_priced_run(tmp_path / "plain", objectives=[{"name": "spikes"}])
    done = evonas("front", plain, "--figures", tmp_path / "figures")
    assert done.exit_code == 0, done.output
    assert "There is no figure of the front: it needs networks and two objectives." in done.stderr
    assert "There is no figure of the energy: the run has no chip" in done.stderr
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"hypervolume"}


def test_a_folder_that_cannot_be_made_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    done = evonas("front", folder, "--figures", tmp_path / "file")
    assert done.exit_code == 1
    assert "cannot be made: File exists. Nothing was written." in done.stderr
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("runs", [1, 2])
def test_without_matplotlib_it_is_said_before_anything_else(
    runs: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = evonas("front", *[folder] * runs, "--figures", tmp_path / "figures")
    assert done.exit_code == 2
    assert "--figures: matplotlib, which draws them, is not installed; pip install 'evonas[figures]'" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "figures").exists()
