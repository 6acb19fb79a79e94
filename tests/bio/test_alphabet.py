import pickle

import numpy as np
import pytest
from Bio.Data import IUPACData
from hypothesis import given
from hypothesis import strategies as st

from seqem.bio.alphabet import ALPHABETS, DNA, PROTEIN, RNA, alphabet_of, guess
from seqem.errors import DataError, ParameterError

every_alphabet = pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)


@every_alphabet
def test_symbols_are_letters_then_degenerate_letters(alphabet):
    letters = alphabet.letters + "".join(alphabet.degenerate)
    assert alphabet.encode(letters).tolist() == list(range(len(letters)))
    assert alphabet.encode(letters).dtype == np.uint8
    assert alphabet.gap == len(letters)


@every_alphabet
def test_codes_are_identity_then_sets_then_ones(alphabet):
    m = len(alphabet.letters)
    assert alphabet.codes.shape == (m + len(alphabet.degenerate), m)
    np.testing.assert_array_equal(alphabet.codes[:m], np.eye(m))
    np.testing.assert_array_equal(alphabet.codes[-1], np.ones(m))
    assert (np.diff(alphabet.codes.sum(axis=1)) >= 0).all()


@pytest.mark.parametrize(
    ("alphabet", "table"),
    [(DNA, IUPACData.ambiguous_dna_values), (RNA, IUPACData.ambiguous_rna_values)],
    ids=["dna", "rna"],
)
def test_nucleotide_codes_are_iupac(alphabet, table):
    for letter, allowed in table.items():
        row = alphabet.codes[alphabet.encode(letter)[0]]
        assert {alphabet.letters[m] for m in np.flatnonzero(row)} == set(allowed)


def test_protein_codes():
    allowed = {
        c: "".join(PROTEIN.letters[m] for m in np.flatnonzero(PROTEIN.codes[PROTEIN.encode(c)[0]])) for c in "BJZUO"
    }
    assert allowed == {"B": "DN", "J": "IL", "Z": "EQ", "U": "C", "O": "K"}
    assert PROTEIN.encode_aligned("*")[0] == PROTEIN.encode("X")[0]


def test_synonyms_and_lower_case():
    assert DNA.encode("acgu").tolist() == DNA.encode("ACGT").tolist() == [0, 1, 2, 3]
    assert RNA.decode(RNA.encode("ACGTX")) == "ACGUN"


@every_alphabet
@given(data=st.data())
def test_round_trip(alphabet, data):
    text = data.draw(st.text(alphabet.letters + "".join(alphabet.degenerate)))
    assert alphabet.decode(alphabet.encode(text)) == text
    np.testing.assert_array_equal(alphabet.encode(text.lower().encode()), alphabet.encode(text))


@given(st.lists(st.sampled_from("ACGTNR-")))
def test_aligned_round_trip(letters):
    text = "".join(letters)
    assert DNA.decode(DNA.encode_aligned(text)) == text


def test_dots_are_gaps_too():
    assert DNA.encode_aligned("a.-").tolist() == [0, DNA.gap, DNA.gap]


@pytest.mark.parametrize(
    ("text", "letter", "position"), [("ACGTE", "E", 5), ("é", "é", 1), (b"AC\xffG", "\xff", 3), ("A C", " ", 2)]
)
def test_bad_letter_is_named_with_its_place(text, letter, position):
    assert DNA.find_bad(text) == position - 1
    with pytest.raises(DataError, match=f"letter {letter!r} at position {position} is not in the dna alphabet"):
        DNA.encode(text)


def test_gap_in_unaligned_text_has_a_hint():
    with pytest.raises(DataError, match="take the gaps out"):
        DNA.encode("AC-GT")


@pytest.mark.parametrize("symbols", [[16], [-1], [0.5], [[0, 1]]])
def test_decode_refuses_what_is_no_symbol(symbols):
    with pytest.raises(DataError, match="cannot write symbols"):
        DNA.decode(symbols)


def test_empty_text():
    assert DNA.encode("").shape == (0,)
    assert DNA.decode([]) == ""
    assert DNA.find_bad("") is None


def test_encoded_symbols_can_be_written_to():
    symbols = DNA.encode(b"ACGT")
    symbols[0] = 3
    assert DNA.decode(symbols) == "TCGT"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ACGTNNRY" + "ACGT" * 5, "dna"),
        ("acguacgu", "rna"),
        ("MKVLAT", "protein"),
        ("MSTNPKPQRKTKRNTNRRPQ", "protein"),
        (b"NNNN", "dna"),
        ("ACDEFGHIKLMNPQRSTVWY", "protein"),
    ],
)
def test_guess(text, name):
    assert guess(text).name == name


@pytest.mark.parametrize("text", ["", "12345"])
def test_guess_refuses(text):
    with pytest.raises(DataError, match="alphabet"):
        guess(text)


def test_lookup_by_name_or_letters():
    for alphabet in ALPHABETS.values():
        assert alphabet_of(alphabet.name) is alphabet_of(alphabet.letters) is alphabet
    with pytest.raises(ParameterError, match="one of dna, rna, protein"):
        alphabet_of("ABC")


def test_alphabets_pickle_and_compare():
    again = pickle.loads(pickle.dumps(DNA))
    assert again == DNA
    assert hash(again) == hash(DNA)
    assert again != RNA


def test_a_stop_is_no_residue():
    assert PROTEIN.encode("M*").tolist() == [10, PROTEIN.gap + 1]
    assert PROTEIN.decode(PROTEIN.encode("MK*")) == "MK*"
    assert PROTEIN.reads(PROTEIN.encode("MK*X"))
    assert not PROTEIN.reads(PROTEIN.encode_aligned("MK-"))
    with pytest.raises(DataError):
        DNA.encode("AC*")
