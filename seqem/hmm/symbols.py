"""CategoricalHMM and MultinomialHMM: symbols, and counts of symbols, with the face of hmmlearn 0.3.3.

The arguments that all estimators share are described at ``seqem.HMM``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from seqem.bio.alphabet import alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.distributions.attributes import probability_rows
from seqem.distributions.categorical import Categorical, CategoricalParams
from seqem.distributions.multinomial import Multinomial, MultinomialParams
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.hmm.base import BaseHMM, Learned


class CategoricalHMM(BaseHMM):
    """Hidden Markov model of symbols; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    emissionprob_prior : float or array-like
        Dirichlet parameter, at least one.
    n_features : int, optional
        Number of symbols M; by default from the data's alphabet or largest symbol.

    Attributes
    ----------
    emissionprob_ : ndarray, shape (K, M)
        Probability of each symbol in each state.

    Examples
    --------
    >>> import numpy as np
    >>> model = CategoricalHMM(2, init_params="")
    >>> model.startprob_, model.transmat_ = np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.4, 0.6]])
    >>> model.emissionprob_ = np.array([[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
    >>> round(float(np.exp(model.score([[0], [1], [2]]))), 6)
    0.033612
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emissionprob_",)}
    emissionprob_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        *,
        emissionprob_prior: Any = 1.0,
        n_features: int | None = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "scaling",
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
        self.alphabet_: str | None = None

    def _distribution(self) -> Distribution:
        known = self._all_attributes().get("emissionprob_")
        size = self.n_features if known is None else np.shape(known)[1]
        # Marks behind the letters, such as that of a stop codon, say nothing of the state.
        codes = (
            None
            if self.alphabet_ is None
            else np.pad(alphabet_of(self.alphabet_).codes, ((0, 2), (0, 0)), constant_values=1.0)
        )
        return Categorical(size, codes, self.emissionprob_prior, fixed=self._fixed_fields({"emissionprob_": "probs"}))

    def _batch(self, X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
        if isinstance(X, SequenceBatch) and X.alphabet is not None and "result_" not in vars(self):
            self.alphabet_ = X.alphabet
        return super()._batch(X, lengths, **known)

    def _emission_of(self, attributes: dict[str, Any]) -> CategoricalParams:
        return CategoricalParams(probability_rows("emissionprob_", attributes["emissionprob_"]))

    def _attributes_of(self, emission: CategoricalParams) -> dict[str, Any]:
        return {"emissionprob_": emission.probs}


class MultinomialHMM(BaseHMM):
    """Hidden Markov model of counts of symbols in a number of trials; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    n_trials : int, optional
        Trials a row; by default whatever each row sums to.

    Attributes
    ----------
    emissionprob_ : ndarray, shape (K, M)
        Probability of each symbol in each state.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.repeat([[5, 0], [1, 4]], 50, axis=0)
    >>> model = MultinomialHMM(2, random_state=0).fit(x)
    >>> np.sort(model.emissionprob_[:, 0]).round(2).tolist()
    [0.2, 1.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emissionprob_",)}
    emissionprob_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        n_trials: int | None = None,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
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
        return Multinomial(self.n_trials, fixed=self._fixed_fields({"emissionprob_": "probs"}))

    def _emission_of(self, attributes: dict[str, Any]) -> MultinomialParams:
        return MultinomialParams(probability_rows("emissionprob_", attributes["emissionprob_"]))

    def _columns_of(self, emission: MultinomialParams) -> int:
        return emission.probs.shape[1]

    def _attributes_of(self, emission: MultinomialParams) -> dict[str, Any]:
        return {"emissionprob_": emission.probs}
