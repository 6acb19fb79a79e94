"""Tables of hits on long targets with the columns of nhmmer: places on a strand, and Dfam's."""

from __future__ import annotations

from collections.abc import Iterator

from seqem.io.table_widths import Widths
from seqem.profile.hits import Domain, TopHits

_PLACES = ("alifrom", "ali to", "envfrom", "env to", "sq len")
_LAST = "description of target"


def place_width(result: TopHits, least: int = 7) -> int:
    """Return the width of a column of places on the targets."""
    return max([least, *(len(str(max(d.target_from, d.target_to))) for hit in result for d in hit.domains)])


def header(w: Widths, result: TopHits) -> Iterator[str]:
    """Yield the lines above the table."""
    p = place_width(result)
    yield (
        f"#{' target name':<{w.target - 1}} {'accession':<{w.target_accession}} {'query name':<{w.query}} "
        f"{'accession':<{w.query_accession}} hmmfrom hmm to {' '.join(f'{name:>{p}}' for name in _PLACES)} strand "
        f"  E-value  score  bias  {_LAST}\n"
    )
    yield (
        f"#{'-' * 19:>{w.target - 1}} {'-' * 10:>{w.target_accession}} {'-' * 20:>{w.query}} "
        f"{'-' * 10:>{w.query_accession}} ------- ------- {_dashes(p)} ------ "
        f"--------- ------ ----- {'-' * 21}\n"
    )


def lines(w: Widths, result: TopHits) -> Iterator[str]:
    """Yield one line a hit."""
    p, query = place_width(result), result.query
    for hit in result:
        d = hit.best_domain
        yield (
            f"{hit.name:<{w.target}} {hit.accession or '-':<{w.target_accession}} {query.name:<{w.query}} "
            f"{query.accession or '-':<{w.query_accession}} {d.model_from:7d} {d.model_to:7d} "
            f"{_places(d, hit.length, p)} {_strand(d)} {hit.evalue:9.2g} {hit.score:6.1f} {hit.bias:5.1f}  "
            f"{hit.description or '-'}\n"
        )


def dfam_lines(result: TopHits) -> Iterator[str]:
    """Yield header and hits as Dfam has them."""
    p, query = place_width(result), result.query
    name = Widths.of(result).target
    accession, by = max(20, len(query.accession)), max(20, len(query.name))
    places = ("ali-st", "ali-en", "env-st", "env-en", "sq-len")
    yield "# hit scores\n# ----------\n#\n"
    yield (
        f"# {'target name':<{name - 1}} {'acc':<{accession}} {'query name':<{by}} {'bits':>6} {'  e-value':>9} {' bias':>5}"
        f"  hmm-st  hmm-en strand {' '.join(f'{place:>{p}}' for place in places)}   {_LAST}\n"
    )
    dashes = "-" * 19
    yield (
        f"# {dashes:<{name - 1}} {dashes:<{accession}} {dashes:<{by}} ------ --------- ----- ------- ------- ------ "
        f"{_dashes(p)}   {'-' * 21}\n"
    )
    for hit in result:
        d = hit.best_domain
        yield (
            f"{hit.name:<{name}}  {query.accession or '-':<{accession}} {query.name:<{by}} {hit.score:6.1f} "
            f"{hit.evalue:9.2g} {hit.bias:5.1f} {d.model_from:7d} {d.model_to:7d} {_strand(d)} "
            f"{_places(d, hit.length, p)}   {hit.description or '-'}\n"
        )


def _dashes(width: int) -> str:
    return " ".join([f"{'-' * 7:>{width}}"] * len(_PLACES))


def _places(d: Domain, length: int, width: int) -> str:
    numbers = (d.target_from, d.target_to, d.envelope_from, d.envelope_to, length)
    return " ".join(f"{number:>{width}d}" for number in numbers)


def _strand(d: Domain) -> str:
    return "   +  " if d.target_from < d.target_to else "   -  "
