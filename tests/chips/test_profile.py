"""Profiles: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from evonas.chips.profile import KINDS, SHIPPED, load, names
from evonas.errors import ProfileError

GOOD = """
schema = 1
[profile]
id = "chip"
name = "A chip"
class = "async-digital"
composition = "additive"
scope = "chip"
refs = { book = "A book" }
uncertainty = { lo = 0.5, hi = 2.0, k = "estimated" }
[energy]
synop = { v = 10.0, hi = 12.0, k = "measured", r = "book" }
hop = { v = 3.0, k = "derived", r = "book", in = "synop", note = "by the way" }
[power]
static_chip = { v = 1.0, k = "measured", r = "book" }
[time]
model = "tick"
tick_us = 1000
synop = { v = 2.0, k = "estimated" }
[fit]
cores = 4
weight_bits = [1, 8]
recurrence = true
neuron_models = ["lif"]
[rules]
counts = "exact"
[[golden]]
name = "one"
S = 5
expect_mj = { total = 1.0 }
tol = 0.01
"""


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "chip.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(path: Path) -> str:
    with pytest.raises(ProfileError) as caught:
        load(path)
    return str(caught.value)


def test_a_profile_is_read_with_values_bands_kinds_and_sources(tmp_path: Path) -> None:
    chip = load(write(tmp_path))
    synop = chip.energy["synop"]
    assert (synop.value, synop.low, synop.high, synop.kind, synop.source) == (10.0, 10.0, 12.0, "measured", "book")
    assert (chip.energy["hop"].inside, chip.energy["hop"].note) == ("synop", "by the way")
    assert chip.uncertainty is not None
    assert (chip.uncertainty.low, chip.uncertainty.value, chip.uncertainty.high) == (0.5, 1.0, 2.0)
    assert (chip.time["tick_us"], chip.time["synop"].value, chip.fit["weight_bits"]) == (1000, 2.0, [1, 8])
    assert (chip.all_in, chip.memory, chip.node_nm) == ({}, {}, None)
    assert chip.golden[0]["S"] == 5


@pytest.mark.parametrize("name", names(folder=SHIPPED))
def test_every_number_of_a_shipped_profile_has_a_kind_and_a_source(name: str) -> None:
    chip = load(name)
    assert chip.id == name
    for section in (chip.energy, chip.energy_alternative, chip.all_in, chip.power):
        for coefficient in section.values():
            assert coefficient.kind in KINDS
            assert coefficient.kind != "unverified"
            assert coefficient.source


SHIPPING = {"arith45_fp32", "sram45_int8", "loihi1_davies", "loihi1_sanafe", "loihi2", "truenorth28", "odin28", "speck2f",
            "xylo_a2", "spinnaker1", "spinnaker2", "seneca22", "gpu_degnan"}  # fmt: skip


def test_the_profiles_that_ship_are_known_by_name() -> None:
    assert set(names(folder=SHIPPED)) == SHIPPING
    assert set(names()) >= SHIPPING
    assert load("loihi1_davies").energy["hop"].high == 4.0


def test_a_profile_in_the_working_directory_comes_before_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "objectives" / "profiles"
    folder.mkdir(parents=True)
    write(folder)
    monkeypatch.chdir(tmp_path)
    assert load("chip").name == "A chip"
    assert load("arith45_fp32").family == "arith-only"


def test_a_folder_replaces_the_places_where_names_are_looked_up(tmp_path: Path) -> None:
    write(tmp_path)
    assert names(folder=tmp_path) == ("chip",)
    assert load("chip", folder=tmp_path).id == "chip"
    with pytest.raises(ProfileError, match="no profile 'loihi1_davies'; known are: chip"):
        load("loihi1_davies", folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema: got 2, expected 1"),
        ("schema = 1", "", "schema is missing, expected 1"),
        ("schema = 1", "schema = true", "schema: got True, expected 1"),
        ('id = "chip"', 'id = "other"', "profile.id: got 'other', expected 'chip', the name of the file"),
        ('scope = "chip"', 'scope = "board"', "profile.scope: got 'board', expected one of arithmetic-only"),
        ('refs = { book = "A book" }', "", "profile.refs is missing, expected a table of citations"),
        ("v = 10.0, hi = 12.0", "v = '10 pJ'", "energy.synop.v: got '10 pJ', expected a finite number"),
        ("v = 10.0, hi = 12.0", "v = -1.0", "energy.synop.v: got -1.0"),
        ("v = 10.0, hi = 12.0", "v = nan", "energy.synop.v: got nan"),
        ("v = 10.0, hi = 12.0", "v = true", "energy.synop.v: got True"),
        ("v = 10.0, hi = 12.0", "hi = 12.0", "energy.synop.v is missing, expected the value in pJ"),
        ("hi = 12.0", "hi = 9.0", "energy.synop: got the band 10.0 to 9.0, expected one that holds the value 10.0"),
        ("hi = 12.0", "max = 12.0", "energy.synop.max: there is no such key"),
        ('v = 10.0, hi = 12.0, k = "measured"', "v = 10.0", "energy.synop.k is missing, expected the kind of evidence"),
        ('k = "measured", r = "book" }\nhop', 'k = "guess", r = "book" }\nhop', "energy.synop.k: got 'guess'"),
        ('v = 1.0, k = "measured", r = "book"', 'v = 1.0, k = "measured"', "power.static_chip.r is missing"),
        ('v = 1.0, k = "measured", r = "book"', 'v = 1.0, k = "measured", r = " "', "power.static_chip.r: got ' '"),
        (
            'hop = { v = 3.0, k = "derived"',
            'hopp = { v = 3.0, k = "derived"',
            "hopp: there is no such key; did you mean hop?",
        ),
        ('in = "synop"', 'in = "mac"', "energy.hop.in: got 'mac', expected a key of [energy]"),
        ('in = "synop"', 'in = "hop"', "energy.hop.in: got 'hop', expected a key of [energy]"),
        (
            'synop = { v = 10.0, hi = 12.0, k = "measured", r = "book" }',
            "synop = 10.0",
            "energy.synop: got 10.0, expected",
        ),
        ("lo = 0.5, hi", "lo = 1.5, hi", "profile.uncertainty: got the band 1.5 to 2.0"),
        ("lo = 0.5, hi", "hi", "profile.uncertainty.lo is missing"),
        (
            "[fit]",
            "[memory]\nsram_pj_per_64b = [[8, 1.0]]\n[fit]",
            "memory.sram_pj_per_64b: got [[8, 1.0]], expected a table",
        ),
        (
            "[fit]",
            '[memory]\nsram_pj_per_64b = { v = [[8, 1.0]], k = "measured" }\n[fit]',
            "memory.sram_pj_per_64b.r is missing, expected the source",
        ),
        ("[fit]", "[fitt]", "fitt: there is no such key; did you mean fit?"),
        ("[power]", "[power]\nidle = 3", "power.idle: there is no such key"),
        ("cores = 4", "cores = 4.5", "fit.cores: got 4.5, expected a whole number"),
        ("weight_bits = [1, 8]", "weight_bits = [8, 1]", "fit.weight_bits: got [8, 1], expected [lowest, highest]"),
        ("recurrence = true", "recurrence = 1", "fit.recurrence: got 1, expected true or false"),
        ('["lif"]', '"lif"', "fit.neuron_models: got 'lif', expected a list of texts"),
        ('model = "tick"', 'model = "tock"', "time.model: got 'tock', expected one of async-barrier"),
        ('model = "tick"', "sync_by_tiles = [[2, 1], [1, 2]]", "sync_by_tiles: got [[2, 1], [1, 2]], expected a list"),
        ('model = "tick"', "", "time.model is missing"),
        ('counts = "exact"', "", "rules.counts is missing"),
        ('[rules]\ncounts = "exact"', "", "rules is missing, expected a section"),
        ("tol = 0.01", "", "golden[0].tol is missing"),
        ("S = 5", "S = 5\nsynops = 5", "golden[0].synops: there is no such key"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_reason(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in faults_of(write(tmp_path, (old, new)))


def test_all_faults_of_a_profile_come_together(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        ("schema = 1", "schema = 7"),
        ('id = "chip"', 'id = "chop"'),
        ("v = 10.0, hi = 12.0", "v = 'ten'"),
        ("[fit]", "[feet]"),
        ("tick_us = 1000", "tick_us = 'slow'"),
    )
    message = faults_of(path)
    assert str(path) in message
    assert message.count("\n- ") == 5
    for where in ("schema", "profile.id", "energy.synop.v", "feet", "time.tick_us"):
        assert f"\n- {where}: " in message


def test_a_section_that_is_no_table_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "chip.toml"
    path.write_text('schema = 1\nprofile = 3\nenergy = 4\ngolden = 5\n[rules]\ncounts = "exact"\n', encoding="utf-8")
    message = faults_of(path)
    for where in ("profile: got 3", "energy: got 4", "golden: got 5"):
        assert where in message


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("schema = = 1", encoding="utf-8")
    with pytest.raises(ProfileError, match="cannot be read"):
        load(str(tmp_path / "bad.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="cannot be read"):
        load(tmp_path / "binary.toml")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ProfileError, match=r"no profile 'loihi9'; known are: .*loihi1_davies"):
        load("loihi9")
