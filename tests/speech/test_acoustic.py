"""Embedded training: what holds for every EM model, and what only transcripts teach."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.core.batch import SequenceBatch
from seqem.core.tree import tree_add, tree_leaves
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf
from seqem.em.driver import fit
from seqem.em.methods import accelerator
from seqem.em.point import EMMap
from seqem.em.score import score
from seqem.em.stop import StopRule
from seqem.errors import NumericalError
from seqem.hmm.gmm import GMMHMM
from seqem.speech.acoustic import AcousticModel, Spoken
from seqem.speech.composite import Composite
from seqem.speech.graph import compile_graph
from seqem.speech.lexicon import Lexicon, Pronunciation
from seqem.speech.network import transcript
from seqem.speech.starts import even_cut, flat_start, growing, split
from seqem.speech.unit_network import Pauses, spell
from seqem.speech.units import Inventory, left_right, short_pause, silence

INVENTORY = Inventory(
    {"a": left_right([0, 1]), "b": left_right([2, 3]), "sil": silence([4, 5, 6]), "sp": short_pause(5)}
)
LEXICON = Lexicon(
    {"x": (Pronunciation(("a", "b")), Pronunciation(("b",), 0.5)), "y": (Pronunciation(("b", "sp", "a")),)}
)
PAUSES = Pauses("sil")


def recordings(rng, n=12):
    """Frames near where their phone is, and what was said."""
    at = {"x": (0.0, 4.0), "y": (4.0, 0.0)}
    said = [tuple(rng.choice(["x", "y"], 1 + i % 3)) for i in range(n)]
    frames = []
    for words in said:
        levels = [9.0, *(level for word in words for level in at[word]), 9.0]
        frames.append(np.concatenate([rng.normal(level, 0.7, (rng.integers(5, 9), 2)) for level in levels]))
    return frames, said


def shards(frames, said, lexicon=LEXICON):
    return [
        [Spoken(compile_graph(spell(transcript(words), lexicon, PAUSES), INVENTORY), SequenceBatch.of([part]))]
        for part, words in zip(frames, said, strict=True)
    ]


def begin(n_mix=1, training="posterior"):
    rng = np.random.default_rng(0)
    frames, said = recordings(rng)
    model = AcousticModel(INVENTORY, MixtureOf(Gaussian("diag"), 1), training)
    cut = [
        even_cut(w, f[:, 0] > 7.0, Composite(LEXICON, INVENTORY, PAUSES), rng)
        for f, w in zip(frames, said, strict=True)
    ]
    params = flat_start(model, np.concatenate(frames), np.concatenate(cut))
    for size in growing(n_mix)[1:]:
        model = AcousticModel(INVENTORY, MixtureOf(Gaussian("diag"), size), training)
        params = params._replace(emission=split(params.emission, size))
    return model, params, shards(frames, said)


@pytest.mark.parametrize("training", ["posterior", "viterbi"])
def test_em_never_falls_and_gains(training):
    model, params, data = begin(2, training)
    result = fit(model, params, data, stop=StopRule(max_iter=15))
    assert (np.diff(result.history.objective) >= -1e-9).all()
    assert result.history.objective[-1] > result.history.objective[0] + 10


def test_statistics_add_over_shards():
    model, params, data = begin(2)
    whole = model.e_step(params, [spoken for shard in data for spoken in shard])
    parts = [model.e_step(params, shard) for shard in data]
    total = parts[0].stats
    for part in parts[1:]:
        total = tree_add(total, part.stats)
    for (name, a), (_, b) in zip(tree_leaves(whole.stats), tree_leaves(total), strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)
    assert_allclose(whole.log_likelihood, sum(p.log_likelihood for p in parts), rtol=1e-12)


def test_score_is_the_derivative():
    model, params, data = begin(2)
    vector = model.pack(params)
    step = 1e-6
    gradient = score(model, EMMap(model, data).evaluate(params, "start"), vector)

    def value(v):
        return sum(model.e_step(model.unpack(v, params), shard).log_likelihood for shard in data)

    for i in range(0, len(vector), 5):
        away = np.eye(len(vector))[i] * step
        assert_allclose(gradient[i], (value(vector + away) - value(vector - away)) / (2 * step), rtol=1e-4, atol=1e-4)
    again = model.unpack(vector, params)
    for (name, a), (_, b) in zip(tree_leaves(again), tree_leaves(params), strict=True):
        assert_allclose(a, b, rtol=1e-10, atol=1e-12, err_msg=name)


def test_other_methods_reach_what_em_reaches():
    model, params, data = begin(1)
    plain = fit(model, params, data, stop=StopRule(max_iter=200, rel_tol=1e-10))
    fast = fit(model, params, data, stop=StopRule(max_iter=200, rel_tol=1e-10), accelerate=accelerator("squarem"))
    assert_allclose(fast.objective, plain.objective, rtol=1e-6)


def test_one_word_alone_is_a_left_right_hmm():
    # The chain engine of the general HMMs walks dense matrices; both must agree.
    rng = np.random.default_rng(1)
    inventory = Inventory({"w": left_right([0, 1, 2])})
    frames = [np.sort(rng.normal(0, 2, (rng.integers(6, 12), 2)), axis=0) for _ in range(8)]
    graph = compile_graph(spell(transcript(["w"]), Lexicon.of_words(["w"])), inventory)
    model = AcousticModel(inventory, MixtureOf(Gaussian("diag"), 2))
    start = flat_start(
        AcousticModel(inventory, MixtureOf(Gaussian("diag"), 1)),
        np.concatenate(frames),
        np.concatenate([np.arange(len(f)) * 3 // len(f) for f in frames]),
    )
    params = start._replace(emission=split(start.emission, 2))
    step = model.e_step(params, [Spoken(graph, SequenceBatch.of(frames))])

    dense = GMMHMM(3, n_mix=2, ends=True, init_params="", covariance_type="diag")
    loops, on = params.transitions[1::2], params.transitions[2::2]
    dense.startprob_ = np.array([1.0, 0.0, 0.0])
    dense.transmat_ = np.diag(loops) + np.diag(on[:2], 1)
    dense.endprob_ = np.array([0.0, 0.0, on[2]])
    dense.weights_ = params.emission.weights
    dense.means_, dense.covars_ = (leaf.reshape(3, 2, 2) for leaf in params.emission.component)
    assert_allclose(step.log_likelihood, dense.score(np.concatenate(frames), [len(f) for f in frames]), rtol=1e-10)


def test_transcripts_alone_find_the_words():
    rng = np.random.default_rng(3)
    model, params, _ = begin(1)
    plain = Lexicon({"x": (Pronunciation(("a", "b")),), "y": (Pronunciation(("b", "a")),)})
    result = fit(model, params, shards(*recordings(rng, 40), plain), stop=StopRule(max_iter=40))
    mean = result.params.emission.component.mean[:, 0]
    assert_allclose(mean[[0, 1]], 0.0, atol=0.5)
    assert_allclose(mean[[2, 3]], 4.0, atol=0.5)
    assert_allclose(mean[4], 9.0, atol=0.5)
    assert not np.allclose(params.emission.component.mean[:4, 0], [0, 0, 4, 4], atol=0.5)


def test_a_transcript_that_does_not_fit_is_named():
    model, params, _ = begin(1)
    graph = compile_graph(spell(transcript(["y"] * 9), LEXICON, PAUSES), INVENTORY)
    with pytest.raises(NumericalError, match=r"c\.wav.*4 frames, at least 36 needed"):
        model.e_step(params, [Spoken(graph, SequenceBatch.of([np.zeros((4, 2))], names=("c.wav",)))])
