"""Models of speakers as files."""

import numpy as np

from seqem import GMMUBM, PLDA, IVectors, load, save
from seqem.speech.features import Features

RNG = np.random.default_rng(0)
RECORDINGS = [RNG.normal(at, 1, (40, 3)) for at in RNG.normal(size=12)]
NAMES = ["ann", "bob", "cleo", "dan"] * 3


def returned(model, path):
    save(path, model)
    again = load(path)
    assert again.log_likelihood_ == model.log_likelihood_
    return again


def test_speakers_come_back(tmp_path):
    features = Features(sample_rate=8000, n_ceps=19, delta_order=1)
    model = GMMUBM(2, adapt="mcw", features=features, random_state=0).fit(RECORDINGS, NAMES)
    again = returned(model, tmp_path / "speakers")
    assert again.speakers_ == ["ann", "bob", "cleo", "dan"]
    assert again.features == features
    np.testing.assert_array_equal(again.scores(RECORDINGS), model.scores(RECORDINGS))
    assert again.enrol("eve", RECORDINGS[:1]).speakers_[-1] == "eve"


def test_vectors_and_their_judge_come_back(tmp_path):
    background = returned(GMMUBM(2, random_state=0).fit(RECORDINGS), tmp_path / "background")
    model = IVectors(2, random_state=0).fit(RECORDINGS, background)
    again = returned(model, tmp_path / "ivectors")
    vectors = again.transform(RECORDINGS)
    np.testing.assert_array_equal(vectors, model.transform(RECORDINGS))
    judge = PLDA().fit(vectors, NAMES)
    enrolled = [vectors[i : i + 2] for i in range(4)]
    np.testing.assert_array_equal(
        returned(judge, tmp_path / "plda").scores(enrolled, vectors), judge.scores(enrolled, vectors)
    )


def test_samples_are_turned_to_frames():
    samples = [0.1 * RNG.normal(size=4000) for _ in range(4)]
    features = Features(sample_rate=8000)
    of_samples = GMMUBM(2, features=features, random_state=0).fit(samples, NAMES[:4])
    of_frames = GMMUBM(2, random_state=0).fit([features(part) for part in samples], NAMES[:4])
    mixed = [samples[0], features(samples[1])]
    np.testing.assert_array_equal(of_samples.scores(mixed), of_frames.scores([features(part) for part in samples[:2]]))
    assert of_samples.verify(samples[0], "ann") == of_samples.scores(samples[0])[0, 0]
