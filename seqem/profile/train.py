"""Train a profile HMM on unaligned sequences: starts, Baum-Welch, surgery, and the choice among starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from seqem.bio.background import background
from seqem.core.batch import SequenceBatch
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.driver import FitResult, fit
from seqem.em.mapreduce import map_reduce
from seqem.em.methods import accelerator
from seqem.em.restarts import Starts, best_of
from seqem.em.stop import StopRule
from seqem.errors import DataError
from seqem.profile.family import FamilyModel, FamilyParams
from seqem.profile.surgery import first_transitions, operate
from seqem.shapes import Array, IntArray

Climb = Callable[[FamilyParams], FitResult]

_SHARD_ROWS = 1 << 15
# Shares of noise mixed into the emissions of the first rounds: a way out of poor starts (Hughey & Krogh 1996).
_NOISE = (0.4, 0.2, 0.1, 0.05)
_ITERATIONS_PER_NOISE = 2
_MOST_SURGERIES = 8
# Recursions in 32 bits leave rounding in the objective that is not a fall.
_FALL = 1e-6


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes
    ----------
    model : FamilyModel
        The recipe that EM climbs.
    n_nodes : int, optional
        Length of the model; by default it begins with a typical sequence's and surgery finds it.
    max_iter : int
        Iterations of Baum-Welch after each surgery at most.
    tol : float
        Converged when the objective changes by no more than this share.
    sample : int
        Starts are tried on no more than this many sequences; the best goes on with all of them.
    method : str
        How the best start goes on with all of them; see ``seqem.catalog.METHODS``.
    """

    model: FamilyModel
    n_nodes: int | None = None
    max_iter: int = 60
    tol: float = 1e-5
    sample: int = 400
    method: str = "em"

    @property
    def stop(self) -> StopRule:
        """When Baum-Welch ends."""
        return StopRule(max_iter=self.max_iter, rel_tol=self.tol, fall_tol=_FALL)

    def run(
        self,
        batch: SequenceBatch,
        rng: np.random.Generator,
        *,
        n_init: int = 4,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Resume | None = None,
    ) -> tuple[FitResult, Starts]:
        """Return the best fit and how all starts ended.

        Parameters
        ----------
        batch : SequenceBatch
            Unaligned sequences.
        rng : numpy.random.Generator
            Draws seeds of starts and noise.
        n_init : int
            Number of starts.
        executor : concurrent.futures.Executor, optional
            Runs the starts, then the E-steps.
        callbacks : sequence of callables
            Told of each fit to all sequences; there is one after each surgery.
        resume : Resume, optional
            Go on here, without starts.

        Raises
        ------
        DataError
            Where there is no residue to learn from.
        """
        if not batch.n_rows:
            raise DataError("the family has no residues", got=f"{len(batch)} sequences, all empty")
        family = _taken(batch, np.flatnonzero(batch.lengths))
        shards = family.shards(_SHARD_ROWS)
        if resume is None:
            few = _taken(family, np.sort(rng.permutation(len(family))[: self.sample]))
            best, starts = best_of(_Start(self, few), n_init, rng, executor)
            params = best.params
        else:
            params, starts = resume.params, Starts()

        def climb(params: FamilyParams, resume: Resume | None = None) -> FitResult:
            policy = accelerator(self.method, np.random.default_rng(len(family)))
            return fit(
                self.model, params, shards, stop=self.stop, executor=executor, callbacks=callbacks, accelerate=policy,
                resume=resume,
            )  # fmt: skip

        return self.until_stable(climb(params, resume), shards, climb, executor), starts

    def until_stable(
        self, result: FitResult, shards: Sequence[SequenceBatch], climb: Climb, executor: Executor | None = None
    ) -> FitResult:
        """Return the best of the fits after surgery and Baum-Welch in turn, until surgery asks for nothing more."""
        results = [result]
        while self.n_nodes is None and len(results) < _MOST_SURGERIES:
            counts = map_reduce(self.model.e_step, results[-1].params, shards, executor).stats
            operated = operate(results[-1].params, counts, self._unknown)
            if operated is None:
                break
            results.append(climb(operated))
        return max(results, key=lambda result: result.objective)

    @property
    def _unknown(self) -> Array:
        return background(self.model.alphabet)

    def start(self, batch: SequenceBatch, rng: np.random.Generator) -> FamilyParams:
        """Return a start from one sequence, of nearly typical length, of the batch."""
        lengths = batch.lengths
        wanted = np.quantile(lengths, rng.uniform(0.5, 1.0)) if self.n_nodes is None else self.n_nodes
        near = np.argsort(np.abs(lengths - wanted), kind="stable")[: max(1, len(batch) // 4)]
        residues = batch[int(rng.choice(near))]
        n_nodes = len(residues) if self.n_nodes is None else self.n_nodes
        codes = self.model.alphabet.codes / self.model.alphabet.codes.sum(axis=1, keepdims=True)
        counts = np.zeros((n_nodes, codes.shape[1]))
        counts[: len(residues)] = np.pad(codes, ((0, 2), (0, 0)))[residues[:n_nodes]]
        return FamilyParams(self.model.prior.match.mean_posterior(counts), first_transitions(n_nodes))

    def anneal(self, params: FamilyParams, batch: SequenceBatch, rng: np.random.Generator) -> FamilyParams:
        """Return parameters after a few iterations between doses of falling noise."""
        stop = StopRule(max_iter=_ITERATIONS_PER_NOISE, fall_tol=_FALL)
        letters = params.match.shape[1]
        for share in _NOISE:
            noise = rng.dirichlet(np.full(letters, 1.0), size=len(params.match))
            noisy = params._replace(match=(1 - share) * params.match + share * noise)
            params = fit(self.model, noisy, [batch], stop=stop).params
        return params


@dataclass(frozen=True)
class _Start:
    """One start, as a function of a generator."""

    training: Training
    batch: SequenceBatch

    def __call__(self, rng: np.random.Generator) -> FitResult:
        t = self.training
        params = t.anneal(t.start(self.batch, rng), self.batch, rng)
        return t.until_stable(self._climb(params), [self.batch], self._climb)

    def _climb(self, params: FamilyParams) -> FitResult:
        return fit(self.training.model, params, [self.batch], stop=self.training.stop)


def _taken(batch: SequenceBatch, which: IntArray) -> SequenceBatch:
    """Return the sequences ``which``."""
    weights = None if batch.weights is None else batch.weights[which]
    return SequenceBatch.of([batch[s] for s in which.tolist()], weights=weights, alphabet=batch.alphabet)
