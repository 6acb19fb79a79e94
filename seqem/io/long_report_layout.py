"""What a report says of one query that searched long targets, as nhmmer lays it out: each hit is one domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqem.io.long_tables import place_width
from seqem.io.report_layout import ReportLayout, ends, longest_name, with_threshold
from seqem.profile.hits import Domain, Hit, TopHits

_COLUMNS = (
    "    score  bias    Evalue   hmmfrom    hmm to     alifrom    ali to      envfrom    env to       sq len      acc\n"
    "   ------ ----- ---------   -------   -------    --------- ---------    --------- ---------    ---------    ----\n"
)


class LongReportLayout(ReportLayout):
    """Lay out what a search of long targets finds."""

    annotation = "Annotation"
    alignment_title = "\n  Alignment:\n"

    @property
    def _noun(self) -> str:
        return "hit "

    def _targets(self, result: TopHits) -> Iterator[str]:
        names, places = longest_name(result), place_width(result, 6)
        yield "Scores for complete hits:\n"
        yield f"    E-value  score  bias  {'Sequence':<{names}} {'start':>{places}} {'end':>{places}}  Description\n"
        yield f"    ------- ------ -----  {'-' * 8:<{names}} {'-' * 5:>{places}} {'-' * 5:>{places}}  -----------\n"
        room = max(32, self.width - names - 2 * places - 32)
        yield from with_threshold(result, (_hit_line(hit, names, places, room) for hit in result))

    def _domain_table(self, domains: Sequence[Domain], lengths: tuple[int, int]) -> Iterator[str]:
        yield _COLUMNS
        yield from (_domain_line(d, *lengths) for d in domains)

    def _domain_title(self, number: int, d: Domain) -> str:
        return f"  score: {d.score:.1f} bits\n"

    def _passed(self, result: TopHits) -> Iterator[str]:
        """Yield how many residues passed the filters, and how many hits cover."""
        s = result.statistics
        passed = (s.passed_msv, s.passed_bias, s.passed_viterbi, s.passed_forward)
        for name, count, p in zip(("SSV", "bias", "Vit", "Fwd"), passed, (s.gates.segments, *s.gates), strict=True):
            title = f"Residues passing {name} filter:"
            yield f"{title:<28}{count:{44 - max(28, len(title))}d}  ({count / max(s.n_residues, 1):.3g}); expected ({p:.3g})\n"
        covered = sum(abs(d.target_to - d.target_from) + 1 for hit in result for d in hit.domains)
        yield f"Total number of hits:        {len(result):15d}  ({covered / max(s.n_residues, 1):.3g})\n"


def _hit_line(hit: Hit, names: int, places: int, room: int) -> str:
    d = hit.best_domain
    return (
        f"  {hit.evalue:9.2g} {hit.score:6.1f} {hit.bias:5.1f}  {hit.name:<{names}} {d.target_from:{places}d} "
        f"{d.target_to:{places}d} {hit.description[:room]}\n"
    )


def _domain_line(d: Domain, model: int, target: int) -> str:
    return (
        f" {'!' if d.included else '?'} {d.score:6.1f} {d.bias:5.1f} {d.evalue:9.2g} {d.model_from:9d} {d.model_to:9d} "
        f"{ends(d.model_from, d.model_to, model)} {d.target_from:9d} {d.target_to:9d} "
        f"{ends(d.target_from, d.target_to, target)} {d.envelope_from:9d} {d.envelope_to:9d} "
        f"{ends(d.envelope_from, d.envelope_to, target)} {target:9d}    {d.accuracy:4.2f}\n"
    )
