"""A run as an object: its front, its picks and its networks, without its data."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
from commands import evonas as command
from commands import write_run_file

import evonas
from evonas.archive.archive import Archive
from evonas.archive.hdf5_file import write_archive
from evonas.errors import ArchiveError, EvonasError, RunFileError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("searched")
    with contextlib.chdir(place):
        chip = ("--set", "objectives.2.profile=loihi1_davies", "--set", "ladder.epochs=[1]")
        done = command("run", write_run_file(place, evaluations=8), "--output", place / "results", *chip)
    assert done.exit_code == 0, done.output
    return place / "results"


def test_a_run_shows_the_same_front_as_the_command(folder: Path) -> None:
    run = evonas.load(folder)
    shown = json.loads(command("front", folder, "--format", "json").output)
    front = run.front()
    assert len(front) > 0
    assert [(network.key, network.objectives) for network in front] == [
        (one["key"], one["objectives"]) for one in shown["networks"]
    ]
    assert json.loads(front.to_json()) == shown
    assert run.hypervolume() == shown["hypervolume"]


def test_a_front_is_a_data_frame_and_a_table_in_which_texts_are_escaped(folder: Path) -> None:
    front = evonas.load(folder).front()
    frame = front.to_dataframe()
    assert list(frame["key"]) == [network.key for network in front]
    assert list(frame["energy"]) == [network.objectives["energy"] for network in front]
    assert set(front[0].genotype) <= set(frame.columns)
    assert {"time_steps", "synaptic_events", "parameters"} <= set(frame.columns)
    page = front._repr_html_()
    assert page.count("<tr>") == 1 + len(front)
    assert all(network.key in page for network in front)


def test_a_network_is_planned_and_built_without_the_data_of_the_run(folder: Path, tmp_path: Path) -> None:
    import torch

    alone = tmp_path / "alone"
    shutil.copytree(folder, alone)
    with contextlib.chdir(tmp_path):  # where few_digits.py, which the run file names, is not
        for network in evonas.load(alone).front():
            plan, activity = network.plan, network.measurement.activity
            assert [(one.name, one.shape) for one in plan.populations] == [
                (one.name, one.shape) for one in activity.populations
            ]
            module = network.network()
            weights = sum(one.numel() for one in module.parameters() if one.requires_grad)
            assert weights == network.measurement.parameters
            assert module(torch.rand(1, 2, *plan.input_shape)).shape == (2, 10)


def test_energy_of_the_chip_of_the_run_is_the_objective_and_of_another_chip_that_of_the_rescored_run(
    folder: Path,
) -> None:
    run = evonas.load(folder)
    picked = run.pick("best:energy")
    assert picked.energy().dynamic.nominal == pytest.approx(picked.objectives["energy"])
    other = run.rescore("sram45_int8")
    assert other.rescoring.profile == "sram45_int8"
    assert other.pick(picked.key).objectives["energy"] == pytest.approx(picked.energy("sram45_int8").dynamic.nominal)


def test_looking_at_a_run_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys, evonas\n"
        f"run = evonas.load({str(folder)!r})\n"
        "run.front().to_json(), run.pick().energy(), run.rescore('loihi1_sanafe'), repr(run)\n"
        "print([name for name in ('torch', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("nothing", "pick nothing: no measured network"),
        ("best:enery", "did you mean 'energy'"),
        ("", "networks begin so"),
    ],
)
def test_a_pick_that_is_not_there_is_told_in_the_words_of_python(folder: Path, wanted: str, told: str) -> None:
    with pytest.raises(RunFileError, match=told) as error:
        evonas.load(folder).pick(wanted)
    assert "--" not in str(error.value)


def test_an_empty_front_has_its_columns_and_says_in_a_notebook_why_it_is_empty(folder: Path) -> None:
    run = evonas.load(folder)
    empty = run.rescore(budgets={"energy": 1e-15})
    frame = empty.front().to_dataframe()
    assert len(frame) == 0
    assert list(frame.columns) == list(run.front().to_dataframe().columns)[:7]
    assert "keep off the front: " in empty._repr_html_()
    assert "keep off the front: " not in run._repr_html_()


def test_a_network_is_a_table_in_a_notebook_of_objectives_counts_and_genotype(folder: Path) -> None:
    network = evonas.load(folder).front()[0]
    shown = network._repr_html_()
    assert f"<th>network</th><th>{network.key}</th>" in shown
    for name in (*network.objectives, *network.genotype, "parameters", "time_steps"):
        assert f"<td>{name}</td>" in shown


def test_what_is_not_there_is_told_in_the_words_of_python(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="^- path: there is no .*none, expected the results folder of a run"):
        evonas.load(tmp_path / "none")
    with pytest.raises(RunFileError, match="^- path: .* holds no run.toml and no archive.h5"):
        evonas.load(tmp_path)


def test_an_empty_front_says_which_bound_keeps_off_how_many(folder: Path) -> None:
    run = evonas.load(folder).rescore(budgets={"energy": 1e-20})
    assert len(run.front()) == 0
    with pytest.raises(RunFileError, match=r"\d of \d keep off the front: \d x energy above 1e-20"):
        run.pick()


def test_a_folder_that_names_a_space_of_its_own_runs_none_of_it_without_trust(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tomllib

    alien = tmp_path / "alien"
    shutil.copytree(folder, alien)
    document = tomllib.loads((alien / "run.toml").read_text())
    document["search"]["space"] = "planted:space"
    (alien / "run.toml").write_text(tomli_w.dumps(document))
    (tmp_path / "planted.py").write_text("raise SystemExit('executed')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvonasError, match=r"is of another run than the archive|trust=True"):
        evonas.load(alien).pick().network()
    Archive.read(alien / "archive.h5")


def test_an_archive_alone_has_rows_and_picks_and_says_that_nothing_tells_its_networks(folder: Path) -> None:
    run = evonas.load(folder / "archive.h5")
    assert run.pick().key == evonas.load(folder).pick().key
    shutil.copy(folder / "archive.h5", folder.parent / "moved.h5")
    moved = evonas.load(folder.parent / "moved.h5").pick()
    with pytest.raises(RunFileError, match="has no run file, which names the space"):
        moved.network()


def test_an_archive_cut_short_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    shutil.copy(folder / "run.toml", cut)
    (cut / "archive.h5").write_bytes((folder / "archive.h5").read_bytes()[:5000])
    with pytest.raises(EvonasError) as error:
        evonas.load(cut)
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(EvonasError, match="holds no run.toml and no archive.h5"):
        evonas.load(tmp_path)


@pytest.mark.slow
def test_a_run_of_20_000_rows_is_loaded_whole(folder: Path, tmp_path: Path) -> None:
    stored = Archive.read(folder / "archive.h5").stored()
    few = list(stored.evaluations)
    slots = range(20_000)
    many = tuple(replace(few[slot % len(few)], job=replace(few[slot % len(few)].job, slot=slot)) for slot in slots)
    known = {slot: stored.values[slot % len(few)] for slot in slots if slot % len(few) in stored.values}
    shutil.copy(folder / "run.toml", tmp_path)
    write_archive(tmp_path / "archive.h5", replace(stored, evaluations=many, values=known))
    front = evonas.load(tmp_path).front()
    assert front.evaluations + front.rejected == 20_000


def test_a_network_is_trained_again_to_what_the_archive_holds_and_its_weights_are_kept(
    folder: Path, tmp_path: Path
) -> None:
    import torch

    place = tmp_path / "results"
    shutil.copytree(folder, place)
    with contextlib.chdir(folder.parent):  # where the data of the run are
        picked = evonas.load(place, trust=True).pick("best:energy")
        assert not picked.is_trained
        network = picked.train()
        again = evonas.load(place).pick(picked.key)
        assert again.is_trained
        data = torch.rand(1, 5, 1, 8, 8)
        assert torch.equal(again.network()(data), network(data))
        assert not again.network().training
        with pytest.raises(RunFileError, match="few_digits:read is code of its own; give trust=True"):
            evonas.load(place).pick("best:accuracy").train()


def test_weights_of_another_training_or_cut_short_are_refused(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "results"
    shutil.copytree(folder, place)
    front = evonas.load(place).front()
    first, second = front[0], front[1]
    with contextlib.chdir(folder.parent):
        evonas.load(place, trust=True).pick(first.key).train()
    whole = first.weights.read_bytes()
    second.weights.write_bytes(whole)
    with pytest.raises(ArchiveError, match=f"of another training: key {first.key} and not {second.key}"):
        second.network()
    for content in (b"", whole[:200], whole[:-100], b"\x80\x04K\x01."):
        first.weights.write_bytes(content)
        with pytest.raises(ArchiveError, match="cannot be used: it is"):
            first.network()


def test_a_training_that_comes_out_differently_is_told_with_both_figures(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "results"
    shutil.copytree(folder, place)
    with contextlib.chdir(folder.parent):
        picked = evonas.load(place, trust=True).front()[0]
        other = replace(picked.measurement, metrics={**picked.measurement.metrics, "accuracy": 0.123})
        changed = replace(picked, row=replace(picked.row, evaluation=replace(picked.row.evaluation, measurement=other)))
        with pytest.raises(EvonasError, match=r"in the archive 0\.1230"):
            changed.train()
        assert not changed.is_trained
        changed.train(exact=False)
    assert changed.is_trained


def test_nothing_is_trained_for_a_folder_in_which_nothing_can_be_kept(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "results"
    shutil.copytree(folder, place)
    (place / "weights").write_text("a file in the way")
    with pytest.raises(ArchiveError, match="weights cannot be made or written to: File exists. Nothing was trained"):
        evonas.load(place).pick().train()
    (place / "weights").unlink()
    (place / "weights").symlink_to("/proc")  # a folder in which nobody can make a file, whoever runs the tests
    with pytest.raises(ArchiveError, match="weights cannot be made or written to: .*Nothing was trained"):
        evonas.load(place).pick().train()
