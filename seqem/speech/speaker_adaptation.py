"""Speaker adaptation: models moved towards a speaker, or the speaker's frames towards the models."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DegenerateWarning
from seqem.shapes import Array, IntArray
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken
from seqem.speech.feature_transform import FeatureTransform, identity
from seqem.speech.mean_transform import MeanTransform

METHODS = ("cmllr", "mllr", "map")
_STEPS = StopRule(max_iter=10, rel_tol=1e-5)
_RELEVANCE = 16.0

Shards = Sequence[list[Spoken]]


def cmllr(model: AcousticModel, params: AcousticParams, shards: Shards, **options: Any) -> Array:
    """Return the transform (D, D + 1) of the frames of a speaker."""
    n_features = params.emission.component.mean.shape[1]
    return fit(FeatureTransform(model, params), identity(n_features), shards, stop=_STEPS, **options).params


def mllr(
    model: AcousticModel, params: AcousticParams, shards: Shards, classes: IntArray, **options: Any
) -> AcousticParams:
    """Return the parameters with the means of each class of Gaussians moved by a transform of its own."""
    transform = MeanTransform(model, params, classes)
    start = np.tile(identity(params.emission.component.mean.shape[1]), (int(classes.max()) + 1, 1, 1))
    return transform.adapted(fit(transform, start, shards, stop=_STEPS, **options).params)


def pause_classes(model: AcousticModel, params: AcousticParams, pause: str | None) -> IntArray:
    """Return 1 for Gaussians of the pause and 0 for others; those of a common codebook belong to no unit."""
    mean, weights = params.emission.component.mean, params.emission.weights
    out = np.zeros(model.inventory.n_emissions, dtype=np.int64)
    if pause is not None:
        out[list(model.inventory[pause].emissions)] = 1
    return np.repeat(out, weights.shape[1]) if len(mean) == weights.size else np.zeros(len(mean), dtype=np.int64)


def map_adapted(
    model: AcousticModel, params: AcousticParams, shards: Shards, relevance: float = _RELEVANCE, **options: Any
) -> AcousticParams:
    """Return the mode of the posterior of means, weights and transitions, where what is known counts ``relevance`` frames a state.

    J.-L. Gauvain and C.-H. Lee (1994), Maximum a posteriori estimation for multivariate Gaussian mixture observations of Markov
    chains, IEEE Transactions on Speech and Audio Processing 2, 291-298.
    """
    emission = params.emission
    mixture: Any = model.distribution
    part = replace(
        mixture.component, mean_prior=emission.component.mean, mean_weight=relevance, fixed={"covariance": True}
    )
    mixture = replace(mixture, component=part, weight_prior=1.0 + relevance * emission.weights)
    prior = replace(model, distribution=mixture, transition_prior=relevance * params.transitions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # words that the speaker has not said stay as they are
        return fit(prior, params, shards, stop=_STEPS, **options).params
