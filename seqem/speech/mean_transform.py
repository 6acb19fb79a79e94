"""MeanTransform: affine maps of the means of Gaussians to where a speaker has them (MLLR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqem.em.protocol import EStep
from seqem.shapes import Array, IntArray
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken
from seqem.speech.feature_transform import identity

# Share of the largest eigenvalue below which a direction counts as not spanned.
_SPANNED = 1e-9


class MeanStats(NamedTuple):
    """Expected frames of each Gaussian (K,) and the sums of those frames (K, D)."""

    mass: Array
    sums: Array


@dataclass(frozen=True, eq=False)
class MeanTransform:
    """Fit ``A m + b`` for the means of classes of Gaussians to recordings of one speaker by EM.

    Attributes
    ----------
    model : AcousticModel
        The units, with diagonal Gaussians.
    params : AcousticParams
        Their parameters.
    classes : ndarray of int, shape (K,)
        Class of each Gaussian, from 0.
    prior_frames : float
        Frames at the means as they are, that come before those of the speaker, in each class.

    Notes
    -----
    Parameters are (classes, D, D + 1), ``b`` in the last column. C. Leggetter and P. Woodland (1995), Maximum likelihood linear
    regression for speaker adaptation of continuous density hidden Markov models, Computer Speech and Language 9, 171-185.
    """

    model: AcousticModel
    params: AcousticParams
    classes: IntArray
    prior_frames: float = 100.0

    def adapted(self, transforms: Array) -> AcousticParams:
        """Return the parameters with moved means."""
        emission = self.params.emission
        mean = np.einsum("kia,ka->ki", transforms[self.classes], _with_one(emission.component.mean))
        return self.params._replace(emission=emission._replace(component=emission.component._replace(mean=mean)))

    def e_step(self, transforms: Array, shard: list[Spoken]) -> EStep:
        """Return the expected frames of each Gaussian, and the log-likelihood of the recordings."""
        params = self.adapted(transforms)
        stats, score = self.model.e_step(params, shard)
        mass, first, _ = stats.emission.component
        return EStep(MeanStats(mass[:, 0], first + mass * params.emission.component.mean), score)

    def m_step(self, stats: MeanStats, transforms: Array) -> Array:
        """Return the transforms that maximise the expected log-likelihood."""
        mean, variance = self.params.emission.component
        mass, sums = stats.mass + self._prior, stats.sums + self._prior[:, None] * mean
        known = _with_one(mean)
        out = transforms.copy()
        for c in range(len(out)):
            own = self.classes == c
            products = np.einsum("ki,ka,kb->iab", mass[own, None] / variance[own], known[own], known[own])
            start = identity(len(transforms[c]))
            wanted = np.einsum("ki,ka->ia", sums[own] / variance[own], known[own])
            missed = wanted - np.einsum("iab,ib->ia", products, start)
            # In directions that too few Gaussians of the class span, means stay.
            out[c] = start + np.einsum("iab,ib->ia", np.linalg.pinv(products, rcond=_SPANNED, hermitian=True), missed)
        return out

    def expected_log_likelihood(self, stats: MeanStats, transforms: Array, reference: Array) -> float:
        """Return the expected log-likelihood, up to a constant."""
        mean, variance = self.adapted(transforms).emission.component
        return float(((stats.sums - 0.5 * stats.mass[:, None] * mean) * mean / variance).sum())

    def pack(self, transforms: Array) -> Array:
        """Return the transforms as a vector."""
        return transforms.ravel()

    def unpack(self, vector: Array, like: Array) -> Array:
        """Return the transforms of a vector."""
        return vector.reshape(like.shape)

    @property
    def _prior(self) -> Array:
        """Frames of each Gaussian before those of the speaker: by its share in its state."""
        emission = self.params.emission
        weights = emission.weights.reshape(-1, len(emission.component.mean)).sum(axis=0)
        return self.prior_frames * weights / np.bincount(self.classes, weights)[self.classes]

    def log_prior(self, transforms: Array) -> float:
        """Return the log-likelihood of the frames that come before those of the speaker, up to a constant."""
        mean, variance = self.params.emission.component
        away = self.adapted(transforms).emission.component.mean - mean
        return float(-0.5 * (self._prior[:, None] * away**2 / variance).sum())


def _with_one(mean: Array) -> Array:
    return np.column_stack([mean, np.ones(len(mean))])
