"""Incremental EM: what the facts say of it, the free energy, moments about parameters that move."""

import numpy as np
import pytest

from seqem.core.batch import SequenceBatch
from seqem.em.driver import fit
from seqem.em.incremental import Incremental
from seqem.em.online import Online
from seqem.em.point import EMMap
from seqem.em.stop import StopRule
from seqem.hmm.gaussian import GaussianHMM
from tests.em.models import LONDON, LONDON_LOG_LIKELIHOOD, LONDON_START, PoissonMixture

BLOCKS = [LONDON[i : i + 32] for i in range(0, len(LONDON), 32)]


def passes_to(gap, accelerate):
    """Return the evaluations until the log-likelihood is so near to the maximum."""

    def near(event):
        here = em.evaluate(event.point.params).log_likelihood
        return here >= LONDON_LOG_LIKELIHOOD - gap

    em = EMMap(PoissonMixture(), [LONDON])
    shuffled = np.random.default_rng(0).permutation(LONDON)
    shards = [shuffled[i : i + 32] for i in range(0, len(shuffled), 32)]
    rule = StopRule(max_iter=2000)
    return fit(PoissonMixture(), LONDON_START, shards, stop=rule, accelerate=accelerate, callbacks=[near]).n_iter


@pytest.mark.slow
def test_london_takes_about_half_of_the_passes():
    """546 of batch EM, 283 of incremental EM with blocks of 32 were measured for the project's facts."""
    plain, incremental = passes_to(1e-3, None), passes_to(1e-3, Incremental())
    assert plain == pytest.approx(546, abs=2)
    assert incremental <= 0.55 * plain


def test_the_free_energy_never_falls_and_ends_at_the_log_likelihood():
    rule = StopRule(max_iter=5000, param_tol=1e-8)
    result = fit(PoissonMixture(), LONDON_START, BLOCKS, stop=rule, accelerate=Incremental())
    assert result.converged
    assert (np.diff(result.history.objective) >= -1e-9).all()
    assert result.log_likelihood == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-6)
    assert result.history.objective[-1] == pytest.approx(result.log_likelihood, abs=1e-6)


def test_the_free_energy_is_a_bound():
    em = EMMap(PoissonMixture(), BLOCKS)
    step, point = Incremental(), em.evaluate(LONDON_START)
    for _ in range(5):
        point = step(em, point)
        assert point.log_likelihood <= em.evaluate(point.params).log_likelihood + 1e-9


def test_one_shard_is_plain_em():
    em = EMMap(PoissonMixture(), [LONDON])
    point = em.evaluate(LONDON_START)
    found = Incremental()(em, point)
    assert found.params.rates == pytest.approx(em.step(point).params.rates, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full", "tied"])
@pytest.mark.parametrize("make", [Incremental, Online])
def test_moments_about_parameters_that_move(covariance_type, make):
    """Shards of an HMM that is far off at first: statistics from before are recentred, or variances would go wrong."""
    rng = np.random.default_rng(2)
    states = np.repeat(rng.integers(0, 2, 60), 20)
    x = 1e4 + 5.0 * states[:, None] + rng.normal(size=(len(states), 2))
    batch = SequenceBatch.from_lengths(x, [100] * 12)
    model = GaussianHMM(2, covariance_type=covariance_type, random_state=0, n_iter=1).fit(batch)
    shards = [batch.between(i, i + 1) for i in range(12)]
    # Far from the answer, where moments about other means matter.
    start = model.result_.params
    start = start._replace(
        emission=start.emission._replace(mean=start.emission.mean + np.array([[1.0, -0.5], [-1.0, 0.5]]))
    )
    rule = StopRule(max_iter=300, rel_tol=1e-10)
    plain = fit(model._model(), start, shards, stop=rule)
    other = fit(model._model(), start, shards, stop=rule, accelerate=make())
    assert (np.diff(other.history.objective) >= -1e-7).all()
    # A pass of online EM ends by chance a little below the maximum, and may gain nothing more.
    assert other.log_likelihood == pytest.approx(plain.log_likelihood, abs=0.05)
