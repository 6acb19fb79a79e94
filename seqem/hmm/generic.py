"""HMM: a hidden Markov model with any distribution.

The arguments that all estimators share are described at ``seqem.HMM``.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, ClassVar

from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.hmm.base import BaseHMM, Learned


class HMM(BaseHMM):
    """Hidden Markov model with any emission of the catalog, or one of your own.

    Parameters
    ----------
    distribution : Distribution
        The emission, for instance ``Gaussian("full")``, ``MixtureOf(Gaussian(), 3)`` or ``Independent(...)``.
    n_components : int
        Number of states K.
    startprob_prior, transmat_prior : float or array-like
        Dirichlet parameters, at least one; zeros of the start stay zeros.
    algorithm : {"viterbi", "map"}
        Decoder of ``predict``.
    random_state : int, Generator or None
        Source of random starts and samples.
    n_iter, tol : int, float
        Most EM steps; absolute gain of the objective below which a fit has converged (negative: never).
    verbose : bool
        Whether a progress bar is shown.
    params, init_params : str
        Letters of what is fitted and of what is initialised: "s" start, "t" transitions, "e" emission.
    implementation : {"scaling", "log"}
        Space of the recursions; scaling falls back to log by itself where a step underflows.
    topology : {"ergodic", "left-right", "bakis", "cyclic"} or array of bool, shape (K, K)
        Transitions that may be; the others are zero for good.
    ends : bool
        Whether the chain has end probabilities (``endprob_``): each row of ``transmat_`` and its end sum to one.
    fixed : dict, optional
        Attribute name (``startprob_``, ``transmat_``, ``means_`` ...) to True or a mask of entries that keep their values.
    tied_states : array-like of int, shape (K,), optional
        States with the same number share one emission.
    tied_transitions : array-like of int, shape (K, K), optional
        Transitions with the same number above zero are equal.
    stationary : bool
        Whether the start is the stationary distribution of the transitions.
    training : {"posterior", "viterbi"}
        Baum-Welch, or counts of the best path.
    method : str
        How to climb: "em", "squarem", "daarem", "lbfgs", ...; see ``seqem.catalog.METHODS``.
    n_init : int or Restarts
        Random starts, of which the best fit is kept; ``starts_`` tells of all.

    Attributes
    ----------
    startprob_, transmat_, endprob_, emission_
        The parameters; set them before ``fit`` to start there (leave their letters out of ``init_params``).
    log_likelihood_, n_iter_, converged_, stop_reason_, history_
        The fit: log-likelihood at the estimate, EM steps, whether a tolerance was met, why it stopped, every step.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.distributions.exponential import Exponential
    >>> rng = np.random.default_rng(0)
    >>> x = rng.exponential(np.repeat([1.0, 20.0, 1.0], 100))
    >>> model = HMM(Exponential(), n_components=2, random_state=0, n_iter=50).fit(x)
    >>> np.sort(1 / model.emission_.rate.ravel()).round(0).tolist()
    [1.0, 22.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emission_",)}
    emission_ = Learned()

    def __init__(
        self,
        distribution: Distribution,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        *,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-4,
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

    def _distribution(self) -> Distribution:
        return self.distribution if "e" in self.params else frozen(self.distribution)

    def _emission_of(self, attributes: dict[str, Any]) -> Any:
        return attributes["emission_"]

    def _attributes_of(self, emission: Any) -> dict[str, Any]:
        return {"emission_": emission}


def frozen(distribution: Any) -> Any:
    """Return the distribution with all its parameters fixed, those of its parts included."""
    changes: dict[str, Any] = {}
    for field in fields(distribution):
        value = getattr(distribution, field.name)
        if hasattr(value, "log_likelihood"):
            changes[field.name] = frozen(value)
        elif field.name == "parts":
            changes["parts"] = tuple((frozen(part), columns) for part, columns in value)
        elif field.name == "fixed":
            own = ("weights",) if "component" in distribution.fields else distribution.fields
            changes["fixed"] = dict.fromkeys(own, True)
    return replace(distribution, **changes)
