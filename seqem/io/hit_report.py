"""The report of a search for people to read, laid out as HMMER's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from seqem import __version__
from seqem.io.hit_alignment import alignment_lines
from seqem.io.hit_tables import Mode, Results, each_result, hits_output
from seqem.io.streams import FilePath
from seqem.profile.hits import Domain, Hit, QueryInfo, SearchStatistics, TopHits
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
    """Write a report as the main output of ``hmmsearch`` or ``hmmscan``.

    Parameters
    ----------
    where : path-like or open text
        A path is written whole or not at all.
    results : TopHits or iterable of TopHits
        One a query. Of a scan, the query is the sequence and each hit is a model.
    mode : {"search", "scan"}
        Whether targets are sequences or models.
    options : SearchOptions, optional
        Those of the search, whose filters say how many targets were expected to pass.
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
    layout = _Layout(mode, options or SearchOptions(), width, alignments)
    with hits_output(where) as handle:
        handle.write(f"# hmm{mode} :: {_TITLES[mode]}\n# seqem {__version__}\n{_RULE}\n")
        for result in each_result(results):
            handle.writelines(layout.lines(result))
        handle.write("[ok]\n")


class _Layout:
    """What is the same for all queries of a report."""

    def __init__(self, mode: Mode, options: SearchOptions, width: int, alignments: bool) -> None:
        self.scan = mode == "scan"
        self.options = options
        self.width = width
        self.alignments = alignments

    def lines(self, result: TopHits) -> Iterator[str]:
        """Yield all that is said of one query."""
        yield from self._query(result.query)
        yield from self._targets(result)
        yield "\n\n"
        yield from self._domains(result)
        yield "\n\n"
        yield from self._statistics(result.statistics)
        yield "//\n"

    def _query(self, query: QueryInfo) -> Iterator[str]:
        yield f"Query:       {query.name}  [{'L' if self.scan else 'M'}={query.n_nodes}]\n"
        if query.accession:
            yield f"Accession:   {query.accession}\n"
        if query.description:
            yield f"Description: {query.description}\n"

    def _targets(self, result: TopHits) -> Iterator[str]:
        names = max([8, *(len(hit.name) for hit in result)])
        noun, plural = ("Model", "") if self.scan else ("Sequence", "s")
        yield f"Scores for complete sequence{plural} (score includes all domains):\n"
        yield "   --- full sequence ---   --- best 1 domain ---    -#dom-\n"
        yield f"    E-value  score  bias    E-value  score  bias    exp  N  {noun:<{names}} Description\n"
        yield f"    ------- ------ -----    ------- ------ -----   ---- --  {'-' * 8:<{names}} -----------\n"
        room = max(32, self.width - names - 61)
        below = False
        for hit in result:
            if not hit.included and not below:
                below = True
                yield "  ------ inclusion threshold ------\n"
            yield _target_line(hit, names, room)
        if not len(result):
            yield "\n   [No hits detected that satisfy reporting thresholds]\n"

    def _domains(self, result: TopHits) -> Iterator[str]:
        shown = " (and alignments)" if self.alignments else ""
        yield f"Domain annotation for each {'model' if self.scan else 'sequence'}{shown}:\n"
        for hit in result:
            yield f">> {hit.name}  {hit.description[: max(32, self.width - len(hit.name) - 5)]}\n"
            yield from self._domains_of(hit, result.query)
        if not len(result):
            yield "\n   [No targets detected that satisfy reporting thresholds]\n"

    def _domains_of(self, hit: Hit, query: QueryInfo) -> Iterator[str]:
        reported = hit.reported_domains
        if not reported:
            yield "   [No individual domains that satisfy reporting thresholds (although complete target did)]\n\n"
            return
        yield "   #    score  bias  c-Evalue  i-Evalue hmmfrom  hmm to    alifrom  ali to    envfrom  env to     acc\n"
        yield " ---   ------ ----- --------- --------- ------- -------    ------- -------    ------- -------    ----\n"
        model, target = (query, hit) if not self.scan else (hit, query)
        lengths = (_length(model), _length(target))
        yield from (_domain_line(d, number, lengths) for number, d in enumerate(reported, start=1))
        if self.alignments:
            yield "\n  Alignments for each domain:\n"
            for number, d in enumerate(reported, start=1):
                yield f"  == domain {number}  score: {d.score:.1f} bits;  "
                yield f"conditional E-value: {d.conditional_evalue:.2g}\n"
                yield from alignment_lines(d, model.name, target.name, self.width)
                yield "\n"
        else:
            yield "\n"

    def _statistics(self, s: SearchStatistics) -> Iterator[str]:
        yield "Internal pipeline statistics summary:\n-------------------------------------\n"
        if self.scan:
            yield f"Query sequence(s):           {s.n_targets:15d}  ({s.n_residues} residues searched)\n"
            yield f"Target model(s):             {s.n_models:15d}  ({s.n_nodes} nodes)\n"
        else:
            yield f"Query model(s):              {s.n_models:15d}  ({s.n_nodes} nodes)\n"
            yield f"Target sequences:            {s.n_targets:15d}  ({s.n_residues} residues searched)\n"
        searched = s.n_models if self.scan else s.n_targets
        o = self.options
        f1, f2, f3 = (1.0, 1.0, 1.0) if o.sensitive else (o.f1, o.f2, o.f3)
        passed = (s.passed_msv, s.passed_bias, s.passed_viterbi, s.passed_forward)
        for name, count, f in zip(("MSV", "bias", "Vit", "Fwd"), passed, (f1, f1, f2, f3), strict=True):
            share = f"({count / max(searched, 1):.6g}); expected {f * searched:.1f} ({f:.6g})"
            yield f"{f'Passed {name} filter:':<28} {count:15d}  {share}\n"
        z_by = "as set by --Z on cmdline" if o.z else "actual number of targets"
        yield f"Initial search space (Z):    {s.z:15.0f}  [{z_by}]\n"
        domain_z_by = "as set by --domZ on cmdline" if o.domain_z else "number of targets reported over threshold"
        yield f"Domain search space  (domZ): {s.domain_z:15.0f}  [{domain_z_by}]\n"
        yield f"# Elapsed: {_clock(s.seconds)}\n"
        yield f"# Mc/sec: {s.n_residues * s.n_nodes / max(s.seconds, 1e-9) / 1e6:.2f}\n"


def _length(entry: Hit | QueryInfo) -> int:
    return entry.length if isinstance(entry, Hit) else entry.n_nodes


def _target_line(hit: Hit, names: int, room: int) -> str:
    best = hit.best_domain
    return (
        f"  {hit.evalue:9.2g} {hit.score:6.1f} {hit.bias:5.1f}  {best.evalue:9.2g} {best.score:6.1f} {best.bias:5.1f}  "
        f"{hit.expected_domains:5.1f} {len(hit.reported_domains):2d}  {hit.name:<{names}}  {hit.description[:room]}\n"
    )


def _domain_line(d: Domain, number: int, lengths: tuple[int, int]) -> str:
    model, target = lengths
    return (
        f" {number:3d} {'!' if d.included else '?'} {d.score:6.1f} {d.bias:5.1f} {d.conditional_evalue:9.2g} "
        f"{d.evalue:9.2g} {d.model_from:7d} {d.model_to:7d} {_ends(d.model_from, d.model_to, model)} "
        f"{d.target_from:7d} {d.target_to:7d} {_ends(d.target_from, d.target_to, target)} "
        f"{d.envelope_from:7d} {d.envelope_to:7d} {_ends(d.envelope_from, d.envelope_to, target)} {d.accuracy:4.2f}\n"
    )


def _ends(first: int, last: int, length: int) -> str:
    """Return brackets where a piece reaches the ends, dots where it does not."""
    return ("[" if min(first, last) == 1 else ".") + ("]" if max(first, last) == length else ".")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{rest:05.2f}"
