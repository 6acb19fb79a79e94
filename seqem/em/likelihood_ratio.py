"""Tests between nested models: likelihood ratios by theory and by parametric bootstrap."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2
from sklearn.base import clone

from seqem.core.rng import generator
from seqem.errors import ParameterError
from seqem.shapes import Array


class RatioTest(NamedTuple):
    """Twice the log-likelihood ratio, its degrees of freedom (None if bootstrapped), the p-value, bootstrap replicates."""

    statistic: float
    degrees: int | None
    p_value: float
    replicates: Array | None = None


def likelihood_ratio_test(null: Any, alternative: Any, degrees: int | None = None) -> RatioTest:
    """Test a fitted model against a larger one that holds it, by the chi-square distribution (Wilks 1938).

    Parameters
    ----------
    null, alternative : fitted estimators
        With ``log_likelihood_`` of the same data.
    degrees : int, optional
        Difference of the numbers of free parameters; by default that of ``n_parameters_``. Numbers of components do not meet
        Wilks' conditions: use :func:`bootstrap_ratio_test`.

    Raises
    ------
    ParameterError
        Where the degrees are not above 0.
    """
    if degrees is None:
        degrees = alternative.n_parameters_ - null.n_parameters_
    if degrees < 1:
        raise ParameterError("the alternative has no more parameters", got=degrees, expected="at least one more")
    statistic = 2.0 * (alternative.log_likelihood_ - null.log_likelihood_)
    return RatioTest(statistic, degrees, float(chi2.sf(max(statistic, 0.0), degrees)))


def bootstrap_ratio_test(
    null: Any,
    alternative: Any,
    n_rows: int,
    *,
    n_bootstrap: int = 199,
    random_state: Any = None,
    executor: Executor | None = None,
) -> RatioTest:
    """Test a fitted model against a larger one by refitting both to data drawn from the smaller (McLachlan 1987).

    Parameters
    ----------
    null, alternative : fitted estimators
        Mixtures of K and more components, say; ``null`` can ``sample``.
    n_rows : int
        Rows of the data they were fitted to.
    n_bootstrap : int
        Data sets drawn.
    random_state : int, Generator or None
        Draws them.
    executor : concurrent.futures.Executor, optional
        Runs the refits; the result does not depend on it.

    Examples
    --------
    >>> from seqem.models.gaussian_mixture import GaussianMixture
    >>> x = np.random.default_rng(0).normal(size=(60, 1)) + np.repeat([[0.0], [8.0]], 30, axis=0)
    >>> one, two = (GaussianMixture(k, random_state=0).fit(x) for k in (1, 2))
    >>> bootstrap_ratio_test(one, two, 60, n_bootstrap=19, random_state=0).p_value
    0.05
    """
    statistic = 2.0 * (alternative.log_likelihood_ - null.log_likelihood_)
    children = generator(random_state).spawn(n_bootstrap)
    tasks = [(null, alternative, n_rows, child) for child in children]
    if executor is None:
        drawn = [_replicate(*task) for task in tasks]
    else:
        drawn = [future.result() for future in [executor.submit(_replicate, *task) for task in tasks]]
    replicates = np.array(drawn)
    p_value = (1 + int((replicates >= statistic).sum())) / (n_bootstrap + 1)
    return RatioTest(statistic, None, p_value, replicates)


def _replicate(null: Any, alternative: Any, n_rows: int, rng: np.random.Generator) -> float:
    seed = int(rng.integers(2**31))
    x = null.sample(n_rows, random_state=rng)
    x = x[0] if isinstance(x, tuple) else x
    small, large = (clone(model).set_params(random_state=seed).fit(x) for model in (null, alternative))
    return 2.0 * float(large.log_likelihood_ - small.log_likelihood_)
