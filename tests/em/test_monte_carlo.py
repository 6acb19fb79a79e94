"""A Monte-Carlo E-step on problems whose exact E-step is known."""

import numpy as np
import pytest

from seqem.em.monte_carlo import MonteCarlo
from seqem.em.own import fit_em
from tests.em.models import LINKAGE, LINKAGE_THETA


def draw(theta, y, rng):
    """Split the first count of the linkage data by a draw; the quantile at u is nearly smooth in theta."""
    u = rng.random()
    p = theta / (2 + theta)
    x = y[0] * p + np.sqrt(y[0] * p * (1 - p)) * (2 * u - 1) * np.sqrt(3)  # mean and variance of the binomial
    return (x + y[3], y[1] + y[2]), 0.0


@pytest.mark.parametrize("n_draws", [50, 5000])
def test_linkage(n_draws):
    result = fit_em(
        e_step=MonteCarlo(draw, n_draws), m_step=lambda s, _: s[0] / (s[0] + s[1]), start=0.5, data=np.array(LINKAGE),
        monotone=False, tol=1e-10,
    )  # fmt: skip
    assert result.converged
    # The sum of the counts is known to sqrt(125 p (1 - p) / n_draws); theta is some 1 / 100 of that.
    assert float(result.params) == pytest.approx(LINKAGE_THETA, abs=4 * 0.05 / np.sqrt(n_draws))


def test_the_same_draws_at_every_iteration():
    step = MonteCarlo(draw, 10, seed=3)
    first, second = (step(0.4, np.array(LINKAGE)) for _ in range(2))
    assert first == second
    assert first != MonteCarlo(draw, 10, seed=4)(0.4, np.array(LINKAGE))


def test_draws_are_averaged():
    step = MonteCarlo(lambda params, shard, rng: ((rng.random(),), 2.0), 4000)
    stats, log_likelihood = step(None, None)
    assert stats[0] == pytest.approx(0.5, abs=0.02)
    assert log_likelihood == 2.0
