"""IVectors: recordings of any length as vectors of one length."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Self

import numpy as np

from seqem.core.rng import generator
from seqem.em.callbacks import Callback
from seqem.em.estimator import EMEstimator
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.shapes import Array
from seqem.speech.background import Background, BaumWelch
from seqem.speech.speakers import GMMUBM
from seqem.speech.total_variability import TotalVariability, TotalVariabilityModel

# Recordings of a shard: memory grows with it and the square of the factors.
_SHARD = 64
# Size of the loadings to start at; the first step sets their scale.
_SMALL = 0.1


class IVectors(EMEstimator):
    """Turn recordings to i-vectors: the expected factors of total variability.

    Parameters
    ----------
    n_factors : int
        R, length of an i-vector.
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``.
    max_iter : int
        EM steps at most.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.
    random_state : int, Generator or None
        Draws the loadings to start at.

    Attributes
    ----------
    loadings_ : ndarray, shape (C, D, R)
        T, the total-variability matrix, in the units of the frames.
    log_likelihood_ : float
        Of the training frames given their alignment, less what the background alone gives.

    References
    ----------
    N. Dehak, P. Kenny, R. Dehak, P. Dumouchel and P. Ouellet (2011). Front-end factor analysis for speaker verification. IEEE
    Transactions on Audio, Speech and Language Processing 19, 788-798.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> recordings = [rng.normal(at, 1, (50, 3)) for at in rng.normal(size=20)]
    >>> background = GMMUBM(2, random_state=0).fit(recordings)
    >>> IVectors(1, random_state=0).fit(recordings, background).transform(recordings).shape
    (20, 1)
    """

    def __init__(
        self,
        n_factors: int = 50,
        *,
        tol: float = 1e-4,
        max_iter: int = 50,
        method: str = "em",
        random_state: Any = None,
    ) -> None:
        self.n_factors = n_factors
        self.tol = tol
        self.max_iter = max_iter
        self.method = method
        self.random_state = random_state

    def _model(self) -> TotalVariabilityModel:
        return TotalVariabilityModel()

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def _shards(self, X: Any, **known: Any) -> list[BaumWelch]:
        counts, first = self._background.statistics(X)
        cuts = range(0, len(counts), _SHARD)
        return [BaumWelch(counts[at : at + _SHARD], first[at : at + _SHARD]) for at in cuts]

    def fit(
        self,
        recordings: Sequence[Array],
        background: GMMUBM,
        *,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Learn how recordings differ, each as if of another speaker.

        Parameters
        ----------
        recordings : sequence of ndarray, shapes (T_i, D)
            Frames.
        background : GMMUBM
            Fitted; its background model aligns the frames. Who is enrolled in it does not matter.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over groups of recordings; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step.

        Raises
        ------
        DataError, ParameterError
            For recordings or parameters that cannot be.
        """
        self._background: Background = background.background_
        most = self._background.mixture.component.mean.size
        if not (isinstance(self.n_factors, int | np.integer) and 1 <= self.n_factors <= most):
            raise ParameterError(
                "n_factors is off", got=self.n_factors, expected=f"1 to components * features = {most}"
            )
        shards = self._shards(recordings)
        n_recordings, shape = sum(len(shard.counts) for shard in shards), shards[0].first.shape[1:]
        if n_recordings < 2:
            raise DataError("too few recordings", got=n_recordings, expected="at least 2")
        start = _SMALL * generator(self.random_state).standard_normal((*shape, self.n_factors))
        return self._run(TotalVariability(start), shards, executor=executor, callbacks=callbacks)

    @property
    def loadings_(self) -> Array:
        """Total-variability matrix, shape (C, D, R)."""
        loadings: Array = self._fitted.params.loadings
        deviation = np.sqrt(self._background.mixture.component.covariance) * self._background.scale
        return loadings * deviation[:, :, None]

    def transform(self, recordings: Any) -> Array:
        """Return the i-vectors of recordings, shape (n_recordings, n_factors).

        Parameters
        ----------
        recordings : ndarray, shape (T, D), or sequence of them
            Frames.
        """
        params = self._fitted.params
        return np.concatenate([self._model().posterior(params, shard).mean for shard in self._shards(recordings)])


def length_normalised(vectors: Array) -> Array:
    """Return vectors (S, R) each over its Euclidean length; one of zeros stays.

    Lengths of i-vectors tell more of the recording than of the speaker, and without them they are closer to normal.

    References
    ----------
    D. Garcia-Romero and C. Espy-Wilson (2011). Analysis of i-vector length normalization in speaker recognition systems.
    Interspeech, 249-252.

    Examples
    --------
    >>> length_normalised(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))
