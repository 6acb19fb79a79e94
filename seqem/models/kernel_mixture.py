"""KernelMixture: components of any shape, their densities estimated by kernels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import reduce
from typing import Any, Self

import numpy as np

from seqem.core.rng import generator
from seqem.core.rows import Rows
from seqem.core.tree import tree_add
from seqem.distributions._start import labels
from seqem.em.callbacks import Callback
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.clustering import Clustering
from seqem.models.inputs import checked_rows
from seqem.models.kernel_mixture_model import BAND, KernelMixtureParams, KernelModel
from seqem.shapes import Array

# Numbers of a block's waves.
_BLOCK = 1 << 18
# Range of the rows in bandwidths: the work grows with it.
_WIDEST = 1e5


class KernelMixture(Clustering):
    """Mixture of components of any shape, by an EM algorithm with kernel density estimates in its M-step.

    Parameters
    ----------
    n_components : int
        K.
    bandwidth : float or array-like, shape (D,), optional
        Standard deviation of the Gaussian kernel; by default Silverman's rule for each column (R's ``bw.nrd0``).
    symmetric : bool
        Whether the components are one symmetric density moved to K places, which makes them identifiable from one column (Bordes,
        Chauveau & Vandekerkhove 2007); otherwise each has its own, which takes three columns or more (Benaglia, Chauveau & Hunter
        2009). Columns are independent within a component, each with densities of its own.
    tol : float
        Converged when the parameters change by no more than this, in units of the bandwidth.
    max_iter : int
        Iterations at most.
    random_state : int, Generator or None
        Draws the start.

    Attributes
    ----------
    weights_, means_ : ndarray, shape (K,) and (K, D)
        Probabilities and means of the components.
    bandwidth_ : ndarray, shape (D,)
        Bandwidths.

    Notes
    -----
    No likelihood is maximised, and its history may fall. Rows further from the data than their range, and densities below 1e-15
    per bandwidth, count as equally improbable under all components.

    References
    ----------
    L. Bordes, D. Chauveau and P. Vandekerkhove (2007). A stochastic EM algorithm for a semiparametric mixture model.
    Computational Statistics & Data Analysis 51, 5429-5443. T. Benaglia, D. Chauveau and D. Hunter (2009). An EM-like algorithm
    for semi- and nonparametric estimation in multivariate mixtures. Journal of Computational and Graphical Statistics 18, 505-526.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.uniform(-1, 1, (200, 1)), rng.uniform(4, 6, (100, 1))])
    >>> model = KernelMixture(2, random_state=0).fit(x)
    >>> sorted(model.means_[:, 0].round(1).tolist()), sorted(model.weights_.round(2).tolist())
    ([0.1, 5.1], [0.33, 0.67])
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        bandwidth: Any = None,
        symmetric: bool = True,
        tol: float = 1e-8,
        max_iter: int = 1000,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.bandwidth = bandwidth
        self.symmetric = symmetric
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _model(self) -> KernelModel:  # type: ignore[override]  # has no free coordinates
        return KernelModel(self._period, self.symmetric, float(np.log(self.bandwidth_).sum()))

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, param_tol=self.tol, fall_tol=np.inf)

    def fit(
        self, X: Any, y: None = None, *, executor: Executor | None = None, callbacks: Sequence[Callback] = ()
    ) -> Self:
        """Fit weights, means and densities.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Observations.
        y : None
            Not used.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over blocks of rows.
        callbacks : sequence of callables
            Told of every step.

        Raises
        ------
        DataError, ParameterError
            For observations or parameters that cannot be.
        """
        x = checked_rows(self, X, reset=True, least=2, allow_nan=False)
        K = self.n_components
        if not (isinstance(K, int | np.integer) and K >= 1):
            raise ParameterError("n_components is off", got=K, expected="a positive integer")
        if len(x) < K:
            raise DataError("fewer rows than components", got=f"n_samples = {len(x)}", expected=f"at least {K}")
        self.bandwidth_ = _bandwidths(self.bandwidth, x)
        self._middle = 0.5 * (x.min(axis=0) + x.max(axis=0))
        self._period = self._room(float((np.ptp(x, axis=0) / self.bandwidth_).max()))
        model: Any = self._model()
        x = self._scaled(x)
        shards = Rows(x).blocks(max(16, _BLOCK // (2 * x.shape[1] * len(model.frequencies()))))
        first = self._start(model, shards)
        self.result_ = fit(model, first, shards, stop=self._stop_rule(), executor=executor, callbacks=callbacks)
        return self

    def _room(self, width: float) -> float:
        """Return a period for rows that spread over ``width`` bandwidths: there is room for reflections about any mean."""
        if width > _WIDEST:
            raise DataError(
                "rows are too far apart for the bandwidth", got=f"{width:.3g} bandwidths from the lowest to the highest",
                expected=f"at most {_WIDEST:.0e}", hint="leave out what lies far off, or give a larger bandwidth",
            )  # fmt: skip
        return 3 * width + 2 * BAND

    def _scaled(self, x: Array) -> Array:
        return (x - self._middle) / self.bandwidth_

    def _start(self, model: KernelModel, shards: Sequence[Rows]) -> KernelMixtureParams:
        """Return the estimates from the clusters of k-means."""
        x = np.concatenate([shard.x for shard in shards])
        # A tenth of every row everywhere: no component starts empty.
        resp = 0.9 * np.eye(self.n_components)[labels(x, self.n_components, generator(self.random_state))]
        resp += 0.1 / self.n_components
        parts = np.split(resp, np.cumsum([len(shard) for shard in shards])[:-1])
        stats = (model.statistics(shard.x, part) for shard, part in zip(shards, parts, strict=True))
        return model.m_step(reduce(tree_add, stats), None)

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def weights_(self) -> Array:
        """Probability of each component, shape (K,)."""
        return self._fitted.params.weights

    @property
    def means_(self) -> Array:
        """Means of the components, shape (K, D)."""
        return self._middle + self._fitted.params.means * self.bandwidth_

    # -- using it --------------------------------------------------------------------------------------

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        params = self._fitted.params
        x = checked_rows(self, X, reset=False, allow_nan=False)
        return self._model().posterior(params, self._scaled(x))


def _bandwidths(given: Any, x: Array) -> Array:
    """Return the bandwidth of each column: as given, or 0.9 min(sd, IQR / 1.34) N^(-1/5)."""
    D = x.shape[1]
    if given is not None:
        array = np.asarray(given, dtype=np.float64)
        if array.shape not in ((), (D,)) or not (np.isfinite(array) & (array > 0)).all():
            raise ParameterError("bandwidth is off", got=given, expected=f"a positive number, or {D} of them")
        return np.full(D, array)
    deviation = x.std(axis=0, ddof=1)
    quartiles = np.quantile(x, [0.25, 0.75], axis=0)
    middle = (quartiles[1] - quartiles[0]) / 1.34
    spread = np.where(middle > 0, np.minimum(deviation, middle), deviation)
    # A constant column: any width does.
    return 0.9 * np.where(spread > 0, spread, 1.0) * len(x) ** -0.2
