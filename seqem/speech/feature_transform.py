"""FeatureTransform: an affine map of the frames of a speaker to where the models expect them (CMLLR)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from seqem.core.tree import tree_add, tree_scale
from seqem.em.protocol import EStep
from seqem.shapes import Array
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken

# How often each row is improved in an M-step.
_SWEEPS = 5


class TransformStats(NamedTuple):
    """Frames; for each feature their products weighed by its precision (D, D + 1, D + 1); the means it should get (D, D + 1)."""

    mass: float
    products: Array
    wanted: Array


@dataclass(frozen=True, eq=False)
class FeatureTransform:
    """Fit ``A x + b`` to recordings of one speaker by EM, the models kept as they are.

    Attributes
    ----------
    model : AcousticModel
        The units, with diagonal Gaussians.
    params : AcousticParams
        Their parameters.
    prior_frames : float
        Frames, spread as the models expect them and where they expect them, that come before those of the speaker: few recordings
        do not turn space about.

    Notes
    -----
    Parameters are (D, D + 1), ``b`` in the last column. M. Gales (1998), Maximum likelihood linear transformations for HMM-based
    speech recognition, Computer Speech and Language 12, 75-98, section 4: rows are improved one after another.
    """

    model: AcousticModel
    params: AcousticParams
    prior_frames: float = 100.0

    def e_step(self, transform: Array, shard: list[Spoken]) -> EStep:
        """Return the statistics of recordings and their log-likelihood in the space they were recorded in."""
        D = len(transform)
        total, score = TransformStats(0.0, np.zeros((D, D + 1, D + 1)), np.zeros((D, D + 1))), 0.0
        for spoken in shard:
            moved = transformed(transform, spoken.batch.values)
            walked = self.model.walk(self.params, Spoken(spoken.graph, spoken.batch.with_values(moved)))
            parts = self.model.distribution.responsibilities(walked.emission, moved, walked.resp)
            score += walked.log_likelihood + len(parts) * log_determinant(transform)
            mean, variance = walked.emission.component
            total = tree_add(total, _statistics(mean, variance, spoken.batch.values, parts))
        return EStep(total, score)

    @cached_property
    def _prior(self) -> TransformStats:
        """Statistics of the frames that the models expect, each Gaussian as often as its share in its state says."""
        weights, (mean, variance) = self.params.emission
        # Of a common codebook each part has a weight in every state.
        share = weights.reshape(-1, len(mean)).sum(axis=0) / weights.sum()
        with_one = np.column_stack([mean, np.ones(len(mean))])
        products = np.einsum("k,ki,ka,kb->iab", share, 1.0 / variance, with_one, with_one)
        spread = np.einsum("k,ki,ka->ia", share, 1.0 / variance, variance)
        products[:, np.arange(len(spread)), np.arange(len(spread))] += spread
        wanted = products[np.arange(len(spread)), np.arange(len(spread))].copy()
        # At the identity the derivative of the logarithm of the determinant has to vanish against these.
        wanted[np.arange(len(spread)), np.arange(len(spread))] -= 1.0
        return tree_scale(TransformStats(1.0, products, wanted), self.prior_frames)

    def m_step(self, stats: TransformStats, transform: Array) -> Array:
        """Return the transform that maximises the expected log-likelihood, row by row."""
        mass, products, wanted = tree_add(stats, self._prior)
        out, inverse = transform.copy(), np.linalg.inv(products)
        for _ in range(_SWEEPS):
            for i in range(len(out)):
                out[i] = _row(out, i, mass, inverse[i], wanted[i])
        return out

    def log_prior(self, transform: Array) -> float:
        """Return the expected log-likelihood of the frames that come before those of the speaker, up to a constant."""
        return _expected(self._prior, transform)

    def expected_log_likelihood(self, stats: TransformStats, transform: Array, reference: Array) -> float:
        """Return the expected log-likelihood, up to a constant."""
        return _expected(stats, transform)

    def pack(self, transform: Array) -> Array:
        """Return the transform as a vector."""
        return transform.ravel()

    def unpack(self, vector: Array, like: Array) -> Array:
        """Return the transform of a vector."""
        return vector.reshape(like.shape)


def identity(n_features: int) -> Array:
    """Return the transform that leaves frames as they are."""
    return np.eye(n_features, n_features + 1)


def transformed(transform: Array, frames: Array) -> Array:
    """Return ``A x + b`` for frames (T, D)."""
    return frames @ transform[:, :-1].T + transform[:, -1]


def combined(second: Array, first: Array) -> Array:
    """Return the transform that does what ``first`` and then ``second`` do."""
    return np.column_stack([second[:, :-1] @ first[:, :-1], transformed(second, first[:, -1])])


def log_determinant(transform: Array) -> float:
    """Return the logarithm of the volume that the transform gives to one."""
    return float(np.linalg.slogdet(transform[:, :-1])[1])


def _statistics(mean: Array, variance: Array, frames: Array, parts: Array) -> TransformStats:
    """Return the statistics of frames (T, D) and their shares in Gaussians (T, K)."""
    weight, pull = parts @ (1.0 / variance), parts @ (mean / variance)
    with_one = np.column_stack([frames, np.ones(len(frames))])
    products = np.stack([(with_one * weight[:, i : i + 1]).T @ with_one for i in range(frames.shape[1])])
    return TransformStats(float(len(frames)), products, pull.T @ with_one)


def _expected(stats: TransformStats, transform: Array) -> float:
    """Return the expected log-likelihood of a transform, up to a constant."""
    quadratic = np.einsum("ia,iab,ib->", transform, stats.products, transform)
    return stats.mass * log_determinant(transform) - 0.5 * float(quadratic) + float((transform * stats.wanted).sum())


def _row(transform: Array, i: int, mass: float, inverse: Array, wanted: Array) -> Array:
    """Return the best row ``i`` while the others stay: ``(s p + k) G^-1`` with the cofactors p and the better of two s."""
    square = transform[:, :-1]
    cofactors = np.append(np.linalg.inv(square)[:, i] * np.linalg.det(square), 0.0)
    cofactors /= np.linalg.norm(cofactors)  # their scale drops out
    a, b = cofactors @ inverse @ cofactors, cofactors @ inverse @ wanted
    root = np.sqrt(b * b + 4.0 * a * mass)
    rows = [(s * cofactors + wanted) @ inverse for s in ((-b + root) / (2.0 * a), (-b - root) / (2.0 * a))]
    gains = [
        mass * np.log(abs(s * a + b)) - 0.5 * s * s * a for s in ((-b + root) / (2.0 * a), (-b - root) / (2.0 * a))
    ]
    return rows[int(np.argmax(gains))]
