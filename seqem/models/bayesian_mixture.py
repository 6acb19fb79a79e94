"""BayesianMixture: a mixture of any family with conjugate posteriors, by variational Bayes."""

from __future__ import annotations

from typing import Any

from seqem.distributions.conjugate import completed_prior, posterior_class, posterior_of, takes_missing
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.models.inputs import checked_rows
from seqem.models.variational_base import BaseVariationalMixture
from seqem.shapes import AnyArray, Array


class BayesianMixture(BaseVariationalMixture):
    """Mixture of one of several families by variational Bayes: components that the data do not need empty.

    Parameters
    ----------
    distribution : Distribution
        Family of the components: Poisson, Exponential, Bernoulli, Multinomial, Categorical, Gaussian, or Independent of those.
        The prior is the family's own. By default the probabilities of Bernoulli are Beta(1, 1), those of symbols
        Dirichlet(1, ..., 1). Rates are Gamma(``prior_shape``, ``prior_rate``); where ``prior_rate`` is 0, as by default, it
        is such that the prior mean is the rate of the whole data (1 in a column of zeros). The prior of Gaussians is the
        default of ``BayesianGaussianMixture``, which has arguments for it.
    n_components : int
        K, the most components.
    tol : float
        Converged when the gain to come is no more than this share of the lower bound, see ``StopRule.rest_tol``.
    max_iter : int
        Iterations at most.
    n_init : int or Restarts
        Starts, of which the best bound is kept.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}
        Prior of the weights.
    weight_concentration_prior : float, optional
        Its concentration; one over K by default.
    random_state : int, Generator or None
        Draws starts and samples.

    Attributes
    ----------
    weights_ : ndarray
        Posterior means of the weights.
    params_ : NamedTuple
        Parameters of the components at posterior means.
    weight_concentration_ : ndarray
        Posterior concentrations (K,), or Beta parameters of the sticks (2, K).
    lower_bound_ : float
        Evidence lower bound of the data.

    Notes
    -----
    NaN is missing where the family allows it, which Gaussian does not here.

    References
    ----------
    H. Attias (2000). A variational Bayesian framework for graphical models. Advances in Neural Information Processing Systems 12.

    D. M. Blei and M. I. Jordan (2006). Variational inference for Dirichlet process mixtures. Bayesian Analysis 1, 121-143.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.distributions.poisson import Poisson
    >>> x = np.random.default_rng(0).poisson(np.repeat([2.0, 20.0], 200))[:, None]
    >>> model = BayesianMixture(Poisson(), 6, weight_concentration_prior=1e-3, random_state=0).fit(x)
    >>> int((model.weights_ > 0.01).sum())
    2
    """

    def __init__(
        self,
        distribution: Distribution,
        n_components: int = 2,
        *,
        tol: float = 1e-10,
        max_iter: int = 5000,
        n_init: int | Restarts = 1,
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.distribution = distribution
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = takes_missing(self.distribution)
        return tags

    def _family(self) -> Distribution:
        posterior_class(self.distribution)  # refuses one that has none
        return self.distribution

    def _component(self) -> Any:
        return posterior_of(self.distribution, self._prior)

    def _completed_prior(self, x: AnyArray, weights: Array | None) -> Any:
        return completed_prior(self.distribution, x, weights, self.n_components)

    def _rows(self, X: Any, *, reset: bool) -> AnyArray:
        """Return checked observations; a posterior may refuse what its family takes."""
        checker: Any = self._family() if reset else self._component()
        return checker.check(checked_rows(self, X, reset=reset))
