"""One's own model by its two steps: the published example, every method, and what is missing said."""

import numpy as np
import pytest

from seqem.catalog import METHODS
from seqem.em.own import fit_em
from tests.em.models import LINKAGE, LINKAGE_THETA, LONDON, LONDON_LOG_LIKELIHOOD


def linkage(t, y):
    x = y[0] * t / (2 + t)
    return (x + y[3], y[1] + y[2]), y[0] * np.log(2 + t) + (y[1] + y[2]) * np.log(1 - t) + y[3] * np.log(t)


def q(stats, t, reference):
    return stats[0] * np.log(t) + stats[1] * np.log(1 - t)


LOGIT = {"pack": lambda t: np.array([np.log(t / (1 - t))]), "unpack": lambda v: 1 / (1 + np.exp(-v[0]))}


@pytest.mark.parametrize("method", METHODS)
def test_linkage_by_every_method(method):
    result = fit_em(
        e_step=linkage, m_step=lambda s, _: s[0] / (s[0] + s[1]), start=0.5, data=np.array(LINKAGE), method=method,
        tol=1e-15, expected_log_likelihood=q, **LOGIT,
    )  # fmt: skip
    # Passes by chance end where the objective is flat to the last bit, not sooner nor later.
    within = 1e-6 if method == "stochastic-gradient" else 1e-7
    assert float(result.params) == pytest.approx(LINKAGE_THETA, abs=within)


@pytest.mark.slow
def test_raw_coordinates_and_shards():
    def e_step(params, x):
        weights, rates = params
        joint = weights * rates ** x[:, None] * np.exp(-rates)
        resp = joint / joint.sum(1, keepdims=True)
        log_factorial = np.array([sum(np.log(np.arange(1, int(v) + 1))) for v in x])
        return (resp.sum(0), x @ resp), float(np.log(joint.sum(1)).sum() - log_factorial.sum())

    def m_step(stats, _):
        return stats[0] / stats[0].sum(), stats[1] / stats[0]

    start = (np.array([0.5, 0.5]), np.array([1.0, 3.0]))
    for method in ("em", "squarem", "daarem"):
        result = fit_em(
            e_step=e_step, m_step=m_step, start=start, data=np.array_split(LONDON, 5), method=method, tol=1e-13,
            max_iter=5000,
        )  # fmt: skip
        assert result.log_likelihood == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-4)
        assert result.converged


def test_methods_that_need_q_say_so():
    with pytest.raises(TypeError, match="expected_log_likelihood"):
        fit_em(
            e_step=linkage, m_step=lambda s, _: s[0] / (s[0] + s[1]), start=0.5, data=np.array(LINKAGE), method="lbfgs"
        )


def test_a_prior_moves_the_mode():
    a = 5.0
    result = fit_em(
        e_step=linkage, m_step=lambda s, _: (s[0] + a - 1) / (s[0] + s[1] + 2 * a - 2), start=0.5, data=np.array(LINKAGE),
        log_prior=lambda t: (a - 1) * np.log(t * (1 - t)), tol=1e-14,
    )  # fmt: skip
    assert 0.5 < float(result.params) < LINKAGE_THETA
    assert (np.diff(result.history.objective) >= -1e-12).all()


MEANS, WITHIN, SIZE = (
    np.array([0.3, -0.2, 0.1, -0.15, 0.05]),
    4.0,
    6,
)  # group means scatter less than chance would have them


def between_groups(variance, means):
    """E-step of the variance between groups, that within them known."""
    total = variance + WITHIN / SIZE
    share = variance / total
    log_likelihood = -0.5 * (len(means) * np.log(2 * np.pi * total) + (means**2).sum() / total)
    return np.array(
        [len(means), (share * means) @ (share * means) + len(means) * share * WITHIN / SIZE]
    ), log_likelihood


@pytest.mark.parametrize("method", ["em", "squarem", "lbfgs"])
def test_a_maximum_at_the_edge_is_reached(method):
    steps = {"e_step": between_groups, "m_step": lambda s, _: s[1] / s[0], "start": 1.0, "data": MEANS, "max_iter": 60}
    free = {"pack": lambda v: np.log([v]), "unpack": lambda z: np.exp(z[0])}
    q = {"expected_log_likelihood": lambda s, v, _: -0.5 * (s[0] * np.log(v) + s[1] / v)}
    crept = fit_em(**steps, **free, **q, method=method)
    reached = fit_em(**steps, **free, **q, method=method, edge=lambda v: 0.0 if v < 0.1 else None)
    assert crept.params > 0
    assert reached.params == 0.0
    assert reached.objective >= crept.objective
    assert reached.history[-1].kind == "edge"


def test_an_edge_that_is_lower_is_not_taken():
    steps = {"e_step": between_groups, "m_step": lambda s, _: s[1] / s[0], "start": 1.0, "data": 10 * MEANS}
    assert fit_em(**steps, edge=lambda v: 0.0).params > 0.1
