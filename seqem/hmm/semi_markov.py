"""SemiMarkovHMM: a hidden Markov model whose states last as long as a distribution of their own says."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import numpy as np

from seqem.chain import semi_markov
from seqem.chain.params import stationary_distribution
from seqem.chain.semi_markov import SemiMarkovPosterior, check_semi_markov
from seqem.chain.topology import start_mask, transition_mask
from seqem.core.batch import SequenceBatch
from seqem.core.rng import RandomState
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.errors import ParameterError
from seqem.hmm.base import BaseHMM, Learned
from seqem.hmm.durations import FAMILIES, Duration, FreeDuration
from seqem.hmm.generic import frozen
from seqem.hmm.inference import refuse_impossible
from seqem.hmm.semi_markov_model import SemiMarkovModel, SemiMarkovParams
from seqem.hmm.starts import random_rows
from seqem.hmm.transitions import TransitionStep
from seqem.shapes import AnyArray, Array, Mask, Path


class SemiMarkovHMM(BaseHMM):
    """Hidden Markov model with explicit durations and any emission; see ``HMM`` for the arguments not listed.

    Parameters
    ----------
    distribution : Distribution
        The emission.
    n_components : int
        Number of states K.
    duration : {"negative-binomial", "poisson", "free"}
        Family of the durations 1 to ``max_duration``; the first two are shifted to begin at one row.
    max_duration : int
        Most rows a segment may last, D; a step costs T * K * (K + D).
    duration_prior : float or array-like
        Dirichlet parameter, at least one, of free durations.
    params, init_params : str
        Letters of what is fitted and initialised: "s" start, "t" transitions, "e" emission, "d" durations.
    topology : {"ergodic", "left-right", "bakis", "cyclic"} or array of bool, shape (K, K)
        Transitions that may be; no state follows itself. A state without a way out ends its sequence.

    Attributes
    ----------
    startprob_, transmat_, emission_ : ndarray, ndarray, params of the distribution
        The parameters; ``transmat_`` is of segments, its diagonal zero.
    durations_ : ndarray, shape (K, D)
        Probability that a state lasts 1 to D rows.
    duration_params_ : NamedTuple
        Parameters of the durations: ``r`` and ``p``, ``rate``, or ``probs``.

    Notes
    -----
    The first segment begins with the sequence; the last may have gone on beyond its end (right-censored).

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.distributions.gaussian import Gaussian
    >>> x = np.repeat([0.0, 5.0] * 20, [4, 8] * 20) + np.random.default_rng(0).normal(0, 0.5, 240)
    >>> model = SemiMarkovHMM(Gaussian(), 2, "poisson", 30, random_state=0).fit(x)
    >>> sorted((model.durations_ @ np.arange(1, 31)).round().tolist())
    [4.0, 8.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emission_",), "d": ("duration_params_",)}
    emission_ = Learned()
    duration_params_ = Learned()

    def __init__(
        self,
        distribution: Distribution,
        n_components: int = 2,
        duration: str = "negative-binomial",
        max_duration: int = 100,
        *,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        duration_prior: Any = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-4,
        verbose: bool = False,
        params: str = "sted",
        init_params: str = "sted",
        implementation: str = "scaling",
        topology: Any = "ergodic",
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        method: str = "em",
        n_init: int | Restarts = 1,
    ) -> None:
        self._set_shared(locals())

    @property
    def durations_(self) -> Array:
        """Probability that a state lasts 1 to D rows, shape (K, D)."""
        law = self._durations()
        return law.table(law.check(self.duration_params_, self.n_components))

    # -- parameters ------------------------------------------------------------------------------

    def _distribution(self) -> Distribution:
        return self.distribution if "e" in self.params else frozen(self.distribution)

    def _durations(self) -> Duration:
        if self.duration not in FAMILIES:
            raise ParameterError("unknown duration", got=repr(self.duration), expected=sorted(FAMILIES))
        family = FAMILIES[self.duration]
        own = {"prior": self.duration_prior} if family is FreeDuration else {}
        held = {} if "d" in self.params else dict.fromkeys(family.fields, True)
        return family(max_duration=self.max_duration, fixed=held, **own)

    def _mask(self) -> Mask:
        return transition_mask(self.topology, self.n_components) & ~np.eye(self.n_components, dtype=bool)

    def _model(self) -> SemiMarkovModel:
        own = self.fixed or {}
        kept = {"start": own.get("startprob_", "s" not in self.params)}
        trans = own.get("transmat_", False) if "t" in self.params else True
        kept["trans"] = np.logical_or(trans, ~self._mask())
        return SemiMarkovModel(
            self._distribution(),
            TransitionStep(self.startprob_prior, self.transmat_prior, kept),
            tied_states=None if self.tied_states is None else np.asarray(self.tied_states),
            space=self._space,
            durations=self._durations(),
        )

    def _attributes_of_all(self, params: SemiMarkovParams) -> dict[str, Any]:  # type: ignore[override]
        chain = {"startprob_": params.start, "transmat_": params.trans, "duration_params_": params.duration}
        return chain | self._attributes_of(params.emission)

    @BaseHMM.params_.getter  # type: ignore[attr-defined]
    def params_(self) -> SemiMarkovParams:
        """All parameters in use, as one tree of arrays."""
        known = self._all_attributes()
        if {"startprob_", "transmat_", "emission_", "duration_params_"} - known.keys():
            _ = self._fitted  # raises the error of an unfitted estimator
        return self._checked(known)

    def _checked(self, known: dict[str, Any]) -> SemiMarkovParams:
        duration = self._durations().check(known["duration_params_"], self.n_components)
        chain = check_semi_markov(known["startprob_"], known["transmat_"], self._durations().table(duration))
        return SemiMarkovParams(chain.start, chain.trans, known["emission_"], duration)

    def _start(self, batch: SequenceBatch, rng: np.random.Generator) -> SemiMarkovParams:  # type: ignore[override]
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 2:
            raise ParameterError("n_components is off", got=repr(self.n_components), expected="an integer above one")
        K = int(self.n_components)
        mask, model, given = self._mask(), self._model(), vars(self).get("_given", {})
        known = {
            "startprob_": random_rows(start_mask(self.topology, K)[None], rng)[0],
            "transmat_": np.zeros((K, K)),
            "duration_params_": model.durations.initial(K),
        }
        known["transmat_"][mask.any(1)] = random_rows(mask[mask.any(1)], rng)
        known.update({name: value for name, value in given.items() if not self._needs_start(name)})
        if "emission_" not in known:
            known |= self._initial_emission(batch, rng)
        known["emission_"] = model.tied_start(known["emission_"], batch.values[:64])
        start = self._checked(known)
        self._n_free = model.n_free(start)
        return start

    def _attributes_of(self, emission: Any) -> dict[str, Any]:
        return {"emission_": emission}

    # -- inference -------------------------------------------------------------------------------

    def _posterior(self, X: Any, lengths: Any, known: dict[str, Any]) -> tuple[SequenceBatch, SemiMarkovPosterior]:
        params, batch = self.params_, self._batch(X, lengths, **known)
        return batch, self._model().posterior(params, batch)

    def score_sequences(self, X: Any, lengths: Any = None, **known: Any) -> Array:
        """Return the log-likelihood of each sequence, shape (S,)."""
        return self._posterior(X, lengths, known)[1].log_likelihood

    def score_samples(self, X: Any, lengths: Any = None, **known: Any) -> tuple[float, Array]:
        """Return the log-likelihood and the posterior of each state at each row, shape (N, K)."""
        batch, result = self._posterior(X, lengths, known)
        refuse_impossible(result.log_likelihood, batch)
        return float(result.log_likelihood.sum()), result.smoothed

    def decode(self, X: Any, lengths: Any = None, algorithm: str | None = None, **known: Any) -> tuple[float, Path]:
        """Return the log probability of the best paths and the state of each row, shape (N,).

        Parameters
        ----------
        X, lengths : as in fit
        algorithm : {"viterbi", "map"}, optional
            Best path, or best state of each row; then the first result is the sum of their posteriors.
        """
        if (algorithm or self.algorithm) != "viterbi":
            return super().decode(X, lengths, algorithm, **known)
        params, batch, model = self.params_, self._batch(X, lengths, **known), self._model()
        source, segments = model.frames(params, batch), model.segments(params)
        scores, paths = np.zeros(len(batch)), np.empty(batch.n_rows, dtype=np.int32)
        for s, (lo, hi) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
            paths[lo:hi], scores[s] = semi_markov.decode(segments, source(lo, hi))
        refuse_impossible(scores, batch)
        return float(scores.sum()), paths

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None, currstate: int | None = None
    ) -> tuple[AnyArray, Path]:
        """Return observations and states drawn from the model: ((T, n_features), (T,)).

        Parameters
        ----------
        n_samples : int
            Rows; fewer come where a state that is not left ends the sequence.
        random_state : int or Generator, optional
            By default the estimator's.
        currstate : int, optional
            State of the first segment.
        """
        params, rng = self.params_, self._rng(random_state)
        segments = self._model().segments(params)
        if currstate is not None:
            segments = segments._replace(start=np.eye(segments.n_states)[currstate])
        states = semi_markov.sample_prior(segments, n_samples, rng)
        values = self._distribution().sample(params.emission, states, rng)
        return values.reshape(len(states), -1), states

    def get_stationary_distribution(self) -> Array:
        """Return the share of rows that each state has in the long run, shape (K,)."""
        share = stationary_distribution(self.params_.trans) * (self.durations_ @ np.arange(1, self.max_duration + 1))
        return share / share.sum()

    def filter_proba(self, *args: Any, **known: Any) -> NoReturn:
        """Refuse: not available for explicit durations."""
        raise _unavailable("filter_proba")

    def decode_k_best(self, *args: Any, **known: Any) -> NoReturn:
        """Refuse: not available for explicit durations."""
        raise _unavailable("decode_k_best")

    def sample_paths(self, *args: Any, **known: Any) -> NoReturn:
        """Refuse: not available for explicit durations."""
        raise _unavailable("sample_paths")


def _unavailable(name: str) -> ParameterError:
    return ParameterError(f"{name} is not available for explicit durations", hint="HMM has it")
