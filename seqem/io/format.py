"""What a file format is to the rest of the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from seqem.core.batch import SequenceBatch

if TYPE_CHECKING:
    from seqem.io.table import Table


class Format(NamedTuple):
    """One file format; the catalog names one such object a row.

    Attributes
    ----------
    extensions : tuple of str
        Ends of file names in lower case, each with its dot, without ``.gz``.
    sniff : callable
        Whether a file with these first bytes, unpacked, is of the format.
    read : callable
        ``read(path, **options)`` returns a batch.
    table : callable, optional
        ``table(path)`` returns the columns of a format that has columns.
    """

    extensions: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[..., SequenceBatch]
    table: Callable[..., Table] | None = None
