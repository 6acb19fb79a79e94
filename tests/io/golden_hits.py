"""Results of HMMER put back together from its tables, to be written again."""

import csv
import math
from itertools import groupby
from pathlib import Path

from seqem.profile.hits import Domain, DomainAlignment, Hit, QueryInfo, SearchStatistics, TopHits


def table_rows(path: Path) -> list[str]:
    """Return the lines of a table that are not comments."""
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def header_rows(path: Path) -> list[str]:
    """Return the comment lines above the rows."""
    return path.read_text().splitlines()[:3]


def golden_hits(folder: Path, stem: str) -> TopHits:
    """Return the result behind ``stem.tbl`` and ``stem.domtbl``, with digits of ``stem.full.tsv`` where it is there."""
    lines = table_rows(folder / f"{stem}.tbl")
    targets = [line.split(maxsplit=18) for line in lines]
    domains = [line.split(maxsplit=22) for line in table_rows(folder / f"{stem}.domtbl")]
    descriptions = {row[0]: _rest(line, 18) for row, line in zip(targets, lines, strict=True)}
    by_name = {name: list(rows) for name, rows in groupby(domains, key=lambda row: row[0])}
    full = _full(folder / f"{stem}.full.tsv")
    hits = tuple(_hit(row, by_name[row[0]], full.get(row[0], []), descriptions[row[0]]) for row in targets)
    return TopHits(_query(domains, scan=stem.endswith("hmmscan")), hits, _statistics(len(hits)))


def _rest(line: str, fields: int) -> str:
    """Return what follows the first fields of a line, with all of its blanks."""
    text = line
    for _ in range(fields):
        text = text.lstrip().partition(" ")[2]
    return "" if text == "-" else text


def _query(domains, *, scan: bool) -> QueryInfo:
    return QueryInfo(domains[0][3], _given(domains[0][4]), "", int(domains[0][5]), is_sequence=scan)


def _given(text: str) -> str:
    return "" if text == "-" else text


def _statistics(n_hits: int) -> SearchStatistics:
    return SearchStatistics(1, 1, n_hits, 0, 0, 0, 0, 0, float(n_hits), float(n_hits), 1.0)


def _full(path: Path) -> dict[str, list[dict[str, str]]]:
    if not path.exists():
        return {}
    with path.open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {name: list(group) for name, group in groupby(rows, key=lambda row: row["target"])}


def _hit(row, domains, full, description) -> Hit:
    reported = iter(domains)
    # Domains that are not reported are only in the full table; where there is none, stand-ins keep the count.
    found = [_full_domain(f, next(reported) if int(f["dom_reported"]) else None) for f in full]
    if not found:
        found = [_table_domain(d) for d in domains] + [_stand_in()] * (int(row[15]) - len(domains))
        included = int(row[17])
        found = [_with_inclusion(d, sum(x.log_p < d.log_p for x in found) < included) for d in found]
    score, bias, evalue = float(row[5]), float(row[6]), float(row[4])
    if full:
        score, bias, evalue = (float(full[0][key]) for key in ("seq_score", "seq_bias", "seq_evalue"))
    best = max(range(len(found)), key=lambda i: found[i].score)
    return Hit(
        row[0], _given(row[1]), description, int(domains[0][2]), score, bias, _log(evalue), evalue,
        bool(int(full[0]["included"])) if full else evalue <= 0.01, tuple(found), float(row[10]),
        *map(int, row[11:15]), best,
    )  # fmt: skip


def _log(x: float) -> float:
    return math.log(x) if x else -math.inf


def _full_domain(f, row) -> Domain:
    places = [int(f[key]) for key in ("env_from", "env_to", "ali_from", "ali_to", "hmm_from", "hmm_to")]
    evalue = float(f["i_evalue"])
    model = f["hmm_ali"]
    return Domain(
        float(f["dom_score"]), float(f["dom_bias"]), *places, _log(evalue), float(f["c_evalue"]), evalue,
        float(row[21]) if row else 0.0, f["dom_reported"] == "1", f["dom_included"] == "1",
        DomainAlignment(model, " " * len(model), f["target_ali"], f["pp"]),
    )  # fmt: skip


def _table_domain(row) -> Domain:
    hmm, ali, env = ([int(row[i]), int(row[i + 1])] for i in (15, 17, 19))
    nothing = DomainAlignment("", "", "", "")
    evalue = float(row[12])
    return Domain(
        float(row[13]), float(row[14]), *env, *ali, *hmm, _log(evalue), float(row[11]), evalue, float(row[21]),
        True, False, nothing,
    )  # fmt: skip


def _stand_in() -> Domain:
    nothing = DomainAlignment("", "", "", "")
    return Domain(-99.0, 0.0, 1, 1, 1, 1, 1, 1, 0.0, 99.0, 99.0, 0.0, False, False, nothing)


def _with_inclusion(domain: Domain, included: bool) -> Domain:
    return Domain(**(vars(domain) | {"included": included}))
