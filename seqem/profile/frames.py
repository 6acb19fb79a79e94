"""Search results as tables of pandas: a row a hit, a row a domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from seqem.profile.hits import Domain, Hit, TopHits

if TYPE_CHECKING:
    import pandas as pd

_OF_HIT = (
    "accession", "description", "length", "score", "bias", "evalue", "log_p", "included", "expected_domains",
    "n_regions", "n_clustered", "n_overlaps", "n_envelopes",
)  # fmt: skip
_OF_DOMAIN = (
    "score", "bias", "conditional_evalue", "evalue", "log_p", "model_from", "model_to", "target_from", "target_to",
    "envelope_from", "envelope_to", "accuracy", "included",
)  # fmt: skip


def hits_frame(results: TopHits | Iterable[TopHits]) -> pd.DataFrame:
    """Return one row a hit, best first.

    Parameters
    ----------
    results : TopHits or iterable of TopHits
        One a query.

    Returns
    -------
    DataFrame
        Columns ``query``, ``target`` and the attributes of a hit, ``n_domains`` reported and ``best_score``,
        ``best_bias`` and ``best_evalue`` of its best domain.

    Examples
    --------
    >>> from seqem.profile.hits import QueryInfo, SearchStatistics, TopHits
    >>> nothing = TopHits(QueryInfo("fn3", "", "", 86), (), SearchStatistics(1, 86, 0, 0, 0, 0, 0, 0, 0, 0, 0.1))
    >>> hits_frame(nothing).columns[:4].tolist()
    ['query', 'target', 'accession', 'description']
    """
    import pandas as pd

    columns = ("query", "target", *_OF_HIT, "n_domains", "best_score", "best_bias", "best_evalue")
    return pd.DataFrame([_hit_row(r, hit) for r in _each(results) for hit in r], columns=columns)


def domains_frame(results: TopHits | Iterable[TopHits]) -> pd.DataFrame:
    """Return one row a reported domain, hits best first and their domains in order.

    Parameters
    ----------
    results : TopHits or iterable of TopHits
        One a query.

    Returns
    -------
    DataFrame
        Columns ``query``, ``target``, ``domain`` (counted from 1) and the attributes of a domain.

    Examples
    --------
    >>> domains_frame([]).columns[:4].tolist()
    ['query', 'target', 'domain', 'score']
    """
    import pandas as pd

    rows = [
        _domain_row(r, hit, number, domain)
        for r in _each(results)
        for hit in r
        for number, domain in enumerate(hit.reported_domains, start=1)
    ]
    return pd.DataFrame(rows, columns=("query", "target", "domain", *_OF_DOMAIN))


def _each(results: TopHits | Iterable[TopHits]) -> Iterable[TopHits]:
    return (results,) if isinstance(results, TopHits) else results


def _hit_row(result: TopHits, hit: Hit) -> tuple[Any, ...]:
    best = hit.best_domain
    values = (getattr(hit, name) for name in _OF_HIT)
    return result.query.name, hit.name, *values, len(hit.reported_domains), best.score, best.bias, best.evalue


def _domain_row(result: TopHits, hit: Hit, number: int, domain: Domain) -> tuple[Any, ...]:
    return result.query.name, hit.name, number, *(getattr(domain, name) for name in _OF_DOMAIN)
