import numpy as np
import pytest

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import DNA, PROTEIN, RNA
from seqem.bio.checksum import alignment_checksum
from seqem.io.alignments import read_alignment
from seqem.io.hmmer3 import read_model


def _alignment(rows, alphabet):
    symbols = np.array([alphabet.encode_aligned(row) for row in rows])
    return Alignment(symbols, alphabet, tuple(map(str, range(len(rows)))))


def _plain(codes):
    value = 0
    for code in codes:
        value = (value + code) & 0xFFFFFFFF
        value = (value + (value << 10)) & 0xFFFFFFFF
        value ^= value >> 6
    value = (value + (value << 3)) & 0xFFFFFFFF
    value ^= value >> 11
    return (value + (value << 15)) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("alphabet", "letters"),
    [(PROTEIN, "ACDEFGHIKLMNPQRSTVWY-BJZOUX"), (DNA, "ACGT-RYMKSWHVBDN"), (RNA, "ACGU-RYMKSWHVBDN")],
)
def test_codes_are_in_the_order_of_the_format(alphabet, letters):
    for code, letter in enumerate(letters):
        assert alignment_checksum(_alignment([letter + "A" + letter], alphabet)) == _plain([code, 0, code])
    rows = np.random.default_rng(1).integers(0, len(letters), (5, 40))
    text = ["".join(letters[c] for c in row) for row in rows]
    assert alignment_checksum(_alignment(text, alphabet)) == _plain(rows.ravel().tolist())


def test_peer_agrees():
    easel = pytest.importorskip("pyhmmer.easel")
    rows = ["ACDBJZOUX-.K", "MNPQRSTVWY-A"]
    msa = easel.TextMSA(
        name=b"x", sequences=[easel.TextSequence(name=b"ab"[i : i + 1], sequence=r) for i, r in enumerate(rows)]
    )
    peer = msa.digitize(easel.Alphabet.amino()).checksum()
    assert alignment_checksum(_alignment(rows, PROTEIN)) == peer


def test_golden_models(shared_data):
    folder = shared_data / "profile"
    found = 0
    for path in sorted(folder.glob("hmmer_t*/*.sto")):
        model = folder / "golden" / f"{path.stem}.default.hmm"
        model = model if model.exists() else path.with_suffix(".hmm")
        if model.exists():
            wanted = read_model(model)
            alignment = read_alignment(path, alphabet=wanted.alphabet.name)
            assert alignment_checksum(alignment) == wanted.checksum, path
            found += 1
    assert found >= 10
