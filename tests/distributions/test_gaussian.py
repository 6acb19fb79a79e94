import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from numpy.testing import assert_allclose
from scipy import stats

from seqem.distributions.gaussian import COVARIANCE_TYPES, Gaussian, GaussianParams, GaussianStats
from seqem.errors import DataError, DegenerateWarning, NumericalError, ParameterError
from seqem.testing.conformance import gradient

RNG = np.random.default_rng(11)
K, D, N = 3, 4, 120
X = RNG.normal(size=(N, D)) * [1.0, 2.0, 0.5, 1.5]
RESP = RNG.dirichlet(np.ones(K), N)
MEAN = RNG.normal(size=(K, D))


def some_params(kind, n_features=D):
    square = RNG.normal(size=(K, n_features, n_features))
    spd = square @ square.transpose(0, 2, 1) + np.eye(n_features)
    kinds = {"spherical": spd[:, 0, 0], "diag": spd.diagonal(axis1=1, axis2=2), "full": spd, "tied": spd[0]}
    return GaussianParams(MEAN[:, :n_features], kinds[kind])


def matrices(params, kind):
    cov = params.covariance
    if kind in ("full", "tied"):
        return np.broadcast_to(cov, (K, *cov.shape[-2:]))
    return np.stack([np.diag(np.broadcast_to(c, params.mean.shape[1:])) for c in cov])


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_density_is_scipys_also_with_missing_coordinates(kind):
    params = some_params(kind)
    x = X[:10].copy()
    x[0, 1] = x[3, [0, 2, 3]] = x[4, 1] = np.nan
    x[7] = np.nan
    got = Gaussian(kind).log_likelihood(params, x)
    for row, values in zip(got, x, strict=True):
        seen = ~np.isnan(values)
        for k, matrix in enumerate(matrices(params, kind)):
            want = 0.0
            if seen.any():
                want = stats.multivariate_normal(MEAN[k, seen], matrix[np.ix_(seen, seen)]).logpdf(values[seen])
            assert_allclose(row[k], want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_features", [1, 2, 9])
@pytest.mark.parametrize("n_rows", [0, 1, 3, 4, 9])
@pytest.mark.parametrize("n_components", [1, 7, 8, 9, 17])
def test_diagonal_kernels_at_every_remainder(n_rows, n_components, n_features):
    rng = np.random.default_rng(n_rows)
    x, mean = rng.normal(size=(n_rows, n_features)), rng.normal(size=(n_components, n_features))
    params = GaussianParams(mean, rng.gamma(2.0, 1.0, mean.shape))
    away = x[:, None] - mean
    want = stats.norm(scale=np.sqrt(params.covariance)).logpdf(away).sum(axis=2)
    assert_allclose(Gaussian().log_likelihood(params, x), want, rtol=1e-12)
    resp = rng.random((n_rows, n_components))
    got = Gaussian().accumulate(params, x, resp)
    assert_allclose(got.mass, np.tile(resp.sum(axis=0)[:, None], (1, n_features)))
    assert_allclose(got.first, np.einsum("nk,nkd->kd", resp, away), atol=1e-12)
    assert_allclose(got.second, np.einsum("nk,nkd->kd", resp, away**2), atol=1e-12)


PRIORS = [(0.0, 0.0, 1e-2, 1.0), (0.7, 2.5, 0.3, 9.0), (MEAN + 1.0, 1.0, 0.1, 2.0)]


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_m_step_is_hmmlearns(kind, prior):
    peer = GaussianHMM(K, kind, params="mc", means_prior=prior[0], means_weight=prior[1])
    peer.covars_prior, peer.covars_weight, peer.n_features = prior[2], prior[3], D
    peer.transmat_ = np.full((K, K), 1 / K)
    sums = {"post": RESP.sum(axis=0), "obs": RESP.T @ X, "obs**2": RESP.T @ X**2}
    sums["obs*obs.T"] = np.einsum("nk,nd,ne->kde", RESP, X, X)
    sums["nobs"], sums["start"], sums["trans"] = 1, np.ones(K), np.ones((K, K))
    peer._do_mstep(sums)
    want = peer._covars_[:, 0] if kind == "spherical" else peer._covars_
    model, start = Gaussian(kind, *prior), some_params(kind)
    got = model.maximise(model.accumulate(start, X, RESP), start)
    assert_allclose(got.mean, peer.means_, rtol=1e-11, atol=1e-12)
    assert_allclose(got.covariance, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_offset_costs_no_digits(kind):
    x = RNG.normal(size=(5000, 2))
    x = (x - x.mean(axis=0)) / x.std(axis=0) * np.sqrt(0.98) + 1e8
    model = Gaussian(kind)
    params = model.initial(x, 1, RNG)
    for _ in range(3):
        params = model.maximise(model.accumulate(params, x, np.ones((len(x), 1))), params)
    assert_allclose(first_matrix(params, kind).diagonal(), 0.98, atol=1e-6)


def first_matrix(params, kind):
    cov = params.covariance if kind == "tied" else params.covariance[0]
    return cov if cov.ndim == 2 else np.diag(np.broadcast_to(cov, 2))


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_missing_coordinates_obey_fishers_identity(kind):
    x = X.copy()
    x[RNG.random(X.shape) < 0.3] = np.nan
    model, params = Gaussian(kind), some_params(kind)
    stats_ = model.accumulate(params, x, RESP)

    def weighted(v):
        return (RESP * model.log_likelihood(model.unpack(v, params), x)).sum()

    def expected(v):
        return model.expected_log_likelihood(stats_, model.unpack(v, params), params)

    at = model.pack(params)
    assert_allclose(gradient(expected, at), gradient(weighted, at), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_em_with_missing_coordinates_never_falls(kind):
    x = X.copy()
    x[RNG.random(X.shape) < 0.3] = np.nan
    model = Gaussian(kind)
    params, last = some_params(kind), -np.inf
    for _ in range(15):
        joint = model.log_likelihood(params, x)
        total = np.logaddexp.reduce(joint, axis=1, keepdims=True)
        assert total.sum() > last - 1e-9
        last = total.sum()
        params = model.maximise(model.accumulate(params, x, np.exp(joint - total)), params)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_floor_holds_for_repeated_rows(kind):
    x = np.tile([1.0, 2.0], (9, 1))
    model = Gaussian(kind, floor=1e-3)
    params = model.initial(x, 2, RNG)
    for _ in range(3):
        params = model.maximise(model.accumulate(params, x, np.full((9, 2), 0.5)), params)
    assert_allclose(np.linalg.eigvalsh(first_matrix(params, kind)).min(), 1e-3)
    assert np.isfinite(model.log_likelihood(params, x)).all()


def test_floor_is_the_constrained_maximum():
    model, start = Gaussian("full", floor=0.8), some_params("full", 2)
    stats_ = model.accumulate(start, X[:, :2], RESP)
    best = model.maximise(stats_, start)
    top = model.expected_log_likelihood(stats_, best, start)
    for _ in range(300):
        noise = 0.1 * RNG.normal(size=(K, 2, 2))
        other = best.covariance + noise + noise.transpose(0, 2, 1)
        values, vectors = np.linalg.eigh(other)
        other = (vectors * np.maximum(values, 0.8)[:, None]) @ vectors.transpose(0, 2, 1)
        assert model.expected_log_likelihood(stats_, GaussianParams(best.mean, other), start) <= top + 1e-9


def test_mask_fixes_single_entries_and_variance_is_about_the_fixed_mean():
    mask = np.zeros((K, D), dtype=bool)
    mask[1, 2] = True
    model, start = Gaussian(fixed={"mean": mask}), some_params("diag")
    got = model.maximise(model.accumulate(start, X, RESP), start)
    assert got.mean[1, 2] == start.mean[1, 2]
    want = (RESP[:, 1] * (X[:, 2] - start.mean[1, 2]) ** 2).sum() / RESP[:, 1].sum()
    assert_allclose(got.covariance[1, 2], want)
    assert model.n_free(start) == 2 * K * D - 1


def test_coordinate_never_seen_keeps_its_parameters():
    x = X.copy()
    x[:, 1] = np.nan
    start = some_params("diag")
    got = Gaussian().maximise(Gaussian().accumulate(start, x, RESP), start)
    assert_allclose(got.mean[:, 1], start.mean[:, 1], rtol=0)
    assert_allclose(got.covariance[:, 1], start.covariance[:, 1], rtol=0)
    assert not np.allclose(got.mean[:, 0], start.mean[:, 0])


def test_empty_component_of_a_tied_model_keeps_its_mean():
    start = some_params("tied")
    resp = RESP.copy()
    resp[:, 0] = 0.0
    with pytest.warns(DegenerateWarning, match=r"\[0\]"):
        got = Gaussian("tied").maximise(Gaussian("tied").accumulate(start, X, resp), start)
    assert_allclose(got.mean[0], start.mean[0], rtol=0)
    assert not np.allclose(got.covariance, start.covariance)


def test_groups_share_covariances():
    model = Gaussian("tied", groups=2)
    params = model.initial(X, 4, RNG)
    resp = RNG.dirichlet(np.ones(4), N)
    got = model.maximise(model.accumulate(params, X, resp), params)
    alone = Gaussian("tied")
    for g in range(2):
        half = GaussianParams(params.mean[2 * g : 2 * g + 2], params.covariance[g])
        want = alone.maximise(alone.accumulate(half, X, resp[:, 2 * g : 2 * g + 2]), half)
        assert_allclose(got.covariance[g], want.covariance)


def test_non_contiguous_rows_give_the_same():
    wide = np.asfortranarray(X)
    params = some_params("diag")
    assert_allclose(Gaussian().log_likelihood(params, wide), Gaussian().log_likelihood(params, X), rtol=0)
    assert_allclose(Gaussian().accumulate(params, wide, RESP).second, Gaussian().accumulate(params, X, RESP).second)


def test_start_with_fewer_distinct_rows_than_components():
    params = Gaussian().initial(np.repeat([[1.0, 2.0], [3.0, 4.0]], 5, axis=0), 4, RNG)
    assert len(np.unique(params.mean, axis=0)) == 4
    assert (params.covariance > 0).all()


def test_errors_say_what_and_where():
    with pytest.raises(DataError, match="row 1, column 0; got inf"):
        Gaussian().check([[0.0], [np.inf]])
    with pytest.raises(DataError, match=r"shape \(2, 2, 2\)"):
        Gaussian().check(np.zeros((2, 2, 2)))
    with pytest.raises(DataError, match="every row is missing"):
        Gaussian().initial(np.full((3, 1), np.nan), 2, RNG)
    with pytest.raises(ParameterError, match="covariance_type"):
        Gaussian("round")
    with pytest.raises(ParameterError, match="fixed names no parameter"):
        Gaussian(fixed={"means": True})
    with pytest.raises(ParameterError, match="wrong shape"):
        Gaussian(fixed={"mean": [True]}).n_free(some_params("diag"))
    mask = np.arange(K * D).reshape(K, D) == 0
    stats_ = GaussianStats(np.ones(K), MEAN, np.zeros((K, D, D)))
    with pytest.raises(ParameterError, match="cuts through"):
        Gaussian("full", fixed={"mean": mask}).maximise(stats_, some_params("full"))
    with pytest.raises(NumericalError, match="positive definite"):
        Gaussian("full").log_likelihood(GaussianParams(np.zeros((1, 2)), -np.eye(2)[None]), np.zeros((1, 2)))
