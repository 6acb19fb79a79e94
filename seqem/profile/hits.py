"""What a search finds: domains in hits in a result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from seqem.profile.options import PROTEIN_GATES, Gates


class DomainAlignment(NamedTuple):
    """Model against target, one letter a column; all four of one length.

    ``model`` shows the consensus ("." at inserts), ``match`` identities and conservative pairs ("+"),
    ``target`` the residues (lower case at inserts, "-" at deletes), ``posterior`` the PP line.
    ``reference``, ``structure`` and ``mask`` are the model's annotation under the same columns, None where it has none.
    """

    model: str
    match: str
    target: str
    posterior: str
    reference: str | None = None
    structure: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class Domain:
    """One domain of a hit. Coordinates count from 1 and include both ends; scores are bits.

    Attributes
    ----------
    score, bias : float
        Bit score after, and what was taken off for, biased composition.
    envelope_from, envelope_to : int
        Where the domain probably lies on the target.
    target_from, target_to, model_from, model_to : int
        Ends of the alignment on target and model; on the reverse strand ``target_from > target_to``.
    log_p : float
        Natural log of the P-value of the score.
    conditional_evalue, evalue : float
        E-value given that the target is a hit (domZ), and independent of it (Z).
    accuracy : float
        Mean posterior probability of the aligned residues.
    reported, included : bool
        Whether it meets the thresholds of reporting and of inclusion.
    alignment : DomainAlignment
        The maximum expected accuracy alignment.
    """

    score: float
    bias: float
    envelope_from: int
    envelope_to: int
    target_from: int
    target_to: int
    model_from: int
    model_to: int
    log_p: float
    conditional_evalue: float
    evalue: float
    accuracy: float
    reported: bool
    included: bool
    alignment: DomainAlignment


@dataclass(frozen=True)
class Hit:
    """A reported target with its domains; scores are bits.

    Attributes
    ----------
    name, accession, description : str
        Of the target, "" where it has none.
    length : int
        Residues of the target.
    score, bias, log_p, evalue : float
        Of the whole target.
    included : bool
        Whether it meets the inclusion thresholds.
    domains : tuple of Domain
        All domains found, in order along the target; tables show the reported ones.
    expected_domains : float
        Expected number of domains by posterior decoding (exp).
    n_regions, n_clustered, n_overlaps, n_envelopes : int
        Counts of the domain definition: reg, clu, ov, env of the tables.
    best : int
        Index of the best-scoring domain.
    """

    name: str
    accession: str
    description: str
    length: int
    score: float
    bias: float
    log_p: float
    evalue: float
    included: bool
    domains: tuple[Domain, ...]
    expected_domains: float
    n_regions: int
    n_clustered: int
    n_overlaps: int
    n_envelopes: int
    best: int

    @property
    def best_domain(self) -> Domain:
        """The domain with the best score."""
        return self.domains[self.best]

    @property
    def reported_domains(self) -> tuple[Domain, ...]:
        """The domains that meet the reporting thresholds."""
        return tuple(domain for domain in self.domains if domain.reported)


class QueryInfo(NamedTuple):
    """What reports say of the model, or the sequence, that searched."""

    name: str
    accession: str
    description: str
    n_nodes: int
    is_sequence: bool = False


@dataclass(frozen=True)
class SearchStatistics:
    """How many targets came how far through the pipeline.

    Attributes
    ----------
    n_models, n_nodes : int
        Models searched with and their nodes.
    n_targets, n_residues : int
        Size of the database.
    passed_msv, passed_bias, passed_viterbi, passed_forward : int
        Targets that passed each filter.
    z, domain_z : float
        Numbers of targets that E-values are multiplied by: of the whole target, and conditional ones of domains.
    seconds : float
        Elapsed time.
    gates : Gates
        P-values of the filters.
    unit : {"targets", "residues"}
        What the counts of the filters and ``z`` count; residues of all strands where targets are long.
    """

    n_models: int
    n_nodes: int
    n_targets: int
    n_residues: int
    passed_msv: int
    passed_bias: int
    passed_viterbi: int
    passed_forward: int
    z: float
    domain_z: float
    seconds: float
    gates: Gates = PROTEIN_GATES
    unit: Literal["targets", "residues"] = "targets"


@dataclass(frozen=True)
class TopHits:
    """The reported targets of a search, best first; its length is their number.

    Attributes
    ----------
    query : QueryInfo
        The model.
    hits : tuple of Hit
        In order of significance.
    statistics : SearchStatistics
        What the pipeline did.
    """

    query: QueryInfo
    hits: tuple[Hit, ...]
    statistics: SearchStatistics

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]
