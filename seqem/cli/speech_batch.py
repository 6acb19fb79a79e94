"""Batch: recordings one after another, of which one's trouble does not stop the others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from seqem.cli.inputs import workers
from seqem.cli.outputs import print_json
from seqem.errors import DataError, RecordingsError, SeqemError

if TYPE_CHECKING:
    from seqem.io.manifest import Recording


class Batch:
    """Go through recordings; those that cannot be used are told of at once and counted at the end.

    Attributes
    ----------
    recordings : list of Recording
        All of them.
    failed : list of (str, str)
        Path of those that could not be used so far, and why.
    """

    def __init__(self, recordings: list[Recording], jobs: int, json: bool = False) -> None:
        self.recordings, self.jobs, self.json = recordings, jobs, json
        self.failed: list[tuple[str, str]] = []

    def each(
        self, work: Callable[[Any], Any], items: Iterable[tuple[Recording, Any]] | None = None
    ) -> Iterator[tuple[Recording, Any]]:
        """Yield each recording with what ``work`` makes of it, or of what ``items`` pairs with it, in order."""
        pairs = [(recording, recording) for recording in self.recordings] if items is None else list(items)

        def guarded(pair: tuple[Recording, Any]) -> Any:
            try:
                return work(pair[1])
            except (SeqemError, OSError) as error:
                return error

        with workers(self.jobs) as pool:
            results = map(guarded, pairs) if pool is None else pool.map(guarded, pairs)
            for (recording, _), result in _watched(zip(pairs, results, strict=True), len(pairs)):
                if isinstance(result, (SeqemError, OSError)):
                    self.note(recording, result)
                else:
                    yield recording, result

    def note(self, recording: Recording, error: Exception | str) -> None:
        """Tell that a recording cannot be used."""
        alone = isinstance(error, RecordingsError)  # as one of one
        text = next(iter(error.reasons.values())) if alone else str(error)  # type: ignore[union-attr]
        path, text = str(recording.path), text.removeprefix(f"{recording.path}: ")
        self.failed.append((path, text))
        print(f"seqem: error: {path}: {text}", file=sys.stderr)
        if self.json:
            print_json({"path": path, "error": text})

    def check(self, left: Sequence[Any]) -> None:
        """Refuse to go on where nothing is left."""
        if not left:
            raise DataError(f"none of the {len(self.recordings)} recordings could be used")

    def summary(self) -> None:
        """Say how many could not be used."""
        if self.failed:
            print(f"seqem: {len(self.failed)} of {len(self.recordings)} recordings failed", file=sys.stderr)

    def finish(self) -> None:
        """End the command, with code 1 if a recording failed."""
        self.summary()
        if self.failed:
            raise typer.Exit(1)


def _watched(rows: Iterable[Any], total: int) -> Iterator[Any]:
    """Yield the rows, with a bar in the terminal that shows how many are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from rows
        return
    columns = ("recordings", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        yield from progress.track(rows, total=total)
