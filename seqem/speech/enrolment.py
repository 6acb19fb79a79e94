"""Enrolment: a mixture moved towards one speaker's frames, with the background as its prior."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from seqem.core.checks import at_least
from seqem.core.rows import Rows
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DegenerateWarning, ParameterError
from seqem.models.mixture_model import MixtureModel

_PARTS = {"w": "weights", "m": "mean", "c": "covariance"}


@dataclass(frozen=True)
class Enrolment:
    """Find the mode of the posterior of a diagonal mixture by EM, from the background on.

    Attributes
    ----------
    relevance : float
        Frames that the background counts for in each component; 0 for maximum likelihood.
    parts : str
        What is adapted, some of "m" (means), "c" (variances) and "w" (weights).
    n_iter : int
        EM steps.
    floor : float
        Smallest variance.

    Notes
    -----
    The first step from the background is Reynolds' for means and variances, as his prior is the conjugate one: ``relevance``
    frames with the moments of the background's component. Weights have the Dirichlet prior of as many frames for each component,
    spread by the background's weights (Gauvain & Lee), where he mixes shares.

    References
    ----------
    D. Reynolds, T. Quatieri and R. Dunn (2000). Speaker verification using adapted Gaussian mixture models. Digital Signal
    Processing 10, 19-41, equations 11-14.
    J.-L. Gauvain and C.-H. Lee (1994). Maximum a posteriori estimation for multivariate Gaussian mixture observations of Markov
    chains. IEEE Transactions on Speech and Audio Processing 2, 291-298.

    Examples
    --------
    Two frames at 3, and two that the background counts for at 0:

    >>> import numpy as np
    >>> from seqem.distributions.gaussian import GaussianParams
    >>> background = MixtureParams(np.ones((1, 1)), GaussianParams(np.zeros((1, 1)), np.ones((1, 1))))
    >>> Enrolment(relevance=2.0).adapted(background, [Rows(np.full((2, 1), 3.0))]).component.mean
    array([[1.5]])
    """

    relevance: float
    parts: str = "m"
    n_iter: int = 1
    floor: float = 1e-6

    def __post_init__(self) -> None:
        if not self.parts or set(self.parts) - set(_PARTS):
            raise ParameterError("adapt is off", got=repr(self.parts), expected="some of the letters m, c, w")
        at_least(self.relevance, 0.0, "relevance")
        at_least(self.n_iter, 1, "adapt_iter")

    def model(self, background: MixtureParams) -> MixtureModel:
        """Return the EM model whose prior is the background."""
        (weights, (mean, covariance)), r = background, self.relevance
        fixed = {name: letter not in self.parts for letter, name in _PARTS.items()}
        family = Gaussian(
            "diag", mean_prior=mean, mean_weight=r, covariance_prior=r * covariance, covariance_weight=r + 1.0,
            floor=self.floor, fixed={name: fixed[name] for name in ("mean", "covariance")},
        )  # fmt: skip
        prior = 1.0 + r * weights.size * weights
        mixture = MixtureOf(family, weights.size, weight_prior=prior, fixed={"weights": fixed["weights"]})
        return MixtureModel(mixture)

    def adapted(
        self, background: MixtureParams, shards: Sequence[Rows], executor: Executor | None = None
    ) -> MixtureParams:
        """Return the mixture of one speaker, whose frames are in ``shards``; ``executor`` maps the E-step over them."""
        with warnings.catch_warnings():
            # A component without frames keeps the background's parameters, which is the mode.
            warnings.simplefilter("ignore", DegenerateWarning)
            stop = StopRule(max_iter=self.n_iter)
            found: MixtureParams = fit(self.model(background), background, shards, stop=stop, executor=executor).params
        return found
