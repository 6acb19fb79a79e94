"""Clustal: interleaved blocks of named rows below a header."""

from __future__ import annotations

import re
from collections.abc import Iterable

from seqem.errors import FormatError
from seqem.io.aligned import AlignedText, Row, join_blocks

# Programs that write the format put their own name first.
HEADER = re.compile(r"CLUSTAL|MUSCLE|PROBCONS|MSAPROBS|Kalign|Biopython")


def parse_clustal(lines: Iterable[str], path: str) -> AlignedText:
    """Return the rows of Clustal; counts at the end of rows and lines of conservation are not looked at.

    Raises
    ------
    FormatError
        Where the header is missing, a line is no row, or blocks have different rows.

    Examples
    --------
    >>> parse_clustal(["CLUSTAL W", "", "a  AC 2", "b  A- 1", "   *", "", "a  G 3", "b  G 2"], "x.aln").rows
    ['ACG', 'A-G']
    """
    blocks: list[list[Row]] = [[]]
    headed = False
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            blocks.append([])
        elif not headed:
            headed = HEADER.match(line) is not None
            if not headed:
                raise FormatError("is not Clustal", got=repr(line[:20]), expected="CLUSTAL", path=path, line=number)
        elif not line[0].isspace():
            if len(words) != 2 and not (len(words) == 3 and words[2].isdecimal()):
                raise FormatError("a row is not a name and letters", got=repr(line[:40]), path=path, line=number)
            blocks[-1].append(Row(number, words[0], words[1]))
    return join_blocks(blocks, path)
