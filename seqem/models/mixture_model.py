"""The EM model of a mixture: responsibilities, and whatever statistics the components take."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.rows import Rows
from seqem.core.tree import tree_vector
from seqem.distributions.mixture import MixtureOf, MixtureParams, MixtureStats
from seqem.em.protocol import EStep
from seqem.errors import NumericalError, ParameterError
from seqem.shapes import AnyArray, Array

ASSIGNMENTS = ("posterior", "classification", "stochastic")
# Numbers of a block's responsibilities: memory grows with it, not with the data, and it suits the cache.
BLOCK = 1 << 18
# So many rows tell starts apart.
_ROWS_TO_TELL_APART = 500


@dataclass(frozen=True, eq=False)
class MixtureModel:
    """Fit a mixture by EM.

    Attributes
    ----------
    mixture : MixtureOf
        The family of the components and their number.
    assign : {"posterior", "classification", "stochastic"}
        Whether rows count for components by probability, for the most probable one (CEM), or for one drawn (SEM; Celeux &
        Govaert 1992). The objective of the second is the likelihood of rows with their components.
    beta : float
        Power of the posterior probabilities, below 1 for annealing; the objective is then the free energy.
    seed : int
        Of the draws, which depend on parameters and data but not on workers.

    Notes
    -----
    A shard is :class:`seqem.core.rows.Rows`; its ``y``, where there is one, holds known components, -1 where unknown.
    """

    mixture: MixtureOf
    assign: str = "posterior"
    beta: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.assign not in ASSIGNMENTS:
            raise ParameterError("unknown training", got=repr(self.assign), expected=f"one of {', '.join(ASSIGNMENTS)}")

    def joint(self, params: MixtureParams, x: AnyArray) -> Array:
        """Return log weight plus log density of each component, shape (N, K)."""
        with np.errstate(divide="ignore"):
            return self.mixture.component.log_likelihood(params.component, x) + np.log(params.weights[0])

    def e_step(self, params: MixtureParams, shard: Rows) -> EStep:
        """Return expected statistics and the log-likelihood of a shard.

        Raises
        ------
        NumericalError
            Where no component gives a row a positive density.
        """
        weights = np.ones(len(shard)) if shard.weights is None else shard.weights
        if shard.y is None and self.assign == "posterior" and self.beta == 1.0:
            scores, stats = self.mixture.weigh(params, shard.x, weights)
        else:
            scores, parts = self._assigned(params, shard)
            stats = self.mixture.accumulate_parts(params, shard.x, parts, weights[:, None])
        total = shard.total(scores)
        if not np.isfinite(total):
            row = int(np.flatnonzero(~np.isfinite(scores))[0])
            raise NumericalError(
                "a row has probability zero under every component", got=f"row {row} of a block: {shard.x[row]}",
                hint="another start, or a larger floor of the variances",
            )  # fmt: skip
        return EStep(stats, total)

    def _assigned(self, params: MixtureParams, shard: Rows) -> tuple[Array, Array]:
        """Return scores (N,) and shares (N, K) of rows, where labels, hard assignment or a temperature have a say."""
        joint = self.joint(params, shard.x)
        if shard.y is not None:
            known = shard.y >= 0
            joint[known[:, None] & (np.arange(joint.shape[1]) != shard.y[:, None])] = -np.inf
        scores, resp = responsibilities(self.beta * joint)
        if self.assign == "classification":
            best = joint.argmax(axis=1)
            return joint[np.arange(len(joint)), best], np.eye(joint.shape[1])[best]
        if self.assign == "stochastic":
            edges = resp.cumsum(axis=1)[:, :-1]
            drawn = (self._generator(params, shard).random(len(resp))[:, None] >= edges).sum(axis=1)
            resp = np.eye(joint.shape[1])[drawn]
        return scores / self.beta, resp

    def _generator(self, params: MixtureParams, shard: Rows) -> np.random.Generator:
        marks = (zlib.crc32(np.ascontiguousarray(a).tobytes()) for a in (tree_vector(params), shard.x))
        return np.random.default_rng([self.seed, *marks])

    def m_step(self, stats: MixtureStats, params: MixtureParams) -> MixtureParams:
        """Return the parameters that maximise expected log-likelihood plus log prior."""
        return self.mixture.maximise(stats, params)

    def log_prior(self, params: MixtureParams) -> float:
        """Return the log prior density up to a constant."""
        return self.mixture.log_prior(params)

    def expected_log_likelihood(self, stats: MixtureStats, params: MixtureParams, reference: MixtureParams) -> float:
        """Return Q(params | reference)."""
        return self.mixture.expected_log_likelihood(stats, params, reference)

    def recentre(self, stats: MixtureStats, old: MixtureParams, new: MixtureParams) -> MixtureStats:
        """Return statistics taken at ``old`` as if about ``new``."""
        return self.mixture.recentre(stats, old, new)

    def pack(self, params: MixtureParams) -> Array:
        """Return the free parameters as an unconstrained vector."""
        return self.mixture.pack(params)

    def unpack(self, vector: Array, like: MixtureParams) -> MixtureParams:
        """Return the parameters of an unconstrained vector."""
        return self.mixture.unpack(vector, like)

    def n_free(self, params: MixtureParams) -> int:
        """Return the number of free parameters."""
        return self.mixture.n_free(params)


def responsibilities(joint: Array) -> tuple[Array, Array]:
    """Return log-likelihood (N,) and posterior probabilities of the components (N, K) from log joint densities.

    Examples
    --------
    >>> ll, resp = responsibilities(np.log([[0.1, 0.3]]))
    >>> ll.round(4).tolist(), resp.round(4).tolist()
    ([-0.9163], [[0.25, 0.75]])
    """
    top = joint.max(axis=1)
    top[np.isneginf(top)] = 0.0
    resp = np.exp(joint - top[:, None])
    total = resp.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(total) + top, resp / total[:, None]


def rows_that_tell(x: AnyArray) -> AnyArray:
    """Return some hundred rows, to tell starts apart by what they make of them."""
    return x[:: max(1, len(x) // _ROWS_TO_TELL_APART)]


def described(joint: Array) -> Array:
    """Return roots of densities at rows, from log joint densities: their distances are Hellinger's, in any order of components."""
    scores = responsibilities(joint)[0]
    return np.exp(0.5 * (scores - scores.max()))


def start(mixture: MixtureOf, x: AnyArray, rng: np.random.Generator, *, clusters: Any = None) -> MixtureParams:
    """Return parameters fitted to clusters of the rows: k-means unless they are given."""
    if clusters is None:
        return mixture.initial(x, 1, rng)
    component = mixture.component.initial(x, mixture.n_components, rng)
    resp = np.zeros((len(x), mixture.n_components))
    resp[np.arange(len(x)), clusters] = 1.0
    resp = 0.9 * resp + 0.1 / mixture.n_components
    component = mixture.component.maximise(mixture.component.accumulate(component, x, resp), component)
    return MixtureParams(np.bincount(clusters, minlength=mixture.n_components)[None] / len(x), component)
