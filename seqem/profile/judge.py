"""Judge hits: thresholds and E-values, once the number of comparisons is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from seqem.profile.hits import Domain, Hit
from seqem.profile.options import SearchOptions
from seqem.profile.pipeline import Pipeline, RawDomain, RawHit
from seqem.profile.plan7 import Cutoffs
from seqem.profile.render import render


class Limits:
    """The four thresholds of a search: by score where one is given, else by E-value."""

    def __init__(self, o: SearchOptions, cutoff: Cutoffs | None) -> None:
        sequence = cutoff.sequence if cutoff else None
        domain = cutoff.domain if cutoff and cutoff.domain is not None else sequence
        self._report = (sequence if cutoff else o.score, o.evalue)
        self._report_domain = (domain if cutoff else o.domain_score, o.domain_evalue)
        self._include = (sequence if cutoff else o.include_score, o.include_evalue)
        self._include_domain = (domain if cutoff else o.include_domain_score, o.include_domain_evalue)

    @staticmethod
    def _meets(limit: tuple[float | None, float], score: float, log_p: float, z: float) -> bool:
        lowest, evalue = limit
        return score >= lowest if lowest is not None else math.exp(log_p) * z <= evalue

    def reports(self, score: float, log_p: float, z: float) -> bool:
        """Return whether a target is reported; what is not for some ``z`` is not for any larger one."""
        return self._meets(self._report, score, log_p, z)

    def includes(self, score: float, log_p: float, z: float) -> bool:
        """Return whether a target is significant."""
        return self._meets(self._include, score, log_p, z)

    def reports_domain(self, score: float, log_p: float, domain_z: float) -> bool:
        """Return whether a domain is reported."""
        return self._meets(self._report_domain, score, log_p, domain_z)

    def includes_domain(self, score: float, log_p: float, domain_z: float) -> bool:
        """Return whether a domain is significant."""
        return self._meets(self._include_domain, score, log_p, domain_z)


def draft(pipeline: Pipeline, raw: RawHit, **about: Any) -> Hit:
    """Return a hit before it is judged: E-values are P-values, nothing is included.

    Parameters
    ----------
    pipeline : Pipeline
        That found it.
    raw : RawHit
        What it found.
    **about
        Name, accession, description and length where the hit is not the target that was searched.
    """
    domains = tuple(_draft_domain(pipeline, domain) for domain in raw.domains)
    known: dict[str, Any] = {
        "name": raw.name,
        "accession": "",
        "description": raw.description,
        "length": raw.length,
    } | about
    return Hit(
        score=raw.score,
        bias=raw.bias,
        log_p=raw.log_p,
        evalue=math.exp(raw.log_p),
        included=False,
        domains=domains,
        expected_domains=raw.expected,
        n_regions=raw.n_regions,
        n_clustered=raw.n_clustered,
        n_overlaps=raw.n_overlaps,
        n_envelopes=len(domains),
        best=max(range(len(domains)), key=lambda d: domains[d].score),
        **known,
    )


def _draft_domain(pipeline: Pipeline, raw: RawDomain) -> Domain:
    log_p = pipeline.log_p(raw.score)
    envelope, trace = raw.envelope, raw.envelope.trace
    return Domain(
        raw.score, raw.bias, envelope.first, envelope.last, int(trace.residues[0]), int(trace.residues[-1]),
        int(trace.nodes[0]), int(trace.nodes[-1]), log_p, math.exp(log_p), math.exp(log_p),
        envelope.accuracy / (envelope.last - envelope.first + 1), False, False,
        render(pipeline.finder.profile, trace, raw.residues),
    )  # fmt: skip


def judged(hit: Hit, limits: Limits, z: float, domain_z: float) -> Hit:
    """Return a hit with E-values for so many comparisons, and what of it is reported and included."""
    included = limits.includes(hit.score, hit.log_p, z)
    domains = tuple(
        replace(
            domain,
            conditional_evalue=math.exp(domain.log_p) * domain_z,
            evalue=math.exp(domain.log_p) * z,
            reported=limits.reports_domain(domain.score, domain.log_p, domain_z),
            included=included and limits.includes_domain(domain.score, domain.log_p, domain_z),
        )
        for domain in hit.domains
    )
    return replace(hit, evalue=math.exp(hit.log_p) * z, included=included, domains=domains)
