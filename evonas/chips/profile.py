"""A chip in numbers: what each operation costs there, every number with its kind and source, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.chips.profile_reader import KINDS, Coefficient
from evonas.chips.profile_schema import read_document
from evonas.errors import ProfileError

__all__ = ["KINDS", "SHIPPED", "Coefficient", "Profile", "load", "names"]

SHIPPED = Path(__file__).parents[2] / "objectives" / "profiles"


@dataclass(frozen=True)
class Profile:
    """A chip. A coefficient that is missing is not counted, which is not the same as zero.

    Attributes:
        id: Equal to the name of its file.
        name: For people.
        family: Kind of machine, such as `"async-digital"`.
        composition: `"additive"` (counts times coefficients) or `"power-time"`.
        scope: What the coefficients include; estimates of different scopes are not comparable.
        node_nm: Technology node in nm, or None.
        vdd_v: Supply voltage in V, or None.
        uncertainty: Factor on the result, nominal 1, or None where the profile gives none.
        references: Citations by the short names that sources begin with.
        energy: pJ per operation: the only coefficients that are summed.
        energy_alternative: pJ per operation in another composition; never summed with `energy` or `power`.
        all_in: pJ per operation with everything else divided among them; never summed either.
        power: mW (`clk_mw_per_mhz` in mW/MHz).
        memory: Word widths in bits and the energy of an access by size, or empty.
        time: ns unless the name says otherwise; a `Coefficient` where the file gives more than a bare value.
        fit: Resources and limits.
        rules: How operations are counted.
        golden: Counts and the energies that they must give.
    """

    id: str
    name: str
    family: str
    composition: str
    scope: str
    node_nm: float | None
    vdd_v: float | None
    uncertainty: Coefficient | None
    references: Mapping[str, str]
    energy: Mapping[str, Coefficient]
    energy_alternative: Mapping[str, Coefficient]
    all_in: Mapping[str, Coefficient]
    power: Mapping[str, Coefficient]
    memory: Mapping[str, Any]
    time: Mapping[str, Any]
    fit: Mapping[str, Any]
    rules: Mapping[str, str]
    golden: tuple[Mapping[str, Any], ...]


def load(name_or_path: str | Path, *, folder: str | Path | None = None) -> Profile:
    """Return the profile of that name, or the one in that file.

    Args:
        name_or_path: A name such as `"loihi1_davies"`, or the path of a `.toml` file.
        folder: Where names are looked up; by default in `objectives/profiles` of the working directory, then among
            the shipped profiles.

    Raises:
        ProfileError: If there is no such profile, or it is wrong; the message lists all its faults.
    """
    path = _path(name_or_path, folder)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a TOMLDecodeError and a UnicodeDecodeError are ValueErrors
        raise ProfileError(f"Profile {path} cannot be read: {error}.") from error
    faults: list[str] = []
    sections = read_document(document, faults)
    if sections["profile"].get("id", path.stem) != path.stem:
        faults.append(f"profile.id: got {sections['profile']['id']!r}, expected {path.stem!r}, the name of the file.")
    if faults:
        raise ProfileError("\n".join([f"Profile {path} is wrong:", *(f"- {fault}" for fault in faults)]))
    head = sections.pop("profile")
    return Profile(
        id=head["id"],
        name=head["name"],
        family=head["class"],
        composition=head["composition"],
        scope=head["scope"],
        node_nm=head.get("node_nm"),
        vdd_v=head.get("vdd_v"),
        uncertainty=head.get("uncertainty"),
        references=head["refs"],
        **sections,
    )


def names(*, folder: str | Path | None = None) -> tuple[str, ...]:
    """Return the names that `load` knows, sorted."""
    return tuple(sorted({path.stem for place in _folders(folder) for path in place.glob("*.toml")}))


def _folders(folder: str | Path | None) -> tuple[Path, ...]:
    return (Path("objectives/profiles"), SHIPPED) if folder is None else (Path(folder),)


def _path(name_or_path: str | Path, folder: str | Path | None) -> Path:
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return Path(name_or_path)
    if name_or_path in names(folder=folder):
        candidates = (place / f"{name_or_path}.toml" for place in _folders(folder))
        return next(path for path in candidates if path.is_file())
    known = ", ".join(names(folder=folder)) or "none"
    raise ProfileError(
        f"There is no profile {name_or_path!r}; known are: {known}. Name one of them, or the path of a .toml file."
    )
