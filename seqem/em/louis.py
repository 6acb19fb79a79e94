"""Louis' formula: observed information is complete information less the variance of the complete-data score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from seqem.core.rows import Rows
from seqem.em.mapreduce import data_of
from seqem.em.point import EMMap
from seqem.em.protocol import EMModel
from seqem.em.rate import complete_information
from seqem.em.score import STEP, derivative
from seqem.shapes import AnyArray, Array


class FiniteModel(EMModel[Any], Protocol):
    """A model of independent rows whose latent variable takes K values; its shards are ``Rows``."""

    def joint(self, params: Any, x: AnyArray) -> Array:
        """Return log p(x_n, z = k), shape (N, K)."""
        ...


def missing_information(model: FiniteModel, params: Any, shards: Sequence[Any]) -> Array:
    """Return the variance of the complete-data score given the data, in the coordinates of ``pack(params)``.

    Parameters
    ----------
    model : FiniteModel
        A mixture's, such as :class:`seqem.models.mixture_model.MixtureModel`.
    params : tree of arrays
        Where, usually the estimate.
    shards : sequence of Rows
        Data or loaders of it.

    Returns
    -------
    ndarray, shape (d, d)
        Its share of the complete information is the rate of EM.
    """
    vector = model.pack(params)
    return np.sum([_of_shard(model, params, vector, data_of(shard)) for shard in shards], axis=0)


def _of_shard(model: FiniteModel, params: Any, vector: Array, rows: Rows) -> Array:
    joint = model.joint(params, rows.x)
    resp = np.exp(joint - joint.max(axis=1, keepdims=True))
    resp /= resp.sum(axis=1, keepdims=True)
    scores = derivative(lambda at: model.joint(model.unpack(at, params), rows.x), vector, STEP)
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    mean = np.einsum("nk,nkd->nd", resp, scores)
    apart = scores - mean[:, None]
    return np.einsum("n,nk,nkd,nke->de", weights, resp, apart, apart, optimize=True)


def louis_information(model: FiniteModel, params: Any, shards: Sequence[Any]) -> Array:
    """Return the observed information about ``pack(params)`` by Louis' formula.

    T. Louis (1982), Finding the observed information matrix when using the EM algorithm, Journal of the Royal Statistical
    Society B 44, 226-233. :func:`seqem.em.uncertainty.observed_information` gives the same for every model by scores.

    Examples
    --------
    Two Poisson rates that are known, and their share, about which rows tell less than if their kinds were known:

    >>> from seqem.distributions.mixture import MixtureOf, MixtureParams
    >>> from seqem.distributions.poisson import Poisson, PoissonParams
    >>> from seqem.models.mixture_model import MixtureModel
    >>> model = MixtureModel(MixtureOf(Poisson(fixed={"rate": True}), 2))
    >>> params = MixtureParams(np.array([[0.5, 0.5]]), PoissonParams(np.array([[1.0], [3.0]])))
    >>> rows = [Rows(np.arange(5.0)[:, None])]
    >>> bool(0 < louis_information(model, params, rows)[0, 0] < 5 * 0.25)
    True
    """
    stats = EMMap(model, shards).evaluate(params).stats
    return complete_information(model, params, stats) - missing_information(model, params, shards)
