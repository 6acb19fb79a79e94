"""Moments through the factors are those through the covariance."""

import numpy as np
import pytest

from seqem.core.rows import Rows
from seqem.models.factor_patterns import expected_factor_moments
from seqem.models.patterns import expected_moments, gather


@pytest.mark.parametrize(("n", "lost"), [(30, 0.3), (400, 0.05), (50, 0.8)])
@pytest.mark.parametrize("smallest", [1.0, 1e-6])
def test_both_ways_give_the_same(n, lost, smallest):
    rng = np.random.default_rng(0)
    D, q = 6, 2
    x = rng.normal(size=(n, D)) + 5.0
    x[rng.random(x.shape) < lost] = np.nan
    weights = rng.integers(1, 4, n).astype(float)
    mean, loadings, noise = rng.normal(size=D), rng.normal(size=(D, q)), rng.uniform(1.0, 2.0, D)
    noise[0] = smallest
    moments = gather(Rows(x, weights=weights))
    ours = expected_factor_moments(mean, loadings, noise, moments)
    theirs = expected_moments(mean, loadings @ loadings.T + np.diag(noise), moments)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-9)
    for one, other in zip(ours.stats, theirs.stats, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8)
