"""Tables of search results with the columns of HMMER 3: targets, domains, and both as Pfam has them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TextIO, cast

from seqem import __version__
from seqem.io import long_tables
from seqem.io.streams import FilePath, atomic_write
from seqem.io.table_widths import Widths
from seqem.profile.hits import Hit, QueryInfo, TopHits

Mode = Literal["search", "scan"]
Results = TopHits | Iterable[TopHits]


@contextmanager
def hits_output(where: FilePath | TextIO) -> Iterator[TextIO]:
    """Yield an open text as it is, or one that a path is written to, whole or not at all."""
    if not isinstance(where, str | os.PathLike):
        yield where
        return
    with atomic_write(where) as handle:
        yield cast(TextIO, handle)


def each_result(results: Results) -> Iterable[TopHits]:
    """Return the results, one a query, where one alone may have been given."""
    return (results,) if isinstance(results, TopHits) else results


def write_tblout(
    where: FilePath | TextIO, results: Results, *, mode: Mode = "search", notes: Mapping[str, str] | None = None
) -> None:
    """Write one line a target, as ``hmmsearch --tblout`` does, or a hit on a long target, as ``nhmmer --tblout`` does.

    Parameters
    ----------
    where : path-like or open text
        A path is written whole or not at all.
    results : TopHits or iterable of TopHits
        One a query. Of a scan, the query is the sequence and each hit is a model.
    mode : {"search", "scan"}
        What the last lines of the file call it.
    notes : mapping of str to str, optional
        More last lines, such as ``{"Query file": "fn3.hmm"}``.

    Examples
    --------
    >>> import sys
    >>> from seqem.profile.hits import QueryInfo, SearchStatistics, TopHits
    >>> nothing = TopHits(QueryInfo("fn3", "", "", 86), (), SearchStatistics(1, 86, 0, 0, 0, 0, 0, 0, 0, 0, 0.1))
    >>> write_tblout(sys.stdout, nothing)  # doctest: +ELLIPSIS
    #   ...   --- full sequence ---- --- best 1 domain ---- --- domain number estimation ----
    # target name        accession  query name           accession    E-value  score  bias ...
    """
    with hits_output(where) as handle:
        for number, result in enumerate(each_result(results)):
            widths = Widths.of(result)
            long = result.statistics.unit == "residues"
            if number == 0:
                handle.writelines(long_tables.header(widths, result) if long else _target_header(widths))
            if long:
                handle.writelines(long_tables.lines(widths, result))
            else:
                handle.writelines(_target_line(hit, result.query, widths) for hit in result)
        handle.writelines(_tail(mode, notes))


def write_domtblout(
    where: FilePath | TextIO, results: Results, *, mode: Mode = "search", notes: Mapping[str, str] | None = None
) -> None:
    """Write one line a reported domain, as ``hmmsearch --domtblout`` does; parameters as :func:`write_tblout`.

    Examples
    --------
    >>> import io
    >>> out = io.StringIO()
    >>> write_domtblout(out, [])
    >>> out.getvalue().splitlines()[1]
    '# Program:         seqem'
    """
    with hits_output(where) as handle:
        for number, result in enumerate(each_result(results)):
            widths = Widths.of(result)
            if number == 0:
                handle.writelines(_domain_header(widths))
            for hit in result:
                handle.writelines(_domain_lines(hit, result.query, widths))
        handle.writelines(_tail(mode, notes))


def write_pfamtblout(
    where: FilePath | TextIO, results: Results, *, mode: Mode = "search", notes: Mapping[str, str] | None = None
) -> None:
    """Write targets, then domains by significance, as ``hmmsearch --pfamtblout``; parameters as :func:`write_tblout`.

    Of long targets, hits as ``nhmmer --dfamtblout``.

    Examples
    --------
    >>> import io
    >>> from seqem.profile.hits import QueryInfo, SearchStatistics, TopHits
    >>> nothing = TopHits(QueryInfo("fn3", "", "", 86), (), SearchStatistics(1, 86, 0, 0, 0, 0, 0, 0, 0, 0, 0.1))
    >>> out = io.StringIO()
    >>> write_pfamtblout(out, nothing)
    >>> out.getvalue().splitlines()[3]
    '# name                  bits   E-value   n   exp  bias    description'
    """
    with hits_output(where) as handle:
        for result in each_result(results):
            long = result.statistics.unit == "residues"
            handle.writelines(long_tables.dfam_lines(result) if long else _pfam_lines(result))
        handle.writelines(_tail(mode, notes))


_TARGET_FIELDS = (
    (9, "  E-value"), (6, " score"), (5, " bias"), (9, "  E-value"), (6, " score"), (5, " bias"), (5, "exp"),
    (3, "reg"), (3, "clu"), (3, " ov"), (3, "env"), (3, "dom"), (3, "rep"), (3, "inc"),
)  # fmt: skip
_DOMAIN_FIELDS = (
    (9, "E-value"), (6, "score"), (5, "bias"), (3, "#"), (3, "of"), (9, "c-Evalue"), (9, "i-Evalue"), (6, "score"),
    (5, "bias"), (5, "from"), (5, "to"), (5, "from"), (5, "to"), (5, "from"), (5, "to"), (4, "acc"),
)  # fmt: skip
_LAST = "description of target"


def _target_header(w: Widths) -> Iterator[str]:
    yield f"#{'':{sum(w) + 2}} {'--- full sequence ----':>22} {'--- best 1 domain ----':>22} " \
          f"{'--- domain number estimation ----':>33}\n"  # fmt: skip
    numbers = " ".join(f"{name:>{width}}" for width, name in _TARGET_FIELDS)
    yield (
        f"#{' target name':<{w.target - 1}} {'accession':<{w.target_accession}} {'query name':<{w.query}} "
        f"{'accession':<{w.query_accession}} {numbers} {_LAST}\n"
    )
    # HMMER draws three dashes under "exp", though its column is five wide.
    dashes = " ".join(f"{'-' * min(width, 3 if name == 'exp' else 9):>{width}}" for width, name in _TARGET_FIELDS)
    yield (
        f"#{'-' * 19:>{w.target - 1}} {'-' * 10:>{w.target_accession}} {'-' * 20:>{w.query}} "
        f"{'-' * 10:>{w.query_accession}} {dashes} {'-' * 21}\n"
    )


def _target_line(hit: Hit, query: QueryInfo, w: Widths) -> str:
    best = hit.best_domain
    return (
        f"{hit.name:<{w.target}} {hit.accession or '-':<{w.target_accession}} {query.name:<{w.query}} "
        f"{query.accession or '-':<{w.query_accession}} {hit.evalue:9.2g} {hit.score:6.1f} {hit.bias:5.1f} "
        f"{best.evalue:9.2g} {best.score:6.1f} {best.bias:5.1f} {hit.expected_domains:5.1f} {hit.n_regions:3d} "
        f"{hit.n_clustered:3d} {hit.n_overlaps:3d} {hit.n_envelopes:3d} {len(hit.domains):3d} "
        f"{len(hit.reported_domains):3d} {sum(d.included for d in hit.domains):3d} {hit.description or '-'}\n"
    )


def _domain_header(w: Widths) -> Iterator[str]:
    yield f"#{'':{sum(w) + 14}} {'--- full sequence ---':>22} {'-------------- this domain -------------':>40} " \
          f"{'hmm coord':>11} {'ali coord':>11} {'env coord':>11}\n"  # fmt: skip
    numbers = " ".join(f"{name:>{width}}" for width, name in _DOMAIN_FIELDS)
    yield (
        f"#{' target name':<{w.target - 1}} {'accession':<{w.target_accession}} {'tlen':>5} {'query name':<{w.query}} "
        f"{'accession':<{w.query_accession}} {'qlen':>5} {numbers} {_LAST}\n"
    )
    dashes = " ".join("-" * width for width, _ in _DOMAIN_FIELDS)
    yield (
        f"#{'-' * 19:>{w.target - 1}} {'-' * 10:>{w.target_accession}} ----- {'-' * 20:>{w.query}} "
        f"{'-' * 10:>{w.query_accession}} ----- {dashes} {'-' * 21}\n"
    )


def _domain_lines(hit: Hit, query: QueryInfo, w: Widths) -> Iterator[str]:
    reported = hit.reported_domains
    for number, d in enumerate(reported, start=1):
        yield (
            f"{hit.name:<{w.target}} {hit.accession or '-':<{w.target_accession}} {hit.length:5d} "
            f"{query.name:<{w.query}} {query.accession or '-':<{w.query_accession}} {query.n_nodes:5d} "
            f"{hit.evalue:9.2g} {hit.score:6.1f} {hit.bias:5.1f} {number:3d} {len(reported):3d} "
            f"{d.conditional_evalue:9.2g} {d.evalue:9.2g} {d.score:6.1f} {d.bias:5.1f} {d.model_from:5d} "
            f"{d.model_to:5d} {d.target_from:5d} {d.target_to:5d} {d.envelope_from:5d} {d.envelope_to:5d} "
            f"{d.accuracy:4.2f} {hit.description or '-'}\n"
        )


def _pfam_lines(result: TopHits) -> Iterator[str]:
    width = Widths.of(result).target
    yield "# Sequence scores\n# ---------------\n#\n"
    yield f"# {'name':<{width - 1}} {' bits':>6} {'E-value':>9} {'n':>3} {'exp':>5} {' bias':>5}    description\n"
    yield f"# {'-' * 19:>{width - 1}} {'-' * 6} {'-' * 9} {'-' * 3} {'-' * 5} {'-' * 5}    {'-' * 21}\n"
    for hit in result:
        yield (
            f"{hit.name:<{width}}  {hit.score:6.1f} {hit.evalue:9.2g} {len(hit.domains):3d} "
            f"{hit.expected_domains:5.1f} {hit.bias:5.1f}    {hit.description or '-'}\n"
        )
    yield "\n# Domain scores\n# -------------\n#\n"
    places = ("env-st", "env-en", "ali-st", "ali-en", "hmm-st", "hmm-en")
    yield f"# {' name':<{width - 1}} {'bits':>6} {'E-value':>9} {'hit':>5} {'bias':>5} {' '.join(places)}     description\n"
    yield f"# {'-' * 19:>{width - 1}} {'-' * 6} {'-' * 9} ----- ----- {' '.join(['-' * 6] * 6)}      {'-' * 21}\n"
    found = [(d, number, hit) for hit in result for number, d in enumerate(hit.reported_domains, start=1)]
    for d, number, hit in sorted(found, key=lambda row: (row[0].log_p, row[2].name, row[1])):
        yield (
            f"{hit.name:<{width}}  {d.score:6.1f} {d.evalue:9.2g} {number:5d} {d.bias:5.1f} {d.envelope_from:6d} "
            f"{d.envelope_to:6d} {d.target_from:6d} {d.target_to:6d} {d.model_from:6d} {d.model_to:6d}     "
            f"{hit.description or '-'}\n"
        )


def _tail(mode: Mode, notes: Mapping[str, str] | None) -> Iterator[str]:
    facts = {"Program": "seqem", "Version": __version__, "Pipeline mode": mode.upper(), **(notes or {})}
    yield "#\n"
    yield from (f"# {name + ':':<16} {value}\n" for name, value in facts.items())
    yield "# [ok]\n"
