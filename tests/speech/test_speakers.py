"""Speaker recognition by adapted mixtures: scikit-learn's mixture, Reynolds' formulas, error rates, and real speakers."""

import functools
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import det_curve
from sklearn.mixture import GaussianMixture

from seqem.core.rows import Rows
from seqem.core.tree import tree_equal
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DataError, NotFittedError, ParameterError
from seqem.speech.enrolment import Enrolment
from seqem.speech.error_rates import equal_error_rate, error_rates, minimum_detection_cost
from seqem.speech.features import Features
from seqem.speech.ivectors import IVectors, length_normalised
from seqem.speech.plda import PLDA
from seqem.speech.score_norm import s_norm, t_norm, z_norm
from seqem.speech.speakers import GMMUBM

NAMES = ["ann", "bob", "cat"]


def spoken(n_recordings, rng):
    """Return recordings of people who differ in where their sounds lie, and their names."""
    sounds = np.array([[-4.0, 0.0, 1.0], [0.0, 4.0, -1.0], [5.0, -3.0, 0.0], [3.0, 3.0, 3.0]])
    voices = 1.2 * np.random.default_rng(1).normal(size=(3, 1, 3))
    whose = np.arange(n_recordings) % 3
    recordings = []
    for k in whose:
        sound = sounds[rng.integers(4, size=int(rng.integers(20, 50)))]
        recordings.append(sound + voices[k] + rng.normal(size=sound.shape) * [1.0, 1.5, 0.5])
    return recordings, [NAMES[k] for k in whose]


@pytest.fixture(scope="module")
def training():
    return spoken(45, np.random.default_rng(2))


@pytest.fixture(scope="module")
def fitted(training):
    return GMMUBM(4, random_state=0).fit(*training)


def of(name, training):
    return np.concatenate([frames for frames, who in zip(*training, strict=True) if who == name])


# -- the background ------------------------------------------------------------------------------------


def test_background_is_scikit_learns_mixture(training):
    x = np.concatenate(training[0])
    found = GMMUBM(4, tol=1e-13, max_iter=3000, random_state=0).fit(training[0])
    start = 1 / np.maximum(found.variances_, 1e-6)
    peer = GaussianMixture(
        4, covariance_type="diag", means_init=found.means_, precisions_init=start, weights_init=found.weights_,
        tol=1e-12, reg_covar=0.0, max_iter=5000,
    ).fit(x)  # fmt: skip
    np.testing.assert_allclose(found.means_, peer.means_, atol=1e-4)
    np.testing.assert_allclose(found.variances_, peer.covariances_, atol=1e-4)
    np.testing.assert_allclose(found.weights_, peer.weights_, atol=1e-5)
    own = found.log_likelihood_ - len(x) * np.log(x.std(axis=0)).sum()
    assert own == pytest.approx(peer.score(x) * len(x), rel=1e-8)


def test_scores_are_ratios_of_mean_densities(training, fitted):
    def density(means, x):
        away = norm.logpdf(x[:, None], means, np.sqrt(fitted.variances_)).sum(axis=2)
        return logsumexp(away + np.log(fitted.weights_), axis=1).mean()

    found = fitted.scores(training[0][:4])
    for frames, row in zip(training[0], found, strict=False):
        wanted = [density(fitted.speaker_means(name), frames) - density(fitted.means_, frames) for name in NAMES]
        np.testing.assert_allclose(row, wanted, atol=1e-10)
    assert fitted.verify(training[0][0], "bob") == pytest.approx(found[0, 1], abs=1e-12)


def test_units_do_not_matter(training, fitted):
    units, offset = np.array([1e-3, 1.0, 1e4]), np.array([0.0, 50.0, -1e6])
    other = GMMUBM(4, random_state=0).fit([x * units + offset for x in training[0]], training[1])
    np.testing.assert_allclose(other.means_, fitted.means_ * units + offset, rtol=1e-6)
    scores = other.scores([x * units + offset for x in training[0]])
    np.testing.assert_allclose(scores, fitted.scores(training[0]), atol=1e-6)


def test_variances_stay_above_their_share(training):
    frames = [np.column_stack([x, np.round(x[:, 0] / 50) + 1e-9 * x[:, 1]]) for x in training[0]]
    found = GMMUBM(8, variance_floor=0.05, random_state=0).fit(frames)
    assert (found.variances_ >= 0.05 * np.concatenate(frames).var(axis=0) * (1 - 1e-9)).all()


# -- adaptation ----------------------------------------------------------------------------------------


def shares(fitted, x):
    """Return the posterior probabilities of the background's components."""
    joint = norm.logpdf(x[:, None], fitted.means_, np.sqrt(fitted.variances_)).sum(axis=2) + np.log(fitted.weights_)
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))


def reynolds(fitted, x, relevance):
    """Return adapted means and variances by equations 7 to 13 of Reynolds, Quatieri and Dunn (2000)."""
    means, variances, posterior = fitted.means_, fitted.variances_, shares(fitted, x)
    n = posterior.sum(axis=0)[:, None]
    first, second = posterior.T @ x / n, posterior.T @ np.square(x) / n
    alpha = n / (n + relevance)
    new = alpha * first + (1 - alpha) * means
    return new, alpha * second + (1 - alpha) * (variances + np.square(means)) - np.square(new)


@pytest.mark.parametrize("relevance", [0.5, 4.0, 16.0])
def test_first_step_is_reynolds(training, fitted, relevance):
    x = of("ann", training)
    means, variances = reynolds(fitted, x, relevance)
    model = clone(fitted).set_params(relevance=relevance, adapt_iter=1).fit(*training)
    np.testing.assert_allclose(model.speaker_means("ann"), means, atol=1e-9)
    shard = Rows((x - model.background_.centre) / model.background_.scale)
    adapted = Enrolment(relevance, "mc").adapted(model.background_.mixture, [shard]).component
    np.testing.assert_allclose(adapted.mean * model.background_.scale + model.background_.centre, means, atol=1e-9)
    np.testing.assert_allclose(adapted.covariance * np.square(model.background_.scale), variances, atol=1e-9)


def test_first_step_of_the_weights_is_gauvain_and_lees(training, fitted):
    # The mode of the Dirichlet posterior, with nu - 1 of each component its weight's share of 3 frames for each of the 4.
    x, background = of("ann", training), fitted.background_
    n = shares(fitted, x).sum(axis=0)
    wanted = (n + 3.0 * 4 * fitted.weights_) / (len(x) + 3.0 * 4)
    shard = Rows((x - background.centre) / background.scale)
    np.testing.assert_allclose(Enrolment(3.0, "w").adapted(background.mixture, [shard]).weights[0], wanted, atol=1e-10)


@pytest.mark.parametrize("parts", ["m", "c", "w", "mcw"])
def test_posterior_density_never_falls(training, fitted, parts):
    background = fitted.background_
    shard = Rows(background.standardised(of("bob", training)).values)
    result = fit(Enrolment(4.0, parts).model(background.mixture), background.mixture, [shard], stop=StopRule(30))
    objective = np.array([record.objective for record in result.history])
    assert (np.diff(objective) >= -1e-9 * np.abs(objective[1:])).all()
    assert objective[-1] > objective[0] + 1
    for part, before, after in (
        ("w", background.mixture.weights, result.params.weights),
        ("m", background.mixture.component.mean, result.params.component.mean),
        ("c", background.mixture.component.covariance, result.params.component.covariance),
    ):
        assert np.array_equal(before, after) == (part not in parts)


def test_relevance_goes_from_background_to_maximum_likelihood(training, fitted):
    def means(relevance):
        return clone(fitted).set_params(relevance=relevance, adapt_iter=200).fit(*training).speaker_means("cat")

    np.testing.assert_allclose(means(1e12), fitted.means_, atol=1e-6)
    x = of("cat", training)
    free = GaussianMixture(
        4, covariance_type="diag", means_init=means(0.0), weights_init=fitted.weights_,
        precisions_init=1 / fitted.variances_, max_iter=1,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free.fit(x)
    # The maximum over the means alone is a fixed point of the peer's step for them.
    np.testing.assert_allclose(free.means_, means(0.0), atol=1e-4)


def test_components_without_frames_stay(training, fitted):
    near = fitted.means_[0] + 0.1 * np.random.default_rng(0).normal(size=(10, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pickle.loads(pickle.dumps(fitted)).enrol("dan", near).speaker_means("dan")
    moved = np.abs(found - fitted.means_).max(axis=1)
    assert moved[0] > 0.01
    assert moved[1:].max() < 1e-3


# -- recognition ---------------------------------------------------------------------------------------


def test_speakers_are_identified(fitted):
    recordings, names = spoken(60, np.random.default_rng(8))
    assert fitted.speakers_ == NAMES
    assert fitted.score(recordings, names) == np.mean(
        [a == b for a, b in zip(fitted.identify(recordings), names, strict=True)]
    )
    assert fitted.score(recordings, names) > 0.95
    assert set(fitted.identify(recordings, threshold=1e9)) == {None}
    assert fitted.identify(recordings[0]) == fitted.identify([recordings[0]])


def test_enrolling_anew_replaces(training, fitted):
    model = pickle.loads(pickle.dumps(fitted))
    model.enrol("ann", of("bob", training))
    np.testing.assert_array_equal(model.speaker_means("ann"), fitted.speaker_means("bob"))
    assert model.speakers_ == NAMES
    assert model.enrol("dan", of("cat", training)).speakers_ == [*NAMES, "dan"]


def test_does_not_depend_on_the_executor(fitted, training):
    with ThreadPoolExecutor(2) as executor:
        again = clone(fitted).fit(*training, executor=executor)
    assert tree_equal(again.result_.params, fitted.result_.params)
    assert np.array_equal(again.scores(training[0]), fitted.scores(training[0]))


def test_takes_one_recording_and_arrays_of_names(fitted, training):
    again = clone(fitted).fit(training[0], np.array(training[1]))
    assert again.speakers_ == NAMES
    assert np.array_equal(again.scores(training[0]), fitted.scores(training[0]))
    whole = np.concatenate(training[0])
    np.testing.assert_allclose(clone(fitted).fit(whole).means_, fitted.means_, atol=1e-9)


def test_clones_and_pickles(fitted, training):
    assert clone(fitted).get_params() == fitted.get_params()
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.scores(training[0]), fitted.scores(training[0]))


def test_what_cannot_be_is_refused(fitted, training):
    recordings, names = training
    with pytest.raises(NotFittedError):
        GMMUBM(2).scores(recordings)
    with pytest.raises(ParameterError, match=r"'eve'.*'ann', 'bob', 'cat'"):
        fitted.verify(recordings[0], "eve")
    with pytest.raises(ParameterError, match="no speaker is enrolled"):
        GMMUBM(2, random_state=0).fit(recordings).scores(recordings)
    with pytest.raises(DataError, match="44 names"):
        GMMUBM(2).fit(recordings, names[:-1])
    with pytest.raises(DataError, match="names"):
        fitted.score(recordings, names[:-1])
    with pytest.raises(DataError, match="recording 1 has no frames"):
        fitted.scores([recordings[0], recordings[0][:0]])
    with pytest.raises(DataError, match="other features"):
        fitted.scores([np.zeros((5, 2))])
    with pytest.raises(DataError, match="not finite"):
        fitted.enrol("dan", np.full((5, 3), np.nan))
    with pytest.raises(ParameterError, match="no text"):
        fitted.enrol(7, recordings)
    with pytest.raises(ParameterError, match="no text"):
        GMMUBM(2).fit(recordings, range(len(recordings)))
    with pytest.raises(DataError, match="fewer frames"):
        GMMUBM(9999).fit(recordings)
    with pytest.raises(DataError, match="feature 1 is the same"):
        GMMUBM(2).fit([x * [1, 0, 1] for x in recordings])
    for wrong in ({"n_components": 0}, {"adapt": "x"}, {"relevance": -1.0}, {"adapt_iter": 0}, {"variance_floor": 0.0}):
        with pytest.raises(ParameterError):
            GMMUBM(**wrong).fit(recordings)


# -- error rates and normalisation ---------------------------------------------------------------------


def trials(n, rng):
    return np.round(rng.normal(1.0, 1.0, n), 1), np.round(rng.normal(-0.5, 2.0, 3 * n), 1)


@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_rates_are_counts(n):
    targets, impostors = trials(n, np.random.default_rng(n))
    miss, false_alarm = error_rates(targets, impostors)
    thresholds = [*np.unique(np.concatenate([targets, impostors])), np.inf]
    np.testing.assert_allclose(miss, [np.mean(targets < t) for t in thresholds])
    np.testing.assert_allclose(false_alarm, [np.mean(impostors >= t) for t in thresholds])
    prior = 0.2
    wanted = min(prior * m + (1 - prior) * f for m, f in zip(miss, false_alarm, strict=True)) / prior
    assert minimum_detection_cost(targets, impostors, prior=prior) == pytest.approx(wanted)


def test_equal_error_rate_lies_on_scikit_learns_curve():
    targets, impostors = trials(2000, np.random.default_rng(0))
    rate = equal_error_rate(targets, impostors)
    truth = np.r_[np.ones(len(targets)), np.zeros(len(impostors))]
    false_alarm, miss, _ = det_curve(truth, np.r_[targets, impostors])
    assert np.interp(rate, false_alarm[::-1], miss[::-1]) == pytest.approx(rate, abs=1e-9)


def test_equal_error_rate_of_normal_scores():
    rng = np.random.default_rng(4)
    rate = equal_error_rate(rng.normal(2.0, 1.0, 200_000), rng.normal(0.0, 1.0, 200_000))
    assert rate == pytest.approx(norm.cdf(-1.0), abs=2e-3)
    assert equal_error_rate([2.0, 3.0], [0.0, 1.0]) == 0.0
    assert equal_error_rate([0.0, 1.0], [2.0, 3.0]) == 1.0
    assert equal_error_rate([1.0], [1.0]) == 0.5


def test_rates_refuse_what_is_no_score():
    with pytest.raises(DataError, match="no scores of impostors"):
        equal_error_rate([1.0], [])
    with pytest.raises(DataError, match="NaN"):
        error_rates([np.nan], [1.0])
    with pytest.raises(ParameterError):
        minimum_detection_cost([1.0], [0.0], prior=1.0)


def test_norms_make_cohorts_standard():
    rng = np.random.default_rng(0)
    own, others = rng.normal(size=(30, 1)), rng.normal(size=4)
    scores = 3.0 * rng.normal(size=(30, 4)) + own + others
    z, t = z_norm(scores, scores), t_norm(scores, scores)
    for found, axis in ((z, 0), (t, 1)):
        np.testing.assert_allclose(found.mean(axis=axis), 0.0, atol=1e-12)
        np.testing.assert_allclose(found.std(axis=axis), 1.0)
    np.testing.assert_allclose(s_norm(scores, scores, scores), (z + t) / 2)
    np.testing.assert_allclose(z_norm(scores * [1, 2, 3, 4] + 7, scores * [1, 2, 3, 4] + 7), z)
    with pytest.raises(DataError, match="columns"):
        z_norm(scores, scores[:, :3])
    with pytest.raises(DataError, match="rows"):
        t_norm(scores, scores[:3])
    with pytest.raises(DataError, match="do not vary"):
        z_norm(scores, scores[:1])


# -- real speakers -------------------------------------------------------------------------------------

PEOPLE = ["george", "jackson", "lucas", "nicolas"]
# Chosen on digits 0 to 4 alone, by leaving out two of them in turn, as are the sizes below.
FEATURES = Features(sample_rate=8000, n_ceps=19, delta_order=1)


@pytest.fixture(scope="module")
def spoken_digits(shared_data):
    """Return a function from digits and indices to the frames of recordings by all speakers, and their names."""
    soundfile = pytest.importorskip("soundfile")
    folder = shared_data / "speech" / "fsdd" / "recordings"

    @functools.cache
    def frames(digit, name, index):
        return FEATURES(soundfile.read(folder / f"{digit}_{name}_{index}.wav", dtype="int16")[0])

    def chosen(digits, indices):
        keys = [(digit, name, index) for digit in digits for name in PEOPLE for index in indices]
        return [frames(*key) for key in keys], [name for _, name, _ in keys]

    return chosen


def rates(scores, names):
    """Return the share identified and the equal error rate of scores (R, S) of recordings by these."""
    true = np.array(names)[:, None] == PEOPLE
    return np.mean(true[np.arange(len(names)), scores.argmax(axis=1)]), equal_error_rate(scores[true], scores[~true])


@pytest.mark.slow
def test_speakers_of_known_digits(spoken_digits):
    model = GMMUBM(32, random_state=0, tol=1e-4).fit(*spoken_digits(range(10), range(5, 50)))
    test = spoken_digits(range(10), range(5))
    assert model.speakers_ == PEOPLE
    identified, error = rates(model.scores(test[0]), test[1])
    assert identified >= 0.99
    assert error <= 0.01


@pytest.fixture(scope="module")
def other_digits(spoken_digits):
    """Return what a background learns from, what speakers are enrolled with, and tests on digits that neither has."""
    return (
        spoken_digits(range(5), range(5, 50)),
        spoken_digits(range(5), range(5, 10)),
        spoken_digits(range(5, 10), range(5)),
    )


@pytest.fixture(scope="module")
def adapted(other_digits):
    (background, _), enrolment, _ = other_digits
    model = GMMUBM(8, relevance=0.5, random_state=0).fit(background)
    for name in PEOPLE:
        model.enrol(name, [frames for frames, who in zip(*enrolment, strict=True) if who == name])
    return model


def test_speakers_of_other_digits(other_digits, adapted):
    _, enrolment, (test, names) = other_digits
    identified, error = rates(adapted.scores(test), names)
    units = adapted.background_
    alone = []
    for name in PEOPLE:
        x = (of(name, enrolment) - units.centre) / units.scale
        alone.append(GaussianMixture(8, covariance_type="diag", reg_covar=0.01, random_state=0).fit(x))
    x = [(frames - units.centre) / units.scale for frames in test]
    separate = rates(np.array([[mixture.score(frames) for mixture in alone] for frames in x]), names)
    assert identified >= 0.85
    assert error <= 0.5 * separate[1]


@pytest.mark.slow
def test_ivectors_of_other_digits(other_digits, adapted):
    (background, whose), enrolment, (test, names) = other_digits
    extractor = IVectors(50, max_iter=15, random_state=0).fit(background, adapted)
    known, enrolled, new = (length_normalised(extractor.transform(x)) for x in (background, enrolment[0], test))
    model = PLDA(max_iter=100).fit(known, whose)
    sets = [enrolled[np.array(enrolment[1]) == name] for name in PEOPLE]
    identified, error = rates(model.scores(sets, new), names)
    assert identified >= 0.85
    assert error <= 0.1
