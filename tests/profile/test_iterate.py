"""Iterated searches against phmmer and jackhmmer 3.4, and the laws of rounds."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, ParameterError
from seqem.io.database import stream
from seqem.io.fasta import read_fasta
from seqem.profile.calibrate import calibrate
from seqem.profile.iterate import iterate
from seqem.profile.options import SearchOptions
from seqem.profile.search import search
from seqem.profile.single_sequence import from_sequence

TEXTS = {
    "a": "MKVLATWYCDEFGHIKLMNPQRSTVW",
    "near": "MKVLSTWYCDEYGHIRLMNPQKSTVW",
    "far": "AAMKILSTWYCEEYGHVRLNPQKSTIWGG",
    "other": "GGSGGSGGSGGSGGSGGSGGSGGSGG",
}


def batch_of(*names):
    return SequenceBatch.of([PROTEIN.encode(TEXTS[name]) for name in names], names=names, alphabet=PROTEIN.letters)


@pytest.fixture(scope="module")
def targets():
    return batch_of(*TEXTS)


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "profile"


@pytest.fixture(scope="module")
def hbb(folder):
    return read_fasta(folder / "hmmer_tutorial" / "HBB_HUMAN.fa", alphabet="protein")


@pytest.fixture(scope="module")
def databases(folder):
    paths = {"globins45": "hmmer_tutorial/globins45.fa", "uniprot20k": "db/uniprot20k.fasta.gz"}
    return {name: read_fasta(folder / path, alphabet="protein") for name, path in paths.items()}


def agrees(hits, table):
    rows = [line.split(maxsplit=18) for line in table.read_text().splitlines() if not line.startswith("#")]
    assert [hit.name for hit in hits] == [row[0] for row in rows]
    assert {hits.query.name} == {row[2] for row in rows}
    for hit, row in zip(hits, rows, strict=True):
        best = hit.best_domain
        # The tables print one decimal of scores and two digits of E-values.
        numbers = [hit.score, hit.bias, best.score, best.bias]
        np.testing.assert_allclose(numbers, [float(row[i]) for i in (5, 6, 8, 9)], rtol=0, atol=0.051)
        np.testing.assert_allclose([hit.evalue, best.evalue], [float(row[4]), float(row[7])], rtol=0.051)
        counts = [hit.n_regions, hit.n_clustered, hit.n_overlaps, hit.n_envelopes, len(hit.domains)]
        counts += [len(hit.reported_domains), sum(domain.included for domain in hit.domains)]
        assert [f"{hit.expected_domains:.1f}", *map(str, counts)] == row[10:18]


@pytest.mark.parametrize("name", ["globins45", "uniprot20k"])
def test_a_search_with_one_sequence_is_that_of_phmmer(folder, hbb, databases, name):
    (only,) = iterate(hbb, databases[name], SearchOptions(), rounds=1)
    agrees(only.hits, folder / "golden" / f"HBB.{name}.phmmer.tbl")


def test_rounds_are_those_of_jackhmmer(folder, hbb, databases):
    found = iterate(hbb, databases["globins45"])
    # From the main output: new targets included, subsequences of the alignment, converged in two rounds.
    rounds = [(r.number, r.core.n_nodes, r.n_new, len(r.alignment.alignment), r.converged) for r in found]
    assert rounds == [(1, 146, 45, 46, False), (2, 146, 0, 46, True)]
    agrees(found[-1].hits, folder / "golden" / "HBB.globins45.jackhmmer.tbl")
    assert found[-1].core.description == "Human beta hemoglobin."


@pytest.mark.parametrize(("first", "last"), [(1, 146), (2209, 2482), (1799, 1891)], ids=["globin", "kinase", "fn3"])
def test_every_round_is_that_of_the_peer(folder, hbb, databases, first, last):
    easel, plan7 = (pytest.importorskip(f"pyhmmer.{name}") for name in ("easel", "plan7"))
    source = hbb if last == 146 else read_fasta(folder / "hmmer_tutorial" / "7LESS_DROME.fa", alphabet="protein")
    query = SequenceBatch.of([source[0][first - 1 : last]], names=("query",), alphabet=source.alphabet)
    found = iterate(query, databases["uniprot20k"], rounds=3)
    amino = easel.Alphabet.amino()
    with easel.SequenceFile(str(folder / "db" / "uniprot20k.fasta.gz"), digital=True, alphabet=amino) as file:
        block = file.read_block()
    text = easel.TextSequence(name="query", sequence=PROTEIN.decode(query[0])).digitize(amino)
    peer = plan7.Pipeline(amino, incE=0.001, incdomE=0.001)
    rounds = peer.iterate_seq(text, block, builder=plan7.Builder(amino, architecture="hand"))
    for ours, theirs in zip(found, rounds, strict=False):
        scores = {hit.name: hit.score for hit in theirs.hits if hit.reported}
        assert {hit.name for hit in ours.hits} == set(scores)
        assert max(abs(hit.score - scores[hit.name]) for hit in ours.hits) < 0.01
        assert set(ours.alignment.alignment.names) == {row.name for row in theirs.msa.sequences}
        np.testing.assert_allclose(ours.core.match[1:], np.array(theirs.hmm.match_emissions)[1:], rtol=0, atol=1e-6)
        assert ours.converged == theirs.converged


def test_rounds_go_on_until_nothing_is_new(targets):
    found = iterate(batch_of("a"), targets)
    assert [r.number for r in found] == list(range(1, len(found) + 1))
    assert [r.converged for r in found] == [False] * (len(found) - 1) + [True]
    assert found[0].hits.hits == iterate(batch_of("a"), targets, rounds=1)[0].hits.hits
    for before, after in itertools.pairwise(found):
        assert after.known >= before.known
        assert after.n_new == len(after.known - before.known)
    assert found[-1].known == {"a", "near", "far"}


def test_the_alignment_holds_the_query_and_the_letters_of_the_targets(targets):
    last = iterate(batch_of("a"), targets)[-1]
    alignment = last.alignment.alignment
    assert alignment.names[0] == "a"
    assert PROTEIN.decode(alignment.symbols[0][alignment.is_residue[0]]) == TEXTS["a"]
    for name, row, present in zip(alignment.names[1:], alignment.symbols[1:], alignment.is_residue[1:], strict=True):
        target, _, place = name.rpartition("/")
        lo, hi = map(int, place.split("-"))
        assert PROTEIN.decode(row[present]) == TEXTS[target][lo - 1 : hi]
    assert alignment.reference.count("x") == len(TEXTS["a"])


def test_a_query_without_hits_converges_at_once(targets):
    (only,) = iterate(batch_of("a"), targets.between(3, 4))
    assert (only.converged, only.n_new, only.alignment.alignment.names) == (True, 0, ("a",))


def test_going_on_from_a_round_gives_the_same(targets):
    kept = []
    whole = iterate(batch_of("a"), targets, on_round=kept.append)
    assert kept == whole
    rest = iterate(batch_of("a"), targets, resume=whole[0])
    assert [r.number for r in rest] == [r.number for r in whole[1:]]
    assert [r.hits.hits for r in rest] == [r.hits.hits for r in whole[1:]]
    assert iterate(batch_of("a"), targets, resume=whole[-1]) == []


def test_a_model_as_the_query(targets):
    core = calibrate(from_sequence(PROTEIN.encode(TEXTS["a"]), PROTEIN, name="a"))
    found = iterate(core, targets)
    assert (
        found[0].hits.hits == search(core, targets, SearchOptions(include_evalue=1e-3, include_domain_evalue=1e-3)).hits
    )
    assert len(found[0].alignment.alignment) == sum(d.included for hit in found[0].hits for d in hit.domains)
    (only,) = iterate(core, targets.between(3, 4))
    assert (only.converged, len(only.alignment.alignment)) == (True, 0)


def test_a_file_in_parts_and_threads_give_the_same(tmp_path, targets):
    path = tmp_path / "x.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in TEXTS.items()))
    whole = [r.hits.hits for r in iterate(batch_of("a"), targets)]
    with ThreadPoolExecutor(2) as pool:
        found = iterate(batch_of("a"), lambda: stream(path, alphabet="protein", residues=30), executor=pool)
    assert [r.hits.hits for r in found] == whole


def test_what_cannot_be_iterated(targets):
    with pytest.raises(DataError, match="one sequence; got 4"):
        iterate(targets, targets)
    with pytest.raises(DataError, match="alphabet"):
        iterate(SequenceBatch.of([[0, 1]]), targets)
    with pytest.raises(ParameterError, match="rounds"):
        iterate(batch_of("a"), targets, rounds=0)
    with pytest.raises(ParameterError, match="only once"):
        iterate(batch_of("a"), iter([targets]))
