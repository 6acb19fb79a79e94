"""The report of a search for people to read, laid out as HMMER's."""

from __future__ import annotations

from typing import TextIO

from seqem import __version__
from seqem.io.hit_tables import Mode, Results, each_result, hits_output
from seqem.io.long_report_layout import LongReportLayout
from seqem.io.report_layout import ReportLayout
from seqem.io.streams import FilePath
from seqem.profile.options import SearchOptions

_RULE = "# " + "- " * 35 + "-\n"
_TITLES = {
    "search": "search profile(s) against a sequence database",
    "scan": "search sequence(s) against a profile database",
}


def write_report(
    where: FilePath | TextIO,
    results: Results,
    *,
    mode: Mode = "search",
    options: SearchOptions | None = None,
    width: int = 120,
    alignments: bool = True,
) -> None:
    """Write a report as the main output of ``hmmsearch``, ``hmmscan`` or, of long targets, ``nhmmer``.

    Parameters
    ----------
    where : path-like or open text
        A path is written whole or not at all.
    results : TopHits or iterable of TopHits
        One a query. Of a scan, the query is the sequence and each hit is a model.
    mode : {"search", "scan"}
        Whether targets are sequences or models.
    options : SearchOptions, optional
        Those of the search, which say where Z and domZ are from.
    width : int
        Length of the lines.
    alignments : bool
        Whether domains are shown letter by letter.

    Examples
    --------
    >>> import io
    >>> from seqem.profile.hits import QueryInfo, SearchStatistics, TopHits
    >>> nothing = TopHits(QueryInfo("fn3", "", "", 86), (), SearchStatistics(1, 86, 9, 900, 0, 0, 0, 0, 9, 0, 0.1))
    >>> out = io.StringIO()
    >>> write_report(out, nothing)
    >>> out.getvalue().splitlines()[4]
    'Query:       fn3  [M=86]'
    """
    how = (mode, options or SearchOptions(), width, alignments)
    layouts = {"targets": ReportLayout(*how), "residues": LongReportLayout(*how)}
    with hits_output(where) as handle:
        handle.write(f"# hmm{mode} :: {_TITLES[mode]}\n# seqem {__version__}\n{_RULE}\n")
        for result in each_result(results):
            handle.writelines(layouts[result.statistics.unit].lines(result))
        handle.write("[ok]\n")
