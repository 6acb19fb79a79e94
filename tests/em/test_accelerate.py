"""SQUAREM: as fast as published, never below plain EM, safe where the extrapolation fails."""

from dataclasses import dataclass

import numpy as np
import pytest

from seqem.em.accelerate import squarem
from seqem.em.driver import fit
from seqem.em.point import EMMap
from seqem.em.stop import StopRule
from tests.em.models import (
    BELLS_START,
    LONDON,
    LONDON_LOG_LIKELIHOOD,
    LONDON_START,
    GaussianMixture,
    Mixed,
    PoissonMixture,
    two_bells,
)


@pytest.mark.parametrize("tol", [1e-7, 1e-8, 1e-10])
def test_london_needs_no_more_evaluations_than_published(tol):
    rule = StopRule(max_iter=3000, param_tol=tol)
    result = fit(PoissonMixture(), LONDON_START, [LONDON], stop=rule, accelerate=squarem)
    assert result.converged
    assert result.n_iter <= 66
    assert result.log_likelihood == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-8)


def test_it_ends_no_lower_and_sooner_than_em_on_another_problem():
    rule = StopRule(max_iter=5000, param_tol=1e-8)
    plain = fit(GaussianMixture(), BELLS_START, [two_bells()], stop=rule)
    fast = fit(GaussianMixture(), BELLS_START, [two_bells()], stop=rule, accelerate=squarem)
    assert fast.objective >= plain.objective - 1e-9
    assert 5 * fast.n_iter < plain.n_iter


def test_a_step_is_never_below_the_plain_em_step():
    em = EMMap(PoissonMixture(), [LONDON])
    point = em.evaluate(LONDON_START)
    for _ in range(20):
        plain = em.step(point)
        point = squarem(em, point)
        assert point.objective >= plain.objective - 1e-9


def test_evaluations_are_counted():
    calls = []

    class Counting(PoissonMixture):
        def e_step(self, params, x):
            calls.append(params)
            return super().e_step(params, x)

    result = fit(Counting(), LONDON_START, [LONDON], stop=StopRule(max_iter=60), accelerate=squarem)
    assert result.n_iter == len(calls) - 1 == result.history[-1].iteration
    assert 60 <= result.n_iter <= 62


@dataclass(frozen=True)
class Raw(PoissonMixture):
    """Packs without a transformation, so that an extrapolation may leave the parameter space."""

    failure: str = "raise"

    def pack(self, params):
        return np.concatenate(([params.p], params.rates))

    def unpack(self, vector, like):
        if (vector <= 0).any() or vector[0] >= 1:
            if self.failure == "raise":
                raise ValueError("outside")
            return Mixed(np.nan, vector[1:] * np.nan)
        return Mixed(vector[0], vector[1:])


@pytest.mark.parametrize("failure", ["raise", "nan"])
def test_a_point_outside_the_space_falls_back_to_em(failure):
    start = Mixed(0.02, np.array([0.05, 2.0]))
    result = fit(Raw(failure), start, [LONDON], stop=StopRule(max_iter=400, param_tol=1e-8), accelerate=squarem)
    assert "em-fallback" in result.history.kind
    assert "squarem" in result.history.kind
    assert result.log_likelihood == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-7)


@dataclass(frozen=True)
class Misleading(PoissonMixture):
    """Unpacks every extrapolation to a poor but legal point."""

    def unpack(self, vector, like):
        return Mixed(0.5, np.array([0.01, 20.0]))


def test_a_lower_extrapolation_is_refused():
    result = fit(Misleading(), LONDON_START, [LONDON], stop=StopRule(max_iter=9), accelerate=squarem)
    plain = fit(PoissonMixture(), LONDON_START, [LONDON], stop=StopRule(max_iter=6))
    assert result.history.kind == ["start", *["em-fallback"] * 3]
    assert result.params.p == plain.params.p, "two EM steps each"


@dataclass(frozen=True)
class OneRate(PoissonMixture):
    """Its first rate is zero, hence minus infinity when packed, and stays so."""

    def e_step(self, params, x):
        zero = x == 0
        other = (1 - params.p) * np.exp(-params.rates[1])
        mine = np.where(zero, params.p / (params.p + other), 0.0)
        log_other = np.log1p(-params.p) + x * np.log(params.rates[1]) - params.rates[1]
        step = super().e_step(Mixed(params.p, np.array([1.0, params.rates[1]])), x)
        stats = step.stats._replace(n=np.array([mine.sum(), (1 - mine).sum()]), x=np.array([0.0, x @ (1 - mine)]))
        return step._replace(
            stats=stats, log_likelihood=float(np.where(zero, np.log(params.p + other), log_other).sum())
        )

    def pack(self, params):
        with np.errstate(divide="ignore"):
            return super().pack(params)


def test_coordinates_at_infinity_stay_there():
    start = Mixed(0.5, np.array([0.0, 1.0]))
    rule = StopRule(max_iter=3000, param_tol=1e-9)
    fast = fit(OneRate(), start, [LONDON], stop=rule, accelerate=squarem)
    assert fast.params.rates[0] == 0.0
    assert fast.params.p == pytest.approx(fit(OneRate(), start, [LONDON], stop=rule).params.p, rel=1e-6)
    assert "squarem" in fast.history.kind
