"""Models of one sequence against the peer's and against their definition."""

import numpy as np
import pytest

from seqem.bio.alphabet import DNA, PROTEIN, RNA
from seqem.bio.background import background
from seqem.errors import DataError, ParameterError
from seqem.profile.single_sequence import conditionals, from_sequence

ALL_LETTERS = {"protein": "ACDEFGHIKLMNPQRSTVWYBXZUOJ", "dna": "ACGTNRYSWKMBDHV", "rna": "GACU"}


@pytest.mark.parametrize("alphabet", [PROTEIN, DNA, RNA], ids=lambda a: a.name)
@pytest.mark.parametrize("gaps", [{}, {"popen": 0.1, "pextend": 0.3}])
def test_equals_the_peer(alphabet, gaps):
    easel, plan7 = (pytest.importorskip(f"pyhmmer.{name}") for name in ("easel", "plan7"))
    peer = {"protein": easel.Alphabet.amino, "dna": easel.Alphabet.dna, "rna": easel.Alphabet.rna}[alphabet.name]()
    text = ALL_LETTERS[alphabet.name]
    query = easel.TextSequence(name="q", sequence=text).digitize(peer)
    expected, _, _ = plan7.Builder(peer, **gaps).build(query, plan7.Background(peer))
    model = from_sequence(alphabet.encode(text), alphabet, name="q", **gaps)
    np.testing.assert_allclose(model.match[1:], np.array(expected.match_emissions)[1:], rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.insert, np.array(expected.insert_emissions), rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.transitions, np.array(expected.transition_probabilities), rtol=0, atol=1e-6)
    assert model.consensus.lower() == expected.consensus.lower()


@pytest.mark.parametrize("matrix", ["BLOSUM45", "BLOSUM90", "PAM30"])
def test_conditionals_are_probabilities_with_the_scores_of_the_matrix(matrix):
    from Bio.Align import substitution_matrices

    p, q = conditionals(PROTEIN, matrix)[:20], background(PROTEIN)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    scores = np.array(substitution_matrices.load(matrix).select(PROTEIN.letters))
    log_odds = np.log(p / q)
    joint = log_odds - log_odds.mean(axis=1, keepdims=True)  # the row's norm drops out
    centred = scores - scores.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(joint, joint[0, 0] / centred[0, 0] * centred, atol=1e-9)


@pytest.mark.parametrize("symbols", [[], [DNA.gap], [[0, 1]]])
def test_refuses_what_is_no_sequence(symbols):
    with pytest.raises(DataError):
        from_sequence(np.array(symbols, dtype=np.uint8), DNA, name="x")


@pytest.mark.parametrize("options", [{"matrix": "nothing"}, {"popen": 0.5}, {"pextend": 1.0}])
def test_refuses_options(options):
    with pytest.raises(ParameterError):
        from_sequence(DNA.encode("ACGT"), DNA, name="x", **options)


def test_refuses_scores_of_another_alphabet():
    with pytest.raises(ParameterError, match="no scores"):
        from_sequence(PROTEIN.encode("MKV"), PROTEIN, name="x", matrix="NUC.4.4")
