"""Profiles of chips: values of every kind, keys that are missing, bytes that change."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
from counted import analog, graded, small

from evonas.chips import energy, fit, latency
from evonas.chips.profile import SHIPPED, Profile, load
from evonas.errors import ProfileError, UnpriceableError
from fuzz.damage import changed, damaged
from fuzz.run_files import toml
from fuzz.verdict import Verdict, attempt, told


class Profiles:
    """The shipped profiles, changed, and asked for energy, latency and fit."""

    name = "profiles"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts = {path.name: path.read_bytes() for path in sorted(SHIPPED.glob("*.toml"))}
        self._documents = {name: tomllib.loads(text.decode()) for name, text in self._texts.items()}

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one profile."""
        name = sorted(self._texts)[int(rng.integers(len(self._texts)))]
        how = "bytes"
        if rng.random() < 0.3:
            data = damaged(self._texts[name], rng)
        else:
            document, how = changed(self._documents[name], rng)
            data = toml(document)
        path = self._folder / name
        path.write_bytes(data)
        verdict = attempt(lambda: load(path), check=lambda profile: fault_of(profile))
        return Verdict(verdict.outcome, f"{name}, {how}: {verdict.detail}", "")


def fault_of(profile: Profile) -> str:
    """Return what is wrong with the estimates of a profile that was called right."""
    for activity in (small(), graded(), analog()):
        for ask in (
            lambda activity: energy.joules(activity, profile),
            lambda activity: energy.joules(activity, profile, part="total"),
            lambda activity: energy.estimate(activity, profile).total.high,
            lambda activity: latency.seconds(activity, profile),
            lambda activity: fit.check(activity, profile).degree,
        ):
            try:
                value = ask(activity)
            except (ProfileError, UnpriceableError) as error:
                verdict = told(str(error))
                if verdict.outcome == "wrong":
                    return verdict.detail
                continue
            if not (math.isfinite(value) and value >= 0):
                return f"an estimate is {value}"
    return ""
