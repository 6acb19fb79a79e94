"""Louis' formula against differenced scores and the rate of EM."""

import numpy as np
import pytest

from seqem import GaussianMixture, Mixture, Poisson, Regression, StudentT
from seqem.em.louis import louis_information, missing_information
from seqem.em.rate import complete_information, rate_matrix
from seqem.em.uncertainty import observed_information
from tests.em.models import LONDON

RNG = np.random.default_rng(1)
GROUPS = np.concatenate([RNG.normal(0, 1, (90, 2)), RNG.normal(4, 1.5, (60, 2))])
LINES = np.column_stack([GROUPS[:, 0] * np.where(GROUPS[:, 1] > 2, 2.0, -1.0) + RNG.normal(size=150), GROUPS[:, 0]])

CASES = {
    "london": (Mixture(Poisson(), 2, method="daarem", random_state=0), LONDON[:, None]),
    "diag": (GaussianMixture(2, covariance_type="diag", random_state=0), GROUPS),
    "full": (GaussianMixture(2, random_state=0), GROUPS),
    "lines": (Mixture(Regression(), 2, random_state=0, n_init=5), LINES),
    "student": (Mixture(StudentT(fixed={"df": True}), 2, random_state=0), GROUPS),
}


@pytest.mark.parametrize("name", CASES)
def test_louis_is_the_observed_information(name):
    model, x = CASES[name]
    model.fit(x)
    parts = model._model(), model.result_.params, model._training_shards
    by_scores = observed_information(*parts)
    if name == "student":  # the weights of Student rows are missing data too: Louis sees the components only
        assert np.trace(louis_information(*parts)) >= np.trace(by_scores) - 1e-6
        return
    scale = np.sqrt(np.outer(np.diag(by_scores), np.diag(by_scores)))
    np.testing.assert_allclose(louis_information(*parts) / scale, by_scores / scale, atol=2e-5)


def test_weights_count():
    model = Mixture(Poisson(), 2, random_state=0, tol=1e-13, max_iter=20_000).fit(
        np.arange(10.0)[:, None], sample_weight=np.bincount(LONDON.astype(int))
    )
    whole, _ = CASES["london"]
    whole.fit(LONDON[:, None])
    ours = louis_information(model._model(), model.result_.params, model._training_shards)
    theirs = louis_information(whole._model(), whole.result_.params, whole._training_shards)
    np.testing.assert_allclose(np.linalg.eigvalsh(ours), np.linalg.eigvalsh(theirs), rtol=1e-3)


def test_the_share_that_is_missing_is_the_rate():
    model = CASES["london"][0].fit(LONDON[:, None])
    parts = model._model(), model.result_.params, model._training_shards
    stats = parts[0].e_step(parts[1], parts[2][0]).stats
    share = np.linalg.solve(complete_information(parts[0], parts[1], stats), missing_information(*parts))
    ours = np.sort(np.linalg.eigvals(share).real)
    np.testing.assert_allclose(ours, np.sort(np.linalg.eigvals(rate_matrix(*parts)).real), atol=1e-4)
    assert ours[-1] == pytest.approx(0.995666, abs=1e-4)
