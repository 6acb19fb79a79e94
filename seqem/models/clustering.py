"""What all mixtures do with new rows: score them and tell their components."""

from __future__ import annotations

from typing import Any

from sklearn.base import DensityMixin

from seqem.em.estimator import EMEstimator
from seqem.shapes import Array, IntArray


class Clustering(DensityMixin, EMEstimator):
    """Base of mixtures; a subclass has ``fit`` and answers ``_posterior``."""

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        """Return log-densities (N,) and posterior probabilities of the components (N, K)."""
        raise NotImplementedError

    def score_samples(self, X: Any) -> Array:
        """Return the log-density of each observation, shape (N,); by variational Bayes the expected one, as scikit-learn has it."""
        return self._posterior(X)[0]

    def score(self, X: Any, y: None = None) -> float:
        """Return the mean log-density of the observations."""
        return float(self.score_samples(X).mean())

    def predict_proba(self, X: Any) -> Array:
        """Return the posterior probability of each component, shape (N, K)."""
        return self._posterior(X)[1]

    def predict(self, X: Any) -> IntArray:
        """Return the most probable component of each observation, shape (N,)."""
        return self.predict_proba(X).argmax(axis=1)

    def fit_predict(self, X: Any, y: None = None, **known: Any) -> IntArray:
        """Fit, and return the most probable component of each observation."""
        estimator: Any = self
        return estimator.fit(X, **known).predict(X)
