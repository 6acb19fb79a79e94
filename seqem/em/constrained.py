"""Linear constraints on the parameters of any model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import minimize

from seqem.em.protocol import EMModel, EStep
from seqem.errors import ParameterError
from seqem.shapes import Array

_ROUNDING = 1e-8


@dataclass(frozen=True, eq=False)
class LinearlyConstrained:
    """A model whose packed parameters keep ``matrix @ pack(params) == values`` at every step.

    The coordinates of ``pack`` are unconstrained: logarithms of rates and variances, logits of probabilities, means as they are.
    So equal means, equal rates, a known ratio of rates or a known odds ratio are linear there. The M-step maximises Q under
    the constraints by BFGS, without a pass over the data, and never lowers it: all methods of the driver hold.

    Attributes
    ----------
    model : EMModel
        The model, with ``pack``, ``unpack`` and ``expected_log_likelihood``.
    matrix : ndarray, shape (c, d)
        One constraint a row.
    values : ndarray, shape (c,)
        Their right sides.

    Raises
    ------
    ParameterError
        Where constraints contradict each other or do not fit.

    Examples
    --------
    Two Poisson rates, one of which is twice the other:

    >>> from seqem.core.rows import Rows
    >>> from seqem.distributions.mixture import MixtureOf, MixtureParams
    >>> from seqem.distributions.poisson import Poisson, PoissonParams
    >>> from seqem.em.driver import fit
    >>> from seqem.models.mixture_model import MixtureModel
    >>> mixture = MixtureModel(MixtureOf(Poisson(), 2))  # packs a logit and two logarithms
    >>> model = LinearlyConstrained(mixture, np.array([[0.0, -1.0, 1.0]]), np.log([2.0]))
    >>> rows = Rows(np.random.default_rng(0).poisson([3.0, 6.0], (50, 2)).reshape(-1, 1).astype(float))
    >>> start = MixtureParams(np.array([[0.5, 0.5]]), PoissonParams(np.array([[1.0], [5.0]])))
    >>> rate = fit(model, model.projected(start), [rows]).params.component.rate.ravel()
    >>> float(round(rate[1] / rate[0], 10))
    2.0
    """

    model: EMModel[Any]
    matrix: Array
    values: Array
    _origin: Array = field(init=False, repr=False)
    _basis: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix, values = np.atleast_2d(np.asarray(self.matrix, float)), np.atleast_1d(np.asarray(self.values, float))
        if values.shape != (len(matrix),):
            raise ParameterError(
                "constraints do not fit", got=f"shapes {matrix.shape}, {values.shape}", expected="(c, d), (c,)"
            )
        origin = np.linalg.lstsq(matrix, values)[0]
        if np.abs(matrix @ origin - values).max() > _ROUNDING * max(1.0, np.abs(values).max()):
            raise ParameterError("constraints contradict each other", got=f"{len(matrix)} of them")
        object.__setattr__(self, "_origin", origin)
        object.__setattr__(self, "_basis", null_space(matrix))

    def projected(self, params: Any) -> Any:
        """Return the parameters nearest in packed coordinates that keep the constraints: where to start."""
        return self.unpack(self.pack(params), params)

    def pack(self, params: Any) -> Array:
        """Return coordinates along the constraints."""
        vector = self.model.pack(params)
        if vector.shape != self._origin.shape:
            raise ParameterError(
                "constraints do not fit the model", got=f"{len(self._origin)} columns", expected=len(vector)
            )
        return self._basis.T @ (vector - self._origin)

    def unpack(self, vector: Array, like: Any) -> Any:
        """Return the parameters at coordinates along the constraints."""
        return self.model.unpack(self._origin + self._basis @ vector, like)

    def e_step(self, params: Any, shard: Any) -> EStep:
        """Return what the model returns."""
        return self.model.e_step(params, shard)

    def log_prior(self, params: Any) -> float:
        """Return what the model returns."""
        return self.model.log_prior(params)

    def expected_log_likelihood(self, stats: Any, params: Any, reference: Any) -> float:
        """Return what the model returns."""
        return self.model.expected_log_likelihood(stats, params, reference)

    def m_step(self, stats: Any, params: Any) -> Any:
        """Return the parameters along the constraints that maximise Q plus log prior, from the better of two starts."""

        def loss(vector: Array) -> float:
            new = self.unpack(vector, params)
            value = self.model.expected_log_likelihood(stats, new, params) + self.model.log_prior(new)
            return -value if np.isfinite(value) else np.inf

        here = self.pack(params)
        free = self.pack(self.model.m_step(stats, params))
        start = min((here, free), key=loss)
        with np.errstate(all="ignore"):
            found = minimize(loss, start, method="BFGS", options={"gtol": 1e-9})
        return self.unpack(found.x if loss(found.x) <= loss(here) else here, params)
