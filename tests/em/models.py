"""Toy models with published answers: the driver's laws are tried on these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, gammaln, logit, logsumexp

from seqem.em.protocol import EStep


class Stats(NamedTuple):
    n: np.ndarray
    x: np.ndarray


# Number of days with 0..9 deaths of women over 80, The Times, London 1910-1912.
LONDON_DAYS = (162, 267, 271, 185, 111, 61, 27, 8, 3, 1)
LONDON = np.repeat(np.arange(10.0), LONDON_DAYS)
LONDON_LOG_LIKELIHOOD = -1989.94585988
LONDON_STANDARD_ERRORS = (0.194684, 0.350030, 0.250478)


class Mixed(NamedTuple):
    p: float
    rates: np.ndarray


LONDON_START = Mixed(0.5, np.array([1.0, 3.0]))


@dataclass(frozen=True)
class PoissonMixture:
    """Two Poisson components, the first with probability p."""

    def e_step(self, params, x):
        log_joint = self._log_weights(params) + x[:, None] * np.log(params.rates) - params.rates
        norm = logsumexp(log_joint, axis=1)
        resp = np.exp(log_joint - norm[:, None])
        return EStep(Stats(resp.sum(0), x @ resp), float((norm - gammaln(x + 1)).sum()))

    def m_step(self, stats, params):
        return Mixed(stats.n[0] / stats.n.sum(), stats.x / stats.n)

    def log_prior(self, params):
        return 0.0

    def expected_log_likelihood(self, stats, params, reference):
        joint = stats.n * (self._log_weights(params) - params.rates) + stats.x * np.log(params.rates)
        return float(joint.sum())

    def pack(self, params):
        return np.concatenate(([logit(params.p)], np.log(params.rates)))

    def unpack(self, vector, like):
        return Mixed(expit(vector[0]), np.exp(vector[1:]))

    @staticmethod
    def _log_weights(params):
        return np.log([params.p, 1 - params.p])


LINKAGE = (125, 18, 20, 34)
LINKAGE_TRACE = (0.608247423, 0.624321050, 0.626488879, 0.626777322, 0.626815632)
LINKAGE_THETA = (15 + np.sqrt(53809)) / 394
LINKAGE_LOG_LIKELIHOOD = -205.715887046
LINKAGE_STANDARD_ERROR = 0.0514673


class Recombination(NamedTuple):
    theta: float


@dataclass(frozen=True)
class Linkage:
    """Rao's linkage data; a Beta(a, a) prior where ``a`` is not 1."""

    a: float = 1.0

    def e_step(self, params, y):
        t = params.theta
        x = y[0] * t / (2 + t)
        log_likelihood = y[0] * np.log(2 + t) + (y[1] + y[2]) * np.log(1 - t) + y[3] * np.log(t) - sum(y) * np.log(4)
        return EStep(Stats(np.array(float(y[1] + y[2])), np.array(x + y[3])), float(log_likelihood))

    def m_step(self, stats, params):
        yes, no = stats.x + self.a - 1, stats.n + self.a - 1
        return Recombination(float(yes / (yes + no)))

    def log_prior(self, params):
        return float((self.a - 1) * (np.log(params.theta) + np.log(1 - params.theta)))

    def expected_log_likelihood(self, stats, params, reference):
        return float(stats.x * np.log(params.theta) + stats.n * np.log(1 - params.theta))

    def pack(self, params):
        return np.array([logit(params.theta)])

    def unpack(self, vector, like):
        return Recombination(float(expit(vector[0])))


class Bells(NamedTuple):
    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray


class Moments(NamedTuple):
    n: np.ndarray
    d: np.ndarray
    dd: np.ndarray


@dataclass(frozen=True)
class GaussianMixture:
    """K Gaussian components in one dimension; nothing keeps a variance from zero."""

    def e_step(self, params, x):
        deviation = x[:, None] - params.means
        with np.errstate(divide="ignore", invalid="ignore"):
            log_joint = np.log(params.weights) - 0.5 * np.log(2 * np.pi * params.variances)
            log_joint = log_joint - 0.5 * deviation**2 / params.variances
        norm = logsumexp(log_joint, axis=1)
        resp = np.exp(log_joint - norm[:, None])
        moments = Moments(resp.sum(0), (resp * deviation).sum(0), (resp * deviation**2).sum(0))
        return EStep(moments, float(norm.sum()))

    def m_step(self, stats, params):
        shift = stats.d / stats.n
        return Bells(stats.n / stats.n.sum(), params.means + shift, stats.dd / stats.n - shift**2)

    def log_prior(self, params):
        return 0.0

    def recentre(self, stats, old, new):
        step = new.means - old.means
        return Moments(stats.n, stats.d - stats.n * step, stats.dd - step * (2 * stats.d - stats.n * step))

    def expected_log_likelihood(self, stats, params, reference):
        scatter = self.recentre(stats, reference, params).dd
        weights = stats.n * (np.log(params.weights) - 0.5 * np.log(2 * np.pi * params.variances))
        return float((weights - 0.5 * scatter / params.variances).sum())

    def pack(self, params):
        w = params.weights
        return np.concatenate((np.log(w[:-1] / w[-1]), params.means, np.log(params.variances)))

    def unpack(self, vector, like):
        k = len(like.means)
        odds = np.exp(np.append(vector[: k - 1], 0.0))
        return Bells(odds / odds.sum(), vector[k - 1 : 2 * k - 1], np.exp(vector[2 * k - 1 :]))


def two_bells(n: int = 400, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.3, rng.normal(-1.0, 0.7, n), rng.normal(1.5, 1.0, n))


BELLS_START = Bells(np.array([0.5, 0.5]), np.array([-0.5, 0.5]), np.array([1.0, 1.0]))


def in_shards(x: np.ndarray, n: int) -> list[np.ndarray]:
    return np.array_split(x, n)
