"""One adapter a package: ``fit(case, n_iter)``, ``decode(case)`` and ``score(case)`` from the case's starting point."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from tests.benchmarks.cases import Case

logging.getLogger("hmmlearn").setLevel(logging.CRITICAL)


class Hmmlike:
    """seqem or hmmlearn: the same script, another import."""

    def __init__(self, module: str, implementation: str) -> None:
        self.module, self.implementation = import_module(module), implementation

    def _model(self, case: Case, n_iter: int) -> Any:
        shared = {"n_iter": n_iter, "tol": -np.inf, "init_params": "", "implementation": self.implementation}
        K = len(case.start)
        if case.kind == "categorical":
            model = self.module.CategoricalHMM(K, **shared)
            model.emissionprob_ = case.emission["probs"]
        elif case.kind == "gaussian":
            model = self.module.GaussianHMM(K, "diag", **shared)
            model.means_, model.covars_ = case.emission["means"], case.emission["variances"]
        else:
            model = self.module.GMMHMM(K, case.emission["weights"].shape[1], covariance_type="diag", **shared)
            model.weights_, model.means_ = case.emission["weights"], case.emission["means"]
            model.covars_ = case.emission["variances"]
        model.startprob_, model.transmat_ = case.start, case.trans
        return model

    def fit(self, case: Case, n_iter: int) -> None:
        """Run ``n_iter`` EM iterations."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model(case, n_iter).fit(case.values, case.lengths)

    def decode(self, case: Case) -> None:
        """Find the best paths."""
        self._model(case, 1).decode(case.values, case.lengths)

    def score(self, case: Case) -> float:
        """Return the log-likelihood at the starting point."""
        return float(self._model(case, 1).score(case.values, case.lengths))


class Deeptime:
    """deeptime's maximum-likelihood HMM: symbols and scalar Gaussians."""

    def __init__(self) -> None:
        self.hmm = import_module("deeptime.markov.hmm")
        self.msm = import_module("deeptime.markov.msm")
        self.viterbi = import_module("deeptime.markov.hmm._hidden_markov_model").viterbi

    def _initial(self, case: Case) -> Any:
        if case.kind == "categorical":
            output = self.hmm.DiscreteOutputModel(case.emission["probs"])
        else:
            output = self.hmm.GaussianOutputModel(
                len(case.start), case.emission["means"].ravel(), np.sqrt(case.emission["variances"].ravel())
            )
        return self.hmm.HiddenMarkovModel(
            self.msm.MarkovStateModel(case.trans), output_model=output, initial_distribution=case.start
        )

    def _sequences(self, case: Case) -> list[np.ndarray]:
        kind = np.int32 if case.kind == "categorical" else np.float64
        cuts = np.cumsum(case.lengths)[:-1]
        return [np.ascontiguousarray(s.ravel(), dtype=kind) for s in np.split(case.values, cuts)]

    def fit(self, case: Case, n_iter: int) -> None:
        """Run ``n_iter`` EM iterations."""
        estimator = self.hmm.MaximumLikelihoodHMM(self._initial(case), lagtime=1, maxit=n_iter, accuracy=-1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(self._sequences(case))

    def decode(self, case: Case) -> None:
        """Find the best paths."""
        model = self._initial(case)
        for x in self._sequences(case):  # its own wrapper takes symbols only
            likelihoods = model.output_model.to_state_probability_trajectory(x)
            self.viterbi(case.trans, likelihoods, case.start)

    def score(self, case: Case) -> float:
        """Return NaN: deeptime reports a likelihood only after a step."""
        return float("nan")


class Dynamax:
    """dynamax: the EM step compiled once and kept warm; equal lengths only, as in all cases here."""

    def __init__(self) -> None:
        self.jax = import_module("jax")
        self.jax.config.update("jax_enable_x64", True)
        self.models = import_module("dynamax.hidden_markov_model")
        self.compiled: dict[str, tuple[Any, ...]] = {}

    def _prepared(self, case: Case) -> tuple[Any, ...]:
        key = f"{case.name}{len(case.values)}"
        if key in self.compiled:
            return self.compiled[key]
        jnp, K, D = self.jax.numpy, len(case.start), case.values.shape[1]
        first = {"initial_probs": jnp.array(case.start), "transition_matrix": jnp.array(case.trans)}
        if case.kind == "categorical":
            model = self.models.CategoricalHMM(K, 1, case.emission["probs"].shape[1])
            first["emission_probs"] = jnp.array(case.emission["probs"])[:, None, :]
        elif case.kind == "gaussian":
            model = self.models.DiagonalGaussianHMM(K, D)
            first["emission_means"] = jnp.array(case.emission["means"])
            first["emission_scale_diags"] = jnp.sqrt(jnp.array(case.emission["variances"]))
        else:
            model = self.models.DiagonalGaussianMixtureHMM(K, case.emission["weights"].shape[1], D)
            first["emission_weights"] = jnp.array(case.emission["weights"])
            first["emission_means"] = jnp.array(case.emission["means"])
            first["emission_scale_diags"] = jnp.sqrt(jnp.array(case.emission["variances"]))
        params, props = model.initialize(self.jax.random.PRNGKey(0), **first)
        shape = (len(case.lengths), case.lengths[0], D)
        batch = jnp.array(case.values.reshape(shape))

        @self.jax.jit
        def step(params: Any, state: Any) -> Any:
            stats, lls = self.jax.vmap(lambda x: model.e_step(params, x))(batch)
            params, state = model.m_step(params, props, stats, state)
            return params, state, lls.sum()

        decode = self.jax.jit(lambda params: self.jax.vmap(lambda x: model.most_likely_states(params, x))(batch))
        state = model.initialize_m_step_state(params, props)
        self.compiled[key] = step, decode, params, state
        return self.compiled[key]

    def fit(self, case: Case, n_iter: int) -> None:
        """Run ``n_iter`` EM iterations."""
        step, _, params, state = self._prepared(case)
        for _ in range(n_iter):
            params, state, value = step(params, state)
        self.jax.block_until_ready(value)

    def decode(self, case: Case) -> None:
        """Find the best paths."""
        _, decode, params, _ = self._prepared(case)
        self.jax.block_until_ready(decode(params))

    def score(self, case: Case) -> float:
        """Return the log-likelihood at the starting point."""
        step, _, params, state = self._prepared(case)
        return float(step(params, state)[2])


PEERS: dict[str, tuple[Callable[[], Any], str]] = {
    "seqem": (lambda: Hmmlike("seqem", "scaling"), "abcdj"),
    "hmmlearn-scaling": (lambda: Hmmlike("hmmlearn.hmm", "scaling"), "abcdj"),
    "hmmlearn-log": (lambda: Hmmlike("hmmlearn.hmm", "log"), "abcdj"),
    "deeptime": (Deeptime, "adj"),
    "dynamax": (Dynamax, "abcdj"),
}
