"""Recognition and alignment, on made-up recordings and on real ones."""

import csv
from copy import copy
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.errors import DataError, NotFittedError, ParameterError, RecordingsError
from seqem.io.audio import read_audio
from seqem.io.models import load, save
from seqem.speech.features import Features
from seqem.speech.lexicon import Lexicon, Pronunciation
from seqem.speech.network import WordArc, WordNetwork, transcript, word_loop
from seqem.speech.recogniser import SpeechRecogniser

LEVELS = {"low": (0.0, 2.0), "high": (6.0, 4.0)}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def say(words, rng, pause=12):
    """Frames of words with silence around and between them, and where each word begins and ends."""
    frames, spans, at = [rng.normal(-9, 0.3, (pause, 3))], [], pause
    for word in words:
        parts = [rng.normal(level, 0.4, (rng.integers(6, 10), 3)) for level in LEVELS[word]]
        frames += [*parts, rng.normal(-9, 0.3, (pause, 3))]
        length = sum(map(len, parts))
        spans.append((at, at + length))
        at += length + pause
    return np.concatenate(frames), spans


def corpus(rng, n=30):
    said = [tuple(rng.choice(list(LEVELS), 1 + i % 4)) for i in range(n)]
    spoken = [say(words, rng) for words in said]
    return [frames for frames, _ in spoken], said, [spans for _, spans in spoken]


@pytest.fixture(scope="module")
def model():
    frames, said, _ = corpus(np.random.default_rng(0))
    return SpeechRecogniser(n_states=2, normalise=None, random_state=0).fit(frames, said)


def test_it_learns_from_transcripts_alone(model):
    frames, said, spans = corpus(np.random.default_rng(1))
    assert model.predict(frames) == [tuple(words) for words in said]
    for recording, words, known in zip(frames, said, spans, strict=True):
        found = model.align([recording], [words])[0].words
        assert [segment.label for segment in found] == list(words)
        edges = np.array([(segment.start, segment.end) for segment in found])
        assert_allclose(edges, np.array(known) * 0.01, atol=0.011)


def test_readings_have_times_and_trust(model):
    frames, said, spans = corpus(np.random.default_rng(2), 4)
    for readings, words, known in zip(model.recognise(frames, n_best=3), said, spans, strict=True):
        best, *others = readings
        assert best.words == tuple(words)
        assert len({reading.words for reading in readings}) == len(readings) == 3
        assert best.score > max(reading.score for reading in others)
        assert 0.9 < best.confidence <= 1.0
        assert min(reading.confidence for reading in others) < best.confidence
        assert_allclose([s.start for s in best.segments], [a * 0.01 for a, _ in known], atol=0.011)


def test_alignment_adds_up(model):
    frames, said, _ = corpus(np.random.default_rng(3), 3)
    for aligned, recording in zip(model.align(frames, said), frames, strict=True):
        for name in ("phones", "states"):
            tier = aligned.tiers[name]
            assert tier[0].start == 0.0
            assert_allclose(tier[-1].end, len(recording) * 0.01)
            assert all(a.end == b.start for a, b in pairwise(tier))
            assert all(0.0 <= segment.posterior <= 1.0 + 1e-9 for segment in tier)
        total = [sum(s.log_likelihood for s in aligned.tiers[name]) for name in ("phones", "states")]
        assert_allclose(total[0], total[1], rtol=1e-9)
        assert aligned.log_likelihood < total[0]  # transitions come on top


def test_a_network_says_what_may_be_said(model):
    frames, _ = say(["high", "low"], np.random.default_rng(4))
    assert model.predict([frames], transcript(["low", "low"])) == [("low", "low")]
    network = WordNetwork(
        3, (WordArc(0, 1, "high", 0.0), WordArc(1, 2, "high", -1.0), WordArc(1, 2, "low", -9.0)), 0, 2
    )
    assert model.predict([frames], network) == [("high", "low")]


def test_penalties_weigh(model):
    frames, _ = say(["high"] * 3, np.random.default_rng(5), pause=0)
    few, many = (model.__class__(**{**model.get_params(), "word_penalty": p}) for p in (-1e4, 0.0))
    for other in (few, many):
        vars(other).update({k: v for k, v in vars(model).items() if k.endswith("_") or k.startswith("_")})
    assert len(few.predict([frames])[0]) < len(many.predict([frames])[0])


def test_a_beam_that_leaves_nothing_is_not_the_end(model):
    frames, said, _ = corpus(np.random.default_rng(13), 6)
    narrow = copy(model).set_params(beam=1e-3)
    assert narrow.predict(frames) == model.predict(frames)
    assert [[w.label for w in a.words] for a in narrow.align(frames, said)] == [list(words) for words in said]
    again = SpeechRecogniser(n_states=2, normalise=None, beam=30.0, random_state=0).fit(frames, said)
    assert np.isfinite(again.log_likelihood_)


def test_phones_of_a_lexicon():
    lexicon = Lexicon(
        {"low": (Pronunciation(("l", "o")),), "high": (Pronunciation(("h", "i")), Pronunciation(("h",), 0.1))}
    )
    frames, said, _ = corpus(np.random.default_rng(6))
    model = SpeechRecogniser(lexicon, n_states=1, normalise=None, random_state=0).fit(frames, said)
    assert set(model.inventory_.units) == {"l", "o", "h", "i", "sil"}
    assert model.predict(frames) == [tuple(words) for words in said]
    phones = [s.label for s in model.align(frames[:1], [said[0]])[0].tiers["phones"] if s.label != "sil"]
    assert phones == [unit for word in said[0] for unit in lexicon[word][0].units]


def test_states_may_share_their_gaussians(tmp_path):
    frames, said, _ = corpus(np.random.default_rng(9))
    model = SpeechRecogniser(n_states=2, codebook=8, normalise=None, random_state=0).fit(frames, said)
    assert model.params_.emission.weights.shape == (2 * 2 + 3, 8)
    assert model.params_.emission.component.mean.shape == (8, 3)
    assert (np.diff(model.history_.objective) >= -1e-6).all()
    new, expected, _ = corpus(np.random.default_rng(10), 12)
    assert model.predict(new) == [tuple(words) for words in expected]
    save(tmp_path / "shared.safetensors", model)
    assert load(tmp_path / "shared.safetensors").predict(new) == model.predict(new)
    for method in ("cmllr", "mllr", "map"):
        assert model.adapt(new, expected, method=method).predict(new) == model.predict(new)


def babble(words, rng):
    """Samples at 8 kHz: a word is two buzzes, each through another resonance; silence around them."""
    voices = {"low": (400.0, 900.0), "high": (2500.0, 1700.0)}
    parts = [0.001 * rng.standard_normal(1600)]
    for word in words:
        for hertz in voices[word]:
            time = np.arange(1200) / 8000
            buzz = np.sin(2 * np.pi * hertz * time) + 0.3 * np.sin(2 * np.pi * 120 * time)
            parts.append(0.3 * buzz * (1 + 0.1 * rng.standard_normal(1200)))
        parts.append(0.001 * rng.standard_normal(1600))
    return np.concatenate(parts)


def test_a_stream_is_heard_as_it_comes():
    rng = np.random.default_rng(12)
    said = [tuple(rng.choice(["low", "high"], 1 + i % 3)) for i in range(24)]
    model = SpeechRecogniser(features=Features(sample_rate=8000), n_states=2, n_mix=1, random_state=0)
    model.fit([babble(words, rng) for words in said], said)
    samples = babble(["low", "high", "high"], rng)
    assert model.predict([samples]) == [("low", "high", "high")]
    endings = []
    for size in (400, 1111, len(samples)):
        heard = list(model.listen(samples[i : i + size] for i in range(0, len(samples), size)))
        assert [h.final for h in heard] == [False] * (len(heard) - 1) + [True]
        assert all(a.seconds <= b.seconds for a, b in pairwise(heard))
        endings.append(heard[-1])
        if size == 400:
            assert {len(h.words) for h in heard} == {0, 1, 2, 3}
    assert endings[0].words == ("low", "high", "high")
    assert len(set(endings)) == 1
    with pytest.raises(DataError, match="ended too early"):
        list(model.listen([samples[:100]]))


@pytest.mark.parametrize("name", ["sil", "<sil>"])
def test_a_word_may_be_called_like_the_pause(name):
    frames, said, _ = corpus(np.random.default_rng(14), 16)
    called = [tuple(name if word == "low" else word for word in words) for words in said]
    one = SpeechRecogniser(n_states=2, normalise=None, random_state=0).fit(frames, said)
    two = SpeechRecogniser(n_states=2, normalise=None, random_state=0).fit(frames, called)
    assert two.predict(frames) == called
    assert_allclose(two.log_likelihood_, one.log_likelihood_, rtol=1e-6)
    assert [w.label for w in two.align(frames[:1], called[:1])[0].words] == list(called[0])
    assert two.recognise(frames[:1])[0][0].confidence > 0.9


def test_a_fit_that_fails_leaves_the_last_one_whole(model):
    frames, said, _ = corpus(np.random.default_rng(15), 4)
    kept = copy(model)
    for options, words in (({}, ["up down"] * 3 + ["up " * 99]), ({"training": "magic"}, ["up"] * 4)):
        kept.set_params(**options)
        with pytest.raises((DataError, ParameterError)):
            kept.fit(frames, words)
        assert kept.set_params(training="posterior").predict(frames) == [tuple(words) for words in said]


def test_recordings_with_other_features_are_refused(model):
    for recordings in ([np.zeros((50, 2))], [np.zeros((50, 4))], [np.random.default_rng(0).normal(size=8000)]):
        with pytest.raises(DataError, match="other features than those of the training"):
            model.predict(recordings)
    with pytest.raises(DataError, match="recording 1: it has another number of features"):
        SpeechRecogniser().fit([np.zeros((50, 2)), np.zeros((50, 3))], ["a", "a"])


def test_all_that_are_refused_are_numbered(model):
    frames, said, _ = corpus(np.random.default_rng(16), 4)
    short = [frames[0], frames[1][:1], frames[2], frames[3][:1]]
    for run in (lambda: model.predict(short), lambda: model.recognise(short), lambda: model.align(short, said)):
        with pytest.raises(RecordingsError) as caught:
            run()
        assert set(caught.value.reasons) == {1, 3}


def test_seconds_are_those_of_the_samples():
    # At 11025 Hz a frame moves by 110 samples, which is not 10 ms.
    rng = np.random.default_rng(17)
    said = [("low", "high") * 3, ("high",), ("low",), ("low", "low")] * 4
    model = SpeechRecogniser(features=Features(sample_rate=11025), n_states=2, n_mix=1, random_state=0)
    model.fit([babble(words, rng) for words in said], said)
    words = ("low", "high") * 30
    aligned = model.align([babble(words, rng)], [words])[0]
    starts = (1600 + np.arange(60) * 4000) / 11025
    assert_allclose([word.start for word in aligned.words], starts, atol=0.03)


def test_what_the_shortest_recordings_do_not_show_is_possible():
    frames = [np.repeat(np.random.default_rng(i).normal([[0.0], [5.0]], 0.1, (2, 1)), 1, axis=0) for i in range(9)]
    model = SpeechRecogniser(n_states=2, n_mix=1, pauses=False, normalise=None, random_state=0).fit(frames, ["a"] * 9)
    assert model.predict([np.repeat(frames[0], 5, axis=0)]) == [("a",)]


def test_what_cannot_be():
    frames, said, _ = corpus(np.random.default_rng(7), 4)
    model = SpeechRecogniser(n_states=2, normalise=None, random_state=0)
    with pytest.raises(NotFittedError):
        model.predict(frames)
    with pytest.raises(DataError, match="each recording needs a transcript"):
        model.fit(frames, said[:2])
    with pytest.raises(DataError, match="recording 0: it is too short"):
        model.fit([frames[0][:5], *frames[1:]], [["low"] * 9, *said[1:]])
    with pytest.raises(DataError, match=r"not in the lexicon.*high"):
        SpeechRecogniser(Lexicon.of_words(["low"])).fit(frames, said)
    with pytest.raises(DataError, match=r"recording 1: .*silent"):
        model.fit([np.arange(8000.0) % 7, np.zeros(8000)], ["low", "low"])
    with pytest.raises(DataError, match=r"recording 0: .*no frames"):
        model.fit([np.arange(1.0)], ["low"])
    with pytest.raises(ParameterError, match="normalise"):
        SpeechRecogniser(normalise="house").fit(frames, said)
    with pytest.raises(DataError, match="recording 1: nothing is said in it"):
        SpeechRecogniser(pauses=False).fit(frames, [said[0], "", *said[2:]])
    model.fit(frames, said)
    with pytest.raises(DataError, match="does not fit the recording"):
        model.align([frames[0][:6]], ["low low low low low low"])
    with pytest.raises(DataError, match="'medium' is not in the lexicon"):
        model.align([frames[0]], ["medium"])
    with pytest.raises(DataError, match="no words of the network"):
        model.predict([frames[0][:1]], word_loop(["low"]))


def test_a_saved_model_is_the_same(model, tmp_path):
    lexicon = Lexicon(
        {"low": (Pronunciation(("l", "o")),), "high": (Pronunciation(("h", "i")), Pronunciation(("h",), 0.1))}
    )
    frames, said, _ = corpus(np.random.default_rng(6), 9)
    phones = SpeechRecogniser(lexicon, n_states=1, n_mix=2, features=Features(sample_rate=8000), normalise="speaker")
    phones.fit(frames, said, speakers=["a", "b", "c"] * 3)
    for i, kept in enumerate((model, phones)):
        save(tmp_path / f"{i}.safetensors", kept)
        again = load(tmp_path / f"{i}.safetensors")
        assert again.get_params() == {**kept.get_params(), "lexicon": again.lexicon}
        who = {} if i == 0 else {"speakers": ["a"] * len(frames)}
        assert again.recognise(frames, **who) == kept.recognise(frames, **who)
        assert again.align(frames, said, **who) == kept.align(frames, said, **who)
    assert again.lexicon == lexicon


def test_workers_do_not_matter():
    from concurrent.futures import ThreadPoolExecutor

    frames, said, _ = corpus(np.random.default_rng(8), 8)
    one = SpeechRecogniser(n_states=2, normalise=None, random_state=0).fit(frames, said)
    with ThreadPoolExecutor(2) as pool:
        two = SpeechRecogniser(n_states=2, normalise=None, random_state=0).fit(frames, said, executor=pool)
    assert one.log_likelihood_ == two.log_likelihood_


# -- real recordings ---------------------------------------------------------------------------------


def yesno(folder):
    with open(folder / "transcripts.tsv") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        split: (
            [read_audio(folder / "waves_yesno" / row["file"]).samples for row in rows if row["split"] == split],
            [tuple(row["words"].split()) for row in rows if row["split"] == split],
        )
        for split in ("train", "test")
    }


@pytest.mark.slow
def test_yesno_from_transcripts_alone(shared_data):
    data = yesno(shared_data / "speech" / "yesno")
    starts = []
    for seed in range(3):
        model = SpeechRecogniser(features=Features(sample_rate=8000), random_state=seed).fit(*data["train"])
        recordings, said = data["test"]
        assert len(said) == 29
        assert model.predict(recordings) == said
        starts.append([s.start for a in model.align(recordings, said) for s in a.words])
    # whatever the seed, words begin within two frames of where another fit has them
    assert np.ptp(np.array(starts), axis=0).max() <= 0.0200001


def digits(folder, keep):
    rows = []
    for path in sorted((folder / "recordings").glob("*.wav")):
        digit, speaker, number = path.stem.split("_")
        if keep(int(number)):
            rows.append((read_audio(path).samples, DIGITS[int(digit)], speaker))
    return tuple(zip(*rows, strict=True))


@pytest.mark.slow
def test_spoken_digits(shared_data):
    folder = shared_data / "speech" / "fsdd"
    samples, said, _ = digits(folder, lambda number: number >= 5)
    model = SpeechRecogniser(features=Features(sample_rate=8000), random_state=0).fit(samples, said)
    samples, said, _ = digits(folder, lambda number: number < 5)
    right = [words == (word,) for words, word in zip(model.predict(samples), said, strict=True)]
    assert len(right) == 200
    assert np.mean(right) >= 0.99
