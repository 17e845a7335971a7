"""The file of trained weights beside the archive: written whole or not at all, never those of another training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from evonas.archive.atomic_file import write_whole
from evonas.errors import ArchiveError, EvonasError


def make_folder(folder: Path) -> None:
    """Make a folder unless it is there, and check that files can be written into it; raise otherwise.

    Raises:
        ArchiveError: If it cannot be made or written to, such as in a results folder that is read-only.
    """
    try:
        folder.mkdir(exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArchiveError(
            f"{folder} cannot be made or written to: {error.strerror or error}. Nothing was trained; copy the results "
            "folder to where you may write, and ask there."
        ) from error


def write_weights(path: Path, network: Any, *, about: Mapping[str, str]) -> None:
    """Write the weights of a network atomically, with what they are.

    Raises:
        ArchiveError: If they cannot be written; what was there before is unchanged.
    """
    from evonas.training.weights import packed  # torch, which looking at results does without

    write_whole(path, packed(network, about=about))


def read_weights(path: Path, network: Any, *, of: Mapping[str, str]) -> None:
    """Give a network the weights of a file, and put it into the mode of evaluation.

    Args:
        path: The file.
        network: A torch module.
        of: What the file must say of its weights.

    Raises:
        ArchiveError: If it cannot be read, is damaged, or says something else.
    """
    from evonas.training.weights import about_weights, unpack

    try:
        content = path.read_bytes()
        about = about_weights(content)
        other = [f"{name} {about.get(name)} and not {value}" for name, value in of.items() if about.get(name) != value]
        if other:
            raise EvonasError(f"it is of another training: {', '.join(other)}")
        unpack(content, network)
    except (OSError, EvonasError) as error:
        raise ArchiveError(f"{path} cannot be used: {error}. Remove it, and the network is trained again.") from error
    network.eval()
