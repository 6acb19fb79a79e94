"""PHYLIP in its three kinds, by Biopython's parsers."""

from __future__ import annotations

import io

from Bio import AlignIO

from seqem.errors import FormatError
from seqem.io.aligned import AlignedText

# Nothing in a file says which of the three it is; the wrong one finds a wrong count of letters.
_DIALECTS = ("phylip-relaxed", "phylip", "phylip-sequential")


def parse_phylip(lines: list[str], path: str) -> list[AlignedText]:
    """Return the alignments of a PHYLIP file: names of any or of ten letters, rows interleaved or one after the other.

    Raises
    ------
    FormatError
        Where none of the kinds fits.

    Examples
    --------
    >>> parse_phylip([" 2 3", "first ACG", "second A-G"], "x.phy")[0].rows
    ['ACG', 'A-G']
    """
    _check_counts(lines, path)
    problem: Exception | None = None
    for dialect in _DIALECTS:
        try:
            alignments = list(AlignIO.parse(io.StringIO("\n".join(lines) + "\n"), dialect))
        except Exception as error:  # Not our parser: on damaged text it may raise anything.
            problem = problem or error
        else:
            if all(a.get_alignment_length() for a in alignments):
                return [AlignedText([r.id for r in a], [str(r.seq) for r in a], [None] * len(a)) for a in alignments]
    raise FormatError("cannot be read as PHYLIP", got=problem, path=path)


def _check_counts(lines: list[str], path: str) -> None:
    """Refuse counts that the file cannot hold, over which the parser would loop for ever."""
    for number, line in enumerate(lines, 1):
        try:
            counts = [int(word) for word in line.split()[:2]]
        except ValueError:
            continue
        if len(counts) == 2 and not 0 < counts[0] < len(lines):
            expected = "from one row to as many as lines"
            raise FormatError("header is off", got=f"{counts[0]} rows", expected=expected, path=path, line=number)
