"""Online EM: what one pass is worth, the guard, the same whatever the loaders."""

import numpy as np
import pytest

from seqem.em.driver import fit
from seqem.em.online import Online
from seqem.em.point import EMMap
from seqem.em.stop import StopRule
from tests.em.models import LONDON, LONDON_LOG_LIKELIHOOD, LONDON_START, Mixed, PoissonMixture

TRUTH = Mixed(0.3, np.array([1.0, 6.0]))


def draws(n=100_000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson(TRUTH.rates[(rng.random(n) >= TRUTH.p).astype(int)]).astype(float)


def shards_of(x, size=100):
    return [x[i : i + size] for i in range(0, len(x), size)]


def test_one_pass_over_many_draws_all_but_finds_the_maximum():
    """The mean over the second half knows half of the draws: twice the gap is about chi-square with 3 degrees of freedom."""
    x = draws()
    best = fit(PoissonMixture(), TRUTH, [x], stop=StopRule(max_iter=500, rel_tol=1e-12))
    em = EMMap(PoissonMixture(), shards_of(x))
    start = em.evaluate(Mixed(0.5, np.array([2.0, 4.0])))
    found = Online()(em, start)
    assert found.kind == "online"
    assert 0 <= best.log_likelihood - found.log_likelihood < 10.0
    # One plain step, for as many E-steps, is far away yet.
    assert best.log_likelihood - em.step(start).log_likelihood > 1000.0


@pytest.mark.slow
def test_fits_never_fall_and_reach_the_maximum():
    result = fit(
        PoissonMixture(), LONDON_START, shards_of(LONDON, 32), stop=StopRule(max_iter=20_000, param_tol=1e-9),
        accelerate=Online(rng=np.random.default_rng(0)),
    )  # fmt: skip
    assert result.converged
    assert (np.diff(result.history.objective) >= -1e-9).all()
    assert result.log_likelihood == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-4)


def test_a_pass_that_loses_is_replaced_by_a_plain_step():
    class Blind(PoissonMixture):
        """Forgets all but the last shard's counts of rates."""

        def m_step(self, stats, params):
            new = super().m_step(stats, params)
            return new if stats.n.sum() > 1050 else Mixed(new.p, new.rates * 40)

    shards = shards_of(LONDON, 32)
    em = EMMap(Blind(), shards)
    point = em.evaluate(LONDON_START)
    shrunk = Online()
    shrunk._sizes = np.ones(len(shards))  # counts of a shard then seem to be those of few days
    found = shrunk(em, point)
    assert found.kind == "em-fallback"
    assert found.objective == em.step(point).objective


def test_loaders_and_their_data_are_the_same():
    shards = shards_of(LONDON, 100)
    plain, loaded = (
        Online(rng=np.random.default_rng(3))(em, em.evaluate(LONDON_START))
        for em in (EMMap(PoissonMixture(), shards), EMMap(PoissonMixture(), [lambda x=x: x for x in shards]))
    )
    assert plain.objective == loaded.objective


def test_evaluations_count_the_pass():
    em = EMMap(PoissonMixture(), shards_of(LONDON, 100))
    point = em.evaluate(LONDON_START)
    assert Online()(em, point).kind == "online"
    assert em.n_evaluations == 3
