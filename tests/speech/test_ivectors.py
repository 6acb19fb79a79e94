"""Total variability against the dense normal density of all frames, and the laws of EM."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.decomposition import FactorAnalysis

from seqem.core.tree import tree_add, tree_equal
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DataError, NotFittedError, ParameterError
from seqem.speech.background import BaumWelch
from seqem.speech.ivectors import IVectors, length_normalised
from seqem.speech.speakers import GMMUBM
from seqem.speech.total_variability import TotalVariability, TotalVariabilityModel
from seqem.testing.conformance import gradient

C, D, R = 3, 2, 2
MODEL = TotalVariabilityModel()


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def loadings(rng, rank=R):
    return TotalVariability(rng.normal(size=(C, D, rank)))


def aligned(params, n_recordings, n_frames, rng):
    """Return frames of recordings in units of deviation about the means, and their components."""
    labels = rng.integers(C, size=(n_recordings, n_frames))
    w = rng.normal(size=(n_recordings, params.loadings.shape[2]))
    frames = np.einsum("snir,sr->sni", params.loadings[labels], w) + rng.normal(size=(n_recordings, n_frames, D))
    return frames, labels, w


def statistics(frames, labels):
    """Return Baum-Welch statistics by counting."""
    hot = np.eye(C)[labels]
    return BaumWelch(hot.sum(axis=1), np.einsum("snc,sni->sci", hot, frames))


def test_log_likelihood_is_that_of_all_frames_together(rng):
    params = loadings(rng)
    frames, labels, _ = aligned(params, 4, 5, rng)
    shard = statistics(frames, labels)
    wanted = 0.0
    for x, z in zip(frames, labels, strict=True):
        T = params.loadings[z].reshape(-1, R)
        noise = np.eye(len(T))
        wanted += multivariate_normal.logpdf(x.ravel(), cov=T @ T.T + noise) - multivariate_normal.logpdf(
            x.ravel(), cov=noise
        )
    assert MODEL.e_step(params, shard).log_likelihood == pytest.approx(wanted, abs=1e-10)


def test_posterior_is_that_of_joint_normal_variables(rng):
    params = loadings(rng)
    frames, labels, _ = aligned(params, 3, 6, rng)
    found = MODEL.posterior(params, statistics(frames, labels))
    for s, (x, z) in enumerate(zip(frames, labels, strict=True)):
        T = params.loadings[z].reshape(-1, R)
        gain = T.T @ np.linalg.inv(T @ T.T + np.eye(len(T)))
        np.testing.assert_allclose(found.mean[s], gain @ x.ravel(), atol=1e-12)
        np.testing.assert_allclose(found.covariance[s], np.eye(R) - gain @ T, atol=1e-12)


def test_q_has_the_gradient_of_the_log_likelihood(rng):
    params, shard = loadings(rng), statistics(*aligned(loadings(rng), 6, 8, rng)[:2])
    stats, at = MODEL.e_step(params, shard).stats, MODEL.pack(params)
    found = gradient(lambda v: MODEL.expected_log_likelihood(stats, MODEL.unpack(v, params), params), at)
    wanted = gradient(lambda v: MODEL.e_step(MODEL.unpack(v, params), shard).log_likelihood, at)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_statistics_add(rng):
    params, shard = loadings(rng), statistics(*aligned(loadings(rng), 6, 8, rng)[:2])
    parts = [MODEL.e_step(params, BaumWelch(*(leaf[at] for leaf in shard))) for at in (slice(2), slice(2, None))]
    for found, wanted in zip(tree_add(*parts).stats, MODEL.e_step(params, shard).stats, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_em_never_falls_and_ends_where_the_score_is_zero(rng, rank):
    shard = statistics(*aligned(loadings(rng), 50, 12, rng)[:2])
    start = TotalVariability(0.1 * rng.normal(size=(C, D, rank)))
    result = fit(MODEL, start, [shard], stop=StopRule(max_iter=5000, rest_tol=1e-13))
    objective = np.array([record.objective for record in result.history])
    assert (np.diff(objective) >= -1e-9 * np.abs(objective[1:])).all()
    assert objective[-1] > objective[0] + 10
    score = gradient(lambda v: MODEL.e_step(MODEL.unpack(v, start), shard).log_likelihood, MODEL.pack(result.params))
    assert np.abs(score).max() < 1e-2


def test_loadings_are_recovered_up_to_rotation(rng):
    truth = loadings(rng)
    frames, labels, _ = aligned(truth, 3000, 15, rng)
    start = loadings(rng)
    found = fit(MODEL, start, [statistics(frames, labels)], stop=StopRule(max_iter=500, rest_tol=1e-10)).params

    def covariance(params):
        flat = params.loadings.reshape(-1, R)
        return flat @ flat.T

    assert np.abs(covariance(start) - covariance(truth)).max() > 1.0
    np.testing.assert_allclose(covariance(found), covariance(truth), atol=0.08 * np.abs(covariance(truth)).max())


def test_one_frame_of_one_component_is_factor_analysis_with_known_noise(rng):
    # scikit-learn estimates the noise too; given its estimate as the unit, its loadings are the maximum here as well.
    x = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + rng.normal(size=(500, 6))
    x -= x.mean(axis=0)
    peer = FactorAnalysis(2, tol=1e-12, max_iter=20000, svd_method="lapack").fit(x)
    unit = np.sqrt(peer.noise_variance_)
    shard = BaumWelch(np.ones((500, 1)), (x / unit)[:, None, :])
    start = TotalVariability(rng.normal(size=(1, 6, 2)))
    found = fit(MODEL, start, [shard], stop=StopRule(max_iter=5000, rest_tol=1e-13)).params.loadings[0]
    wanted = peer.components_.T / unit[:, None]
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-3)


def test_components_without_frames_keep_their_loadings(rng):
    params = loadings(rng)
    shard = statistics(*aligned(params, 5, 8, rng)[:2])
    shard.counts[:, 1], shard.first[:, 1] = 0.0, 0.0
    stats = MODEL.e_step(params, shard).stats
    after = MODEL.m_step(stats, params).loadings
    turn = np.linalg.cholesky(stats.second / stats.number)
    np.testing.assert_allclose(after[1], params.loadings[1] @ turn)
    assert np.isfinite(after).all()


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(11)
    voices = rng.normal(size=(12, 4))
    return [rng.normal(voices[k % 12], 1.0, (int(rng.integers(20, 60)), 4)) for k in range(150)]


@pytest.fixture(scope="module")
def background(recordings):
    return GMMUBM(C, random_state=0).fit(recordings)


@pytest.fixture(scope="module")
def extractor(recordings, background):
    return IVectors(2, random_state=0).fit(recordings, background)


def test_statistics_are_sums_over_posterior_probabilities(recordings, background):
    from sklearn.mixture import GaussianMixture

    peer = GaussianMixture(C, covariance_type="diag")
    peer.weights_, peer.means_, peer.covariances_ = background.weights_, background.means_, background.variances_
    peer.precisions_cholesky_ = 1 / np.sqrt(peer.covariances_)
    counts, first = background.background_.statistics(recordings[:3])
    for s in range(3):
        resp = peer.predict_proba(recordings[s])
        np.testing.assert_allclose(counts[s], resp.sum(axis=0), atol=1e-9)
        away = (recordings[s][:, None] - peer.means_) / np.sqrt(peer.covariances_)
        np.testing.assert_allclose(first[s], np.einsum("nc,nci->ci", resp, away), atol=1e-8)


def test_does_not_depend_on_the_executor(recordings, background, extractor):
    with ThreadPoolExecutor(2) as executor:
        again = IVectors(2, random_state=0).fit(recordings, background, executor=executor)
    assert tree_equal(again.result_.params, extractor.result_.params)


def test_starts_that_differ_end_at_the_same_covariance(recordings, background):
    def covariance(seed):
        found = IVectors(2, tol=1e-12, max_iter=3000, random_state=seed).fit(recordings, background)
        return np.einsum("cir,dir->cd", found.loadings_, found.loadings_)

    np.testing.assert_allclose(covariance(0), covariance(1), rtol=1e-3)


def test_vectors_tell_speakers_apart(recordings, extractor):
    vectors = extractor.transform(recordings)
    assert vectors.shape == (150, 2)
    whose = np.arange(150) % 12
    centres = np.stack([vectors[whose == k].mean(axis=0) for k in range(12)])
    within = (vectors - centres[whose]).var(axis=0)
    assert (centres.var(axis=0) > 3 * within).all()


def test_clones_and_pickles(recordings, extractor):
    assert clone(extractor).get_params() == extractor.get_params()
    again = pickle.loads(pickle.dumps(extractor))
    assert np.array_equal(again.transform(recordings[:3]), extractor.transform(recordings[:3]))


def test_what_cannot_be_is_refused(recordings, background, extractor):
    with pytest.raises(NotFittedError):
        IVectors(2).fit(recordings, GMMUBM(2))
    with pytest.raises(NotFittedError):
        IVectors(2).transform(recordings)
    for wrong in (0, C * 4 + 1):
        with pytest.raises(ParameterError, match="1 to components"):
            IVectors(wrong).fit(recordings, background)
    with pytest.raises(DataError, match="at least 2"):
        IVectors(1).fit(recordings[:1], background)
    with pytest.raises(DataError, match="other features"):
        extractor.transform([np.zeros((5, 3))])


def test_length_is_normalised(rng):
    vectors = rng.normal(size=(5, 3))
    np.testing.assert_allclose(np.linalg.norm(length_normalised(vectors), axis=1), 1.0)
