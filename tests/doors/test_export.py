"""The door from a run to the tools of chips: what it writes, what it compares, what it refuses."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import evonas

from evonas import load
from evonas.export.nir_graph import read


@pytest.fixture
def folder(searched: Path, tmp_path: Path) -> Iterator[Path]:
    """Return the results of a run, in whose place of work the commands are given."""
    place = tmp_path / "work"
    shutil.copytree(searched, place)
    with contextlib.chdir(place):
        yield place / "results"


def key_of(folder: Path, pick: str) -> str:
    return str(json.loads(evonas("front", folder, "--pick", pick, "--format", "json").stdout)["picked"]["key"])


def test_a_network_is_trained_again_written_read_back_and_compared(folder: Path) -> None:
    key = key_of(folder, "best:energy")
    done = evonas("export", folder, "--to", "nir", "--pick", "best:energy", "--samples", 20, "--trust")
    assert done.exit_code == 0, done.output
    assert f"Training {key} again for 1 epochs" in done.stderr
    assert "on 20 validation samples: 0 of" in done.stdout
    graph = read(folder / "export" / f"{key}.nir")
    assert graph.metadata["key"] in (key, key.encode())
    assert graph.metadata["time_step_ms"] in ("1.0", b"1.0")
    assert (folder / "weights" / f"{key}.safetensors").is_file()
    again = evonas("export", folder, "--to", "nir", "--pick", key, "--trust")
    assert "Training" not in again.stderr


def test_what_is_known_is_written_as_text_without_training_or_data(folder: Path) -> None:
    (folder.parent / "few_digits.py").unlink()
    done = evonas("export", folder, "--to", "json", "--pick", "knee", "--pick", "best:accuracy")
    assert done.exit_code == 0, done.output
    for pick in ("knee", "best:accuracy"):
        key = key_of(folder, pick)
        known = json.loads((folder / "export" / f"{key}.json").read_text())
        assert known["key"] == key
        assert known["plan"]["populations"][-1]["name"] == "readout"
        assert known["measurement"]["activity"]["populations"]


def test_an_onnx_file_is_run_before_it_is_written(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    done = evonas("export", folder, "--to", "onnx", "--pick", "best:energy", "--trust")
    assert done.exit_code == 0, done.output
    assert "onnxruntime against the network: the logits of 0 of" in done.stdout
    assert (folder / "export" / f"{key_of(folder, 'best:energy')}.onnx").is_file()


def test_a_file_that_does_otherwise_is_not_written_and_the_first_difference_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evonas.export import check

    written = check.nir_graph

    def wrong(network: object, **options: object) -> object:
        graph = written(network, **options)  # type: ignore[arg-type]
        graph.nodes["stem_conv"].bias += 2.0
        return graph

    monkeypatch.setattr(check, "nir_graph", wrong)
    file = folder / "export" / f"{key_of(folder, 'best:energy')}.nir"
    file.parent.mkdir()
    file.write_text("as it was")
    done = evonas("export", folder, "--to", "nir", "--pick", "best:energy", "--trust")
    assert done.exit_code == 1
    assert "first in stem, time step 0, sample 0, neuron" in done.stdout
    assert "Not written" in done.stderr
    assert file.read_text() == "as it was"


def test_a_network_that_nir_cannot_say_is_refused_before_it_is_trained_and_others_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evonas.export import nir_graph

    key, other = key_of(folder, "best:energy"), key_of(folder, "best:accuracy")
    assert key != other
    steps = plan_of(folder, key)
    monkeypatch.setattr(nir_graph, "refusals", lambda plan: ["odd neurons"] if plan == steps else [])
    done = evonas("export", folder, "--to", "nir", "--pick", key, "--trust")
    assert done.exit_code == 2
    assert f"--to nir: {key} has odd neurons" in done.stderr
    named = done.stderr.partition("of the front, NIR can say ")[2]
    assert other in named
    assert key not in named
    assert "Training" not in done.stderr


def plan_of(folder: Path, key: str) -> object:
    """Return the plan of a network."""
    return load(folder).pick(key).plan


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--pick", "nothing"), "--pick nothing: no measured network begins so"),
        (("--pick", "best:acuracy"), "did you mean 'accuracy'"),
        (("--budget", "energy=1e-30"), "keep off the front: "),
        (("--pick", "cheapest"), "few_digits:read is code of its own; give --trust to run it"),
        (("--pick", "cheapest", "--path", "nowhere", "--trust"), "data.path: unknown option"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(folder: Path, options: tuple[str, ...], told: str) -> None:
    done = evonas("export", folder, "--to", "nir", *options)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert not list(folder.glob("export/*"))


def test_a_folder_without_a_whole_archive_or_without_room_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "export").write_text("a file in the way")
    done = evonas("export", folder, "--to", "json")
    assert done.exit_code == 2
    assert "export cannot be made" in done.stderr
    whole = (folder / "archive.h5").read_bytes()
    (folder / "archive.h5").write_bytes(whole[: len(whole) // 2])
    done = evonas("export", folder, "--to", "json")
    assert done.exit_code == 2
    assert "archive.h5" in done.stderr
    done = evonas("export", tmp_path, "--to", "json")
    assert done.exit_code == 2
    assert "no run.toml and no archive.h5" in done.stderr


def test_other_data_than_those_of_the_run_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "few_digits", raising=False)
    module = folder.parent / "few_digits.py"
    module.write_text(module.read_text().replace("120", "110"))
    done = evonas("export", folder, "--to", "nir", "--trust")
    assert done.exit_code == 2
    assert "their fingerprints differ" in done.stderr
