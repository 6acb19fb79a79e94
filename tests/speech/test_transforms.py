"""Transforms of a speaker: EM laws, brute force at one Gaussian, and what they are for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from seqem.core.batch import SequenceBatch
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.em.driver import fit
from seqem.em.point import EMMap
from seqem.em.score import score
from seqem.em.stop import StopRule
from seqem.errors import ParameterError
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken
from seqem.speech.feature_transform import FeatureTransform, combined, identity, log_determinant, transformed
from seqem.speech.graph import compile_graph
from seqem.speech.lexicon import Lexicon
from seqem.speech.mean_transform import MeanTransform
from seqem.speech.network import transcript
from seqem.speech.recogniser import SpeechRecogniser
from seqem.speech.unit_network import spell
from seqem.speech.units import Inventory, left_right

D = 3
TURN = np.array([[1.2, 0.3, 0.0], [-0.2, 0.9, 0.1], [0.1, 0.0, 1.4]])
MOVE = np.array([2.0, -1.0, 0.5])


def setting(n_states=12, moved=True):
    """A word of many states, and recordings of it by a speaker who distorts space."""
    rng = np.random.default_rng(0)
    inventory = Inventory({"w": left_right(range(n_states))})
    mean, variance = rng.normal(0, 3, (2 * n_states, D)), rng.uniform(0.2, 1.0, (2 * n_states, D))
    emission = MixtureParams(np.full((n_states, 2), 0.5), GaussianParams(mean, variance))
    params = AcousticParams(inventory.transitions(0.7), emission)
    model = AcousticModel(inventory, MixtureOf(Gaussian("diag"), 2))
    recordings = []
    for _ in range(15):
        states = np.repeat(np.arange(n_states), rng.integers(2, 5, n_states))
        frames = model.distribution.sample(emission, states, rng)
        recordings.append((frames - MOVE) @ np.linalg.inv(TURN).T if moved else frames)
    graph = compile_graph(spell(transcript(["w"]), Lexicon.of_words(["w"])), inventory)
    shards = [[Spoken(graph, SequenceBatch.of(part))] for part in (recordings[:7], recordings[7:])]
    return model, params, shards


def test_frames_are_brought_back():
    model, params, shards = setting()
    stop = StopRule(max_iter=60, rel_tol=1e-9)
    free, held = (
        fit(FeatureTransform(model, params, frames), identity(D), shards, stop=stop) for frames in (0.0, 50.0)
    )
    for result in (free, held):
        assert (np.diff(result.history.objective) >= -1e-7).all()
    # recorded frames are inv(TURN) (x - MOVE), so TURN x + MOVE leads back
    assert_allclose(free.params, np.column_stack([TURN, MOVE]), atol=0.15)
    assert not np.allclose(identity(D), free.params, atol=0.3)
    assert np.linalg.norm(held.params - identity(D)) < np.linalg.norm(free.params - identity(D))


def test_the_m_step_is_the_maximum():
    model, params, shards = setting()
    transform = FeatureTransform(model, params, 20.0)
    start = identity(D)
    stats = transform.e_step(start, shards[0]).stats

    def q(vector):
        at = transform.unpack(vector, start)
        return -(transform.expected_log_likelihood(stats, at, start) + transform.log_prior(at))

    found = start
    for _ in range(20):  # an M-step improves row by row
        found = transform.m_step(stats, found)
    best = minimize(q, transform.pack(found) + 0.01, method="BFGS", options={"gtol": 1e-8})
    assert_allclose(transform.pack(found), best.x, atol=1e-5)


def test_at_the_identity_the_prior_is_content():
    model, params, shards = setting(moved=False)
    transform = FeatureTransform(model, params, 1e9)
    result = fit(transform, identity(D), shards, stop=StopRule(max_iter=3))
    assert_allclose(result.params, identity(D), atol=1e-4)


@pytest.mark.parametrize("kind", ["frames", "means"])
def test_fisher(kind):
    model, params, shards = setting()
    if kind == "frames":
        transform, start = FeatureTransform(model, params, 10.0), identity(D)
    else:
        transform = MeanTransform(model, params, np.arange(24) % 2, 10.0)
        start = np.tile(identity(D), (2, 1, 1))
    vector = transform.pack(start)
    gradient = score(transform, EMMap(transform, shards).evaluate(start, "start"), vector)

    def value(v):
        at = transform.unpack(v, start)
        return sum(transform.e_step(at, shard).log_likelihood for shard in shards) + transform.log_prior(at)

    for i in range(0, len(vector), 5):
        away = np.eye(len(vector))[i] * 1e-6
        expected = (value(vector + away) - value(vector - away)) / 2e-6
        assert_allclose(gradient[i], expected, rtol=1e-3, atol=1e-2)


def test_means_go_where_the_speaker_has_them():
    model, params, shards = setting()
    transform = MeanTransform(model, params, np.zeros(24, dtype=int), 1.0)
    result = fit(transform, identity(D)[None], shards, stop=StopRule(max_iter=60, rel_tol=1e-9))
    assert (np.diff(result.history.objective) >= -1e-7).all()
    back = np.linalg.inv(TURN)
    assert_allclose(result.params[0], np.column_stack([back, -back @ MOVE]), atol=0.15)


def test_a_class_of_few_gaussians_moves_only_where_they_tell():
    model, params, shards = setting(n_states=1, moved=True)
    transform = MeanTransform(model, params, np.zeros(2, dtype=int), 1e-6)  # two Gaussians, four unknowns a row
    result = fit(transform, identity(D)[None], shards, stop=StopRule(max_iter=5))
    assert np.isfinite(result.params).all()
    assert (np.diff(result.history.objective) >= -1e-7).all()
    frames = np.concatenate([part for shard in shards for spoken in shard for part in spoken.batch])
    assert_allclose(transform.adapted(result.params).emission.component.mean.mean(0), frames.mean(0), atol=1.0)


def test_transforms_follow_one_another():
    rng = np.random.default_rng(1)
    one, two, frames = rng.normal(size=(D, D + 1)), rng.normal(size=(D, D + 1)), rng.normal(size=(9, D))
    assert_allclose(transformed(combined(two, one), frames), transformed(two, transformed(one, frames)), rtol=1e-12)
    assert_allclose(log_determinant(combined(two, one)), log_determinant(two) + log_determinant(one), rtol=1e-12)


# -- of a recogniser ---------------------------------------------------------------------------------

LEVELS = {"low": (0.0, 2.0), "high": (6.0, 4.0), "up": (0.0, 6.0), "down": (6.0, 0.0)}


STRAIGHT = np.eye(2)


def say(words, rng, turn=STRAIGHT, move=0.0):
    parts = [rng.normal((level, -level), 0.5, (rng.integers(5, 9), 2)) for w in words for level in LEVELS[w]]
    return np.concatenate(parts) @ turn.T + move


def corpus(rng, n, **speaker):
    said = [tuple(rng.choice(list(LEVELS), 1 + i % 4)) for i in range(n)]
    return [say(words, rng, **speaker) for words in said], said


SPEAKERS = {
    "ann": {},
    "bob": {"turn": np.array([[1.1, 0.1], [0.0, 0.9]]), "move": np.array([0.4, 0.3])},
    "eve": {"turn": np.array([[0.9, 0.2], [0.1, 1.1]]), "move": np.array([-0.4, 0.2])},
}
STRANGER = {"turn": np.array([[1.3, 0.5], [0.3, 1.2]]), "move": np.array([1.0, 1.3])}


def trained(**options):
    rng = np.random.default_rng(2)
    frames, said, who = [], [], []
    for name, distortion in SPEAKERS.items():
        more = corpus(rng, 12, **distortion)
        frames, said, who = frames + more[0], said + more[1], who + [name] * 12
    model = SpeechRecogniser(
        n_states=2, n_mix=1, pauses=False, normalise=None, language_weight=1.0, random_state=0, **options
    )
    return model.fit(frames, said, speakers=who)


def likelihood(model, frames):
    return sum(readings[0].log_likelihood for readings in model.recognise(frames))


@pytest.mark.parametrize("method", ["cmllr", "mllr", "map"])
def test_adaptation_helps_a_stranger(method):
    model, rng = trained(), np.random.default_rng(3)
    own, said = corpus(rng, 20, **STRANGER)
    new, expected = corpus(rng, 20, **STRANGER)
    known = model.adapt(own, said, method=method)
    right = [a == b for a, b in zip(known.predict(new), expected, strict=True)]
    before = [a == b for a, b in zip(model.predict(new), expected, strict=True)]
    assert sum(right) >= 18 > sum(before)
    guessed = model.adapt(own, method=method)
    assert likelihood(guessed, new) > likelihood(model, new)
    assert model.predict(new) == trained().predict(new)  # the model itself stays as it was


def test_likelihoods_are_of_the_recording_and_not_of_what_it_was_transformed_to():
    model, rng = trained(), np.random.default_rng(5)
    own, said = corpus(rng, 6, **STRANGER)
    known = model.adapt(own, said)
    transform = known._transform
    frames = transformed(transform, own[0])
    there = model.recognise([frames])[0][0].log_likelihood + len(frames) * log_determinant(transform)
    assert_allclose(known.recognise(own[:1])[0][0].log_likelihood, there, rtol=1e-9)


def test_adaptive_training_sharpens_the_models():
    plain, adaptive = trained(), trained(adaptive_passes=1)
    assert adaptive.log_likelihood_ > plain.log_likelihood_ + 20
    assert len(adaptive.history_) > len(plain.history_)


def test_an_unknown_method_is_refused():
    with pytest.raises(ParameterError, match="unknown method of adaptation"):
        trained().adapt(*corpus(np.random.default_rng(0), 2), method="magic")
