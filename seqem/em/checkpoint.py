"""Checkpoint: a fit on disk, from which it continues to the bit."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqem.core.tree import tree_leaves, tree_map
from seqem.em.callbacks import Event
from seqem.em.history import History, Record
from seqem.errors import FormatError, ParameterError
from seqem.shapes import AnyArray

FORMAT = "seqem checkpoint 1"


class Resume(NamedTuple):
    """Where a fit is taken up again: parameters, their objective, and the records up to there."""

    params: Any
    objective: float
    history: History


class Checkpoint:
    """Write the parameters and the history to a file while a fit runs, and once more at its end.

    The file is an ``.npz`` without pickled objects. It is written under a temporary name and moved into
    place, so that a reader, or an interrupted fit, always finds a whole one.

    Parameters
    ----------
    path : str or Path
        The file; replaced where it exists.
    every : int
        Steps from one writing to the next.
    seconds : float, optional
        Least time from one writing to the next, on top of ``every``.

    Examples
    --------
    Given to ``fit(..., callbacks=[checkpoint])``; afterwards, or after a crash::

        fit(model, params, shards, resume=Checkpoint.load("fit.npz", like=params))

    >>> Checkpoint("fit.npz", every=10).path.name
    'fit.npz'
    """

    def __init__(self, path: str | Path, every: int = 1, seconds: float | None = None) -> None:
        self.path = Path(path)
        self.every = every
        self.seconds = seconds
        self._written = 0
        self._time = 0.0

    def __call__(self, event: Event) -> None:
        """Write the event's point if it is due."""
        n_records = len(event.history)
        if event.stage == "start":
            self._note(n_records)
        elif n_records > self._written and (event.stage == "end" or self._is_due(n_records)):
            _write(self.path, _arrays(event))
            self._note(n_records)

    def _note(self, n_records: int) -> None:
        self._written, self._time = n_records, time.monotonic()

    def _is_due(self, n_records: int) -> bool:
        waited = self.seconds is None or time.monotonic() - self._time >= self.seconds
        return waited and n_records - self._written >= self.every

    @staticmethod
    def load(path: str | Path, like: Any) -> Resume:
        """Return what ``fit(..., resume=...)`` takes.

        Parameters
        ----------
        path : str or Path
            A file that a checkpoint has written.
        like : tree of arrays
            Parameters of the same structure and shapes, such as the start's; a leaf ``...`` takes an array of any shape.
        """
        arrays = _read(path)
        leaves = dict(tree_leaves(like))
        saved = {name.removeprefix("params."): value for name, value in arrays.items() if name.startswith("params.")}
        shapes = {
            name: saved[name].shape if _any(leaf, name, saved) else np.shape(leaf) for name, leaf in leaves.items()
        }
        if shapes != {name: a.shape for name, a in saved.items()}:
            raise FormatError(
                "the checkpoint is of other parameters",
                path=str(path),
                got={name: a.shape for name, a in saved.items()},
                expected=shapes,
            )
        values = (saved[name] for name in leaves)
        params = tree_map(lambda leaf: _as_kind_of(leaf, next(values)), like)
        columns = (arrays[f"history.{field}"].tolist() for field in Record._fields)
        history = History(Record(*row) for row in zip(*columns, strict=True))
        return Resume(params, float(arrays["objective"]), history)


def _any(leaf: Any, name: str, saved: dict[str, AnyArray]) -> bool:
    return leaf is Ellipsis and name in saved


def _as_kind_of(leaf: Any, value: AnyArray) -> Any:
    return value if isinstance(leaf, np.ndarray) or leaf is Ellipsis else value[()]


def _arrays(event: Event) -> dict[str, AnyArray]:
    arrays = {f"params.{name}": np.asarray(leaf) for name, leaf in tree_leaves(event.point.params)}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ParameterError(f"{name} cannot be written to a checkpoint", got=array.dtype, expected="numbers")
    columns = zip(Record._fields, zip(*event.history, strict=True), strict=True)
    arrays.update({f"history.{field}": np.asarray(column) for field, column in columns})
    return {**arrays, "objective": np.asarray(event.point.objective), "format": np.asarray(FORMAT)}


def _write(path: Path, arrays: dict[str, AnyArray]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: str | Path) -> dict[str, AnyArray]:
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("a single array")
        with stored:
            arrays = dict(stored)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError("not a checkpoint", path=str(path), got=error, expected="an .npz file") from error
    if str(arrays.get("format")) != FORMAT:
        raise FormatError("not a checkpoint", path=str(path), got=arrays.get("format"), expected=FORMAT)
    return arrays
