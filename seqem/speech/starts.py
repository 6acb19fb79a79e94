"""Where training begins: recordings cut evenly along their transcripts, and mixtures that grow by splitting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from seqem.core.tree import tree_add
from seqem.distributions.gaussian import Gaussian, GaussianParams, GaussianStats
from seqem.distributions.mixture import MixtureParams
from seqem.distributions.shared_mixture import SharedMixture
from seqem.shapes import AnyArray, Array, Mask
from seqem.speech.acoustic import AcousticModel, AcousticParams
from seqem.speech.composite import Composite

_STAY = 0.75
_ROWS_TO_CLUSTER = 20_000
_ROWS_AT_ONCE = 4096
# How far the halves of a part move apart, in standard deviations.
_APART = 0.2


def even_cut(words: Sequence[str], quiet: Mask, composite: Composite, rng: np.random.Generator) -> AnyArray:
    """Return an emission for each frame: the states of the words one after another, each for the same time.

    Frames that are ``quiet`` (T,) go to the states of the pause. A word is said in one of its ways, drawn by their weights.
    """
    units: list[str] = []
    for word in words:
        ways = composite.lexicon[word]
        shares = np.array([way.weight for way in ways])
        units += ways[rng.choice(len(ways), p=shares / shares.sum())].units
    inventory, pauses = composite.inventory, composite.pauses
    silent = quiet & (pauses is not None) | (not units)
    out = np.empty(len(quiet), dtype=np.int64)
    out[~silent] = _spread([e for unit in units for e in inventory[unit].emissions], int((~silent).sum()))
    if pauses is not None:
        out[silent] = _spread(inventory[pauses.unit].emissions, int(silent.sum()))
    return out


def _spread(chain: Sequence[int], n_frames: int) -> AnyArray:
    return np.asarray(chain)[np.arange(n_frames) * len(chain) // max(n_frames, 1)]


def flat_start(model: AcousticModel, frames: Array, emissions: AnyArray) -> AcousticParams:
    """Return parameters from rows and the emission each is taken for; an emission without rows is like all of them.

    Parameters
    ----------
    model : AcousticModel
        Its emissions are mixtures of one part.
    frames : ndarray, shape (N, D)
        Rows of all recordings.
    emissions : ndarray of int, shape (N,)
        Number of the emission of each row.
    """
    n = model.inventory.n_emissions
    mean, variance = frames.mean(axis=0), frames.var(axis=0)
    alike = GaussianParams(np.tile(mean, (n, 1)), np.tile(variance, (n, 1)))
    mass = np.bincount(emissions, minlength=n).astype(np.float64)
    first, second = np.zeros(alike.mean.shape), np.zeros(alike.mean.shape)
    away = frames - mean
    np.add.at(first, emissions, away)
    np.add.at(second, emissions, away**2)
    gaussian: Gaussian = model.distribution.component  # type: ignore[attr-defined]
    # The variances of all rows count as one: an emission with few begins wide.
    stats = GaussianStats(np.repeat(mass[:, None], len(mean), axis=1) + 1.0, first, second + variance)
    component = gaussian.maximise(stats, alike)
    return AcousticParams(model.inventory.transitions(_STAY), MixtureParams(np.ones((n, 1)), component))


def shared_start(model: AcousticModel, frames: Array, emissions: AnyArray, rng: np.random.Generator) -> AcousticParams:
    """Return what :func:`flat_start` does for emissions that share their parts, which begin at clusters of the rows."""
    mixture: SharedMixture = model.distribution  # type: ignore[assignment]
    n, some = model.inventory.n_emissions, frames[:: -(-len(frames) // _ROWS_TO_CLUSTER)]
    alike = mixture.initial(some, 1, rng)
    params = alike._replace(weights=np.repeat(alike.weights, n, axis=0))
    blocks = range(0, len(frames), _ROWS_AT_ONCE)
    parts = (slice(at, at + _ROWS_AT_ONCE) for at in blocks)
    stats = (mixture.accumulate(params, frames[at], _one_hot(emissions[at], n)) for at in parts)
    return AcousticParams(model.inventory.transitions(_STAY), mixture.maximise(reduce(tree_add, stats), params))


def _one_hot(numbers: AnyArray, n: int) -> Array:
    out = np.zeros((len(numbers), n))
    out[np.arange(len(numbers)), numbers] = 1.0
    return out


def split(params: MixtureParams, n_parts: int) -> MixtureParams:
    """Return mixtures of ``n_parts`` parts: the heaviest of each state are halved and moved apart, until there are so many.

    No more than twice as many as before.

    Examples
    --------
    >>> params = MixtureParams(np.ones((1, 1)), GaussianParams(np.zeros((1, 1)), np.ones((1, 1))))
    >>> split(params, 2).component.mean.tolist()
    [[0.2], [-0.2]]
    """
    K, M = params.weights.shape
    mean, variance = (leaf.reshape(K, M, -1) for leaf in params.component)
    heavy = np.argsort(-params.weights, axis=1, kind="stable")[:, : n_parts - M]
    rows = np.arange(K)[:, None]
    weights = params.weights.copy()
    weights[rows, heavy] /= 2
    step = _APART * np.sqrt(variance[rows, heavy])
    moved = mean.copy()
    moved[rows, heavy] += step
    parts = GaussianParams(
        np.concatenate([moved, mean[rows, heavy] - step], axis=1).reshape(K * n_parts, -1),
        np.concatenate([variance, variance[rows, heavy]], axis=1).reshape(K * n_parts, -1),
    )
    return MixtureParams(np.concatenate([weights, weights[rows, heavy]], axis=1), parts)


def growing(n_parts: int) -> list[int]:
    """Return the sizes of mixtures on the way from one part to ``n_parts``, each at most twice that before.

    Examples
    --------
    >>> growing(6)
    [1, 2, 3, 6]
    """
    sizes = [n_parts]
    while sizes[0] > 1:
        sizes.insert(0, -(-sizes[0] // 2))
    return sizes
