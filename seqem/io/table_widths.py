"""Widths of the columns of names in tables of hits."""

from __future__ import annotations

from typing import NamedTuple

from seqem.profile.hits import TopHits


class Widths(NamedTuple):
    """Widths of the columns of names, which grow with the longest."""

    target: int
    target_accession: int
    query: int
    query_accession: int

    @classmethod
    def of(cls, result: TopHits) -> Widths:
        """Return the widths for one query and its hits."""
        target = max((len(hit.name) for hit in result), default=0)
        accession = max((len(hit.accession) for hit in result), default=0)
        query = result.query
        return cls(max(20, target), max(10, accession), max(20, len(query.name)), max(10, len(query.accession)))
