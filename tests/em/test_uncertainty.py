"""Standard errors against published ones, and where the data say nothing."""

import functools
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from seqem.em.accelerate import squarem
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.em.uncertainty import observed_information, standard_errors
from seqem.errors import SeqemWarning
from tests.em.models import (
    LINKAGE,
    LINKAGE_STANDARD_ERROR,
    LINKAGE_THETA,
    LONDON,
    LONDON_STANDARD_ERRORS,
    LONDON_START,
    Linkage,
    Mixed,
    PoissonMixture,
    Recombination,
    in_shards,
)

THETA = Recombination(LINKAGE_THETA)


@functools.cache
def london():
    rule = StopRule(max_iter=500, param_tol=1e-10)
    return fit(PoissonMixture(), LONDON_START, [LONDON], stop=rule, accelerate=squarem).params


def test_london_as_published():
    errors = standard_errors(PoissonMixture(), london(), in_shards(LONDON, 3))
    assert isinstance(errors, Mixed)
    np.testing.assert_allclose([errors.p, *errors.rates], LONDON_STANDARD_ERRORS, rtol=1e-3)


def test_linkage_as_published():
    errors = standard_errors(Linkage(), THETA, [LINKAGE])
    assert errors.theta == pytest.approx(LINKAGE_STANDARD_ERROR, rel=1e-4)


def test_information_is_the_second_derivative_of_the_log_likelihood():
    model, params, h = PoissonMixture(), london(), 1e-3
    at = model.pack(params)
    expected = np.empty((3, 3))
    for i, j in np.ndindex(3, 3):
        total = 0.0
        for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            vector = at.copy()
            vector[i] += a * h
            vector[j] += b * h
            total += a * b * model.e_step(model.unpack(vector, params), LONDON).log_likelihood
        expected[i, j] = -total / (4 * h * h)
    information = observed_information(model, params, [LONDON])
    np.testing.assert_allclose(information, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(information, information.T)


def test_the_prior_counts_only_when_asked():
    model = Linkage(a=20.0)
    without = observed_information(model, THETA, [LINKAGE])
    assert without == pytest.approx(observed_information(Linkage(), THETA, [LINKAGE]), rel=1e-9)
    extra = observed_information(model, THETA, [LINKAGE], include_prior=True) - without
    assert extra == pytest.approx(2 * 19 * LINKAGE_THETA * (1 - LINKAGE_THETA), rel=1e-4)
    assert standard_errors(model, THETA, [LINKAGE], include_prior=True).theta < LINKAGE_STANDARD_ERROR


@dataclass(frozen=True)
class Redundant(PoissonMixture):
    """Packs a pair of coordinates of which only the sum counts, and one on which nothing depends."""

    def pack(self, params):
        v = super().pack(params)
        return np.array([v[0] - 0.3, 0.3, v[1], v[2], 5.0])

    def unpack(self, vector, like):
        return super().unpack(np.array([vector[0] + vector[1], vector[2], vector[3]]), like)


def test_redundant_coordinates_do_no_harm():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        errors = standard_errors(Redundant(), london(), [LONDON])
    np.testing.assert_allclose([errors.p, *errors.rates], LONDON_STANDARD_ERRORS, rtol=1e-3)


@dataclass(frozen=True)
class Unseen(PoissonMixture):
    """A parameter on which the likelihood does not depend, next to a fixed one."""

    def e_step(self, params, x):
        return super().e_step(params["seen"], x)

    def m_step(self, stats, params):
        return params | {"seen": super().m_step(stats, params["seen"])}

    def expected_log_likelihood(self, stats, params, reference):
        return super().expected_log_likelihood(stats, params["seen"], reference["seen"])

    def pack(self, params):
        return np.append(super().pack(params["seen"]), params["unseen"])

    def unpack(self, vector, like):
        return like | {"seen": super().unpack(vector[:3], like["seen"]), "unseen": vector[3]}


def test_what_the_data_do_not_tell_is_nan_with_a_warning():
    params = {"seen": london(), "unseen": 0.7, "fixed": np.array([1.0, -np.inf])}
    with pytest.warns(SeqemWarning, match="nothing about 1 of 4 directions; 1 standard errors"):
        errors = standard_errors(Unseen(), params, [LONDON])
    np.testing.assert_allclose([errors["seen"].p, *errors["seen"].rates], LONDON_STANDARD_ERRORS, rtol=1e-3)
    assert np.isnan(errors["unseen"])
    assert errors["fixed"].tolist() == [0.0, 0.0]


@dataclass(frozen=True)
class Undefined(Linkage):
    """Its Q is not a number."""

    def expected_log_likelihood(self, stats, params, reference):
        return float("nan")


def test_information_that_is_not_finite_gives_nan_and_no_crash():
    with pytest.warns(SeqemWarning, match="not finite"):
        errors = standard_errors(Undefined(), THETA, [LINKAGE])
    assert np.isnan(errors.theta)
