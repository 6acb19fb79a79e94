"""Segments of decoded paths, and their tables: BED and GFF3."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from seqem.errors import DataError, ParameterError
from seqem.io.streams import FilePath, atomic_write
from seqem.shapes import IntArray

_BED_TOP_SCORE = 1000
_GFF_SAFE = " !\"#$'()*+-./:<>?@[]^_`{|}~"


class Segment(NamedTuple):
    """A run of one state.

    Attributes
    ----------
    sequence : str
        Name of the sequence.
    start, end : int
        First step and the step after the last, from 0.
    state : str
        Name of the state.
    score : float or None
        Mean posterior probability of the state over the run.
    """

    sequence: str
    start: int
    end: int
    state: str
    score: float | None = None


def runs(path: Any) -> tuple[IntArray, IntArray]:
    """Return start and end (exclusive) of each run of equal values.

    Examples
    --------
    >>> starts, ends = runs([5, 5, 7, 5])
    >>> starts.tolist(), ends.tolist()
    ([0, 2, 3], [2, 3, 4])
    """
    path = np.asarray(path)
    cuts = np.flatnonzero(path[1:] != path[:-1]) + 1
    edges = np.concatenate(([0], cuts, [len(path)])) if len(path) else np.zeros(1, np.int64)
    return edges[:-1], edges[1:]


def segments(
    path: Any, sequence: str, *, states: Sequence[str] | None = None, posterior: Any = None
) -> Iterator[Segment]:
    """Return an iterator over the segments of a decoded path.

    Parameters
    ----------
    path : array of int, shape (T,)
        The state of each step.
    sequence : str
        Name of the sequence.
    states : sequence of str, optional
        Name of each state; the state's number by default.
    posterior : ndarray, shape (T, K), optional
        Posterior probabilities, for the score.

    Examples
    --------
    >>> for segment in segments([0, 0, 1], "chr1", states=["poor", "rich"]):
    ...     print(segment.start, segment.end, segment.state)
    0 2 poor
    2 3 rich
    """
    path = np.asarray(path)
    if path.ndim != 1 or (path.size and path.dtype.kind not in "iu"):
        raise DataError("not a path", got=f"{path.dtype} of shape {path.shape}", expected="integers of shape (T,)")
    if states is not None and path.size and not 0 <= path.min() <= path.max() < len(states):
        raise ParameterError("states without a name", got=f"{len(states)} names", expected=f"{path.max() + 1}")
    starts, ends = runs(path)
    scores = [None] * len(starts) if posterior is None else _mean_posteriors(path, np.asarray(posterior), starts, ends)
    return (
        Segment(sequence, int(a), int(b), str(path[a]) if states is None else states[path[a]], score)
        for a, b, score in zip(starts, ends, scores, strict=True)
    )


def write_bed(path: FilePath, rows: Iterable[Segment]) -> None:
    """Write segments as BED: starts from 0, ends exclusive, score 1000 times the mean posterior, 0 without one.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    rows : iterable of Segment
        The segments, of any number of sequences.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.bed"
    >>> write_bed(path, [Segment("chr1", 0, 2, "rich", 0.98)])
    >>> path.read_text()
    'chr1\\t0\\t2\\trich\\t980\\n'
    """
    with atomic_write(path) as handle:
        for row in rows:
            score = 0 if row.score is None else round(_BED_TOP_SCORE * row.score)
            name, state = (re.sub(r"\s", "_", text) for text in (row.sequence, row.state))
            handle.write(f"{name}\t{row.start}\t{row.end}\t{state}\t{score}\n")


def write_gff3(path: FilePath, rows: Iterable[Segment]) -> None:
    """Write segments as GFF3 regions: starts from 1, ends inclusive, score the mean posterior.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    rows : iterable of Segment
        The segments, of any number of sequences.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.gff3"
    >>> write_gff3(path, [Segment("chr1", 0, 2, "rich", 0.98)])
    >>> path.read_text().splitlines()[1]
    'chr1\\tseqem\\tregion\\t1\\t2\\t0.98\\t.\\t.\\tName=rich'
    """
    with atomic_write(path) as handle:
        handle.write("##gff-version 3\n")
        for row in rows:
            score = "." if row.score is None else f"{row.score:.6g}"
            name, state = quote(row.sequence, safe=".:^*$@!+_?-|"), quote(row.state, safe=_GFF_SAFE)
            handle.write(f"{name}\tseqem\tregion\t{row.start + 1}\t{row.end}\t{score}\t.\t.\tName={state}\n")


def _mean_posteriors(path: Any, posterior: Any, starts: IntArray, ends: IntArray) -> list[float]:
    if (
        posterior.ndim != 2
        or len(posterior) != len(path)
        or (path.size and not 0 <= path.min() <= path.max() < posterior.shape[1])
    ):
        raise DataError("posterior does not fit the path", got=posterior.shape, expected=f"({len(path)}, n_states)")
    if not len(starts):
        return []
    of_path = np.take_along_axis(posterior, path[:, None], axis=1)[:, 0]
    return (np.add.reduceat(of_path, starts) / (ends - starts)).tolist()
