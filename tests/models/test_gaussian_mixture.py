"""Gaussian mixtures against mclust and scikit-learn, and the laws of EM."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import GaussianMixture as Peer
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.errors import DataError, DegenerateWarning, ParameterError
from seqem.models.gaussian_mixture import GaussianMixture

MCLUST = ("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")
SKLEARN = ("spherical", "diag", "tied", "full")


@pytest.fixture(scope="module")
def em_data(shared_data):
    return shared_data / "em"


@pytest.fixture(scope="module")
def faithful(em_data):
    return pd.read_csv(em_data / "faithful.csv")[["eruptions", "waiting"]].to_numpy()


@pytest.fixture(scope="module")
def galaxies(em_data):
    table = pd.read_csv(em_data / "galaxies_MASS.csv")
    return table.to_numpy()[:, -1:].astype(float) / 1000


def blobs(n=300, d=3, k=3, seed=0):
    rng = np.random.default_rng(seed)
    centre = 4 * rng.normal(size=(k, d))
    shape = rng.normal(size=(k, d, d))
    which = rng.integers(0, k, n)
    return centre[which] + np.einsum("nij,nj->ni", shape[which], rng.normal(size=(n, d)))


@parametrize_with_checks([GaussianMixture()])
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


@pytest.mark.parametrize("name", MCLUST)
def test_old_faithful_as_mclust(em_data, faithful, name):
    fits = json.loads((em_data / "golden" / "mclust_faithful.json").read_text())["fits"]
    wanted = fits[f"{name},2"]["loglik"]
    model = GaussianMixture(2, covariance_type=name, n_init=4, random_state=0, tol=1e-11, reg_covar=1e-9).fit(faithful)
    # mclust stops at a relative change of 1e-5, and of VVE below the maximum.
    assert model.log_likelihood_ == pytest.approx(wanted, abs=0.1 if name == "VVE" else 2e-2)
    assert model.log_likelihood_ >= wanted - 1e-4
    assert model.n_parameters_ == fits[f"{name},2"]["df"] if "df" in fits[f"{name},2"] else True
    assert (np.diff(model.history_.objective) >= -1e-9 * abs(model.log_likelihood_)).all()


@pytest.mark.parametrize(("name", "k", "key"), [("VVV", 2, "faithful_VVV_2"), ("EEE", 3, "faithful_EEE_3")])
def test_old_faithful_to_the_last_digits(em_data, faithful, name, k, key):
    golden = json.loads((em_data / "golden" / "mclust_tight_tol.json").read_text())[key]
    model = GaussianMixture(k, covariance_type=name, n_init=10, random_state=0, tol=1e-13, reg_covar=1e-9).fit(faithful)
    assert model.log_likelihood_ == pytest.approx(golden["loglik"], abs=1e-6)
    assert -model.bic(faithful) == pytest.approx(golden["bic"], abs=1e-5)
    order, theirs = np.argsort(model.weights_), np.argsort(golden["pro"])
    assert model.weights_[order] == pytest.approx(np.array(golden["pro"])[theirs], abs=1e-4)
    assert model.means_[order] == pytest.approx(np.array(golden["mean"]).T[theirs], rel=1e-4)


def test_galaxies_have_a_better_optimum_than_mclust_finds(galaxies):
    best = GaussianMixture(3, n_init=60, random_state=1, tol=1e-10, init_params="random_from_data").fit(galaxies)
    assert best.log_likelihood_ >= -203.179228 - 1e-4
    assert len(best.starts_) == 60


def test_the_articles_example_with_its_true_numbers():
    """One-dimensional example of a published introduction; its printed numbers are wrong, these are computed by hand."""
    x = np.array([[1.0], [1.5], [4.0], [4.5], [5.0]])
    start = {"weights_init": [0.5, 0.5], "means_init": [[1.25], [4.5]], "precisions_init": [[[1.0]], [[1.0]]]}

    def after(n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return GaussianMixture(2, max_iter=n, tol=0.0, reg_covar=1e-12, **start).fit(x)

    resp = after(0).predict_proba(x)[:, 0]
    assert resp == pytest.approx([0.997748, 0.988668, 0.025179, 0.005060, 0.001001], abs=1e-6)
    one = after(1)
    assert one.weights_ == pytest.approx([0.403531, 0.596469], abs=1e-6)
    assert one.means_.ravel() == pytest.approx([1.293204, 4.490012], abs=1e-6)
    assert one.covariances_.ravel() == pytest.approx([0.187504, 0.208805], abs=1e-6)
    likelihoods = [after(n).log_likelihood_ for n in (0, 1, 2)]
    assert likelihoods == pytest.approx([-8.327702299, -5.477682104, -4.999523075], abs=1e-3)
    end = after(50)
    assert np.sqrt(end.covariances_.ravel()) == pytest.approx([0.25, 0.408248], abs=1e-6)


@pytest.mark.parametrize("kind", SKLEARN)
def test_one_step_from_the_same_start_is_scikit_learns(kind):
    x = blobs()
    rng = np.random.default_rng(1)
    means = x[rng.choice(len(x), 3, replace=False)]
    start = {"weights_init": np.full(3, 1 / 3), "means_init": means}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = Peer(3, covariance_type=kind, max_iter=1, tol=0, reg_covar=0, random_state=0, **start).fit(x)
        given = {"weights_init": base.weights_, "means_init": base.means_, "precisions_init": base.precisions_}
        theirs = Peer(3, covariance_type=kind, max_iter=1, tol=0, reg_covar=0, **given).fit(x)
        ours = GaussianMixture(3, covariance_type=kind, max_iter=1, tol=0, reg_covar=1e-12, **given).fit(x)
    assert ours.means_ == pytest.approx(theirs.means_, abs=1e-9)
    assert ours.covariances_ == pytest.approx(theirs.covariances_, rel=1e-8, abs=1e-10)
    assert ours.weights_ == pytest.approx(theirs.weights_, abs=1e-12)
    assert ours.score_samples(x) == pytest.approx(theirs.score_samples(x), abs=1e-8)
    assert ours.precisions_cholesky_ == pytest.approx(theirs.precisions_cholesky_, rel=1e-7, abs=1e-9)
    assert ours.n_parameters_ == theirs._n_parameters()
    assert ours.bic(x) == pytest.approx(theirs.bic(x))


@pytest.mark.parametrize("name", MCLUST)
def test_em_never_falls_in_three_dimensions(name):
    x = blobs()
    model = GaussianMixture(3, covariance_type=name, random_state=0, max_iter=60, tol=0.0).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-8).all()


@pytest.mark.parametrize("name", MCLUST)
def test_covariances_have_the_parts_in_common_that_their_name_says(name):
    x = blobs(seed=3)
    model = GaussianMixture(3, covariance_type=name, random_state=0, max_iter=20).fit(x)
    covariance = model.covariances_
    if name in ("VII", "VVI"):
        covariance = (
            np.array([np.eye(3) * v for v in covariance])
            if name == "VII"
            else np.array([np.diag(v) for v in covariance])
        )
    if name == "EEE":
        covariance = np.repeat(covariance[None], 3, axis=0)
    values, axes = np.linalg.eigh(covariance)
    volume = np.exp(np.log(values).mean(axis=1))
    shape = values / volume[:, None]
    common = {"volume": np.allclose(volume, volume[0], rtol=1e-4), "shape": np.allclose(shape, shape[0], rtol=1e-4)}
    turned = [axes[0].T @ c @ axes[0] for c in covariance]
    one_frame = all(np.allclose(t - np.diag(np.diag(t)), 0, atol=1e-3 * np.trace(t)) for t in turned)
    assert common["volume"] == (name[0] == "E")
    if name[2] != "I" or name[1] == "I":
        assert common["shape"] == (name[1] in "EI")
    assert one_frame == (name[2] != "V")


def test_missing_coordinates_are_integrated_out():
    x = blobs(d=2)
    model = GaussianMixture(3, random_state=0).fit(x)
    one = np.array([[x[0, 0], np.nan]])
    marginal = sum(
        w * np.exp(-0.5 * (x[0, 0] - m[0]) ** 2 / c[0, 0]) / np.sqrt(2 * np.pi * c[0, 0])
        for w, m, c in zip(model.weights_, model.means_, model.covariances_, strict=True)
    )
    assert model.score_samples(one)[0] == pytest.approx(np.log(marginal))
    holes = np.where(np.random.default_rng(0).random(x.shape) < 0.15, np.nan, x)
    lost = GaussianMixture(3, random_state=0, tol=1e-9).fit(holes)
    assert (np.diff(lost.history_.objective) >= -1e-8).all()
    nearest = np.abs(lost.means_[:, None] - model.means_).sum(axis=2).min(axis=1)
    assert nearest.max() < 1.0


def test_known_labels_decide():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-1, 1, (60, 1)), rng.normal(1, 1, (60, 1))])
    truth = np.repeat([1, 0], 60)
    labels = np.where(np.arange(120) % 4 == 0, truth, -1)
    model = GaussianMixture(2, random_state=0).fit(x, labels=labels)
    assert model.means_[1, 0] < 0 < model.means_[0, 0]
    everything = GaussianMixture(2, random_state=0).fit(x, labels=truth)
    assert everything.means_.ravel() == pytest.approx([x[60:].mean(), x[:60].mean()])
    with pytest.raises(DataError, match="labels"):
        GaussianMixture(2).fit(x, labels=np.full(120, 2))


def test_weights_are_repetitions():
    x = blobs(n=80)
    times = np.random.default_rng(0).integers(0, 3, len(x))
    start = {"means_init": x[[0, 1, 2]], "random_state": 0, "max_iter": 5, "tol": 0.0}
    weighted = GaussianMixture(3, **start).fit(x, sample_weight=times.astype(float))
    params = weighted.history_.objective[-1]
    base = GaussianMixture(3, **start).fit(x)
    shards_once = weighted._shards(x, sample_weight=times.astype(float))
    shards_many = weighted._shards(np.repeat(x, times, axis=0))
    model = weighted._model()
    one = sum(model.e_step(base.result_.params, s).log_likelihood for s in shards_once)
    many = sum(model.e_step(base.result_.params, s).log_likelihood for s in shards_many)
    assert one == pytest.approx(many)
    assert np.isfinite(params)


def test_blocks_and_methods_lead_to_one_maximum(faithful):
    fits = {
        method: GaussianMixture(2, random_state=0, method=method, tol=1e-12).fit(faithful)
        for method in ("em", "squarem", "daarem", "incremental", "lbfgs")
    }
    for model in fits.values():
        assert model.log_likelihood_ == pytest.approx(-1130.263960, abs=1e-5)
    assert fits["daarem"].n_iter_ <= fits["em"].n_iter_ + 5


def test_samples_have_the_moments_of_the_model():
    model = GaussianMixture(2, random_state=0).fit(blobs(k=2))
    x, which = model.sample(40_000, random_state=1)
    assert np.bincount(which) / 40_000 == pytest.approx(model.weights_, abs=0.01)
    for k in range(2):
        assert x[which == k].mean(axis=0) == pytest.approx(model.means_[k], abs=0.1)
        assert np.cov(x[which == k].T) == pytest.approx(model.covariances_[k], abs=0.25)


def test_standard_errors_are_near_the_bootstraps(em_data, faithful):
    golden = json.loads((em_data / "golden" / "mclust_faithful_VVV2_bootstrap_se.json").read_text())
    model = GaussianMixture(2, random_state=0, tol=1e-12, reg_covar=1e-9).fit(faithful)
    errors = model.standard_errors()
    order = np.argsort(-model.weights_)
    bootstrap = np.array(golden["se_mean"] if "se_mean" in golden else golden["mean"]).reshape(2, 2)
    assert errors.component.mean[order].ravel() == pytest.approx(bootstrap.T.ravel(), rel=0.35)


def test_what_cannot_be_is_refused():
    x = blobs(n=20)
    with pytest.raises(DataError, match="fewer rows"):
        GaussianMixture(30).fit(x)
    with pytest.raises(ParameterError, match="unknown method"):
        GaussianMixture(2, method="magic").fit(x)
    with pytest.raises(ParameterError, match="covariance_type"):
        GaussianMixture(2, covariance_type="XYZ").fit(x)
    with pytest.raises(ParameterError, match="unconstrained"):
        GaussianMixture(2, covariance_type="EEV", method="lbfgs").fit(x)
    with pytest.raises(DataError, match="infinity"):
        GaussianMixture(2).fit(np.where(x > 5, np.inf, x + 10))
    with pytest.raises(ParameterError, match="probabilities"):
        GaussianMixture(2, weights_init=[0.9, 0.9]).fit(x)


def test_constant_columns_and_repeated_rows_end_at_the_floor():
    x = blobs(n=60)
    x[:, 1] = 5.0
    model = GaussianMixture(2, random_state=0).fit(np.repeat(x, 2, axis=0))
    assert np.isfinite(model.log_likelihood_)
    assert np.linalg.eigvalsh(model.covariances_).min() >= 1e-6 * (1 - 1e-9)


def test_columns_that_say_nothing_are_named():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    with pytest.warns(DegenerateWarning, match="no variance in column b"):
        GaussianMixture(2, random_state=0).fit(x.assign(b=5.0))
    with pytest.warns(DegenerateWarning, match="no values in column a"):
        GaussianMixture(2, random_state=0).fit(x.assign(a=np.nan))
    with pytest.warns(DegenerateWarning, match="at their floor"):
        GaussianMixture(2, random_state=0).fit(np.repeat(x.to_numpy()[:3], 20, axis=0))
    with pytest.raises(DataError, match="infinity in row 4, column c"):
        GaussianMixture(2, random_state=0).fit(x.assign(c=np.where(x.index == 4, np.inf, x["c"])))
