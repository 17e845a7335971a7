"""The final training: from a run to networks that are trained for real and tested once."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import evonas
from safetensors.torch import load_file

from evonas import load
from evonas.data.dataset import DataSet
from evonas.errors import ArchiveError, RunFileError, TrainingDivergedError
from evonas.measurement import Measurement
from evonas.training.chip_weights import chip_weights
from evonas.training.fit import Fit


@pytest.fixture
def folder(searched: Path, tmp_path: Path) -> Iterator[Path]:
    """Return the results of a run, in whose place of work the commands are given."""
    place = tmp_path / "work"
    shutil.copytree(searched, place)
    sys.modules.pop("few_digits", None)
    with contextlib.chdir(place):
        yield place / "results"
    sys.modules.pop("few_digits", None)  # some tests change it


def train(folder: Path, *options: object, pick: str = "best:energy", epochs: int = 3, seeds: int = 2) -> Any:
    given = ("--pick", pick, "--epochs", epochs, "--seeds", seeds, "--workers", 0, "--trust", *options)
    return evonas("train", folder, *given)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def weights(folder: Path) -> dict[str, Mapping[str, torch.Tensor]]:
    return {path.stem: load_file(path) for path in sorted((folder / "trained").glob("*.safetensors"))}


def same(one: dict[str, Mapping[str, torch.Tensor]], other: dict[str, Mapping[str, torch.Tensor]]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name][part], other[name][part]) for name in one for part in one[name]
    )


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "trained" / "trained.csv").read_text().splitlines()))


def test_each_pick_is_trained_from_each_seed_and_tested_beside_what_the_search_said(folder: Path) -> None:
    done = train(folder, "--pick", "best:accuracy")
    assert done.exit_code == 0, done.output
    run = load(folder, trust=True)
    picked = [run.pick(one) for one in ("best:energy", "best:accuracy")]
    table = rows(folder)
    assert {(row["key"], row["seed"]) for row in table} == {(one.key, seed) for one in picked for seed in "01"}
    for network in picked:
        own = [row for row in table if row["key"] == network.key]
        assert network.trained_seeds == (0, 1)
        assert {float(row["search accuracy"]) for row in own} == {network.measurement.accuracy}
        for row in own:
            result = json.loads((folder / "trained" / f"{network.key}-{row['seed']}.json").read_text())
            hits = sum(result["confusion"][label][label] for label in range(10))
            assert sum(map(sum, result["confusion"])) == int(row["test samples"]) == 24
            assert float(row["test accuracy"]) == hits / 24
            assert float(row["gain of accuracy"]) == pytest.approx(hits / 24 - network.measurement.accuracy)
            low, nominal, high = (
                float(row[f"energy on arith45_fp32, {end} [J/sample]"]) for end in ("low", "nominal", "high")
            )
            assert low <= nominal <= high
            assert nominal == float(row["test energy [J/sample]"])
    assert "±" in done.stdout
    assert "test accuracy" in done.stdout


def test_what_was_trained_is_loaded_and_does_what_was_tested(folder: Path) -> None:
    assert train(folder, "--set", "training.train_neurons=true", "--average", "0.9").exit_code == 0
    picked = load(folder, trust=True).pick("best:energy")
    network = picked.network(trained=1)
    assert not network.training
    from few_digits import read  # type: ignore[import-not-found]

    test = read().test()
    inputs = torch.from_numpy(test.inputs.values).transpose(0, 1)
    result = json.loads((folder / "trained" / f"{picked.key}-1.json").read_text())
    with torch.no_grad():
        hits = int((network(inputs).argmax(1) == torch.from_numpy(test.labels)).sum())
    assert result["measurement"]["metrics"]["accuracy"] == hits / len(test)
    with pytest.raises(RunFileError, match="was not trained from seed 5, but from 0, 1"):
        picked.network(trained=5)
    (folder / "trained" / f"{picked.key}-0.safetensors").write_bytes(b"cut")
    with pytest.raises(ArchiveError, match="cannot be used"):
        picked.network(trained=0)


def test_the_test_samples_are_read_once_and_each_further_reading_is_said_and_counted(folder: Path) -> None:
    first = train(folder)
    assert "are read for the" not in first.output
    before = weights(folder)
    again = train(folder)
    assert again.exit_code == 0, again.output
    assert "were not read again" in again.output
    more = train(folder, seeds=3)
    assert "The test samples are read for the 2nd time" in more.output
    assert same({name: known for name, known in weights(folder).items() if name in before}, before)
    disturbed = train(folder, "--robustness", seeds=1)
    assert "The test samples are read for the 3rd time" in disturbed.output
    readings = [json.loads(line) for line in (folder / "test-readings.jsonl").read_text().splitlines()]
    assert [(one["reading"], len(one["trained"]), one["why"]) for one in readings] == [
        (1, 2, "test"), (2, 1, "test"), (3, 1, "robustness")
    ]  # fmt: skip
    assert [row["reading of the test samples"] for row in rows(folder)] == ["3", "1", "2"]


def test_a_reading_is_counted_before_it_is_done_and_searches_do_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(self: DataSet, *, seed: int = 0) -> None:
        assert (folder / "test-readings.jsonl").is_file()
        raise RuntimeError("the power is cut")

    monkeypatch.setattr(DataSet, "test", closed)
    assert evonas("run", "tiny.toml", "--output", "other", "--set", "search.evaluations=2").exit_code == 0
    assert load(folder, trust=True).pick("best:energy").train() is not None
    done = train(folder)
    assert isinstance(done.exception, RuntimeError)
    assert len((folder / "test-readings.jsonl").read_text().splitlines()) == 1
    monkeypatch.undo()
    assert "The test samples are read for the 2nd time" in train(folder).output


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--keep-validation",),
        ("--average", "0.9", "--augment", "crop=1"),
        ("--quantize", "4", "--keep-validation", "--average", "0.9"),
    ],
)
@pytest.mark.parametrize("left_at", [(0, 1), (1, 3)])
def test_a_training_that_was_stopped_comes_to_the_same_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], left_at: tuple[int, int]
) -> None:
    if "--augment" in options:
        _with_images(folder)
    assert train(folder, *options).exit_code == 0
    whole, table = weights(folder), rows(folder)
    shutil.rmtree(folder / "trained")
    (folder / "test-readings.jsonl").unlink()
    run_epoch, count = Fit.run_epoch, [0]

    def stopping(self: Fit) -> float:
        count[0] += 1
        if count[0] == 3 * left_at[0] + left_at[1]:
            raise KeyboardInterrupt
        return run_epoch(self)

    monkeypatch.setattr(Fit, "run_epoch", stopping)
    stopped = train(folder, *options)
    assert stopped.exit_code == 1
    assert "every finished epoch is kept. Go on with the same command" in stopped.output
    assert not (folder / "test-readings.jsonl").exists()
    monkeypatch.undo()
    done = train(folder, *options)
    assert done.exit_code == 0, done.output
    assert ("goes on after epoch 2" in done.output) == (left_at[1] == 3)
    assert same(weights(folder), whole)
    assert rows(folder) == table
    assert not (folder / "trained" / "checkpoints").exists()


def _with_images(folder: Path) -> None:
    """Let the reader of the data take an option that varies training."""
    path = folder.parent / "few_digits.py"
    path.write_text(path.read_text().replace("def read():", "def read(*, crop: int = 0) -> DataSet:").replace(
        "digits.read()", "digits.read(crop=crop)"))  # fmt: skip
    sys.modules.pop("few_digits", None)


def test_training_and_validation_samples_are_trained_on_unless_they_are_kept_apart(folder: Path) -> None:
    assert "on 96 training and validation samples" in train(folder, seeds=1).output
    shutil.rmtree(folder / "trained")
    kept = train(folder, "--keep-validation", seeds=1)
    assert "on 72 training samples" in kept.output


def test_with_a_validation_part_the_best_epoch_on_it_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evonas.final import training

    seen: list[tuple[float, Mapping[str, torch.Tensor]]] = []
    see = training._Best.see

    def noted(self: Any, network: Any) -> dict[str, float]:
        found = see(self, network)
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        seen.append((found["validation accuracy"], state))
        return found

    monkeypatch.setattr(training._Best, "see", noted)
    assert train(folder, "--keep-validation", seeds=1, epochs=6).exit_code == 0
    best = max(range(6), key=lambda epoch: seen[epoch][0])  # the first of equal ones
    (kept,) = weights(folder).values()
    assert all(torch.equal(kept[name], seen[best][1][name]) for name in kept)


def test_where_a_training_fails_the_others_are_kept_and_nothing_is_tested(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_epoch, count = Fit.run_epoch, [0]

    def failing(self: Fit) -> float:
        count[0] += 1
        if count[0] == 2:
            raise TrainingDivergedError("The loss is nan in epoch 2 of 3.")
        return run_epoch(self)

    monkeypatch.setattr(Fit, "run_epoch", failing)
    done = train(folder)
    assert done.exit_code == 1
    assert "-0 failed: The loss is nan in epoch 2 of 3." in done.output
    assert "1 of 2 trainings failed, so that the test samples were not read; the weights of 1 are kept" in done.output
    assert [name[-2:] for name in weights(folder)] == ["-1"]
    assert not (folder / "test-readings.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--pick", "zzz"), "--pick zzz: no measured network begins so"),
        (("--pick", "best:speed"), "--pick best:speed: there is no objective 'speed'"),
        (("--epochs", 0), "--epochs: got 0, expected a whole number from 1 to"),
        (("--seeds", 0), "--seeds: got 0, expected a whole number from 1 to"),
        (("--set", "search.seed=2"), "--set search.seed=2: expected training.KEY=VALUE"),
        (("--set", "training.los=1"), "training.los: unknown key, got 1; did you mean 'loss'?"),
        (("--set", "training.warm_up=2"), "training.warm_up"),
        (("--augment", "zoom"), "--augment zoom: there is no such augmentation; there are flip, crop, cutout"),
        (("--augment", "crop=1"), "crop"),  # the data of this run have no such option
        (("--average", 1), "--average: got 1.0, expected a number from 0 to 0.999999"),
        (("--quantize", "1"), "--quantize: got 1, expected a whole number from 2 to 16, or chip"),
        (("--quantize", "few"), "--quantize: got few, expected a whole number from 2 to 16, or chip"),
        (("--quantize", "chip"), "--quantize chip: the run says no weight_bits of its chip; expected a whole number"),
        (("--mixed-precision",), "--mixed-precision: it is for GPUs; add --num-gpus, or leave it out"),
        (("--num-gpus", 1), "--num-gpus: with --workers 0 it is trained in this process, where torch sees no GPU"),
        (("--num-cpus", 1.5), "workers.num_cpus: expected a whole number, or a part"),
        (("--path", "nowhere"), "data"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    folder: Path, options: tuple[object, ...], expected: str
) -> None:
    before = contents(folder)
    done = train(folder, *options)
    assert done.exit_code == 2, done.output
    assert expected in done.output
    assert contents(folder) == before


def test_what_is_trained_otherwise_is_refused_and_stays(folder: Path) -> None:
    assert train(folder).exit_code == 0
    before = contents(folder)
    done = train(folder, "--set", "training.learning_rate=0.01", epochs=4)
    assert done.exit_code == 2
    assert "holds networks that were trained with training.epochs = 3, now 4" in done.output
    assert "training.learning_rate = 0.005, now 0.01" in done.output
    assert contents(folder) == before


def test_data_that_are_gone_or_others_are_refused(folder: Path) -> None:
    path, before = folder.parent / "few_digits.py", contents(folder)
    path.write_text(path.read_text().replace("120", "119"))
    sys.modules.pop("few_digits", None)
    done = train(folder)
    assert done.exit_code == 2
    assert "are others than those that the run was made with" in done.output
    path.unlink()
    sys.modules.pop("few_digits", None)
    gone = train(folder)
    assert gone.exit_code == 2
    assert "few_digits" in gone.output
    assert contents(folder) == before


def test_code_of_its_own_is_not_run_without_trust(folder: Path) -> None:
    done = evonas("train", folder, "--epochs", 1, "--workers", 0)
    assert done.exit_code == 2
    assert "give --trust" in done.output
    assert not (folder / "trained").exists()


def test_a_folder_that_is_damaged_or_held_is_refused(folder: Path) -> None:
    import fcntl

    assert train(folder, seeds=1).exit_code == 0
    with (folder / "trained" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = train(folder, seeds=2)
    assert held.exit_code == 2
    assert "another command trains in" in held.output
    archive = folder / "archive.h5"
    archive.write_bytes(archive.read_bytes()[:-7])
    before = contents(folder)
    cut = train(folder, seeds=2)
    assert cut.exit_code == 2, cut.output
    assert "damaged" in cut.output
    assert contents(folder) == before


def test_a_folder_that_cannot_be_written_to_is_refused(folder: Path) -> None:
    (folder / "trained").write_text("a file in the way")
    done = train(folder)
    assert done.exit_code == 2
    assert "cannot be written to" in done.output
    assert (folder / "trained").read_text() == "a file in the way"


def test_a_damaged_checkpoint_is_told_and_its_removal_begins_the_training_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(folder, seeds=1).exit_code == 0
    (name,) = weights(folder)
    whole = weights(folder)
    shutil.rmtree(folder / "trained")
    (folder / "trained" / "checkpoints").mkdir(parents=True)
    checkpoint = folder / "trained" / "checkpoints" / f"{name}.pt"
    checkpoint.write_bytes(b"half a checkpoint")
    done = train(folder, seeds=1)
    assert done.exit_code == 1
    assert "cannot be used" in done.output
    assert "Remove it, and this training begins anew" in done.output
    checkpoint.unlink()
    assert train(folder, seeds=1).exit_code == 0
    assert same(weights(folder), whole)


def test_what_was_trained_is_exported(folder: Path) -> None:
    from evonas.export.nir_graph import read, refusals

    key = next(one.key for one in load(folder, trust=True).front() if not refusals(one.plan))
    assert train(folder, pick=key).exit_code == 0
    done = evonas("export", folder, "--to", "nir", "--pick", key, "--trained", 1, "--samples", 8, "--trust")
    assert done.exit_code == 0, done.output
    assert "Training" not in done.output
    assert read(folder / "export" / f"{key}-1.nir").metadata["trained"] in (f"{key}-1", f"{key}-1".encode())
    missing = evonas("export", folder, "--to", "nir", "--pick", key, "--trained", 9, "--trust")
    assert missing.exit_code == 2
    assert f"--trained: {key} was not trained from seed 9, but from 0, 1" in missing.output


def test_robustness_is_a_row_a_disturbance_with_its_draws(folder: Path) -> None:
    done = train(folder, "--robustness", seeds=1)
    assert done.exit_code == 0, done.output
    assert "dead neurons 5%" in done.stdout
    table = list(csv.DictReader((folder / "trained" / "robustness.csv").read_text().splitlines()))
    draws = {row["disturbance"]: int(row["draws"]) for row in table}
    assert draws == {
        **dict.fromkeys(("weight noise 1%", "weight noise 5%", "weight noise 10%"), 5),
        **dict.fromkeys(("dead neurons 5%", "dead neurons 10%", "lost input 5%", "lost input 10%"), 5),
        "int8 weights": 1,
        "int4 weights": 1,
    }
    assert all(0 <= float(row["mean"]) <= 1 for row in table)


def test_with_few_bits_what_is_tested_is_what_is_kept_and_exported(folder: Path) -> None:
    import few_digits
    import nir
    import onnx

    from evonas.export.nir_graph import refusals

    key = next(one.key for one in load(folder, trust=True).front() if not refusals(one.plan))
    done = train(folder, "--quantize", 4, "--robustness", pick=key, seeds=1)
    assert done.exit_code == 0, done.output
    assert "for weights of 4 bits" in done.output
    result = json.loads((folder / "trained" / f"{key}-0.json").read_text())
    assert json.loads((folder / "trained" / "recipe.json").read_text())["weight_bits"] == 4
    under = {one["disturbance"]: one["mean"] for one in result["robustness"]}
    assert under["int4 weights"] == result["measurement"]["metrics"]["accuracy"]
    network = load(folder, trust=True).pick(key).network(trained=0)
    held = [one.folded() for one in chip_weights(network)]
    assert held
    assert all(one.unique().numel() <= 15 for one in held)
    assert any(bool((one == 0).any()) for one in held)
    recorder, test = network.recorder(), few_digits.read().test()
    with torch.no_grad():
        network(torch.from_numpy(test.inputs.values).transpose(0, 1), recorder)
    assert recorder.activity() == Measurement.from_json(result["measurement"]).activity
    for to in ("nir", "onnx"):
        exported = evonas("export", folder, "--to", to, "--pick", key, "--trained", 0, "--samples", 8, "--trust")
        assert exported.exit_code == 0, exported.output
    graph = nir.read(str(folder / "export" / f"{key}-0.nir"))
    convolutions = [np.unique(node.weight) for node in graph.nodes.values() if isinstance(node, nir.Conv2d)]
    assert len(convolutions) > 1
    assert all(len(values) <= 16 for values in convolutions)  # and zero, where groups are not connected
    kernels = [
        onnx.numpy_helper.to_array(one)
        for one in onnx.load(str(folder / "export" / f"{key}-0.onnx")).graph.initializer
        if len(one.dims) in (2, 4)
    ]
    assert len(kernels) > 1
    assert all(len(np.unique(one)) <= 16 for one in kernels)


def test_energy_and_fit_are_those_of_the_bits_that_weights_have(folder: Path) -> None:
    def priced(*options: object) -> tuple[float, float]:
        done = train(folder, "--profile", "sram45_int8", *options, seeds=1, epochs=1)
        assert done.exit_code == 0, done.output
        (row,) = rows(folder)
        trained = float(row["test energy [J/sample]"])
        assert trained == float(row["energy on sram45_int8, nominal [J/sample]"])
        shutil.rmtree(folder / "trained")
        return trained, float(row["search energy [J/sample]"])

    whole, eight, two = priced(), priced("--quantize", 8), priced("--quantize", 2)
    assert whole[1] == eight[1] == two[1]
    assert two[0] < 0.9 * eight[0]


def test_the_bits_of_the_chip_are_those_that_the_run_says(folder: Path) -> None:
    for overrides, bits in (
        (("objectives.2.weight_bits=6",), 6),
        (("objectives.2.weight_bits=6", 'hardware={"profile" = "loihi1_davies", "fit" = false, "weight_bits" = 5}'), 5),
    ):
        settings = [
            part for one in ("search.evaluations=2", "ladder.epochs=[1]", *overrides) for part in ("--set", one)
        ]
        assert evonas("run", "tiny.toml", "--output", f"bits{bits}", *settings).exit_code == 0
        done = train(Path(f"bits{bits}"), "--quantize", "chip", seeds=1, epochs=1)
        assert f"for weights of {bits} bits" in done.output, done.output
        assert json.loads(Path(f"bits{bits}/trained/recipe.json").read_text())["weight_bits"] == bits
