"""VariationalModel and VariationalHMM: what fits by variational Bayes have in common."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.checks import spread
from seqem.distributions.posteriors import expected_probabilities, positive
from seqem.em.callbacks import Event
from seqem.em.history import History
from seqem.em.protocol import EStep
from seqem.errors import ParameterError
from seqem.hmm.base import BaseHMM, Learned
from seqem.hmm.dirichlet_step import DirichletStep
from seqem.hmm.model import HMMParams, MarkovModel
from seqem.hmm.monitor import ConvergenceMonitor
from seqem.hmm.starts import random_rows
from seqem.hmm.transitions import TransitionStep
from seqem.shapes import Array


@dataclass(frozen=True, eq=False)
class VariationalModel(MarkovModel):
    """Fit posteriors of all parameters; the params are their hyper-parameters, the objective is the lower bound.

    Notes
    -----
    MacKay 1997; Beal 2003, ch. 3. The chain is walked with weights exp(E[log p]), whose rows sum to less than one.
    """

    def e_step(self, params: HMMParams, shard: SequenceBatch) -> EStep:
        """Return expected counts and emission statistics of a shard, and the log of the sum over all paths."""
        start, trans = expected_probabilities(params.start), expected_probabilities(params.trans)
        return super().e_step(params._replace(start=start, trans=trans), shard)


class BoundMonitor(ConvergenceMonitor):
    """Keep the lower bounds of a fit."""

    def follow(self, event: Event) -> bool | None:
        """Take the newest point of a fit."""
        answer = super().follow(event)
        if event.stage != "end":
            self.history[-1] = event.record.objective
        return answer

    def recall(self, history: History, converged: bool) -> None:
        """Take a fit of the past, read from a file."""
        super().recall(history, converged)
        self.history = deque(record.objective for record in history)


class VariationalHMM(BaseHMM):
    """Base of the estimators: posteriors of starts and transitions, point estimates for inference.

    A subclass answers what ``BaseHMM`` asks of it for point estimates, and ``_priors``, ``_emission_model``,
    ``_posterior_of`` and ``_initial_posterior``.

    Attributes
    ----------
    startprob_prior_, transmat_prior_ : ndarray, shape (K,), (K, K)
        Dirichlet parameters of the priors.
    startprob_posterior_, transmat_posterior_ : ndarray, shape (K,), (K, K)
        Those of the posteriors. Set them before ``fit`` and leave their letters out of ``init_params`` to start there.
    """

    ends = stationary = False
    tied_states = tied_transitions = fixed = None
    topology, training, method = "ergodic", "posterior", "em"
    startprob_posterior_ = Learned()
    transmat_posterior_ = Learned()

    def _set_shared(self, values: dict[str, Any]) -> None:
        super()._set_shared(values)
        self.monitor_ = BoundMonitor(self.tol, self.n_iter, self.verbose)

    def _priors(self, batch: SequenceBatch) -> dict[str, dict[str, Array]]:
        """Return for each letter the priors by name, as the arguments and the data have them."""
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            raise ParameterError("n_components is off", got=repr(self.n_components), expected="a positive integer")
        K = int(self.n_components)
        return {
            "s": {"startprob_prior_": filled(self.startprob_prior, 1.0 / K, (K,), "startprob_prior")},
            "t": {"transmat_prior_": filled(self.transmat_prior, 1.0 / K, (K, K), "transmat_prior")},
        }

    def _emission_model(self) -> Any:
        """Return the emission with posteriors for params."""
        raise NotImplementedError

    def _posterior_of(self, attributes: dict[str, Any]) -> Any:
        """Return hyper-parameters of the emission from learned attributes."""
        raise NotImplementedError

    def _initial_posterior(self, batch: SequenceBatch, rng: np.random.Generator) -> dict[str, Array]:
        """Return learned attributes of the emission from the data."""
        raise NotImplementedError

    @property
    def lower_bound_(self) -> float:
        """Evidence lower bound of the training data."""
        return self._fitted.objective

    @property
    def startprob_(self) -> Array:  # type: ignore[override]
        """Posterior mean of the start probabilities, shape (K,)."""
        return mean_of(self.startprob_posterior_)

    @property
    def transmat_(self) -> Array:  # type: ignore[override]
        """Posterior mean of the transition probabilities, shape (K, K)."""
        return mean_of(self.transmat_posterior_)

    def _attributes_of_all(self, params: HMMParams) -> dict[str, Any]:
        chain = {"startprob_posterior_": params.start, "transmat_posterior_": params.trans}
        return chain | self._attributes_of(params.emission)

    @property  # type: ignore[misc]
    def params_(self) -> HMMParams:
        """The point estimates, as one tree of arrays."""
        known = self._all_attributes()
        if set(sum(self.letters.values(), ())) - known.keys():
            _ = self._fitted  # raises the error of an unfitted estimator
        start, trans = mean_of(known["startprob_posterior_"]), mean_of(known["transmat_posterior_"])
        return HMMParams(start, trans, None, self._emission_of(known))

    def _model(self) -> MarkovModel:
        return MarkovModel(self._distribution(), TransitionStep(), space=self._space)

    def _model_for(self, batch: SequenceBatch) -> VariationalModel:
        for letter, values in self._priors(batch).items():
            for name, value in values.items():
                kept = name in vars(self) and letter not in self.init_params
                setattr(self, name, shaped(getattr(self, name) if kept else value, value.shape, name))
        held = {"start": "s" not in self.params, "trans": "t" not in self.params}
        step = DirichletStep(self.startprob_prior_, self.transmat_prior_, held)
        return VariationalModel(self._emission_model(), step, space=self._space)

    def _described(self, batch: SequenceBatch, params: HMMParams) -> Array:
        """Return what the parameters at posterior means make of rows."""
        emission = self._emission_of(self._attributes_of_all(params))
        point = HMMParams(mean_of(params.start), mean_of(params.trans), None, emission)
        return super()._described(batch, point)

    def _collapsed(self, params: HMMParams) -> bool:
        """Return False: a prior holds every state."""
        return False

    def _start(self, batch: SequenceBatch, rng: np.random.Generator) -> HMMParams:
        K, share = self.n_components, batch.n_rows / self.n_components
        known = {
            "startprob_posterior_": self.startprob_prior_ + len(batch) * random_rows(np.ones((1, K)), rng)[0],
            "transmat_posterior_": self.transmat_prior_ + share * random_rows(np.ones((K, K)), rng),
            **self._initial_posterior(batch, rng),
        }
        given = vars(self).get("_given", {})
        known.update({name: value for name, value in given.items() if name in known and not self._needs_start(name)})
        start = positive(shaped(known["startprob_posterior_"], (K,), "startprob_posterior_"), "startprob_posterior_")
        trans = positive(shaped(known["transmat_posterior_"], (K, K), "transmat_posterior_"), "transmat_posterior_")
        return HMMParams(start, trans, None, self._posterior_of(known))

    def partial_fit(self, X: Any, lengths: Any = None, **known: Any) -> NoReturn:
        """Refuse: the priors are completed by all the data."""
        raise ParameterError(
            "posteriors are fitted to all data at once", hint="fit(X), or a HMM that is not variational"
        )

    def standard_errors(self, X: Any = None, *, executor: Any = None, **known: Any) -> NoReturn:
        """Refuse: the posterior itself says how sure it is."""
        raise ParameterError("standard errors are for maximum likelihood", hint="read the posteriors instead")


def mean_of(posterior: Any) -> Array:
    """Return the mean of Dirichlet rows."""
    array = np.asarray(posterior, dtype=float)
    return array / array.sum(axis=-1, keepdims=True)


def shaped(value: Any, shape: tuple[int, ...], name: str) -> Array:
    """Return a copy of ``value`` broadcast to ``shape``."""
    return np.array(spread(value, shape, name))


def filled(value: Any, default: Any, shape: tuple[int, ...], name: str) -> Array:
    """Return ``value``, or the default for None, broadcast to ``shape``."""
    return shaped(default if value is None else value, shape, name)
