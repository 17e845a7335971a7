"""Profiles that somebody damaged or half filled in: refused by sentences, or estimates that are finite numbers."""

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counted import analog, gesture, graded, small
from fuzz.damage import changed, damaged, places
from fuzz.run_files import toml
from fuzz.verdict import told

from evonas.chips import energy, fit, latency
from evonas.chips.coverage import coverage
from evonas.chips.deployment import Deployment
from evonas.chips.profile import SHIPPED, Profile, load, names
from evonas.errors import ProfileError, UnpriceableError
from evonas.measurement import Activity, Measurement
from objectives import energy as energy_objective
from objectives import fit as fit_objective
from objectives import latency as latency_objective

NAMES = names(folder=SHIPPED)
TEXTS = {name: (SHIPPED / f"{name}.toml").read_bytes() for name in NAMES}
ACTIVITIES = (small(), analog(), graded(), gesture())
OPTIONS = (Deployment(), Deployment(weights="shared", static_first="every-step", host="active"))


def refused(action: Callable[[], Any]) -> str | None:
    """Return the sentence by which something is refused, None where it is not."""
    try:
        action()
    except (ProfileError, UnpriceableError) as error:
        verdict = told(str(error))
        assert verdict.outcome == "told", verdict.detail
        return str(error)
    return None


def check_estimates(profile: Profile) -> None:
    """Check that whatever the profile can be asked for is a finite number of at least 0, or refused by a sentence."""

    def values(activity: Activity, assumed: Deployment) -> list[Callable[[], list[float]]]:
        return [
            lambda: [energy.joules(activity, profile, assumed=assumed)],
            lambda: [energy.joules(activity, profile, part="total", assumed=assumed)],
            lambda: [*vars(energy.estimate(activity, profile, assumed=assumed).total).values()],
            lambda: [*vars(latency.estimate(activity, profile, assumed=assumed).seconds).values()],
            lambda: [fit.check(activity, profile, assumed=assumed).degree],
        ]

    def finite(ask: Callable[[], list[float]]) -> None:
        found = ask()
        assert all(math.isfinite(value) and value >= 0 for value in found), (profile.id, found)
        if len(found) == 3:
            assert found[0] <= found[1] * (1 + 1e-12) <= found[2] * (1 + 1e-11), (profile.id, found)

    coverage(profile)
    for activity in ACTIVITIES:
        for assumed in OPTIONS:
            for ask in values(activity, assumed):
                refused(lambda ask=ask: finite(ask))  # type: ignore[misc]


def check_objectives(path: Path) -> None:
    """Check that an objective that can be made on a profile scores a spiking network that the chip can hold."""
    for module in (energy_objective, latency_objective, fit_objective):

        def scored(module: Any = module) -> None:
            measurement = Measurement({"accuracy": 0.9, "loss": 0.2}, 10, 40, 2, False, small())
            assert math.isfinite(module.objective(profile=str(path)).score(measurement))

        refused(scored)


def check(path: Path, data: bytes) -> bool:
    """Return whether a profile of these bytes is read; check that it is refused by a sentence or good for estimates."""
    path.write_bytes(data)
    read: list[Profile] = []
    if refused(lambda: read.append(load(path))) is None:
        check_estimates(read[0])
        check_objectives(path)
    return bool(read)


def mutated(name: str, rng: np.random.Generator) -> bytes:
    """Return the shipped profile with one or two changes of values and keys, or of bytes."""
    if rng.random() < 0.15:
        return damaged(TEXTS[name], rng)
    document = tomllib.loads(TEXTS[name].decode())
    for _ in range(1 + (rng.random() < 0.2)):
        document, _ = changed(document, rng)
    return toml(document)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_profile_passes_what_the_damaged_ones_are_held_to(name: str, tmp_path: Path) -> None:
    assert check(tmp_path / f"{name}.toml", TEXTS[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_without_any_one_of_its_keys_is_refused_or_good_for_finite_estimates(
    name: str, tmp_path: Path
) -> None:
    document = tomllib.loads(TEXTS[name].decode())
    for way in places(document):
        poorer = copy.deepcopy(document)
        holder = poorer
        for part in way[:-1]:
            holder = holder[part]
        del holder[way[-1]]
        check(tmp_path / f"{name}.toml", toml(poorer))


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_with_a_number_of_another_size_is_refused_or_good_for_finite_estimates(
    name: str, tmp_path: Path
) -> None:
    document = tomllib.loads(TEXTS[name].decode())
    numbers = [way for way in places(document) if type(at(document, way)) in (int, float)]
    for index, way in enumerate(numbers):
        odd = (0, 1, 10**18, 1e-18, 1e18, 10**400, True, -1)[index % 8]
        check(tmp_path / f"{name}.toml", toml(replaced(document, way, odd)))


def at(document: Any, way: tuple[Any, ...]) -> Any:
    for part in way:
        document = document[part]
    return document


def replaced(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    at(document, way[:-1])[way[-1]] = value
    return document


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_profile_is_refused_or_good_for_finite_estimates(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        name = NAMES[int(rng.integers(len(NAMES)))]
        check(tmp_path / f"{name}.toml", mutated(name, rng))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 116))
def test_thousands_of_mutated_profiles_are_refused_or_good_for_finite_estimates(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(250):
        name = NAMES[int(rng.integers(len(NAMES)))]
        check(tmp_path / f"{name}.toml", mutated(name, rng))


def faults(tmp_path: Path, name: str, *changes: tuple[str, str]) -> str:
    text = TEXTS[name].decode()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("truenorth28", "cores = 4096\n", "", "fit.cores is missing, which fit.crossbar_bits needs."),
        ("truenorth28", "neurons_per_core = 256\n", "", "fit.neurons_per_core is missing, which fit.crossbar_bits"),
        ("odin28", "neurons_per_core = 256\n", "", "fit.neurons_per_core is missing, the length of the row"),
        (
            "odin28",
            "clock_mhz = { v = 75.0",
            "clock_mhz_max = { v = 75.0",
            "time.clock_mhz is missing, which power.clk",
        ),
        ("loihi1_davies", "cores_per_tile = 4", "cores_per_tile = 0", "fit.cores_per_tile: got 0, expected a whole"),
        ("loihi1_davies", "v = 23.6, lo = 23.6", "v = 0.0, lo = 0.0", "energy.synop.v: got 0.0, expected a finite"),
        ("loihi1_davies", "syn_overhead = 1.3 ", "syn_overhead = 0.0 ", "fit.syn_overhead: got 0.0, expected"),
        ("loihi1_davies", "v = 23.6, lo", f"v = {10**400}, lo", "energy.synop.v: got a whole number of 1,329 bits"),
        ("xylo_a2", "hid_syn = 7, ", "", "time.cyc.hid_syn is missing, expected cycles per synaptic event between"),
        ("xylo_a2", "hidden = 1000\n", "", "fit.hidden is missing, which fit.layers needs."),
        ("speck2f", "cores = 9\n", "cores = 8\n", "fit.cores: got 8, expected 9, as many as in fit.kernel_kib."),
        ("speck2f", "kernel_kib = [16, ", "kernel_kib = [", "fit.neuron_kib: got 9 cores, expected 8"),
        ("speck2f", 'refs = { yao2024 = "M. Yao', 'refs = { yao2024 = "\\u001b[2JM. Yao', "profile.refs: got"),
        ("spinnaker1", "chips = 48\n", "", "fit.chips is missing, which power.board_idle needs."),
        ("spinnaker1", "cores_per_chip = 16\n", "", "fit.cores_per_chip is missing, which says how the 768"),
        ("spinnaker1", "cores_per_chip = 16\n", "cores_per_chip = 8\n", "fit.cores: got 768, expected at most 384"),
        ("sram45_int8", "event_bits = 16 ", "event_bitz = 16 ", "memory.event_bits is missing, which the energy of"),
        ("sram45_int8", "dram_above_bytes = 8388608 ", "", "memory.dram_above_bytes is missing, which memory.dram_pj"),
        ("sram45_int8", "[[8192, 10.0]", "[[0, 10.0]", "memory.sram_pj_per_64b.v: got [[0, 10.0]"),
        ("gpu_degnan", "mac = { v", "synop = { v", "energy.mac is missing, with which rules.counts"),
        ("gpu_degnan", '"roofline" ', "true ", "time.model: got True, expected one of async-barrier"),
    ],
)
def test_what_a_profile_lacks_or_contradicts_is_named(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    assert message in faults(tmp_path, name, (old, new))


def test_all_faults_are_listed_at_once_and_never_more_than_can_be_read(tmp_path: Path) -> None:
    text = faults(tmp_path, "loihi1_davies", ("cores_per_tile = 4", "cores_per_tile = 0"), ("node_nm = 14", "nodes = 1"),
                  ("weight_bits = [1, 9]", "weight_bits = [0, 9]"))  # fmt: skip
    assert text.count("\n- ") == 3
    many = faults(tmp_path, "arith45_fp32", ("[rules]", "\n".join(f"a{i} = 1" for i in range(3000)) + "\n[rules]"))
    assert many.count("\n") < 60
    assert many.endswith("more")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbf" + TEXTS["loihi2"], None),
        (TEXTS["loihi2"].decode().encode("utf-16"), "it is no text in UTF-8; save it as UTF-8"),
        (b"\xff\xfe\x00", "it is no text in UTF-8"),
        (b"", "schema is missing"),
        (b"x = " + b"[" * 100_000, "it is nested too deeply"),
        (b"x = " + b"9" * 5000, "a number of thousands of digits"),
        (b"x = 2024-13-45", "cannot be read"),
        (b"# " + b"x" * 2_000_000, "more than 1,000,000 bytes"),
        (TEXTS["loihi2"] + b'\n["\\u001b[2J"]\n', "'\\x1b[2J': there is no such key"),
        (b'"' + b"k" * 500_000 + b'" = 1', "there is no such key"),
    ],
    ids=["BOM", "UTF-16", "bytes", "empty", "nested", "digits", "date", "huge", "escape", "long key"],
)
def test_a_file_that_is_no_profile_is_refused_by_a_sentence(tmp_path: Path, data: bytes, message: str | None) -> None:
    path = tmp_path / "loihi2.toml"
    path.write_bytes(data)
    said = refused(lambda: load(path))
    assert said is None if message is None else message in (said or "")


def test_what_is_no_file_is_refused_by_a_sentence(tmp_path: Path) -> None:
    assert "it is no file" in (refused(lambda: load(tmp_path)) or "")
    assert "no such file" in (refused(lambda: load(tmp_path / "none.toml")) or "").lower()
    assert "cannot be read" in (refused(lambda: load("a\0b.toml")) or "")
    assert "expected its name" in (refused(lambda: load(3)) or "")  # type: ignore[arg-type]


def test_an_energy_says_which_times_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "xylo_a2.toml"
    document = tomllib.loads(TEXTS["xylo_a2"].decode())
    del document["time"]["cyc"]
    path.write_bytes(toml(document))
    with pytest.raises(ProfileError, match=r"xylo_a2 composes energy as power times time and .*time\.cyc"):
        energy_objective.objective(profile=str(path))
    assert any("time.cyc" in rule for rule in fit.check(small(), load(path)).unchecked)


def test_a_chip_on_which_no_spiking_network_has_an_energy_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "arith45_fp32.toml"
    document = tomllib.loads(TEXTS["arith45_fp32"].decode())
    del document["energy"]["synop"]
    path.write_bytes(toml(document))
    with pytest.raises(ProfileError, match=r"arith45_fp32 has no energy\.synop"):
        energy_objective.objective(profile=str(path))
