"""Names of what is written for each recording: its place below the manifest's folder, without the extension."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seqem.errors import DataError

if TYPE_CHECKING:
    from seqem.io.manifest import Recording


def names_of(recordings: Sequence[Recording], manifest: str) -> list[str]:
    """Return a name for each recording: folders below that of the manifest are kept, of others only the file's name.

    Raises
    ------
    DataError
        Where two recordings would have one name.
    """
    folder = Path(os.path.abspath(manifest)).parent
    found: dict[str, Path] = {}
    for recording in recordings:
        name = _name(recording.path, folder)
        if name in found:
            raise DataError(
                "two recordings have one name, so that one result would replace the other",
                got=f"{found[name]} and {recording.path}", hint="rename one, or put each into a manifest of its own",
            )  # fmt: skip
        found[name] = recording.path
    return list(found)


def _name(path: Path, folder: Path) -> str:
    # Without links and "..", so that nothing is written outside of the folder of results.
    whole = Path(os.path.abspath(path))
    inside = whole.relative_to(folder) if whole.is_relative_to(folder) else Path(whole.name)
    return inside.with_suffix("").as_posix()
