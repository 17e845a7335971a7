"""A chip in numbers: what each operation costs there, every number with its kind and source, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.chips.band import Coefficient
from evonas.chips.profile_reader import KINDS, shown
from evonas.chips.profile_schema import read_document
from evonas.errors import ProfileError, one_a_line

__all__ = ["KINDS", "SHIPPED", "Coefficient", "Profile", "load", "names"]

_LARGEST_FILE = 1_000_000  # bytes

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
        golden: Counts, and the energies that must result from them.
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
    document = _document(path)
    faults: list[str] = []
    sections = read_document(document, faults)
    if sections["profile"].get("id", path.stem) != path.stem:
        faults.append(
            f"profile.id: got {shown(sections['profile']['id'])}, expected {path.stem!r}, the name of the file."
        )
    if faults:
        raise ProfileError(f"Profile {_shown_path(path)} is wrong:\n{one_a_line(faults)}")
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


def _document(path: Path) -> dict[str, Any]:
    """Return the contents of a TOML file.

    Raises:
        ProfileError: If it cannot be read, or is no TOML in UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise _unreadable(path, "it is no file, expected the path of a .toml file")
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # a path that holds a null character is a ValueError
        raise _unreadable(path, getattr(error, "strerror", None) or "the path is none") from error
    if len(data) > _LARGEST_FILE:
        raise _unreadable(path, f"it has more than {_LARGEST_FILE:,} bytes, so that it is no profile")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # with or without a byte order mark
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is no text in UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, f"it is no TOML: {_printable(str(error))}") from error
    except RecursionError as error:
        raise _unreadable(path, "it is nested too deeply, expected sections of keys") from error
    except ValueError as error:
        raise _unreadable(path, "it holds a date that is none, or a number of thousands of digits") from error


def _unreadable(path: Path, why: str) -> ProfileError:
    return ProfileError(f"Profile {_shown_path(path)} cannot be read: {why}.")


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _shown_path(path: Path) -> str:
    return _printable(str(path))


def names(*, folder: str | Path | None = None) -> tuple[str, ...]:
    """Return the names that `load` knows, sorted."""
    return tuple(sorted({path.stem for directory in _folders(folder) for path in directory.glob("*.toml")}))


def _folders(folder: str | Path | None) -> tuple[Path, ...]:
    return (Path("objectives/profiles"), SHIPPED) if folder is None else (Path(folder),)


def _path(name_or_path: str | Path, folder: str | Path | None) -> Path:
    if not isinstance(name_or_path, str | Path):
        raise ProfileError(f"The profile is {shown(name_or_path)}, expected its name or the path of a .toml file.")
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return Path(name_or_path)
    if name_or_path in names(folder=folder):
        candidates = (directory / f"{name_or_path}.toml" for directory in _folders(folder))
        return next(path for path in candidates if path.is_file())
    known = ", ".join(names(folder=folder)) or "none"
    raise ProfileError(
        f"There is no profile {shown(name_or_path)}; known are: {known}. Name one of them, or the path of a .toml file."
    )
