import numpy as np
import pytest

from seqem.errors import DataError, ParameterError
from seqem.speech.detection import speech_frames
from seqem.speech.features import Features
from seqem.speech.front_end import FrontEnd
from seqem.speech.normalise import normalised, sliding_normalised, speaker_normalised

RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(900, 3)) * [1.0, 5.0, 0.1] + [0.0, 100.0, -3.0]


def test_an_utterance_has_mean_0_and_variance_1():
    out = normalised(FRAMES, variance=True)
    np.testing.assert_allclose(out.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(normalised(FRAMES).std(axis=0), FRAMES.std(axis=0), rtol=1e-12)


def test_the_utterances_of_a_speaker_go_together():
    parts = speaker_normalised([FRAMES[:100], FRAMES[100:]], variance=True)
    np.testing.assert_allclose(np.concatenate(parts), normalised(FRAMES, variance=True))
    assert np.abs(parts[0].mean(axis=0)).max() > 0.01
    with pytest.raises(DataError, match="features"):
        speaker_normalised([np.zeros((2, 3)), np.zeros((2, 4))])
    assert speaker_normalised([np.zeros((0, 3))])[0].shape == (0, 3)


@pytest.mark.parametrize("variance", [True, False])
@pytest.mark.parametrize("window", [10, 601, 900, 5000])
def test_a_sliding_window_is_what_it_says(window, variance):
    out = sliding_normalised(FRAMES, window, variance=variance)
    for t in (0, 3, 450, 898):
        start = np.clip(t - window // 2, 0, max(0, 900 - window))
        part = FRAMES[start : start + window]
        wanted = (FRAMES[t] - part.mean(axis=0)) / (part.std(axis=0) if variance else 1.0)
        np.testing.assert_allclose(out[t], wanted, rtol=1e-7, atol=1e-9)


def test_constant_features_stay_finite():
    assert (normalised(np.ones((5, 2)), variance=True) == 0).all()


def test_speech_is_found_between_silences():
    energy = np.concatenate([RNG.normal(6, 0.5, 50), RNG.normal(18, 1.0, 80), RNG.normal(6, 0.5, 40)])
    found = np.flatnonzero(speech_frames(energy))
    assert abs(found[0] - 50) <= 2
    assert abs(found[-1] - 129) <= 2
    assert len(found) >= 76
    lonely = np.full(20, 1.0)
    lonely[10] = 30.0
    assert not speech_frames(lonely).any()
    assert speech_frames(np.zeros(0)).shape == (0,)
    with pytest.raises(ParameterError):
        speech_frames(energy, proportion=0.0)


def test_frames_that_do_not_count_have_no_part_in_the_mean():
    rng = np.random.default_rng(5)
    parts = [rng.normal(size=(n, 3)) for n in (7, 4)]
    counted = [np.arange(7) % 2 == 0, np.array([True, False, False, True])]
    for variance in (False, True):
        out = speaker_normalised(parts, variance=variance, counted=counted)
        known = np.concatenate([part[mask] for part, mask in zip(out, counted, strict=True)])
        np.testing.assert_allclose(known.mean(axis=0), 0.0, atol=1e-12)
        if variance:
            np.testing.assert_allclose(known.std(axis=0), 1.0, rtol=1e-12)
        moved = [part + 1e6 * ~mask[:, None] for part, mask in zip(parts, counted, strict=True)]
        again = speaker_normalised(moved, variance=variance, counted=counted)
        for a, b, mask in zip(again, out, counted, strict=True):
            np.testing.assert_allclose(a[mask], b[mask], rtol=1e-9)


def test_a_speaker_who_pauses_more_is_not_the_more_different():
    rng = np.random.default_rng(6)
    speech = np.sin(np.arange(16000) * 0.3) * (1 + 0.5 * rng.standard_normal(16000)) * 0.3
    pause = 1e-4 * rng.standard_normal(32000)
    front_end = FrontEnd(Features(sample_rate=8000), "speaker")
    brief, slow = front_end([np.concatenate([speech, pause[:800]]), np.concatenate([speech, pause])], ["a", "b"])
    np.testing.assert_allclose(brief[:150], slow[:150], atol=0.2)
    whole = FrontEnd(Features(sample_rate=8000), "utterance")
    brief, slow = whole([np.concatenate([speech, pause[:800]]), np.concatenate([speech, pause])])
    assert np.abs(brief[:150] - slow[:150]).max() > 10


@pytest.mark.parametrize("options", [{}, {"style": "kaldi"}, {"energy": "log"}, {"kind": "fbank"}])
def test_features_of_a_speaker_are_normalised_as_samples_are(options):
    rng = np.random.default_rng(8)
    recordings = [np.concatenate([rng.normal(0, 0.3, 4000), rng.normal(0, 1e-4, 4000 * i)]) for i in (1, 3)]
    front_end = FrontEnd(Features(sample_rate=8000, **options), "speaker")
    from_samples = front_end(recordings, ["a", "b"])
    from_features = front_end([front_end.features(part) for part in recordings], ["a", "b"])
    for one, two in zip(from_samples, from_features, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)
    # the loud part has mean zero, whatever the pause
    for part in from_samples:
        np.testing.assert_allclose(part[:40].mean(axis=0), 0.0, atol=2.0)
