"""The header of an archive: which run its rows belong to."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evonas.errors import ArchiveError, ChangedRunError

FORMAT_VERSION = 3
READ_VERSIONS = (1, 2, 3)
"""Format 2 is format 3 without `warm` and `trained`, format 1 lacks `degree`, `sample_steps` and `start` as well."""

_PACKAGES = ("evonas", "numpy", "torch", "norse", "pymoo", "ray", "h5py")


@dataclass(frozen=True)
class Header:
    """Which run the rows of an archive belong to.

    Attributes:
        seed: Seed of the run.
        settings: Dotted keys of the run file and their JSON values.
        variables: Names of the variables of the space, sorted.
        objectives: Names of the objectives that the run trades.
        top_rung: The rung that fronts are made of.
        reference_rows: Number of rows at that rung that the reference point of the hypervolume is made of.
        versions: Package to version, one mapping for each different set that wrote rows, in the order of use.
    """

    seed: int
    settings: Mapping[str, Any]
    variables: tuple[str, ...]
    objectives: tuple[str, ...]
    top_rung: int = 0
    reference_rows: int = 16
    versions: tuple[Mapping[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, path: object) -> Header:
        """Return the header that `to_json` wrote.

        Raises:
            ArchiveError: If it was written in a format version that is not known.
        """
        check_format(data["format_version"], path=path)
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        del fields["format_version"]
        return cls(**fields)

    def check_same_run(self, stored: Header, *, free: Collection[str] = (), path: object) -> None:
        """Return if this run may go on writing what `stored` began.

        Args:
            stored: The header that is on disk.
            free: Settings that may change; `"workers"` frees `"workers.count"` and its like as well.
            path: The archive, for the message.

        Raises:
            ChangedRunError: If seed, variables or settings differ.
        """
        old, new = stored._settled(), self._settled()
        differing = [
            f"{key}: stored {_shown(old, key)}, now {_shown(new, key)}"
            for key in sorted({*old, *new})
            if (key not in old or key not in new or old[key] != new[key])
            and not any(key == name or key.startswith(f"{name}.") for name in free)
        ]
        if differing:
            raise ChangedRunError(
                f"{path} belongs to a run with other settings, so its rows cannot be continued with these:\n"
                + "\n".join(f"- {line}" for line in differing)
                + "\nUse the stored settings to resume it, or another output folder to start anew."
            )

    def continuing(self, stored: Header) -> Header:
        """Return this header with the versions that wrote the rows so far, this process's last."""
        versions = stored.versions
        if not versions or versions[-1] != self.versions[-1]:
            versions = (*versions, self.versions[-1])
        return replace(self, versions=versions)

    def _settled(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(json.dumps(dict(self.settings)))
        return {**plain, "seed": self.seed, "variables of the space": list(self.variables)}


def check_format(format_version: Any, *, path: object) -> None:
    """Return if this evonas can read `format_version`.

    Raises:
        ArchiveError: If it cannot.
    """
    if format_version not in READ_VERSIONS:
        known = f"{', '.join(map(str, READ_VERSIONS[:-1]))} and {READ_VERSIONS[-1]}"
        raise ArchiveError(
            f"{path} is written in archive format {format_version}; this evonas reads formats {known} only. "
            "Use the version of evonas that wrote it, or another output folder. Nothing was changed."
        )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter to a result, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key]) if key in settings else "absent"
