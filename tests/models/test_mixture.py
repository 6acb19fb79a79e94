"""Mixtures of any distribution: published numbers, laws, and every family of the catalog."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.distributions.bernoulli import Bernoulli
from seqem.distributions.categorical import Categorical
from seqem.distributions.exponential import Exponential
from seqem.distributions.gamma import Gamma
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.independent import Independent
from seqem.distributions.multinomial import Multinomial
from seqem.distributions.multivariate_t import MultivariateT
from seqem.distributions.poisson import Poisson
from seqem.distributions.regression import Regression
from seqem.distributions.student import StudentT
from seqem.distributions.tied import Tied
from seqem.distributions.vonmises import VonMises
from seqem.em.checkpoint import Checkpoint
from seqem.errors import DataError, NumericalError
from seqem.models.gaussian_mixture import GaussianMixture
from seqem.models.mixture import Mixture
from tests.em.models import LONDON, LONDON_LOG_LIKELIHOOD, LONDON_STANDARD_ERRORS


def draws(family, seed=0):
    rng = np.random.default_rng(seed)
    n = 150
    which = rng.random(2 * n) < 0.4
    pick = np.where
    chances = pick(which[:, None], (0.7, 0.2, 0.1), (0.1, 0.2, 0.7))
    return {
        "poisson": rng.poisson(pick(which, 2, 9)).astype(float)[:, None],
        "bernoulli": (rng.random((2 * n, 6)) < pick(which, 0.15, 0.8)[:, None]).astype(float),
        "exponential": rng.exponential(pick(which, 1.0, 20.0))[:, None],
        "gamma": rng.gamma(pick(which, 2.0, 9.0))[:, None],
        "vonmises": rng.vonmises(pick(which, -1.5, 1.5), 6.0)[:, None],
        "student": (rng.standard_t(3, 2 * n) + pick(which, -6, 6))[:, None],
        "multinomial": rng.multinomial(12, chances).astype(float),
        "gaussian": (rng.normal(size=2 * n) + pick(which, -3, 3))[:, None],
        "independent": np.column_stack([rng.normal(pick(which, -3, 3)), rng.poisson(pick(which, 2, 9))]),
    }[family]  # fmt: skip


FAMILIES = {
    "poisson": Poisson(), "bernoulli": Bernoulli(), "exponential": Exponential(), "gamma": Gamma(), "vonmises": VonMises(),
    "student": StudentT(), "multinomial": Multinomial(), "gaussian": Gaussian("full"),
    "independent": Independent(((Gaussian("diag"), [0]), (Poisson(), [1]))),
}  # fmt: skip
every_family = pytest.mark.parametrize("family", FAMILIES)


@parametrize_with_checks(
    [Mixture(Gaussian("diag"), 2)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "k-means starts draw among the rows: other rows, other draws"
    },
)
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


def test_london_death_notices():
    model = Mixture(Poisson(), 2, random_state=0, method="squarem", tol=1e-14).fit(LONDON[:, None])
    assert model.log_likelihood_ == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-6)
    order = np.argsort(model.params_.rate.ravel())
    assert model.weights_[order] == pytest.approx([0.359885397, 0.640114603], abs=1e-4)
    assert model.params_.rate.ravel()[order] == pytest.approx([1.256095101, 2.663404357], abs=1e-4)
    errors = model.standard_errors()
    assert errors.component.rate.ravel()[order] == pytest.approx(LONDON_STANDARD_ERRORS[1:], rel=1e-2)


def test_counted_rows_are_weighted_rows(shared_data):
    table = pd.read_csv(shared_data / "em" / "london_times_deaths.csv")
    model = Mixture(Poisson(), 2, random_state=0, method="squarem", tol=1e-14)
    model.fit(table[["deaths"]].to_numpy(float), sample_weight=table["freq"])
    assert model.log_likelihood_ == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-6)


@every_family
def test_em_never_falls_and_finds_the_groups(family):
    x = draws(family)
    model = Mixture(FAMILIES[family], 2, random_state=0, tol=1e-10).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-7).all()
    assert model.converged_
    assert sorted(model.weights_) == pytest.approx([0.4, 0.6], abs=0.1)
    assert model.score(x) == pytest.approx(model.log_likelihood_ / len(x))
    assert model.predict_proba(x).sum(axis=1) == pytest.approx(np.ones(len(x)))
    assert model.n_parameters_ == len(model._model().pack(model.result_.params))


@every_family
@pytest.mark.parametrize("method", ["daarem", "incremental", "online", "lbfgs"])
def test_other_methods_do_not_end_lower(family, method):
    x = draws(family)
    plain = Mixture(FAMILIES[family], 2, random_state=0, tol=1e-9).fit(x)
    other = Mixture(FAMILIES[family], 2, random_state=0, tol=1e-9, method=method).fit(x)
    assert other.log_likelihood_ >= plain.log_likelihood_ - 1e-3


def test_neither_workers_nor_a_checkpoint_change_a_fit(tmp_path, monkeypatch):
    monkeypatch.setattr("seqem.models.mixture.BLOCK", 64)
    x = np.tile(draws("gaussian"), (12, 1)) + np.random.default_rng(0).normal(size=(3600, 1))
    make = Mixture(Gaussian("full"), 2, random_state=0, tol=1e-11)
    alone = make.fit(x).result_
    with ThreadPoolExecutor(3) as pool:
        shared = make.fit(x, executor=pool).result_
    assert alone.objective == shared.objective
    assert alone.n_iter == shared.n_iter
    path = tmp_path / "fit.npz"
    Mixture(Gaussian("full"), 2, random_state=0, max_iter=3).fit(x, callbacks=[Checkpoint(path)])
    resumed = make.fit(x, resume=Checkpoint.load(path, like=alone.params)).result_
    assert resumed.objective == alone.objective
    assert len(resumed.history) == len(alone.history)


def test_the_best_of_several_starts_is_kept():
    model = Mixture(StudentT(), 2, n_init=4, random_state=0).fit(draws("student"))
    assert len(model.starts_) == 4
    assert model.result_.objective == max(model.starts_.objective)


def test_samples_and_choice_of_the_number_of_components():
    x = draws("poisson")
    fits = [Mixture(Poisson(), k, random_state=0).fit(x) for k in (1, 2, 3)]
    assert int(np.argmin([fit.bic(x) for fit in fits])) == 1
    assert fits[1].icl(x) >= fits[1].bic(x)
    assert fits[1].aic(x) < fits[1].bic(x)
    drawn, which = fits[1].sample(20_000, random_state=0)
    assert drawn[which == 0].mean() == pytest.approx(fits[1].params_.rate[0, 0], rel=0.03)
    assert fits[1].anomaly_score([[60.0]])[0] > fits[1].anomaly_score([[8.0]])[0]


def test_rows_that_cannot_be_are_named():
    with pytest.raises(DataError, match="row 2"):
        Mixture(Poisson(), 2).fit([[1.0], [2.0], [-1.0], [4.0]])
    model = Mixture(Gaussian("full", floor=1e-12), 2, random_state=0).fit(draws("gaussian"))
    with pytest.raises(NumericalError, match="probability zero"):
        model._model().e_step(model.result_.params, model._shards([[1e200], [0.0]])[0])


def test_two_lines_through_the_nitric_oxide_data(shared_data):
    """Exhaust of an engine by equivalence ratio; the fit that mixtools finds."""
    x = pd.read_csv(shared_data / "em" / "NOdata_mixtools.csv")[["NO", "Equivalence"]].to_numpy()
    # mixtools regresses the equivalence ratio on NO.
    model = Mixture(Regression(), 2, random_state=0, tol=1e-13, n_init=10).fit(x[:, ::-1])
    assert model.log_likelihood_ == pytest.approx(122.038356, abs=1e-5)
    order = np.argsort(model.weights_)
    assert model.weights_[order] == pytest.approx([0.4897, 0.5103], abs=1e-4)
    assert model.params_.coefficients[order, 0] == pytest.approx(
        np.array([[0.56499, 0.08502], [1.24708, -0.08300]]), abs=1e-4
    )
    assert np.sqrt(model.params_.variance[order, 0]) == pytest.approx([0.04331, 0.02414], abs=1e-4)


@pytest.fixture(scope="module")
def galaxies(shared_data):
    return pd.read_csv(shared_data / "em" / "galaxies_MASS.csv").to_numpy()[:, -1:].astype(float) / 1000


@pytest.mark.parametrize("case", [0, 1, 2])
def test_one_t_distribution_of_given_degrees(shared_data, galaxies, case):
    golden = json.loads((shared_data / "em" / "golden" / "t_location_scale.json").read_text())["newcomb_like"][case]
    family = MultivariateT(df=golden["nu"], fixed={"df": True})
    model = Mixture(family, 1, random_state=0, tol=1e-14).fit(galaxies)
    assert model.log_likelihood_ == pytest.approx(golden["ll"], abs=1e-6)
    assert model.params_.location[0, 0] == pytest.approx(golden["mu"], abs=1e-4)
    assert np.sqrt(model.params_.scale[0, 0, 0]) == pytest.approx(golden["sigma"], abs=1e-4)


def test_three_t_components_with_common_degrees(galaxies):
    family = Tied(MultivariateT(df=2.0), groups={"df": [1, 1, 1]})
    # A tied M-step is a search by itself: few of them, then.
    model = Mixture(family, 3, random_state=0, tol=1e-11, method="daarem").fit(galaxies)
    assert model.log_likelihood_ == pytest.approx(-202.525985, abs=1e-4)
    order = np.argsort(model.params_.location[:, 0])
    assert model.weights_[order] == pytest.approx([0.08352, 0.37822, 0.53826], abs=1e-3)
    assert model.params_.location[order, 0] == pytest.approx([9.58012, 19.80438, 22.82079], abs=1e-2)
    assert model.params_.df == pytest.approx(np.full(3, 1.86754), abs=1e-2)


def test_a_stream_is_learnt_part_by_part():
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 6.0])
    model = Mixture(Poisson(), 2, random_state=0)
    for _ in range(300):
        model.partial_fit(rng.poisson(truth[(rng.random(200) >= 0.3).astype(int)])[:, None].astype(float))
    order = np.argsort(model.params_.rate.ravel())
    assert model.params_.rate.ravel()[order] == pytest.approx(truth, rel=0.05)
    assert model.weights_[order] == pytest.approx([0.3, 0.7], abs=0.03)
    assert len(model.history_) == 300
    assert np.mean(model.history_.log_likelihood[-20:]) > np.mean(model.history_.log_likelihood[:3])
    with pytest.raises(DataError, match="features"):
        model.partial_fit([[1.0, 2.0]])


def test_a_stream_of_moving_means_keeps_its_variances():
    """Moments about means that move are recentred: far from zero their differences would drown."""
    rng = np.random.default_rng(1)
    model = GaussianMixture(2, random_state=0)
    for _ in range(100):
        x = rng.normal(size=(300, 2)) + np.where(rng.random((300, 1)) < 0.5, 1e5, 1e5 + 8.0)
        model.partial_fit(x)
    assert model.covariances_ == pytest.approx(np.tile(np.eye(2), (2, 1, 1)), abs=0.12)


def test_latent_classes_of_categorical_answers():
    rng = np.random.default_rng(0)
    kind = rng.random(1500) < 0.4
    chances = np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]])
    x = np.column_stack([(rng.random(1500)[:, None] > chances[kind * 1].cumsum(axis=1)).sum(axis=1) for _ in range(5)])
    x = np.where(rng.random(x.shape) < 0.05, np.nan, x)
    family = Independent([(Categorical(n_symbols=3), [d]) for d in range(5)])
    model = Mixture(family, 2, random_state=0).fit(x)
    probs = np.array([part.probs for part in model.params_.parts])  # (D, K, 3)
    joint = model.weights_ * np.prod(
        [np.where(np.isnan(x[:, [d]]), 1.0, probs[d][:, np.nan_to_num(x[:, d]).astype(int)].T) for d in range(5)],
        axis=0,
    )
    assert model.log_likelihood_ == pytest.approx(np.log(joint.sum(axis=1)).sum(), rel=1e-10)
    first = int(model.weights_.argmin())
    assert model.weights_[first] == pytest.approx(0.4, abs=0.05)
    np.testing.assert_allclose(probs[:, first], np.tile(chances[1], (5, 1)), atol=0.06)
    assert (model.predict(x) == np.where(kind, first, 1 - first)).mean() > 0.95


def test_a_fit_begins_where_it_is_told():
    x = draws("poisson")
    first = Mixture(Poisson(), 2, random_state=0, max_iter=5, tol=0).fit(x)
    rest = Mixture(Poisson(), 2, random_state=1, max_iter=7, tol=0).fit(x, begin=first.result_.params)
    whole = Mixture(Poisson(), 2, random_state=0, max_iter=12, tol=0).fit(x)
    assert rest.log_likelihood_ == whole.log_likelihood_
    assert rest.history_[0].objective == first.log_likelihood_
