"""The rate of EM and what hangs on it: published eigenvalues, two ways to the information, tests of nested models."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from seqem.em.driver import fit
from seqem.em.likelihood_ratio import bootstrap_ratio_test, likelihood_ratio_test
from seqem.em.rate import information_by_rate, rate_matrix
from seqem.em.stop import StopRule
from seqem.em.uncertainty import observed_information
from seqem.errors import ParameterError
from seqem.models.gaussian_mixture import GaussianMixture
from tests.em.models import LINKAGE, LONDON, LONDON_START, Linkage, PoissonMixture, Recombination


def end(model, start, shards, **options):
    return fit(model, start, shards, stop=StopRule(max_iter=20_000, param_tol=1e-13), **options).params


def test_the_rate_of_the_linkage_data():
    params = end(Linkage(), Recombination(0.5), [LINKAGE])
    assert rate_matrix(Linkage(), params, [LINKAGE])[0, 0] == pytest.approx(0.132778734, abs=1e-7)


def test_the_rates_of_the_london_data():
    model = PoissonMixture()
    from seqem.em.accelerate import squarem

    params = end(model, LONDON_START, [LONDON], accelerate=squarem)
    eigenvalues = np.sort(np.linalg.eigvals(rate_matrix(model, params, [LONDON])).real)
    assert eigenvalues[1:] == pytest.approx([0.720418, 0.995666], abs=1e-4)
    by_rate, by_score = information_by_rate(model, params, [LONDON]), observed_information(model, params, [LONDON])
    np.testing.assert_allclose(by_rate, by_score, rtol=1e-2, atol=1e-2 * np.abs(by_score).max())


def two_groups(away=4.0, n=120):
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, (n // 2, 1)), rng.normal(away, 1, (n // 2, 1))])


def test_likelihood_ratios_of_nested_covariances():
    x = np.random.default_rng(1).normal(size=(300, 2))
    equal, free = (GaussianMixture(1, covariance_type=name, random_state=0).fit(x) for name in ("EEI", "EEE"))
    test = likelihood_ratio_test(equal, free)
    assert test.degrees == 1
    r = np.corrcoef(x.T)[0, 1]
    assert test.statistic == pytest.approx(-300 * np.log(1 - r**2), rel=1e-6)
    with pytest.raises(ParameterError, match="no more parameters"):
        likelihood_ratio_test(free, equal)


@pytest.mark.slow
def test_bootstrap_finds_the_number_of_components():
    x = two_groups()
    fits = [GaussianMixture(k, covariance_type="tied", random_state=0).fit(x) for k in (1, 2, 3)]
    assert bootstrap_ratio_test(fits[0], fits[1], len(x), n_bootstrap=39, random_state=0).p_value == 1 / 40
    more = bootstrap_ratio_test(fits[1], fits[2], len(x), n_bootstrap=39, random_state=0)
    assert more.p_value > 0.05
    with ThreadPoolExecutor(2) as pool:
        shared = bootstrap_ratio_test(fits[1], fits[2], len(x), n_bootstrap=39, random_state=0, executor=pool)
    assert np.array_equal(more.replicates, shared.replicates)


def test_the_statistic_of_old_faithful_is_mclusts(shared_data):
    golden = json.loads((shared_data / "em" / "golden" / "mclust_faithful_blrt.json").read_text())
    x = pd.read_csv(shared_data / "em" / "faithful.csv")[["eruptions", "waiting"]].to_numpy()
    one, two = (GaussianMixture(k, random_state=0, tol=1e-12, reg_covar=1e-9).fit(x) for k in (1, 2))
    wanted = golden["obs"][0] if "obs" in golden else golden["LRTS"][0]
    assert bootstrap_ratio_test(one, two, len(x), n_bootstrap=3, random_state=0).statistic == pytest.approx(
        wanted, abs=0.01
    )
