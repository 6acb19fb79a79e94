"""Files into batches: how to read them, all together or one after another."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from seqem.catalog import FORMATS
from seqem.cli.options import listed, numbered, one_of
from seqem.cli.outputs import print_json
from seqem.errors import DataError, SeqemError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from seqem.core.batch import SequenceBatch

_ALPHABETS = ("auto", "dna", "rna", "protein")
_LETTERS = ("fasta", "fastq")

Row = TypeVar("Row")


@dataclass(frozen=True)
class Reading:
    """How files of sequences are read."""

    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B,...", help="Columns of a table to take, by name or from 0.")
    ] = None
    sequence_column: Annotated[
        str | None,
        typer.Option("--sequence-column", metavar="C", help="Column that tells the sequences of a table apart."),
    ] = None
    alphabet: Annotated[
        str | None,
        typer.Option(
            "--alphabet", metavar="NAME", callback=one_of(_ALPHABETS), help=f"Letters: {', '.join(_ALPHABETS)}."
        ),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            callback=one_of(FORMATS),
            help=f"Format, where the file does not say: {', '.join(FORMATS)}.",
        ),
    ] = None

    def read(self, path: str, *, labels: str | None = None, model: Any = None) -> SequenceBatch:
        """Return the sequences of a file, all with names; ``model`` has a say on the alphabet."""
        from dataclasses import replace

        from seqem.io.registry import format_of, read

        name = self.format or format_of(path)
        columns = listed(self.columns)
        options: dict[str, Any] = {
            "columns": columns and [numbered(column) for column in columns],
            "sequence_column": self.sequence_column and numbered(self.sequence_column),
            "label_column": labels and numbered(labels),
            "alphabet": self.alphabet or (_alphabet_of(model) if name in _LETTERS else None),
        }
        batch = read(path, format=name, **{name: value for name, value in options.items() if value is not None})
        _check_alphabet(path, batch, getattr(model, "alphabet_", None))
        return batch if batch.names is not None else replace(batch, names=_names(path, len(batch)))

    def pooled(self, paths: list[str], labels: str | None = None) -> SequenceBatch:
        """Return the sequences of all files as one batch."""
        from seqem.core.batch import SequenceBatch

        batches = [self.read(path, labels=labels) for path in paths]
        if len(batches) == 1:
            return batches[0]
        alphabets = {batch.alphabet for batch in batches}
        if len(alphabets) > 1:
            raise DataError(
                "the files are of different alphabets", got=sorted(map(str, alphabets)), hint="give --alphabet"
            )
        return SequenceBatch.of(
            [sequence for batch in batches for sequence in batch],
            names=tuple(name for batch in batches for name in batch.names or ()),
            labels=None if labels is None else _joined([batch.labels for batch in batches]),
            alphabet=batches[0].alphabet,
        )


def _joined(arrays: list[Any]) -> Any:
    import numpy as np

    return np.concatenate(arrays)


def _names(path: str, count: int) -> tuple[str, ...]:
    """Return names for the sequences of a file without: the file's, numbered where there are several."""
    stem = "sequence" if path == "-" else os.path.basename(path).partition(".")[0]
    return (stem,) if count == 1 else tuple(f"{stem}.{s + 1}" for s in range(count))


def _alphabet_of(model: Any) -> str | None:
    from seqem.bio.alphabet import alphabet_of

    letters = getattr(model, "alphabet_", None)
    return None if letters is None else alphabet_of(letters).name


def _check_alphabet(path: str, batch: SequenceBatch, expected: str | None) -> None:
    if expected is not None and batch.alphabet not in (None, expected):
        raise DataError(f"{path}: not the alphabet of the model", got=batch.alphabet, expected=expected)


class Round:
    """Go through the inputs of a verb one after another; a bad one does not stop the others.

    Attributes
    ----------
    read : callable
        Makes of a path what the verb works on.
    failed : int
        Inputs that could not be used so far.
    """

    def __init__(self, inputs: list[str], read: Callable[[str], Any], json: bool) -> None:
        self.inputs, self.read, self.json = inputs, read, json
        self.failed = 0

    def each(self, work: Callable[[Any], Iterable[Row]]) -> Iterator[Row]:
        """Return what ``work`` makes of the inputs; where that is nothing for any of them, raise before any output."""
        rows = self._each(work)
        first = list(islice(rows, 1))
        return chain(first, rows)

    def _each(self, work: Callable[[Any], Iterable[Row]]) -> Iterator[Row]:
        for path in self.inputs:
            try:
                rows = work(self.read(path))
            except SeqemError as error:
                self._note(path, error)
                continue
            yield from rows
        if self.failed == len(self.inputs):
            raise DataError(f"none of the {self.failed} inputs could be used")

    def finish(self) -> None:
        """End the command with code 1 if an input failed."""
        if self.failed:
            print(f"seqem: {self.failed} of {len(self.inputs)} inputs failed", file=sys.stderr)
            raise typer.Exit(1)

    def _note(self, path: str, error: SeqemError) -> None:
        if len(self.inputs) == 1:
            raise error
        self.failed += 1
        text = str(error) if str(error).startswith(path) else f"{path}: {error}"
        print(f"seqem: error: {text}", file=sys.stderr)
        if self.json:
            print_json({"input": path, "error": str(error)})


@contextmanager
def workers(jobs: int) -> Iterator[Executor | None]:
    """Open a pool of threads, or none for one job; what waits is dropped when the work is broken off."""
    from concurrent.futures import ThreadPoolExecutor

    if jobs == 1:
        yield None
        return
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
