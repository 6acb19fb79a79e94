"""BaseHMM: the scikit-learn face that all HMM estimators share."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import logsumexp

from seqem.chain.params import check_chain, stationary_distribution
from seqem.chain.topology import start_mask, transition_mask
from seqem.core.batch import SequenceBatch
from seqem.core.rng import generator
from seqem.distributions.protocol import Distribution
from seqem.em.callbacks import Callback, ProgressBar
from seqem.em.checkpoint import Resume
from seqem.em.driver import FitResult, fit
from seqem.em.methods import accelerator
from seqem.em.restarts import Climb, run_starts
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError, SeqemWarning
from seqem.hmm.data import checked_batch, shard_rows
from seqem.hmm.inference import Inference
from seqem.hmm.model import HMMParams, MarkovModel
from seqem.hmm.monitor import ConvergenceMonitor
from seqem.hmm.starts import persistent_rows, random_rows
from seqem.hmm.transitions import TransitionStep
from seqem.shapes import Array

# So many rows tell starts apart.
_ROWS_TO_TELL_APART = 500
SPACES = {"scaling": "scaled", "log": "log"}


class Learned:
    """A learned attribute: reads the fitted parameters, and may be set before or after a fit."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, estimator: Any, owner: type | None = None) -> Any:
        if estimator is None:
            return self
        return estimator._learned(self.name)

    def __set__(self, estimator: Any, value: Any) -> None:
        vars(estimator).setdefault("_given", {})[self.name] = value


class BaseHMM(Inference):
    """Fit, score and decode a hidden Markov model; subclasses say which emission.

    A subclass answers ``_distribution`` (the emission its hyper-parameters describe), ``_emission_of`` (its parameters
    from the learned attributes) and ``_attributes_of`` (the reverse), and lists its letters for ``params`` and
    ``init_params`` in ``letters``.

    Attributes
    ----------
    startprob_, transmat_ : ndarray, shape (K,), (K, K)
        Start and transition probabilities. Set them before ``fit`` and leave their letters out of ``init_params`` to
        start there.
    endprob_ : ndarray, shape (K,) or None
        Probability to stop after a state, where ``ends`` is true.
    monitor_ : ConvergenceMonitor
        Log-likelihoods of the fit.
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {}
    startprob_ = Learned()
    transmat_ = Learned()
    endprob_ = Learned()

    def _set_shared(self, values: dict[str, Any]) -> None:
        """Store the constructor's arguments and make a fresh monitor."""
        for name, value in values.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)
        self.monitor_ = ConvergenceMonitor(self.tol, self.n_iter, self.verbose)

    def _distribution(self) -> Distribution:
        """Return the emission without anything fixed."""
        raise NotImplementedError

    def _emission_of(self, attributes: dict[str, Any]) -> Any:
        """Return emission parameters from learned attributes."""
        raise NotImplementedError

    def _attributes_of(self, emission: Any) -> dict[str, Any]:
        """Return learned attributes from emission parameters."""
        raise NotImplementedError

    def _all_attributes(self) -> dict[str, Any]:
        """Return the learned attributes of the last fit, overridden by those set by hand."""
        known: dict[str, Any] = {}
        if "result_" in vars(self):
            known = self._attributes_of_all(self.result_.params)
        known.update(vars(self).get("_given", {}))
        return known

    def _attributes_of_all(self, params: HMMParams) -> dict[str, Any]:
        chain = {"startprob_": params.start, "transmat_": params.trans, "endprob_": params.end}
        return chain | self._attributes_of(params.emission)

    def _learned(self, name: str) -> Any:
        known = self._all_attributes()
        if name == "endprob_" and known and name not in known:
            return None
        if name not in known:
            # hasattr() must say no, as scripts written for hmmlearn ask it.
            raise AttributeError(f"{type(self).__name__} has no {name} yet; call fit first or set it")
        return known[name]

    @property
    def params_(self) -> HMMParams:
        """All parameters in use, as one tree of arrays."""
        known = self._all_attributes()
        missing = {"startprob_", "transmat_", *sum(self.letters.values(), ())} - known.keys()
        if missing:
            _ = self._fitted  # raises the error of an unfitted estimator
        if "_given" not in vars(self) and "result_" in vars(self):
            return self.result_.params
        chain = check_chain(known["startprob_"], known["transmat_"], known.get("endprob_"))
        return HMMParams(*chain, self._emission_of(known))

    def _fixed_fields(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return which entries of the emission's fields ``params`` and ``fixed`` keep; ``fields`` names them."""
        held = {name for letter, names in self.letters.items() if letter not in self.params for name in names}
        own = self.fixed or {}
        masks = {
            field: True if name in held else own.get(name.strip("_") + "_", own.get(name))
            for name, field in fields.items()
        }
        return {field: mask for field, mask in masks.items() if mask is not None}

    def _check_fixed(self) -> None:
        """Refuse names in ``fixed`` that mean nothing here."""
        emission = {name.strip("_") + "_" for names in self.letters.values() for name in names} - {"emission_"}
        allowed = {"startprob_", "transmat_", "endprob_"} | emission
        unknown = sorted(set(self.fixed or {}) - allowed)
        if unknown:
            raise ParameterError(
                "fixed names no parameter", got=unknown, expected=sorted(allowed),
                hint="a distribution of your own has its own argument fixed" if not emission else None,
            )  # fmt: skip

    def _model(self) -> MarkovModel:
        kept = {"start": "s" not in self.params, "trans": "t" not in self.params, "end": "t" not in self.params}
        for part, name in (("start", "startprob_"), ("trans", "transmat_"), ("end", "endprob_")):
            if self.fixed and name in self.fixed and not kept[part]:
                kept[part] = self.fixed[name]
        transitions = TransitionStep(
            start_prior=self.startprob_prior,
            trans_prior=self.transmat_prior,
            fixed=kept,
            tied=self.tied_transitions,
            stationary=self.stationary,
        )
        return MarkovModel(
            self._distribution(),
            transitions,
            tied_states=None if self.tied_states is None else np.asarray(self.tied_states),
            training=self.training,
            space=self._space,
        )

    @property
    def _space(self) -> str:
        if self.implementation not in SPACES:
            raise ParameterError("unknown implementation", got=self.implementation, expected=sorted(SPACES))
        return SPACES[self.implementation]

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.n_iter, abs_tol=self.tol if self.tol >= 0 else None)

    def _batch(self, X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
        return checked_batch(self._distribution(), X, lengths, **known)

    def _observed(self, X: Any, lengths: Any = None, **known: Any) -> tuple[HMMParams, SequenceBatch]:
        """Return the parameters in use and observations that have their number of columns."""
        params, batch = self.params_, self._batch(X, lengths, **known)
        fitted = vars(self).get("_n_columns") if "_given" not in vars(self) else None
        self._check_columns(batch, fitted or self._columns_of(params.emission))
        return params, batch

    def _columns_of(self, emission: Any) -> int | None:
        """Return the number of columns that emission parameters describe; None where they do not tell."""
        return None

    def _check_columns(self, batch: SequenceBatch, expected: int | None) -> None:
        if expected is not None and batch.n_rows and _width(batch) != expected:
            raise DataError("observations have another number of features", got=_width(batch), expected=expected)

    def _shards(self, X: Any, lengths: Any = None, **known: Any) -> Sequence[SequenceBatch]:
        batch = self._batch(X, lengths, **known)
        return batch.shards(shard_rows(batch.n_rows))

    def _start(self, batch: SequenceBatch, rng: np.random.Generator) -> HMMParams:
        """Return where a fit begins: what was set and is not to be initialised, the rest from the data."""
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            raise ParameterError("n_components is off", got=repr(self.n_components), expected="a positive integer")
        K = int(self.n_components)
        given = {name: v for name, v in vars(self).get("_given", {}).items() if not self._needs_start(name)}
        mask, first = transition_mask(self.topology, K), start_mask(self.topology, K)
        chain = {"startprob_": random_rows(first[None], rng)[0], "endprob_": None}
        chain["transmat_"] = persistent_rows(mask, rng)
        if self.ends:
            share = len(batch) / max(batch.n_rows, 1)
            chain["transmat_"], chain["endprob_"] = chain["transmat_"] * (1 - share), np.full(K, share)
        names = set(sum(self.letters.values(), ()))
        emission = given if names <= given.keys() else self._initial_emission(batch, rng) | given
        known = {**chain, **given}
        checked = check_chain(known["startprob_"], known["transmat_"], known["endprob_"])
        if len(checked.start) != K:
            raise ParameterError("startprob_ does not fit n_components", got=len(checked.start), expected=K)
        model = self._model_for(batch)
        self._check_columns(batch, self._columns_of(self._emission_of(emission)))
        emission = model.tied_start(self._emission_of(emission), batch.values[:64])
        start = HMMParams(*model.transitions.allowed(checked), emission)
        self._n_free = model.n_free(start)  # zeros of the start are structural, those of the estimate are not
        return start

    def _initial_emission(self, batch: SequenceBatch, rng: np.random.Generator) -> dict[str, Any]:
        """Return emission attributes from the data; labelled rows, where there are enough, set their states."""
        distribution, K = self._distribution(), self.n_components
        emission = distribution.initial(batch.values, K, rng)
        if batch.labels is not None and (batch.labels >= 0).any():
            resp = np.zeros((batch.n_rows, K))
            known = np.flatnonzero(batch.labels >= 0)
            resp[known, batch.labels[known]] = 1.0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SeqemWarning)  # states without a label keep their random start
                emission = distribution.maximise(distribution.accumulate(emission, batch.values, resp), emission)
        return self._attributes_of(emission)

    def _needs_start(self, name: str) -> bool:
        chain = {"s": ("startprob_",), "t": ("transmat_", "endprob_")}
        return any(name in names and letter in self.init_params for letter, names in {**chain, **self.letters}.items())

    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        labels: Any = None,
        state_prior: Any = None,
        sample_weight: Any = None,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Resume | None = None,
    ) -> Self:
        """Fit by EM.

        Parameters
        ----------
        X : array-like of shape (N, n_features) or (N,), list of arrays, or SequenceBatch
            Observations; NaN is missing where the emission allows it.
        lengths : array-like of int, optional
            Lengths of the sequences in X, which sum to N.
        labels : array-like of int, shape (N,), optional
            Observed state of each row, -1 where unknown.
        state_prior : array-like, shape (N, K), optional
            Weight of each state at each row, hard or soft.
        sample_weight : array-like, shape (S,), optional
            Weight of each sequence.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over shards of the data; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step; see ``seqem.em.callbacks``.
        resume : Resume, optional
            From ``Checkpoint.load``: the fit goes on from there.

        Returns
        -------
        self

        Raises
        ------
        DataError, ParameterError, NumericalError
            For observations or parameters that cannot be, and sequences of probability zero.
        """
        self._check_fixed()
        batch = self._batch(X, lengths, labels=labels, state_prior=state_prior, sample_weight=sample_weight)
        if batch.n_rows == 0:
            raise DataError("no observations to fit", got=f"{len(batch)} empty sequences", expected="at least one row")
        shards = batch.shards(shard_rows(batch.n_rows))
        told: list[Callback] = [*callbacks, self.monitor_.follow, *([ProgressBar()] if self.verbose else [])]
        many = self.n_init != 1
        run = partial(
            self._climbed, self._model_for(batch), shards=shards, executor=None if many else executor, callbacks=told,
            resume=resume,
        )  # fmt: skip
        climb = Climb(
            partial(self._start, batch), run, partial(self._described, batch), self._collapsed if many else None
        )
        rng = generator(self.random_state)
        self.result_, self.starts_ = run_starts(climb, self.n_init, rng, executor if many else None)
        self.monitor_.finish(self.result_.converged)
        self.__dict__.pop("_given", None)
        self._n_columns = _width(batch)
        self._training_shards = shards
        return self

    def partial_fit(
        self, X: Any, lengths: Any = None, *, labels: Any = None, state_prior: Any = None, sample_weight: Any = None
    ) -> Self:
        """Learn from one more part of a stream, after a fit or from the beginning; then the first has to hold all states.

        Parameters
        ----------
        X, lengths, labels, state_prior, sample_weight
            As for ``fit``. Statistics forget what is long past (Cappe & Moulines 2009); a part weighs by its number of sequences.
            ``history_`` has the log-likelihood of each part before it was learnt from.

        Raises
        ------
        DataError
            Where the observations do not fit those before.
        """
        self._check_fixed()
        batch = self._batch(X, lengths, labels=labels, state_prior=state_prior, sample_weight=sample_weight)
        if batch.n_rows == 0:
            raise DataError("no observations to fit", got=f"{len(batch)} empty sequences", expected="at least one row")
        if "result_" in vars(self) and self._n_columns is not None:
            self._check_columns(batch, self._n_columns)
        self._learn(self._model_for(batch), batch, lambda: self._start(batch, generator(self.random_state)))
        self.__dict__.pop("_given", None)
        self._n_columns = _width(batch)
        return self

    def _model_for(self, batch: SequenceBatch) -> MarkovModel:
        """Return the model to fit to a batch, which may settle what the hyper-parameters leave open."""
        return self._model()

    def _climbed(
        self, model: MarkovModel, params: HMMParams, rng: np.random.Generator, max_iter: int | None, **options: Any
    ) -> FitResult:
        """Return the fit from a start, of ``max_iter`` iterations at most where that is given."""
        rule = self._stop_rule()
        stop = rule if max_iter is None else replace(rule, max_iter=max_iter)
        return fit(model, params, stop=stop, accelerate=accelerator(self.method), **options)

    def _described(self, batch: SequenceBatch, params: HMMParams) -> Array:
        """Return the roots of the stationary density at rows, which do not depend on the order of the states."""
        rows = batch.values[:: max(1, batch.n_rows // _ROWS_TO_TELL_APART)]
        scores = logsumexp(
            self._distribution().log_likelihood(params.emission, rows),
            b=stationary_distribution(params.chain.trans),
            axis=1,
        )
        return np.exp(0.5 * (scores - scores.max()))

    def _collapsed(self, params: HMMParams) -> bool:
        """Return whether some state, and not all, has shrunk to the floor of its variances."""
        distribution: Any = self._distribution()
        if not hasattr(distribution, "at_floor"):
            return False
        shrunk = distribution.at_floor(params.emission)
        return bool(shrunk.any() and not shrunk.all())


def _width(batch: SequenceBatch) -> int:
    return 1 if batch.values.ndim == 1 else batch.values.shape[1]
