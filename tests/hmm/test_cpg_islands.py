"""CpG islands on human chromosome 20: an eight-state chain against the published islands.

States are A, C, G, T inside an island and outside; each emits its own letter. The prior knowledge is what one knows
without the answer: dinucleotides of the whole sequence outside, independent letters of 68 % GC inside, islands of 1000
bases every 100,000, held fixed; the rest is worth 10,000 observations a row. Decoded segments count as islands by the
definition of Gardiner-Garden & Frommer (1987): 200 bases, GC above one half, observed/expected CpG above 0.6.
Without a prior the likelihood prefers isochores to islands.
"""

from __future__ import annotations

import csv

import numpy as np
import pytest

import seqem
from seqem.io.segments import runs

ENTER, LEAVE, WORTH = 1e-5, 1e-3, 1e4


@pytest.fixture(scope="module")
def sequence(shared_data):
    return seqem.read(shared_data / "profile/dna/human_chr20_first_500kb.fa.gz")


@pytest.fixture(scope="module")
def published(shared_data, sequence):
    inside = np.zeros(sequence.n_rows, dtype=bool)
    with open(shared_data / "profile/dna/human_chr20_first_500kb.cpg_islands.tsv") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            inside[int(row["start0"]) : int(row["end"])] = True
    return inside


def expected_transitions(symbols):
    pairs = np.zeros((4, 4))
    known = (symbols[:-1] < 4) & (symbols[1:] < 4)
    np.add.at(pairs, (symbols[:-1][known], symbols[1:][known]), 1.0)
    outside, letters = pairs / pairs.sum(1, keepdims=True), np.array([0.16, 0.34, 0.34, 0.16])
    trans = np.empty((8, 8))
    trans[:4, :4], trans[:4, 4:] = letters * (1 - LEAVE), outside.mean(0) * LEAVE
    trans[4:, :4], trans[4:, 4:] = letters * ENTER, outside * (1 - ENTER)
    return trans


def fitted(sequence, state_prior=None):
    trans = expected_transitions(sequence.values)
    crossing = np.zeros((8, 8), dtype=bool)
    crossing[:4, 4:] = crossing[4:, :4] = True
    model = seqem.CategoricalHMM(
        8, transmat_prior=1 + WORTH * trans, fixed={"transmat_": crossing}, params="st", init_params="", n_iter=100
    )
    model.startprob_, model.transmat_ = np.full(8, 1 / 8), trans
    model.emissionprob_ = np.tile(np.eye(4), (2, 1))
    return model.fit(sequence, state_prior=state_prior)


def islands(model, sequence):
    """Return which rows lie in decoded segments that are islands by definition."""
    x = sequence.values
    inside = (model.predict(sequence) < 4).astype(np.int32)
    out = np.zeros(len(x), dtype=bool)
    for start, end in zip(*runs(inside), strict=True):
        part = x[start:end]
        c, g = (part == 1).sum(), (part == 2).sum()
        cpg = ((part[:-1] == 1) & (part[1:] == 2)).sum()
        long_enough, rich = end - start >= 200, c + g > 0.5 * (end - start)
        out[start:end] = inside[start] and long_enough and rich and cpg * (end - start) > 0.6 * c * g
    return out


def f1(found, truth):
    precision, recall = (found & truth).sum() / found.sum(), (found & truth).sum() / truth.sum()
    return 2 * precision * recall / (precision + recall)


def test_unlabelled_islands_are_found_and_labels_find_them_better(sequence, published):
    model = fitted(sequence)
    assert model.converged_
    unlabelled = f1(islands(model, sequence), published)
    assert unlabelled >= 0.75
    # With labels each half is decoded by a model that has seen the labels of the other half only.
    found, middle = np.zeros_like(published), sequence.n_rows // 2
    for seen, unseen in ((slice(0, middle), slice(middle, None)), (slice(middle, None), slice(0, middle))):
        truth = np.repeat(np.stack([published[seen], ~published[seen]], axis=1), 4, axis=1).astype(float)
        halves = [
            seqem.SequenceBatch.from_lengths(sequence.values[half], alphabet=sequence.alphabet)
            for half in (seen, unseen)
        ]
        found[unseen] = islands(fitted(halves[0], truth), halves[1])
    assert f1(found, published) > unlabelled
