"""Iterated search: what a round finds makes the model of the next, until nothing new comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from seqem.bio.alphabet import Alphabet, alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, ParameterError
from seqem.kernels.profile_domains import P_D, P_I, P_M
from seqem.profile.align import AlignedFamily, Row, assemble
from seqem.profile.build import Builder
from seqem.profile.calibrate import calibrate
from seqem.profile.decode import Trace
from seqem.profile.hits import Domain, TopHits
from seqem.profile.options import SearchOptions
from seqem.profile.plan7 import CoreModel
from seqem.profile.search import search
from seqem.profile.single_sequence import from_sequence

Database = SequenceBatch | Iterable[SequenceBatch] | Callable[[], Iterable[SequenceBatch]]

#: Thresholds of an iterated search: a false target would bring others, so that fewer are let in.
ITERATED = SearchOptions(include_evalue=0.001, include_domain_evalue=0.001)


@dataclass(frozen=True, eq=False)
class Round:
    """One round of an iterated search.

    Attributes
    ----------
    number : int
        From 1.
    core : CoreModel
        The model that searched.
    hits : TopHits
        What it found.
    alignment : AlignedFamily
        The query, where that is a sequence, and all included domains as ``target/from-to``: the next model's rows.
    n_new : int
        Targets that are included for the first time.
    known : frozenset of str
        Targets included in this or an earlier round.
    converged : bool
        Whether another round would find nothing new.
    """

    number: int
    core: CoreModel
    hits: TopHits
    alignment: AlignedFamily
    n_new: int
    known: frozenset[str]
    converged: bool


def iterate(
    query: SequenceBatch | CoreModel,
    database: Database,
    options: SearchOptions | None = None,
    *,
    rounds: int = 5,
    builder: Builder | None = None,
    executor: Executor | None = None,
    on_round: Callable[[Round], object] | None = None,
    resume: Round | None = None,
) -> list[Round]:
    """Search with a query, then with a model of the query and what was found, and so on, as jackhmmer does.

    Parameters
    ----------
    query : SequenceBatch or CoreModel
        One sequence, or a calibrated model. Every model has a node for each residue, or node, of the query.
    database : SequenceBatch, iterable of SequenceBatch, or callable
        The targets; a function returns the parts anew for each round, such as ``lambda: stream(path)``.
    options : SearchOptions, optional
        Thresholds; unless given, E-values up to 0.001 are included.
    rounds : int
        At most so many, those before ``resume`` counted.
    builder : Builder, optional
        How models are built from alignments; columns are always those of the query.
    executor : concurrent.futures.Executor, optional
        For the searches; the result does not depend on it.
    on_round : callable, optional
        Called with each round when it ends, to show progress or to keep it.
    resume : Round, optional
        Go on after this round of an earlier call with the same query and database.

    Returns
    -------
    list of Round
        The last one has converged unless there were no more rounds; round one alone is what phmmer does.

    Raises
    ------
    DataError
        Where the query is not one sequence, or the targets are in another alphabet.
    ParameterError
        Where ``rounds`` is below 1, or the database can be gone through only once.

    Examples
    --------
    >>> from seqem.bio.alphabet import PROTEIN
    >>> texts = ["MKVLATWYCDEFGHIKLMNP", "MKVLSTWYCDEYGHIKLMNP", "GGSGGSGGSGGSGGSGGSGG"]
    >>> targets = SequenceBatch.of([PROTEIN.encode(text) for text in texts], names=("a", "b", "c"))
    >>> query = SequenceBatch.of([targets[0]], names=("q",), alphabet=PROTEIN.letters)
    >>> found = iterate(query, targets)
    >>> [[hit.name for hit in round.hits] for round in found], found[-1].converged
    ([['a', 'b'], ['a', 'b']], True)
    """
    if rounds < 1:
        raise ParameterError("rounds is off", got=rounds, expected="a number from 1")
    if isinstance(database, Iterator):
        raise ParameterError("the database can be gone through only once", hint="give a function: lambda: stream(path)")
    builder = replace(builder or Builder(), hand=True)
    start = _Start.of(query)
    found: list[Round] = []
    last = resume
    while (last is None or not last.converged) and (last.number if last else 0) < rounds:
        core = start.core if last is None else start.built(builder, last.alignment)
        targets = database() if callable(database) else database
        hits = search(core, targets, options or ITERATED, executor=executor)
        last = _round(start, core, hits, last)
        found.append(last)
        if on_round is not None:
            on_round(last)
    return found


@dataclass(frozen=True, eq=False)
class _Start:
    """What the rounds begin with: a calibrated model, and the rows that each alignment begins with."""

    core: CoreModel
    rows: tuple[Row, ...] = ()

    @classmethod
    def of(cls, query: SequenceBatch | CoreModel) -> _Start:
        if isinstance(query, CoreModel):
            return cls(query)
        if len(query) != 1:
            raise DataError("a query is one sequence", got=f"{len(query)} sequences", hint="batch.between(s, s + 1)")
        if query.alphabet is None:
            raise DataError("a query without an alphabet has no letters", hint="give the batch alphabet=")
        name = query.names[0] if query.names is not None else "query"
        core = from_sequence(query[0], alphabet_of(query.alphabet), name=name)
        description = query.descriptions[0] if query.descriptions is not None else None
        steps = np.arange(1, core.n_nodes + 1)
        trace = Trace(np.full(core.n_nodes, P_M), steps, steps, np.ones(core.n_nodes))
        row = Row(name, query[0], np.zeros(core.n_nodes), (trace,))
        return cls(replace(calibrate(core), description=description or None), (row,))

    def built(self, builder: Builder, family: AlignedFamily) -> CoreModel:
        """Return the model of an alignment under the names of the query."""
        core = calibrate(builder.build(family.alignment, name=self.core.name))
        return replace(core, accession=self.core.accession, description=self.core.description)


def _round(start: _Start, core: CoreModel, hits: TopHits, before: Round | None) -> Round:
    included = {hit.name for hit in hits if hit.included}
    family = included_alignment(core, hits, start.rows)
    known = before.known if before else frozenset()
    n_new = len(included - known)
    n_before = len(before.alignment.alignment) if before else len(start.rows)
    converged = n_new == 0 and len(family.alignment) <= n_before
    number = before.number + 1 if before else 1
    return Round(number, core, hits, family, n_new, known | included, converged)


def included_alignment(core: CoreModel, hits: TopHits, first: Sequence[Row] = ()) -> AlignedFamily:
    """Return the included domains as rows ``target/from-to`` of one alignment, behind the rows ``first``."""
    rows = [
        _row(f"{hit.name}/{domain.target_from}-{domain.target_to}", domain, core.alphabet)
        for hit in hits
        for domain in hit.domains
        if domain.included
    ]
    return assemble(core, [*first, *rows])


def _row(name: str, domain: Domain, alphabet: Alphabet) -> Row:
    """Return the aligned part of a target, read off the lines that show it."""
    letters, posteriors = (
        np.frombuffer(line.encode("ascii"), np.uint8) for line in (domain.alignment.target, domain.alignment.posterior)
    )
    deleted, inserted = letters == ord("-"), letters >= ord("a")
    states = np.where(deleted, P_D, np.where(inserted, P_I, P_M))
    nodes = domain.model_from - 1 + np.cumsum(~inserted)
    tenths = np.where(posteriors == ord("*"), 10.0, posteriors - float(ord("0")))
    trace = Trace(states, nodes, np.cumsum(~deleted), np.where(deleted, 0.0, tenths / 10))
    residues = alphabet.encode(letters[~deleted].tobytes())
    return Row(name, residues, np.zeros(len(residues)), (trace,))
