"""What a search reports, and how hard it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from seqem.bio.alphabet import PROTEIN, Alphabet
from seqem.errors import ParameterError
from seqem.profile.plan7 import CoreModel, Cutoffs

CutoffName = Literal["gathering", "trusted", "noise"]


class Gates(NamedTuple):
    """P-values that a target, or a window of a long one, must meet in the filters."""

    segments: float
    viterbi: float
    forward: float


PROTEIN_GATES, NUCLEOTIDE_GATES = Gates(0.02, 1e-3, 1e-5), Gates(0.02, 3e-3, 3e-5)
# Without filters, long targets are asked for segments of a P-value still: else all their places would pass.
_OPEN, _NEARLY_OPEN = Gates(1.0, 1.0, 1.0), Gates(0.3, 1.0, 1.0)


@dataclass(frozen=True)
class SearchOptions:
    """Thresholds of a search; the defaults are HMMER's.

    Attributes
    ----------
    evalue, domain_evalue : float
        Report targets, and domains by their conditional E-value, up to here.
    score, domain_score : float, optional
        Report by bit score in place of the E-value.
    include_evalue, include_domain_evalue : float
        Call targets and domains significant up to here.
    include_score, include_domain_score : float, optional
        Call significant by bit score in place of the E-value.
    cutoffs : {"gathering", "trusted", "noise"}, optional
        Take the model's own score thresholds in place of all those above.
    z, domain_z : float, optional
        Numbers of comparisons for E-values; by default the targets searched, and those reported. Of DNA and RNA ``z`` is
        the size of the database in megabases, each strand counted once.
    f1, f2, f3 : float, optional
        P-values that a target must meet in the MSV, Viterbi and Forward filters; by default 0.02, 0.001 and 0.00001, of
        DNA and RNA 0.02, 0.003 and 0.00003.
    bias_filter : bool
        Whether targets that only share the model's composition are dropped early.
    null2 : bool
        Whether scores are corrected for composition.
    sensitive : bool
        Switch all filters off (``--max``).

    Raises
    ------
    ParameterError
        Where a threshold is negative or the filters are no probabilities.
    """

    evalue: float = 10.0
    domain_evalue: float = 10.0
    score: float | None = None
    domain_score: float | None = None
    include_evalue: float = 0.01
    include_domain_evalue: float = 0.01
    include_score: float | None = None
    include_domain_score: float | None = None
    cutoffs: CutoffName | None = None
    z: float | None = None
    domain_z: float | None = None
    f1: float | None = None
    f2: float | None = None
    f3: float | None = None
    bias_filter: bool = True
    null2: bool = True
    sensitive: bool = False

    def __post_init__(self) -> None:
        for name in ("evalue", "domain_evalue", "include_evalue", "include_domain_evalue", "f1", "f2", "f3"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ParameterError(f"{name} is off", got=value, expected="a number from 0")
        for name in ("z", "domain_z"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ParameterError(f"{name} is off", got=value, expected="a number above 0")

    def gates(self, alphabet: Alphabet) -> Gates:
        """Return the P-values of the filters for targets of an alphabet."""
        protein = alphabet is PROTEIN
        if self.sensitive:
            return _OPEN if protein else _NEARLY_OPEN
        usual = PROTEIN_GATES if protein else NUCLEOTIDE_GATES
        given = (self.f1, self.f2, self.f3)
        return Gates(*(default if f is None else f for f, default in zip(given, usual, strict=True)))

    def cutoff_of(self, core: CoreModel) -> Cutoffs | None:
        """Return the model's own thresholds where they are asked for.

        Raises
        ------
        ParameterError
            Where the model has none.
        """
        if self.cutoffs is None:
            return None
        if self.cutoffs not in ("gathering", "trusted", "noise"):
            raise ParameterError("unknown cutoffs", got=repr(self.cutoffs), expected="gathering, trusted or noise")
        found: Cutoffs | None = getattr(core, self.cutoffs)
        if found is None:
            raise ParameterError(f"model {core.name!r} has no {self.cutoffs} cutoffs", hint="give thresholds instead")
        return found
