"""PLDA: whether vectors are of the same speaker, by Gaussians between and within speakers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Self

import numpy as np

from seqem.core.checks import rows
from seqem.em.callbacks import Callback
from seqem.em.estimator import EMEstimator
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.inputs import checked_rows
from seqem.shapes import Array, IntArray
from seqem.speech.two_covariance import PLDAModel, PLDAParams, SpeakerSums

# Speakers of a shard.
_SHARD = 256
# Least share of the between-speaker variance that a direction starts with: from zero EM does not move.
_SMALLEST = 1e-3
# Share of the largest eigenvalue of correlations below which one is rounding.
_SINGULAR = 1e-12


class PLDA(EMEstimator):
    """Probabilistic linear discriminant analysis with Gaussians.

    Parameters
    ----------
    n_factors : int, optional
        q, rank of the between-speaker covariance; by default as many as speakers less one, and vectors have entries.
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``.
    max_iter : int
        EM steps at most.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.

    Attributes
    ----------
    mean_ : ndarray, shape (D,)
    between_, within_ : ndarray, shape (D, D)
        Covariances between and within speakers.
    loadings_ : ndarray, shape (D, q)
        V, with ``between_ = V @ V.T``.

    References
    ----------
    S. Prince and J. Elder (2007). Probabilistic linear discriminant analysis for inferences about identity. ICCV, 1-8.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> voices = 3 * rng.normal(size=(20, 2))
    >>> X = np.repeat(voices, 5, axis=0) + rng.normal(size=(100, 2))
    >>> model = PLDA().fit(X, np.repeat(np.arange(20), 5))
    >>> model.scores([X[5:9], X[10:14]], X[14:15]).argmax(axis=1).tolist()
    [1]
    """

    def __init__(
        self, n_factors: int | None = None, *, tol: float = 1e-8, max_iter: int = 500, method: str = "em"
    ) -> None:
        self.n_factors = n_factors
        self.tol = tol
        self.max_iter = max_iter
        self.method = method

    def _model(self) -> PLDAModel:
        return PLDAModel()

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def _shards(self, X: Any, **known: Any) -> list[SpeakerSums]:
        away = checked_rows(self, X, reset=False, allow_nan=False) - self._centre
        place = np.unique(known["y"], return_inverse=True)[1]
        order = np.argsort(place, kind="stable")
        away, place = away[order], place[order]
        edges = np.searchsorted(place, np.arange(0, place[-1] + _SHARD + 1, _SHARD))
        return [_summed(away[a:b], place[a:b]) for a, b in itertools.pairwise(edges) if b > a]

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Learn how vectors differ between speakers and within.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Vectors, such as i-vectors.
        y : array-like, shape (N,)
            Who each is of; speakers may have any number of vectors.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over groups of speakers; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step.

        Raises
        ------
        DataError, ParameterError
            For vectors or parameters that cannot be.
        """
        x, speakers = checked_rows(self, X, reset=True, allow_nan=False), np.asarray(y)
        if speakers.shape != (len(x),):
            raise DataError("y does not fit", got=f"shape {speakers.shape}", expected=f"({len(x)},)")
        n_speakers, D = len(np.unique(speakers)), x.shape[1]
        if n_speakers < 2:
            raise DataError("too few speakers", got=n_speakers, expected="at least 2")
        most = min(D, n_speakers - 1)
        rank = most if self.n_factors is None else self.n_factors
        if not (isinstance(rank, int | np.integer) and 1 <= rank <= D):
            raise ParameterError("n_factors is off", got=rank, expected=f"1 to n_features = {D}")
        self._centre = x.mean(axis=0)
        shards = self._shards(x, y=speakers)
        return self._run(_start(shards, int(rank)), shards, executor=executor, callbacks=callbacks)

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def mean_(self) -> Array:
        """Mean over speakers, shape (D,)."""
        return self._fitted.params.mean + self._centre

    @property
    def loadings_(self) -> Array:
        """Loadings of the factors of a speaker, shape (D, q)."""
        return self._fitted.params.loadings

    @property
    def between_(self) -> Array:
        """Covariance between speakers, shape (D, D)."""
        return np.asarray(self.loadings_ @ self.loadings_.T)

    @property
    def within_(self) -> Array:
        """Covariance within speakers, shape (D, D)."""
        return self._fitted.params.within

    # -- using it --------------------------------------------------------------------------------------

    def scores(self, enrolled: Sequence[Any], X: Any) -> Array:
        """Return the log-likelihood ratios of "the same speaker" to "another one".

        Parameters
        ----------
        enrolled : sequence of array-like, shapes (n_i, D)
            Vectors that each speaker is known by.
        X : array-like, shape (R, D)
            Vectors to judge.

        Returns
        -------
        ndarray, shape (R, len(enrolled))

        Raises
        ------
        DataError
            For speakers without vectors, or vectors of other length.
        """
        params = self._fitted.params
        x = checked_rows(self, X, reset=False, allow_nan=False) - self._centre
        sets = [rows(vectors) for vectors in enrolled]
        wrong = [i for i, vectors in enumerate(sets) if len(vectors) == 0 or vectors.shape[1] != x.shape[1]]
        if wrong or not sets:
            raise DataError(
                f"vectors of speaker {wrong[0]} do not fit" if wrong else "nobody is enrolled",
                got=sets[wrong[0]].shape if wrong else None, expected=f"(n, {x.shape[1]}) with n at least 1",
            )  # fmt: skip
        counts = np.array([len(vectors) for vectors in sets], dtype=np.float64)
        sums = np.stack([(vectors - self._centre).sum(axis=0) for vectors in sets])
        return self._model().log_likelihood_ratios(params, counts, sums, x)


def _summed(x: Array, place: IntArray) -> SpeakerSums:
    """Return the sums of vectors in the order of their speakers."""
    _, first, counts = np.unique(place, return_index=True, return_counts=True)
    return SpeakerSums(counts.astype(np.float64), np.add.reduceat(x, first), x.T @ x)


def _start(shards: Sequence[SpeakerSums], rank: int) -> PLDAParams:
    """Return the scatter within speakers, and the first principal axes of their means."""
    counts, sums = (np.concatenate(parts) for parts in list(zip(*shards, strict=True))[:2])
    means = sums / counts[:, None]
    within = np.sum([shard.scatter for shard in shards], axis=0) - means.T @ sums
    _refuse_singular(within)
    mean = means.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(means.T, ddof=0).reshape(len(mean), -1))
    values = np.maximum(values, _SMALLEST * values[-1])
    return PLDAParams(mean, (vectors * np.sqrt(values))[:, : -rank - 1 : -1], within / (counts.sum() - len(counts)))


def _refuse_singular(within: Array) -> None:
    """Refuse vectors that do not scatter about their speakers' means in all directions."""
    sizes = np.sqrt(np.diagonal(within))
    rank = (
        0
        if (sizes == 0).any()
        else np.linalg.matrix_rank(within / np.outer(sizes, sizes), rtol=_SINGULAR, hermitian=True)
    )
    if rank < len(within):
        raise DataError(
            "vectors do not vary in all directions within speakers", got=f"rank {rank}", expected=f"{len(within)}",
            hint="more vectors of each speaker, or shorter ones, as by linear discriminant analysis",
        )  # fmt: skip
