"""PoissonHMM, with the face of hmmlearn 0.3.3.

The arguments that all estimators share are described at ``seqem.HMM``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from seqem.distributions.attributes import finite
from seqem.distributions.poisson import Poisson, PoissonParams
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.hmm.base import BaseHMM, Learned


class PoissonHMM(BaseHMM):
    """Hidden Markov model of counts; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    lambdas_prior, lambdas_weight : float or array-like
        Shape and rate of the Gamma prior of the rates, as in hmmlearn; zeros leave it out.

    Attributes
    ----------
    lambdas_ : ndarray, shape (K, D)
        Rates.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).poisson(np.repeat([2, 30], 100))
    >>> model = PoissonHMM(2, random_state=0).fit(x[:, None])
    >>> np.sort(model.lambdas_.ravel()).round().tolist()
    [2.0, 30.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"l": ("lambdas_",)}
    lambdas_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        lambdas_prior: Any = 0.0,
        lambdas_weight: Any = 0.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stl",
        init_params: str = "stl",
        implementation: str = "scaling",
        *,
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int | Restarts = 1,
    ) -> None:
        self._set_shared(locals())

    def _distribution(self) -> Distribution:
        # hmmlearn's M-step is (prior + sum r x) / (weight + sum r): a Gamma density of shape prior + 1.
        return Poisson(
            np.asarray(self.lambdas_prior) + 1.0, self.lambdas_weight, fixed=self._fixed_fields({"lambdas_": "rate"})
        )

    def _emission_of(self, attributes: dict[str, Any]) -> PoissonParams:
        return PoissonParams(finite("lambdas_", attributes["lambdas_"], 2, lowest=0.0))

    def _columns_of(self, emission: PoissonParams) -> int:
        return emission.rate.shape[1]

    def _attributes_of(self, emission: PoissonParams) -> dict[str, Any]:
        return {"lambdas_": emission.rate}
