from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomli_w

from evonas.data.dataset import DataSet, Samples, SearchData
from evonas.errors import RunFileError, SpaceError
from evonas.genotype import Genotype
from evonas.runfile.resolve import resolve
from evonas.runfile.schema import SpaceSection
from evonas.strategies.mixture import Mixture

RIGHT = {
    "search": {"space": "spatial_temporal", "evaluations": 8},
    "data": {"name": "digits"},
    "objectives": [{"name": "accuracy", "at_least": 0.2}, {"name": "energy", "profile": "loihi1_davies"}],
    "strategies": [{"name": "evolution", "pop_size": 4}],
}

DIFFERENTIABLE = {"name": "differentiable", "objective": "energy", "contexts": {"channels": [4, 8]}}


def write(folder: Path, **sections: object) -> Path:
    path = folder / "run.toml"
    path.write_text(tomli_w.dumps({key: value for key, value in {**RIGHT, **sections}.items() if value is not None}))
    return path


def faults(path: Path, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(RunFileError) as caught:
        resolve(path, overrides=overrides)
    return caught.value.faults


def test_a_right_run_file_is_resolved(tmp_path: Path) -> None:
    resolved = resolve(write(tmp_path))
    assert [objective.name for objective in resolved.objectives] == ["accuracy", "energy"]
    assert resolved.objectives[0].at_least == 0.2
    assert resolved.objectives[1].profile == "loihi1_davies"
    assert resolved.strategy.name == "evolution"
    assert resolved.reference_rows == 4
    assert len(resolved.search_data.train) == 1797 - 2 * 359


def test_the_data_are_split_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split, seeds = DataSet.for_search, []

    def counted(self: DataSet, *, seed: int) -> SearchData:
        seeds.append(seed)
        return split(self, seed=seed)

    monkeypatch.setattr(DataSet, "for_search", counted)
    resolved = resolve(write(tmp_path, hardware={"profile": "loihi1_davies"}), overrides=("data.seed=5",))
    resolved.try_one(resolved.example())
    assert seeds == [5]


def test_data_that_cannot_be_split_are_a_fault_of_the_run_file(tmp_path: Path) -> None:
    (told,) = faults(write(tmp_path, data={"name": f"{__name__}:read_one"}))
    assert told == "data: 1 samples are too few to split into training and validation."


def read_one() -> DataSet:
    return DataSet(Samples(np.zeros((1, 1, 1, 2, 2), np.float32), np.zeros(1, np.int64)), classes=1)


def test_several_strategies_share_the_slots_as_the_run_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, strategies=[DIFFERENTIABLE | {"share": 2.0}, {"name": "random"}])
    fixed, success = resolve(path).strategy, resolve(path, overrides=("search.shares=success",)).strategy
    for mixture, shares in ((fixed, "fixed"), (success, "success")):
        assert isinstance(mixture, Mixture)
        assert mixture.shares == shares
        assert [(member.name, share) for member, share in mixture.members] == [("differentiable", 2.0), ("random", 1.0)]


def test_an_override_reaches_sections_and_lists(tmp_path: Path) -> None:
    path = write(tmp_path)
    overrides = ("search.evaluations=200", "objectives.0.at_least=0.5", "ladder.epochs=[1, 2]", "data.name=digits")
    resolved = resolve(path, overrides=overrides)
    assert resolved.file.search.evaluations == 200
    assert resolved.objectives[0].at_least == 0.5
    assert resolved.ladder.epochs == (1, 2)


def test_the_run_files_that_ship_are_right() -> None:
    faults: list[str] = []
    for path in Path("runs").glob("*.toml"):
        try:
            resolve(path)
        except RunFileError as error:
            faults += error.faults
    # of data that are not here; tests of each run file put some in their place
    assert [fault for fault in faults if not fault.startswith("data: ")] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"search": {"space": "spatial_temporal", "evaluation": 8}}, "search.evaluation: unknown key, got 8; did you mean 'evaluations'?"),
        ({"search": {"space": "spatial_temporal", "evaluations": "many"}}, "search.evaluations: input should be a valid integer, got 'many'"),
        ({"search": {"space": "spatial_temporal", "evaluations": 0}}, "search.evaluations: input should be greater than or equal to 1, got 0"),
        ({"search": {"space": "spatial_tempral", "evaluations": 8}}, "search.space: there is no spaces/spatial_tempral.py; did you mean 'spatial_temporal'?"),
        ({"search": {"space": "no_package.no_module:space", "evaluations": 8}}, "search.space: there is no no_package.no_module"),
        ({"search": {"space": "evonas.errors:space", "evaluations": 8}}, "evonas.errors does not define 'space'"),
        ({"search": {"space": "evonas.errors:SpaceError", "evaluations": 8}}, "is no Space with a `build`"),
        ({"search": None}, "search: missing; add a section [search]"),
        ({"data": {"name": "digit"}}, "data.name: there is no evonas/data/digit.py; did you mean 'digits'?"),
        ({"data": {"name": "images"}}, "data.path: missing"),
        ({"data": {"name": "images", "path": "/nowhere"}}, "data: data.path = /nowhere has neither train-images-idx3-ubyte nor"),
        ({"data": {"name": "digits", "side": 4}}, "data.side: unknown option; it takes encoding, delta_threshold"),
        ({"objectives": []}, 'objectives: expected one or more sections [[objectives]] with name = "accuracy", got []'),
        ({"ladder": {"epochs": []}}, "ladder.epochs: expected one or more numbers of epochs, such as [2, 6], got []"),
        ({"objectives": [{"name": "enery", "profile": "loihi1_davies"}]}, "objectives.0.name: there is no objectives/enery.py; did you mean 'energy'?"),
        ({"objectives": [{"name": "energy"}]}, "objectives.0.profile: missing"),
        ({"objectives": [{"name": "energy", "profle": "loihi1_davies", "profile": "loihi1_davies"}]}, "objectives.0.profle: unknown option; did you mean 'profile'?"),
        ({"objectives": [{"name": "energy", "profile": "loihi9"}]}, "objectives.0.profile:"),
        ({"objectives": [{"name": "accuracy"}, {"name": "accuracy"}]}, "a second objective is called 'accuracy'"),
        ({"objectives": [{"name": "accuracy", "at_least": 1.5}]}, "objectives.0.at_least: 1.5 can never be reached; the best possible is 1"),
        ({"objectives": [{"name": "spikes", "at_most": -3.0}]}, "objectives.0.at_most: -3 spikes/sample can never be kept"),
        ({"objectives": [{"name": "spikes", "at_least": 9.0, "at_most": 3.0}]}, "objectives.0.at_least: 9 is above at_most = 3"),
        ({"strategies": [{"name": "evoluton"}]}, "strategies.0.name: there is no evonas/strategies/evoluton.py; did you mean 'evolution'?"),
        ({"strategies": [{"name": "evolution", "popsize": 4}]}, "strategies.0.popsize: unknown option; did you mean 'pop_size'?"),
        ({"strategies": [{"name": "evolution", "pop_size": 0}]}, "strategies.0.pop_size: got 0, expected a whole number from 4 to 10,000"),
        ({"strategies": [DIFFERENTIABLE | {"prices": [1.0]}]}, "strategies.0.prices: got [1.0], expected the lowest and the highest price"),
        ({"strategies": [DIFFERENTIABLE | {"objective": "spikes"}]}, "strategies.0.objective: got 'spikes', expected one of the objectives accuracy, energy"),
        ({"strategies": [DIFFERENTIABLE | {"objective": "accuracy"}]}, "strategies.0.objective: 'accuracy' has no price for a differentiable search: objectives.accuracy does not define 'expected'"),
        ({"strategies": [DIFFERENTIABLE | {"contexts": {"width": [4]}}]}, "strategies.0.contexts.width: the space has no such variable"),
        ({"strategies": [DIFFERENTIABLE | {"contexts": {"time_steps": [4]}}]}, "strategies.0.contexts.time_steps: is no size of the space; the sizes are nodes, layers, channels"),
        ({"strategies": [DIFFERENTIABLE | {"contexts": {"channels": [5]}}]}, "strategies.0.contexts.channels: expected one of"),
        ({"strategies": [DIFFERENTIABLE | {"epoch": 4}]}, "strategies.0.epoch: unknown option; did you mean 'epochs'?"),
        ({"strategies": [{"name": "differentiable"}]}, "strategies.0.objective: missing; objective = … is needed here"),
        ({"search": {"space": "spatial_temporal", "evaluations": 8, "shares": "good"}}, "search.shares: input should be 'fixed' or 'success', got 'good'"),
        ({"workers": {"search_seconds": 0}}, "workers.search_seconds: input should be greater than 0, got 0"),
        ({"ladder": {"epochs": [6, 2]}}, "ladder.epochs: expected epochs that rise from rung to rung, such as [2, 6], got [6, 2]"),
        ({"workers": {"count": -1}}, "workers.count: input should be greater than or equal to 0, got -1"),
        ({"worker": {"count": 1}}, "worker: unknown key"),
        ({"hardware": {"fit": True}}, "hardware.profile: missing"),
        ({"hardware": {"profile": "loihi1_davies", "fit": 1}}, "hardware.fit: input should be a valid boolean, got 1"),
        ({"hardware": {"profile": "loihi1_davies", "weight_bits": 0}}, "hardware.weight_bits: input should be greater than or equal to 1, got 0"),
        ({"hardware": {"profile": "loihi9"}}, "hardware.profile: There is no profile 'loihi9'"),
        ({"hardware": {"profile": "loihi1_davies", "split": "rows"}}, "hardware.split: got 'rows', expected one of any, channels"),
        ({"hardware": {"profile": "loihi1_davies", "wight": "shared"}}, "hardware.wight: unknown option; did you mean 'weights'?"),
        ({"hardware": {"profile": "loihi9"}, "search": None}, "hardware.profile: There is no profile 'loihi9'"),
        ({"hardware": {"profile": "loihi1_davies"}, "search": {"space": "toys:unplanned", "evaluations": 8}}, "hardware.fit: true, but the space has no `plan`"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_key_what_came_and_what_to_do(
    tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    said = faults(write(tmp_path, **change))
    assert any(expected in fault for fault in said), said


@pytest.mark.parametrize("share", [0, float("nan"), -1.0, "half"])
def test_a_section_with_a_wrong_key_is_not_told_to_be_missing_as_well(tmp_path: Path, share: object) -> None:
    [said] = faults(write(tmp_path, strategies=[{"name": "evolution", "share": share}]))
    assert said.startswith("strategies.0.share: "), said


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        search={"space": "nowhere", "evaluations": 0},
        objectives=[{"name": "energy", "profile": "loihi9"}, {"name": "spikez"}],
        strategies=[{"name": "evolution", "popsize": 4}],
        colour={"red": 1},
    )
    said = "\n".join(faults(path))
    for part in (
        "search.evaluations",
        "search.space",
        "objectives.0.profile",
        "objectives.1.name",
        "popsize",
        "colour",
    ):
        assert part in said


def test_a_profile_without_a_source_is_rejected(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'schema = 1\n[profile]\nid = "mine"\nname = "mine"\ncomposition = "additive"\nscope = "arithmetic-only"\n'
        'class = "arith-only"\n[energy]\nsynop = { v = 1.0, k = "measured" }\n'
    )
    said = faults(write(tmp_path, objectives=[{"name": "energy", "profile": str(profile)}]))
    assert any("energy.synop" in fault and "source" in fault for fault in said), said


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("search.evaluations", "expected section.key=value"),
        ("objectives.7.at_least=1", "there is no objectives.7"),
        ("objectives.at_least=1", "of several name one"),
    ],
)
def test_an_override_without_form_or_place_is_rejected(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in faults(write(tmp_path), override)[0]


def test_a_file_that_is_missing_or_no_toml_is_told(tmp_path: Path) -> None:
    assert "there is no such run file" in faults(tmp_path / "none.toml")[0]
    (tmp_path / "bad.toml").write_text("[search\n")
    assert "not a TOML file" in faults(tmp_path / "bad.toml")[0]


def test_what_the_price_of_a_search_leaves_out_is_noted(tmp_path: Path) -> None:
    def notes(profile: str) -> tuple[str, ...]:
        objectives = [{"name": "accuracy"}, {"name": "energy", "profile": profile}]
        return resolve(write(tmp_path, strategies=[DIFFERENTIABLE], objectives=objectives)).notes

    (note,) = notes("sram45_int8")
    assert note.startswith("strategies.0: the searches follow a simpler energy, which leaves out accesses to memory;")
    assert notes("loihi1_davies") == ()


def test_more_workers_than_jobs_open_at_once_is_noted(tmp_path: Path) -> None:
    resolved = resolve(write(tmp_path, workers={"count": 9}))
    assert "the rest will idle" in resolved.notes[0]


def test_what_the_chip_leaves_unchecked_and_an_objective_of_another_chip_are_noted(tmp_path: Path) -> None:
    resolved = resolve(write(tmp_path, hardware={"profile": "loihi2"}))
    assert (
        "hardware.profile = loihi2 says what fits, while objectives ask for energy on loihi1_davies." in resolved.notes
    )
    assert any(
        "on loihi2 is not checked for weight bits (the profile does not tell)" in note for note in resolved.notes
    )
    assert resolve(write(tmp_path, hardware={"profile": "loihi1_davies"})).notes == ()


def test_weights_of_other_bits_in_the_check_and_in_an_objective_are_noted(tmp_path: Path) -> None:
    four = resolve(write(tmp_path, hardware={"profile": "loihi1_davies", "weight_bits": 4}))
    (note,) = four.notes
    assert note.startswith("hardware.weight_bits = 4 says what fits, while energy is computed for weights of 8 bits.")
    energy = {"name": "energy", "profile": "loihi1_davies", "weight_bits": 4}
    hardware = {"profile": "loihi1_davies", "weight_bits": 4}
    same = resolve(write(tmp_path, hardware=hardware, objectives=[{"name": "accuracy"}, energy]))
    assert same.notes == ()


def test_a_run_file_without_hardware_rejects_nothing_and_has_the_settings_of_older_archives(tmp_path: Path) -> None:
    resolved = resolve(write(tmp_path))
    assert resolved.chip_constraint is None
    assert not [key for key in resolved.file.settings() if key.startswith("hardware")]


def test_a_network_that_cannot_be_planned_does_not_pass_for_one_that_fits(tmp_path: Path) -> None:
    reject = resolve(write(tmp_path, hardware={"profile": "loihi1_davies"})).reject
    assert reject is not None
    with pytest.raises(SpaceError, match="The `plan` of the space failed for network .*KeyError"):
        reject(Genotype({}))


def test_a_search_of_surrogates_is_checked_and_leaves_no_key_where_it_is_off(tmp_path: Path) -> None:
    searched = write(tmp_path, training={"search_surrogates_every": 50})
    assert resolve(searched).file.settings()["training.search_surrogates_every"] == 50
    assert any("training.search_surrogates_every" in fault for fault in faults(searched, "search.space=toys:unplanned"))
    assert any("got 0" in fault for fault in faults(write(tmp_path, training={"search_surrogates_every": 0})))
    # an archive from before there was this key can be resumed
    assert "training.search_surrogates_every" not in resolve(write(tmp_path)).file.settings()


def test_a_space_and_an_objective_of_the_working_directory_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "objectives").mkdir()
    (tmp_path / "spaces" / "my_own_space.py").write_text(
        "from evonas import Choice, Space\nspace = Space({'a': Choice([1, 2])}, build=lambda *a: None)\n"
    )
    (tmp_path / "objectives" / "my_own_objective.py").write_text(
        "from evonas import Objective\n\ndef objective(*, factor: float = 1.0) -> Objective:\n"
        "    return Objective('mine', lambda m: factor * m.loss)\n"
    )
    code = (
        "from evonas.runfile.resolve import resolve; from pathlib import Path;"
        "r = resolve(Path('run.toml')); print(list(r.space.variables), r.objectives[0].name, r.objectives[1].name)"
    )
    path = write(
        tmp_path,
        search={"space": "my_own_space", "evaluations": 8},
        objectives=[{"name": "my_own_objective", "factor": 2.0}, {"name": "accuracy"}],
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['a'] mine accuracy", done.stderr


def test_an_empty_table_of_what_is_left_leaves_all() -> None:
    assert SpaceSection.model_validate({"only": {}}) == SpaceSection()
    assert SpaceSection.model_validate({"only": {"layers": [2, 4]}}).only == {"layers": [2, 4]}
