"""Inference: what every HMM estimator answers about observations once it has parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqem.chain import inference
from seqem.chain.blocks import expected_counts, forward_walk
from seqem.chain.engine import safe_log
from seqem.chain.params import stationary_distribution
from seqem.chain.viterbi import best_paths
from seqem.core.batch import SequenceBatch
from seqem.core.rng import RandomState, generator
from seqem.distributions.protocol import Distribution
from seqem.em.criteria import aic, aicc, bic
from seqem.em.estimator import EMEstimator
from seqem.errors import NumericalError, ParameterError
from seqem.hmm.model import HMMParams, MarkovModel
from seqem.shapes import AnyArray, Array, Path


class Inference(EMEstimator):
    """Score, decode, sample and compare models; ``BaseHMM`` adds parameters and fitting."""

    algorithm: str
    random_state: RandomState
    _n_free: int

    @property
    def params_(self) -> HMMParams:
        """All parameters in use, as one tree of arrays."""
        raise NotImplementedError

    @property
    def _space(self) -> str:
        raise NotImplementedError

    def _model(self) -> MarkovModel:
        raise NotImplementedError

    def _distribution(self) -> Distribution:
        raise NotImplementedError

    def _batch(self, X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
        raise NotImplementedError

    def _observed(self, X: Any, lengths: Any = None, **known: Any) -> tuple[HMMParams, SequenceBatch]:
        raise NotImplementedError

    def score(self, X: Any, lengths: Any = None, **known: Any) -> float:
        """Return the log-likelihood of the observations; -inf where they are impossible.

        Parameters
        ----------
        X, lengths : as in fit
        **known
            ``labels`` or ``state_prior``, as in fit.
        """
        return float(self.score_sequences(X, lengths, **known).sum())

    def score_sequences(self, X: Any, lengths: Any = None, **known: Any) -> Array:
        """Return the log-likelihood of each sequence, shape (S,)."""
        params, batch = self._observed(X, lengths, **known)
        return forward_walk(params.chain, self._model().frames(params, batch), batch.offsets, space=self._space)

    def score_rows(self, X: Any, lengths: Any = None) -> Array:
        """Return log p(row | state), shape (N, K): what the emission says before the chain has a word."""
        params, batch = self._observed(X, lengths)
        return self._model().frames(params, batch)(0, batch.n_rows)

    def score_samples(self, X: Any, lengths: Any = None, **known: Any) -> tuple[float, Array]:
        """Return the log-likelihood and the posterior of each state at each row, shape (N, K).

        Raises
        ------
        NumericalError
            Where a sequence is impossible.
        """
        params, batch = self._observed(X, lengths, **known)
        posterior = np.zeros((batch.n_rows, len(params.start)))

        def sink(lo: int, hi: int, rows: Array) -> None:
            posterior[lo:hi] = rows

        source = self._model().frames(params, batch)
        result = expected_counts(params.chain, source, batch.offsets, sink, space=self._space)
        refuse_impossible(result.log_likelihood, batch)
        return float(result.log_likelihood.sum()), posterior

    def predict_proba(self, X: Any, lengths: Any = None, **known: Any) -> Array:
        """Return the posterior of each state at each row, shape (N, K)."""
        return self.score_samples(X, lengths, **known)[1]

    def filter_proba(self, X: Any, lengths: Any = None, **known: Any) -> Array:
        """Return p(state of a row | rows up to it), shape (N, K)."""
        params, batch = self._observed(X, lengths, **known)
        out = np.zeros((batch.n_rows, len(params.start)))
        source = self._model().frames(params, batch)
        refuse_impossible(forward_walk(params.chain, source, batch.offsets, space=self._space, filtered=out), batch)
        return out

    def decode(self, X: Any, lengths: Any = None, algorithm: str | None = None, **known: Any) -> tuple[float, Path]:
        """Return the log probability of the best paths and the state of each row, shape (N,).

        Parameters
        ----------
        X, lengths : as in fit
        algorithm : {"viterbi", "map"}, optional
            Best path, or best state of each row; then the first result is the sum of their posteriors.
        """
        algorithm = algorithm or self.algorithm
        if algorithm == "map":
            posterior = self.predict_proba(X, lengths, **known)
            best = posterior.max(1, initial=0.0)
            return float(best.sum()), posterior.argmax(1).astype(np.int32)
        if algorithm != "viterbi":
            raise ParameterError("unknown algorithm", got=repr(algorithm), expected='"viterbi" or "map"')
        params, batch = self._observed(X, lengths, **known)
        model = self._model()
        distribution: Any = model.distribution
        plain = batch.labels is None and batch.state_prior is None and hasattr(distribution, "table")
        table = safe_log(distribution.table(params.emission)) if plain else None
        source = model.frames(params, batch)

        def frames(lo: int, hi: int) -> tuple[Array, AnyArray | None]:
            return (source(lo, hi), None) if table is None else (table, batch.values[lo:hi])

        paths, scores = best_paths(params.chain, frames, batch.offsets)
        refuse_impossible(scores, batch)
        return float(scores.sum()), paths

    def predict(self, X: Any, lengths: Any = None, **known: Any) -> Path:
        """Return the state of each row, shape (N,), by ``algorithm``."""
        return self.decode(X, lengths, **known)[1]

    def decode_k_best(self, X: Any, n_best: int) -> list[inference.Decoding]:
        """Return up to ``n_best`` different paths of one sequence by falling probability."""
        params, batch = self._observed(X)
        return inference.decode_k_best(params.chain, self._model().frames(params, batch)(0, batch.n_rows), n_best)

    def sample_paths(self, X: Any, n_paths: int, random_state: RandomState = None) -> Path:
        """Return paths of one sequence drawn from their posterior, shape (n_paths, T)."""
        params, batch = self._observed(X)
        frames = self._model().frames(params, batch)(0, batch.n_rows)
        return inference.sample_posterior(params.chain, frames, n_paths, self._rng(random_state), space=self._space)

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None, currstate: int | None = None
    ) -> tuple[AnyArray, Path]:
        """Return observations and states drawn from the model: ((T, n_features), (T,)).

        Parameters
        ----------
        n_samples : int
            Rows; fewer come where the model ends by itself.
        random_state : int or Generator, optional
            By default the estimator's.
        currstate : int, optional
            State of the first row.
        """
        params, rng = self.params_, self._rng(random_state)
        chain = params.chain
        if currstate is not None:
            chain = chain._replace(start=np.eye(chain.n_states)[currstate])
        states = inference.sample_prior(chain, n_samples, rng)
        values = self._distribution().sample(params.emission, states, rng)
        return values.reshape(len(states), -1), states

    def get_stationary_distribution(self) -> Array:
        """Return the stationary distribution of the transitions, shape (K,)."""
        return stationary_distribution(self.params_.trans)

    @property
    def n_parameters_(self) -> int:
        """Number of free parameters of the fitted model."""
        fitted = "result_" in vars(self) and "_given" not in vars(self) and "_n_free" in vars(self)
        return self._n_free if fitted else self._model().n_free(self.params_)

    def _drawn_like(self, shards: Sequence[SequenceBatch], rng: np.random.Generator) -> list[SequenceBatch]:
        return [self._batch([self.sample(n, rng)[0] for n in shard.lengths.tolist()]) for shard in shards]

    def _evidence(self, X: Any, lengths: Any) -> tuple[float, int, int]:
        return self.score(X, lengths), self.n_parameters_, self._batch(X, lengths).n_rows

    def aic(self, X: Any, lengths: Any = None) -> float:
        """Return Akaike's criterion, -2 log L + 2 p."""
        return aic(*self._evidence(X, lengths))

    def aicc(self, X: Any, lengths: Any = None) -> float:
        """Return Akaike's criterion for few rows; see :func:`seqem.em.criteria.aicc`."""
        return aicc(*self._evidence(X, lengths))

    def bic(self, X: Any, lengths: Any = None) -> float:
        """Return Schwarz's criterion, -2 log L + p log N."""
        return bic(*self._evidence(X, lengths))

    def icl(self, X: Any, lengths: Any = None) -> float:
        """Return the integrated completed likelihood, -2 log p(X, best path) + p log N (Celeux & Durand 2008)."""
        return -2 * self.decode(X, lengths, "viterbi")[0] + self.n_parameters_ * np.log(self._batch(X, lengths).n_rows)

    def _rng(self, random_state: RandomState) -> np.random.Generator:
        return generator(self.random_state if random_state is None else random_state)


def refuse_impossible(log_likelihood: Array, batch: SequenceBatch) -> None:
    """Raise NumericalError for the first sequence without any possible path."""
    impossible = np.flatnonzero(log_likelihood == -np.inf)
    if len(impossible):
        s = int(impossible[0])
        name = s if batch.names is None else repr(batch.names[s])
        raise NumericalError(
            f"sequence {name} has probability zero under the model",
            hint="score() gives -inf for it; check zeros in startprob_, transmat_ and the emission",
        )
