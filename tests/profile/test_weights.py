"""Weights against eslweight's tables, and their laws."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import average
from scipy.spatial.distance import squareform

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import DNA
from seqem.io.alignments import read_alignment
from seqem.profile.upgma import upgma
from seqem.profile.weights import WEIGHTINGS, blosum, clusters, given, gsc, position_based

TABLES = {"p": position_based, "g": gsc, "b": blosum}


def aligned(*rows, **notes):
    return Alignment(np.array([DNA.encode_aligned(r) for r in rows]), DNA, tuple(map(str, range(len(rows)))), **notes)


@pytest.mark.parametrize("name", ["globins4", "fn3", "Pkinase"])
@pytest.mark.parametrize("letter", TABLES)
def test_equal_the_tables_of_eslweight(shared_data, name, letter):
    alignment = read_alignment(shared_data / "profile" / "hmmer_tutorial" / f"{name}.sto")
    table = shared_data / "profile" / "golden" / f"{name}.eslweight_{letter}.tsv"
    expected = dict(line.split() for line in table.read_text().splitlines())
    weights = TABLES[letter](alignment)
    np.testing.assert_allclose(weights, [float(expected[n]) for n in alignment.names], rtol=0, atol=0.005 + 1e-9)


@pytest.mark.parametrize("name", WEIGHTINGS)
@pytest.mark.parametrize("rows", [("ACGT",), ("ACGT", "ACGT"), ("AC-T", "----", "NNCT", "ACGG"), ("----", "----")])
def test_sum_to_the_number_of_rows(name, rows):
    alignment = aligned(*rows, weights=np.arange(1.0, len(rows) + 1))
    weights = WEIGHTINGS[name](alignment, 0.62, None)
    assert weights.sum() == pytest.approx(len(rows))
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()


def test_position_based_by_hand():
    # Column 1 has two kinds, the others one: rows get 1/4 + 2/3, 1/4 + 2/3, 1/2 + 2/3.
    expected = np.array([1 / 4 + 2 / 3, 1 / 4 + 2 / 3, 1 / 2 + 2 / 3])
    np.testing.assert_allclose(position_based(aligned("GAT", "GAT", "CAT")), expected * 3 / expected.sum())


def test_columns_by_hand_are_looked_at():
    alignment = aligned("GA", "GA", "CA")
    assert position_based(alignment, columns=np.array([False, True])).tolist() == [1, 1, 1]


def test_given_weights_are_scaled():
    assert given(aligned("A", "C", weights=np.array([1.0, 3.0]))).tolist() == [0.5, 1.5]


def test_clusters_are_single_linkage():
    alignment = aligned("AAAAAAAA", "AAAAACCC", "AACCCCCC", "GGGGGGGG")
    assert clusters(alignment, 0.6).tolist() == [0, 0, 0, 3]
    assert clusters(alignment, 0.9).tolist() == [0, 1, 2, 3]


def test_trees_without_ties_are_those_of_scipy():
    condensed = np.random.default_rng(1).random(40 * 39 // 2)
    heights = upgma(squareform(condensed)).heights
    np.testing.assert_allclose(heights, average(condensed)[:, 2] / 2)
