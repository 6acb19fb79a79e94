"""Laws of the driver: EM never falls, the parts of a point belong together, every stop has its reason."""

import logging
import math
from dataclasses import dataclass

import numpy as np
import pytest

from seqem.core.tree import tree_equal
from seqem.em.accelerate import squarem
from seqem.em.driver import fit
from seqem.em.stop import StopReason, StopRule
from seqem.errors import ConvergenceWarning, DataError, NumericalError, ParameterError
from tests.em.models import (
    BELLS_START,
    LINKAGE,
    LINKAGE_LOG_LIKELIHOOD,
    LINKAGE_THETA,
    LINKAGE_TRACE,
    LONDON,
    LONDON_LOG_LIKELIHOOD,
    LONDON_START,
    Bells,
    GaussianMixture,
    Linkage,
    PoissonMixture,
    Recombination,
    in_shards,
    two_bells,
)

HALF = Recombination(0.5)

PROBLEMS = [
    pytest.param(PoissonMixture(), LONDON_START, in_shards(LONDON, 3), id="london"),
    pytest.param(Linkage(), HALF, [LINKAGE], id="linkage"),
    pytest.param(Linkage(a=3.0), HALF, [LINKAGE], id="linkage-prior"),
    pytest.param(GaussianMixture(), BELLS_START, in_shards(two_bells(), 2), id="bells"),
]


@pytest.mark.parametrize("accelerate", [None, squarem])
@pytest.mark.parametrize(("model", "start", "shards"), PROBLEMS)
def test_every_step_is_monotone_and_the_result_belongs_together(model, start, shards, accelerate):
    result = fit(model, start, shards, stop=StopRule(max_iter=60), accelerate=accelerate)
    rises = np.diff(result.history.objective)
    assert (rises >= -1e-11 * abs(result.objective)).all()
    assert rises[0] > 1e-3, "the start is not the optimum"
    steps = [model.e_step(result.params, shard) for shard in shards]
    assert result.log_likelihood == sum(step.log_likelihood for step in steps)
    assert result.objective == result.log_likelihood + model.log_prior(result.params)
    assert result.history[-1].log_likelihood == result.log_likelihood


def test_linkage_follows_the_published_trace():
    trace = [fit(Linkage(), HALF, [LINKAGE], stop=StopRule(max_iter=n)).params.theta for n in range(1, 6)]
    np.testing.assert_allclose(trace, LINKAGE_TRACE, atol=5e-10)
    result = fit(Linkage(), HALF, [LINKAGE], stop=StopRule(param_tol=1e-13))
    assert result.params.theta == pytest.approx(LINKAGE_THETA, abs=1e-11)
    assert result.log_likelihood == pytest.approx(LINKAGE_LOG_LIKELIHOOD, abs=1e-8)


def test_a_prior_moves_the_estimate_and_the_objective_not_the_log_likelihood():
    plain = fit(Linkage(), HALF, [LINKAGE], stop=StopRule(param_tol=1e-10))
    pulled = fit(Linkage(a=20.0), HALF, [LINKAGE], stop=StopRule(param_tol=1e-10))
    assert 0.5 < pulled.params.theta < plain.params.theta
    assert pulled.log_likelihood < plain.log_likelihood
    assert pulled.objective < pulled.log_likelihood


def test_em_on_london_needs_the_published_number_of_evaluations():
    result = fit(PoissonMixture(), LONDON_START, [LONDON], stop=StopRule(max_iter=3000, param_tol=1e-7))
    assert (result.n_iter, result.stop_reason) == (2113, StopReason.CONVERGED)
    assert result.log_likelihood == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-8)


@pytest.mark.parametrize(
    ("rule", "detail"),
    [
        (StopRule(abs_tol=1e-4), "abs_tol 1.00e-04"),
        (StopRule(rel_tol=1e-7), "rel_tol 1.00e-07 of 205.7"),
        (StopRule(param_tol=1e-5), "param_tol 1.00e-05"),
    ],
)
def test_each_tolerance_ends_a_fit_and_says_so(rule, detail):
    result = fit(Linkage(), HALF, [LINKAGE], stop=rule)
    assert result.converged
    assert result.stop_reason == "converged"
    assert detail in result.stop_detail
    assert 1 < result.n_iter < 20


def test_without_tolerances_a_fit_runs_to_max_iter():
    result = fit(Linkage(), HALF, [LINKAGE], stop=StopRule(max_iter=200))
    assert (result.n_iter, result.stop_reason, result.converged) == (200, "max_iter", False)
    assert len(result.history) == 201


def test_max_iter_zero_evaluates_the_start():
    result = fit(Linkage(), HALF, [LINKAGE], stop=StopRule(max_iter=0))
    assert (result.n_iter, result.stop_reason, result.params) == (0, "max_iter", HALF)
    assert result.history.kind == ["start"]


@dataclass(frozen=True)
class Overshooting(Linkage):
    """Broken on purpose: its M-step leaps away once it comes near the answer."""

    def m_step(self, stats, params):
        new = super().m_step(stats, params)
        return Recombination(0.9) if new.theta > 0.6266 else new


@dataclass(frozen=True)
class Overflowing(Linkage):
    """Broken on purpose: its likelihood is not a number near the answer."""

    def e_step(self, params, y):
        step = super().e_step(params, y)
        return step._replace(log_likelihood=math.nan) if params.theta > 0.6266 else step


@pytest.mark.parametrize(("model", "reason"), [(Overshooting(), "objective_fell"), (Overflowing(), "not_finite")])
@pytest.mark.parametrize("accelerate", [None, squarem])
def test_a_bad_step_is_undone_with_a_warning(model, reason, accelerate):
    with pytest.warns(ConvergenceWarning, match=rf"{reason}: objective .* -20[58]\."):
        result = fit(model, HALF, [LINKAGE], stop=StopRule(abs_tol=1e-12), accelerate=accelerate)
    assert result.stop_reason == reason
    assert not result.converged
    assert result.params.theta < 0.6266
    assert result.log_likelihood == Linkage().e_step(result.params, LINKAGE).log_likelihood
    assert not result.history[-1].objective >= result.objective


def test_a_collapsing_component_stops_the_fit_at_the_last_finite_point():
    data = np.array([-1.0, -0.5, 0.0, 0.4, 1.0, 7.0])
    start = Bells(np.array([0.5, 0.5]), np.array([0.0, 7.0]), np.array([1.0, 1e-4]))
    with pytest.warns(ConvergenceWarning):
        result = fit(GaussianMixture(), start, [data])
    assert result.stop_reason is StopReason.NOT_FINITE
    assert np.isfinite(result.objective)


def test_rounding_is_not_a_fall():
    rule = StopRule(max_iter=300)
    result = fit(
        PoissonMixture(), fit(PoissonMixture(), LONDON_START, [LONDON], accelerate=squarem).params, [LONDON], stop=rule
    )
    assert (np.diff(result.history.objective) < 0).any()
    assert result.stop_reason is StopReason.MAX_ITER


def test_a_callback_stops_the_fit():
    def enough(event):
        return event.iteration >= 3

    result = fit(Linkage(), HALF, [LINKAGE], callbacks=[enough])
    assert (result.n_iter, result.stop_reason, result.stop_detail) == (3, "callback", "asked by enough")
    assert fit(Linkage(), HALF, [LINKAGE], callbacks=[lambda event: True]).n_iter == 0


def test_a_start_without_likelihood_is_refused():
    with pytest.raises(NumericalError, match="not finite at the start"), np.errstate(divide="ignore", invalid="ignore"):
        fit(Linkage(), Recombination(1.0), [LINKAGE])


def test_no_shards_are_refused():
    with pytest.raises(DataError, match="no shards"):
        fit(Linkage(), HALF, [])


@pytest.mark.parametrize("wrong", [{"max_iter": -1}, {"abs_tol": -1e-3}, {"param_tol": math.nan}])
def test_stop_rule_refuses_what_cannot_be(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        StopRule(**wrong)


def test_history_has_columns_and_a_frame():
    history = fit(Linkage(), HALF, [LINKAGE], stop=StopRule(max_iter=3)).history
    frame = history.to_frame()
    assert frame.columns.tolist() == ["iteration", "objective", "log_likelihood", "kind", "seconds"]
    assert frame.iteration.tolist() == history.iteration.tolist() == [0, 1, 2, 3]
    assert frame.kind.tolist() == history.kind == ["start", "em", "em", "em"]
    assert (np.diff(history.seconds) > 0).all()
    np.testing.assert_array_equal(frame.objective, history.objective)
    np.testing.assert_array_equal(frame.log_likelihood, history.log_likelihood)


def test_fit_is_silent_and_leaves_the_callers_trees_alone(capsys, caplog):
    start = LONDON_START._replace(rates=LONDON_START.rates.copy())
    with caplog.at_level(logging.DEBUG):
        fit(PoissonMixture(), start, [LONDON], stop=StopRule(max_iter=5), accelerate=squarem)
    assert tree_equal(start, LONDON_START)
    assert capsys.readouterr() == ("", "")
    assert not caplog.records
