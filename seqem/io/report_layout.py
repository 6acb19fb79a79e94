"""What a report says of one query that searched whole targets, as HMMER lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from seqem.io.hit_alignment import alignment_lines
from seqem.io.hit_tables import Mode
from seqem.profile.hits import Domain, Hit, QueryInfo, TopHits
from seqem.profile.options import SearchOptions


class ReportLayout:
    """Lay out what a search of whole targets finds; what is the same for all queries of a report."""

    def __init__(self, mode: Mode, options: SearchOptions, width: int, alignments: bool) -> None:
        self.scan = mode == "scan"
        self.options = options
        self.width = width
        self.alignments = alignments

    annotation = "Domain annotation"
    alignment_title = "\n  Alignments for each domain:\n"

    @property
    def _noun(self) -> str:
        return "model" if self.scan else "sequence"

    def lines(self, result: TopHits) -> Iterator[str]:
        """Yield all that is said of one query."""
        yield from self._query(result.query)
        yield from self._targets(result)
        yield "\n\n"
        yield from self._domains(result)
        yield "\n\n"
        yield from self._statistics(result)
        yield "//\n"

    def _query(self, query: QueryInfo) -> Iterator[str]:
        yield f"Query:       {query.name}  [{'L' if query.is_sequence else 'M'}={query.n_nodes}]\n"
        if query.accession:
            yield f"Accession:   {query.accession}\n"
        if query.description:
            yield f"Description: {query.description}\n"

    def _targets(self, result: TopHits) -> Iterator[str]:
        names = longest_name(result)
        noun, plural = ("Model", "") if self.scan else ("Sequence", "s")
        yield f"Scores for complete sequence{plural} (score includes all domains):\n"
        yield "   --- full sequence ---   --- best 1 domain ---    -#dom-\n"
        yield f"    E-value  score  bias    E-value  score  bias    exp  N  {noun:<{names}} Description\n"
        yield f"    ------- ------ -----    ------- ------ -----   ---- --  {'-' * 8:<{names}} -----------\n"
        room = max(32, self.width - names - 61)
        yield from with_threshold(result, (_target_line(hit, names, room) for hit in result))

    def _domains(self, result: TopHits) -> Iterator[str]:
        shown = " (and alignments)" if self.alignments else ""
        yield f"{self.annotation} for each {self._noun}{shown}:\n"
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
        model, target = (query, hit) if not self.scan else (hit, query)
        yield from self._domain_table(reported, (_length(model), _length(target)))
        if not self.alignments:
            yield "\n"
            return
        yield self.alignment_title
        for number, d in enumerate(reported, start=1):
            yield self._domain_title(number, d)
            yield from alignment_lines(d, model.name, target.name, self.width)
            yield "\n"

    def _domain_table(self, domains: Sequence[Domain], lengths: tuple[int, int]) -> Iterator[str]:
        """Yield header and a line for each domain; ``lengths`` are those of model and target."""
        yield "   #    score  bias  c-Evalue  i-Evalue hmmfrom  hmm to    alifrom  ali to    envfrom  env to     acc\n"
        yield " ---   ------ ----- --------- --------- ------- -------    ------- -------    ------- -------    ----\n"
        yield from (_domain_line(d, number, lengths) for number, d in enumerate(domains, start=1))

    def _domain_title(self, number: int, d: Domain) -> str:
        return f"  == domain {number}  score: {d.score:.1f} bits;  conditional E-value: {d.conditional_evalue:.2g}\n"

    def _statistics(self, result: TopHits) -> Iterator[str]:
        s = result.statistics
        yield "Internal pipeline statistics summary:\n-------------------------------------\n"
        if self.scan:
            yield f"Query sequence(s):           {s.n_targets:15d}  ({s.n_residues} residues searched)\n"
            yield f"Target model(s):             {s.n_models:15d}  ({s.n_nodes} nodes)\n"
        else:
            yield f"Query model(s):              {s.n_models:15d}  ({s.n_nodes} nodes)\n"
            yield f"Target sequences:            {s.n_targets:15d}  ({s.n_residues} residues searched)\n"
        yield from self._passed(result)
        yield f"# Elapsed: {_clock(s.seconds)}\n"
        yield f"# Mc/sec: {s.n_residues * s.n_nodes / max(s.seconds, 1e-9) / 1e6:.2f}\n"

    def _passed(self, result: TopHits) -> Iterator[str]:
        """Yield how many targets passed the filters, and the numbers of comparisons."""
        s, o = result.statistics, self.options
        searched = s.n_models if self.scan else s.n_targets
        passed = (s.passed_msv, s.passed_bias, s.passed_viterbi, s.passed_forward)
        expected = (s.gates.segments, *s.gates)
        for name, count, p in zip(("MSV", "bias", "Vit", "Fwd"), passed, expected, strict=True):
            share = f"({count / max(searched, 1):.6g}); expected {p * searched:.1f} ({p:.6g})"
            yield f"{f'Passed {name} filter:':<28} {count:15d}  {share}\n"
        z_by = "as set by --Z on cmdline" if o.z else "actual number of targets"
        yield f"Initial search space (Z):    {s.z:15.0f}  [{z_by}]\n"
        domain_z_by = "as set by --domZ on cmdline" if o.domain_z else "number of targets reported over threshold"
        yield f"Domain search space  (domZ): {s.domain_z:15.0f}  [{domain_z_by}]\n"


def longest_name(result: TopHits) -> int:
    """Return the width of the column of names."""
    return max([8, *(len(hit.name) for hit in result)])


def with_threshold(result: TopHits, lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of the hits, with one before the first that is not included."""
    below = False
    for hit, line in zip(result, lines, strict=True):
        if not hit.included and not below:
            below = True
            yield "  ------ inclusion threshold ------\n"
        yield line
    if not len(result):
        yield "\n   [No hits detected that satisfy reporting thresholds]\n"


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
        f"{d.evalue:9.2g} {d.model_from:7d} {d.model_to:7d} {ends(d.model_from, d.model_to, model)} "
        f"{d.target_from:7d} {d.target_to:7d} {ends(d.target_from, d.target_to, target)} "
        f"{d.envelope_from:7d} {d.envelope_to:7d} {ends(d.envelope_from, d.envelope_to, target)} {d.accuracy:4.2f}\n"
    )


def ends(first: int, last: int, length: int) -> str:
    """Return brackets where a piece reaches the ends, dots where it does not."""
    return ("[" if first == 1 else ".") + ("]" if last == length else ".")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{rest:05.2f}"
