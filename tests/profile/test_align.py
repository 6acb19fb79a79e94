"""Alignments to a model against hmmalign, and laws of any alignment."""

import numpy as np
import pytest

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError
from seqem.io.aligned import row_texts
from seqem.io.alignments import read_alignment
from seqem.io.fasta import read_fasta
from seqem.io.hmmer3 import read_model
from seqem.profile.align import align
from seqem.profile.estimator import ProfileHMM


@pytest.fixture(scope="module")
def globins(data):
    return read_fasta(data / "globins45.fa", alphabet="protein")


@pytest.fixture(scope="module")
def model(data):
    return ProfileHMM.from_alignment(data / "globins4.sto")


def test_equals_hmmalign_letter_by_letter(shared_data, globins):
    core = read_model(shared_data / "profile" / "hmmer_tutorial" / "globins4.hmm")
    golden = shared_data / "profile" / "golden" / "globins4.globins45.hmmalign.sto"
    family = align(core, globins)
    theirs = read_alignment(golden)
    assert family.alignment.names == theirs.names
    assert np.array_equal(family.alignment.symbols, theirs.symbols)
    assert family.alignment.reference == theirs.reference
    lines = [line.split() for line in golden.read_text().splitlines()]
    posteriors = [words[3] for words in lines if words[:1] == ["#=GR"]]
    assert list(family.posteriors) == posteriors
    assert family.consensus == next(words[2] for words in lines if words[:2] == ["#=GC", "PP_cons"])
    rows = [words[1] for words in lines if len(words) == 2 and words[0] in family.alignment.names]
    assert row_texts(family.alignment) == rows


@pytest.mark.parametrize(
    "options", [{}, {"mode": "glocal"}, {"all_domains": True}, {"all_domains": True, "mode": "glocal"}]
)
def test_no_residue_is_lost(model, globins, options):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 20, n).astype(np.uint8) for n in (0, 1, 50)]
    twice = np.concatenate([globins[0], rng.integers(0, 20, 40).astype(np.uint8), globins[20]])
    batch = SequenceBatch.of([*globins, *noise, twice], alphabet=PROTEIN.letters)
    family = model.align(batch, **options).alignment
    for row, residues in zip(family.symbols, batch, strict=True):
        assert np.array_equal(row[row != PROTEIN.gap], residues)
    nodes = np.frombuffer(family.reference.encode(), "S1") == b"x"
    blocks = nodes.sum() / model.core.n_nodes
    assert blocks == (2 if "all_domains" in options else 1)


def test_trim_leaves_the_model(model, globins):
    trimmed = model.align(globins, trim=True).alignment
    assert trimmed.reference[0] == trimmed.reference[-1] == "x"


def test_every_domain_of_a_sequence_is_aligned(model, globins):
    twice = SequenceBatch.of([np.concatenate([globins[3], globins[30]])], names=("two",), alphabet=PROTEIN.letters)
    family = model.align(twice, all_domains=True).alignment
    nodes = np.frombuffer(family.reference.encode(), "S1") == b"x"
    used = family.is_residue[0, nodes].reshape(2, -1).sum(axis=1)
    assert (used > 130).all()


def test_equals_hmmalign_with_the_alignment_of_the_model_and_trimmed(shared_data, globins):
    folder = shared_data / "profile"
    core = read_model(folder / "hmmer_tutorial" / "globins4.hmm")
    first = read_alignment(folder / "hmmer_tutorial" / "globins4.sto")
    family = align(core, globins, trim=True, first=first)
    theirs = read_alignment(folder / "golden" / "globins4.globins45.hmmalign_mapali_trim.sto")
    assert family.alignment.names == theirs.names
    assert np.array_equal(family.alignment.symbols, theirs.symbols)
    assert family.alignment.reference == theirs.reference


def test_another_alignment_than_the_models_is_refused(model, globins, data):
    with pytest.raises(DataError, match="was not built from this alignment"):
        model.align(globins, first=read_alignment(data / "fn3.sto"))
