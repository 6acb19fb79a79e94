"""Models against hmmbuild's, path counting by hand, and what must not change a model."""

from dataclasses import replace

import numpy as np
import pytest

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import DNA, PROTEIN
from seqem.errors import DataError, ParameterError
from seqem.io.alignments import read_alignment
from seqem.io.hmmer3 import read_model
from seqem.profile.build import Builder, build
from seqem.profile.counts import count_paths, fragment_spans
from seqem.profile.plan7 import DM, IM, MD, MI, MM

OPTIONS = {
    "default": {},
    "eclust": {"effective": "clusters"},
    "enone": {"effective": "none"},
    "frag0": {"fragthresh": 0.0},
    "plaplace": {"prior": "laplace"},
    "pnone_enone": {"prior": "none", "effective": "none"},
    "symfrac0": {"symfrac": 0.0},
    "symfrac08": {"symfrac": 0.8},
    "wblosum": {"weighting": "blosum"},
    "wgsc": {"weighting": "gsc"},
    "wnone": {"weighting": "none"},
}
SMALL = ("20aa", "3box", "Caudal_act", "MADE1", "PSE", "RRM_1", "XYPPX")
CASES = [(name, option) for name in ("globins4", "fn3", "Pkinase") for option in OPTIONS]
CASES += [(name, "default") for name in SMALL]
TEXT = (
    "name", "consensus", "reference", "mask", "structure", "accession", "description", "gathering", "trusted", "noise",
    "n_sequences", "checksum", "max_length",
)  # fmt: skip


def aligned(*rows, alphabet=DNA, **notes):
    names = tuple(f"row{i}" for i in range(len(rows)))
    return Alignment(np.array([alphabet.encode_aligned(row) for row in rows]), alphabet, names, **notes)


def kinases(shared_data):
    return read_alignment(shared_data / "profile" / "hmmer_tutorial" / "Pkinase.sto")


@pytest.mark.parametrize(("name", "option"), CASES)
def test_equals_hmmbuild(shared_data, name, option):
    folder = shared_data / "profile"
    tutorial = folder / "hmmer_tutorial" / f"{name}.sto"
    source = tutorial if tutorial.exists() else folder / "hmmer_testsuite" / f"{name}.sto"
    expected = read_model(folder / "golden" / f"{name}.{option}.hmm")
    model = build(read_alignment(source), name=name, **OPTIONS[option])
    assert model.n_nodes == expected.n_nodes
    assert model.effective_number == pytest.approx(expected.effective_number, abs=1e-6)
    np.testing.assert_array_equal(model.columns, expected.columns)
    assert {key: getattr(model, key) for key in TEXT} == {key: getattr(expected, key) for key in TEXT}
    np.testing.assert_allclose(model.match[1:], expected.match[1:], rtol=0, atol=1e-5)
    for part in ("insert", "transitions", "composition"):
        np.testing.assert_allclose(getattr(model, part), getattr(expected, part), rtol=0, atol=1e-5)


def counts_of(*rows, columns, fragthresh=0.0):
    alignment = aligned(*rows)
    mask = np.array([mark == "x" for mark in columns])
    return count_paths(alignment, mask, fragment_spans(alignment, fragthresh), np.ones(len(alignment)))


def test_a_plain_path():
    counts = counts_of("AC-T", columns="xx.x")
    assert counts.transitions[:, MM].tolist() == [1, 1, 1, 1]
    assert counts.transitions.sum() == 4
    assert np.argmax(counts.match[1:], axis=1).tolist() == [0, 1, 3]


def test_insert_before_delete_becomes_a_match():
    counts = counts_of("AG-T", columns="x.xx")
    assert counts.transitions[:, MM].tolist() == [1, 1, 1, 1]
    assert counts.match[2].tolist() == [0, 0, 1, 0]
    assert counts.insert.sum() == 0


def test_delete_before_inserts_becomes_a_match():
    counts = counts_of("A-GGT", columns="xx..x")
    assert counts.match[2].tolist() == [0, 0, 1, 0]
    assert counts.insert[2].tolist() == [0, 0, 1, 0]
    assert counts.transitions[2, [MI, IM]].tolist() == [1, 1]


def test_ends_by_delete_and_insert():
    counts = counts_of("-CT", columns="xxx")
    assert counts.transitions[0, MD] == counts.transitions[1, DM] == 1
    counts = counts_of("ACT", columns="xx.")
    assert counts.transitions[2, MI] == counts.transitions[2, IM] == 1


def test_degenerate_letters_are_spread():
    assert counts_of("RN", columns="xx").match[1:].tolist() == [[0.5, 0, 0.5, 0], [0.25] * 4]


def test_outer_gaps_of_fragments_count_for_nothing():
    counts = counts_of("---CT---", columns="x" * 8, fragthresh=0.5)
    assert counts.transitions.sum() == counts.transitions[4, MM] == 1
    assert counts.match[4].tolist() == [0, 1, 0, 0]
    assert counts_of("--------", columns="x" * 8, fragthresh=0.5).transitions.sum() == 0


def test_equals_the_peer_on_random_alignments():
    pyhmmer = pytest.importorskip("pyhmmer")
    rng = np.random.default_rng(3)
    for alphabet, peer in [(PROTEIN, pyhmmer.easel.Alphabet.amino()), (DNA, pyhmmer.easel.Alphabet.dna())] * 3:
        alignment = random_alignment(rng, alphabet)
        rows = [
            pyhmmer.easel.TextSequence(name=name, sequence=alphabet.decode(row))
            for name, row in zip(alignment.names, alignment.symbols, strict=True)
        ]
        msa = pyhmmer.easel.TextMSA(name="x", sequences=rows).digitize(peer)
        expected, _, _ = pyhmmer.plan7.Builder(peer).build_msa(msa, pyhmmer.plan7.Background(peer))
        model = build(alignment)
        np.testing.assert_allclose(model.match[1:], np.array(expected.match_emissions)[1:], atol=1e-6)
        np.testing.assert_allclose(model.insert, np.array(expected.insert_emissions), atol=1e-6)
        np.testing.assert_allclose(model.transitions, np.array(expected.transition_probabilities), atol=1e-6)


def random_alignment(rng, alphabet, S=12, W=40):
    symbols = np.tile(rng.integers(0, len(alphabet.letters), W), (S, 1))
    for share, low, high in ((0.4, 0, len(alphabet.letters)), (0.1, len(alphabet.letters), alphabet.gap)):
        where = rng.random((S, W)) < share
        symbols[where] = rng.integers(low, high, where.sum())
    symbols[rng.random((S, W)) < rng.random(W) * 0.6] = alphabet.gap
    symbols[0, : W // 2 + 3] = symbols[1, W // 3 :] = alphabet.gap
    return Alignment(symbols.astype(np.uint8), alphabet, tuple(f"row{i}" for i in range(S)))


@pytest.mark.parametrize("weighting", ["pb", "blosum", "none"])  # of "gsc", ties in the tree follow the order
def test_order_of_rows_does_not_matter(shared_data, weighting):
    alignment = kinases(shared_data)
    order = np.random.default_rng(0).permutation(len(alignment))
    shuffled = replace(alignment, symbols=alignment.symbols[order], names=tuple(alignment.names[i] for i in order))
    one, two = (build(a, weighting=weighting) for a in (alignment, shuffled))
    np.testing.assert_allclose(one.match, two.match, atol=1e-12)
    np.testing.assert_allclose(one.transitions, two.transitions, atol=1e-12)
    assert one.effective_number == two.effective_number


def test_duplicated_rows_do_not_matter(shared_data):
    alignment = kinases(shared_data)
    twice = replace(alignment, symbols=np.tile(alignment.symbols, (2, 1)), names=alignment.names * 2)
    one, two = (build(a, effective=2.5) for a in (alignment, twice))
    np.testing.assert_allclose(one.match, two.match, atol=1e-12)
    np.testing.assert_allclose(one.transitions, two.transitions, atol=1e-12)


def test_probabilities_sum_to_one(shared_data):
    model = build(kinases(shared_data))
    for part in (
        model.match,
        model.insert,
        model.transitions[:, :3],
        model.transitions[:, 3:5],
        model.transitions[:, 5:],
    ):
        np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-12)


def test_one_row_and_one_node():
    model = build(aligned("ACGT"), name="one")
    assert (model.n_nodes, model.effective_number, model.consensus) == (4, 1, "acgt")
    assert build(aligned("A", "A", "C")).n_nodes == 1


def test_all_gap_columns_are_no_nodes():
    assert build(aligned("A--C", "A-GC"), symfrac=0).columns.tolist() == [1, 3, 4]


def test_hand_columns_and_lines():
    alignment = aligned("ACGT", "AC-T", reference="x.xx", structure="<..>", mask="..m.", name="family")
    model = build(alignment, hand=True)
    assert (model.columns.tolist(), model.reference, model.structure, model.mask) == ([1, 3, 4], "xxx", "<.>", ".m.")
    np.testing.assert_allclose(model.match[2], 0.25)
    assert model.consensus[1] == "x"


@pytest.mark.parametrize(
    ("rows", "options"), [(("----", "----"), {}), (("A---", "----"), {"hand": True}), (("AC",), {"weighting": "given"})]
)
def test_refuses_alignments(rows, options):
    with pytest.raises(DataError, match="Hint"):
        build(aligned(*rows), **options)


def test_refuses_an_alignment_without_rows():
    with pytest.raises(DataError, match="no rows"):
        build(Alignment(np.empty((0, 3), np.uint8), DNA, ()))


@pytest.mark.parametrize(
    "options",
    [{"weighting": "x"}, {"effective": "x"}, {"effective": 0.0}, {"effective": np.nan}, {"prior": "x"}, {"symfrac": 2}],
)
def test_refuses_options(options):
    with pytest.raises(ParameterError):
        Builder(**options)
