"""The one table of names: what exists, where it lives, one line of help.

Public names of ``seqem``, the command line and the conformance batteries all read this table, so a
new distribution, estimator, format or verb is one file, one row here and one test.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One row: ``target`` is "module:Object"."""

    target: str
    help: str

    def load(self) -> Any:
        """Import and return the object."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)

    @property
    def public_name(self) -> str:
        """Name of the object as an attribute of ``seqem``."""
        return self.target.rpartition(":")[2]


DISTRIBUTIONS: dict[str, Entry] = {}

ESTIMATORS: dict[str, Entry] = {}

FORMATS: dict[str, Entry] = {}

VERBS: dict[str, Entry] = {}

OTHERS: tuple[Entry, ...] = (Entry("seqem.core.batch:SequenceBatch", "ragged sequences as one array"),)


def public() -> dict[str, Entry]:
    """Return every public name of ``seqem`` with its row."""
    rows = [*DISTRIBUTIONS.values(), *ESTIMATORS.values(), *OTHERS]
    return {row.public_name: row for row in rows}
