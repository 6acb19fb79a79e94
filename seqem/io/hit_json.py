"""Search results as JSON lines, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, TextIO

from seqem.io.hit_tables import Results, each_result, hits_output
from seqem.io.streams import FilePath
from seqem.profile.hits import Hit, TopHits


def write_json_lines(where: FilePath | TextIO, results: Results) -> None:
    """Write one JSON object a hit, with its query, its domains and their alignments.

    Parameters
    ----------
    where : path-like or open text
        A path is written whole or not at all.
    results : TopHits or iterable of TopHits
        One a query.

    Examples
    --------
    >>> import io
    >>> from seqem.profile.hits import Hit, QueryInfo, SearchStatistics, TopHits
    >>> hit = Hit("seq1", "", "", 90, 30.5, 0.1, -20.0, 2e-9, True, (), 1.0, 1, 0, 0, 1, 0)
    >>> found = TopHits(QueryInfo("fn3", "", "", 86), (hit,), SearchStatistics(1, 86, 1, 90, 1, 1, 1, 1, 1, 1, 0.1))
    >>> out = io.StringIO()
    >>> write_json_lines(out, found)
    >>> out.getvalue()[:70]
    '{"query": {"name": "fn3", "accession": "", "description": "", "n_nodes'
    """
    with hits_output(where) as handle:
        for result in each_result(results):
            handle.writelines(json.dumps(_record(result, hit)) + "\n" for hit in result)


def _record(result: TopHits, hit: Hit) -> dict[str, Any]:
    domains = [asdict(domain) | {"alignment": domain.alignment._asdict()} for domain in hit.domains]
    return {"query": result.query._asdict(), **vars(hit), "domains": domains}
