"""The search of long targets against HMMER 3.4 and pyhmmer: windows, strands, scores."""

import io
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqem.bio.alphabet import DNA, PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, ParameterError
from seqem.io.fasta import read_fasta
from seqem.io.hit_report import write_report
from seqem.io.hit_tables import write_pfamtblout, write_tblout
from seqem.io.hmmer3 import read_model
from seqem.profile.calibrate import calibrate
from seqem.profile.long_targets import search_long
from seqem.profile.options import SearchOptions
from seqem.profile.search import search
from seqem.profile.single_sequence import from_sequence
from seqem.profile.windows import complement


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "profile"


@pytest.fixture(scope="module")
def made1(folder):
    return read_model(folder / "hmmer_tutorial" / "MADE1.hmm")


@pytest.fixture(scope="module")
def golden(folder, made1):
    return search(made1, read_fasta(folder / "hmmer_tutorial" / "dna_target.fa", alphabet="dna"))


def written(write, result):
    out = io.StringIO()
    write(out, result)
    return out.getvalue().splitlines()


def element(seed=5, length=90):
    """Return a calibrated model of one random sequence of nucleotides."""
    symbols = np.random.default_rng(seed).integers(0, 4, length)
    return calibrate(from_sequence(symbols, DNA, name="element"))


def genome(core, rng, length, n_elements, gc=0.45):
    """Return random residues with elements, mutated, cut and on both strands, a few letters degenerate."""
    x = rng.choice(4, length, p=np.array([1 - gc, gc, gc, 1 - gc]) / 2)
    for _ in range(n_elements):
        best = core.match[1:].argmax(1)
        drawn = np.where(rng.random(len(best)) < rng.uniform(0, 0.35), rng.integers(0, 4, len(best)), best)
        piece = drawn[rng.integers(0, 20) : len(drawn) - rng.integers(0, 20)]
        piece = piece if rng.random() < 0.5 else 3 - piece[::-1]
        at = rng.integers(0, length - len(piece))
        x[at : at + len(piece)] = piece
    x[rng.integers(0, length, length // 200)] = DNA.encode("N")[0]
    return x.astype(np.uint8)


def rows(result):
    return [(d.target_from, d.target_to, d.envelope_from, d.envelope_to, d.model_from, d.model_to, d.score, d.bias)
            for hit in result for d in hit.domains]  # fmt: skip


def test_report_and_table_are_those_of_nhmmer(golden, folder):
    theirs = (folder / "golden" / "MADE1.dna_target.nhmmer.txt").read_text().splitlines()
    ours = written(write_report, golden)

    def body(lines):
        return lines[next(i for i, line in enumerate(lines) if line.startswith("Query:")) : _statistics_end(lines)]

    assert body(ours) == body(theirs)
    table = (folder / "golden" / "MADE1.dna_target.nhmmer.tbl").read_text().splitlines()
    assert written(write_tblout, golden)[: len(table)] == table


def _statistics_end(lines):
    return next(i for i, line in enumerate(lines) if line.startswith("Total number of hits")) + 1


def test_dfam_table(golden):
    lines = written(write_pfamtblout, golden)
    assert lines[5].split() == [
        "humanchr1_frag", "DF0000629.2", "MADE1", "38.8", "9.6e-11", "7.4", "4", "80", "+", "302390", "302466", "302387",
        "302466", "330000", "-",
    ]  # fmt: skip
    assert len({len(line.split()) for line in lines[5:10]}) == 1


def pyhmmer_rows(hmm, texts, **options):
    pyhmmer = pytest.importorskip("pyhmmer")
    alphabet = pyhmmer.easel.Alphabet.dna()
    sequences = [pyhmmer.easel.TextSequence(name=f"s{i}".encode(), sequence=t) for i, t in enumerate(texts)]
    block = pyhmmer.easel.DigitalSequenceBlock(alphabet, [s.digitize(alphabet) for s in sequences])
    pipeline = pyhmmer.plan7.LongTargetsPipeline(alphabet, **options)
    return [
        (a.target_from, a.target_to, d.env_from, d.env_to, a.hmm_from, a.hmm_to, d.score, d.bias, hit.evalue)
        for hit in pipeline.search_hmm(hmm, block)
        if hit.reported
        for d in hit.domains
        for a in [d.alignment]
    ]


def hmm_of(path):
    pyhmmer = pytest.importorskip("pyhmmer")
    with pyhmmer.plan7.HMMFile(path) as file:
        return file.read()


def agree(result, theirs):
    ours = rows(result)
    assert [row[:6] for row in ours] == [row[:6] for row in theirs]
    np.testing.assert_allclose([row[6:] for row in ours], [row[6:8] for row in theirs], rtol=0, atol=0.02)
    for hit, other in zip(result, theirs, strict=True):
        assert math.isclose(hit.evalue, other[8], rel_tol=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_the_same_hits_as_pyhmmer_on_random_genomes(folder, made1, seed):
    rng = np.random.default_rng(seed)
    genomes = [genome(made1, rng, length, n) for length, n in ((60_000, 6), (5_000, 3), (400, 1), (120, 1))]
    batch = SequenceBatch.of(genomes, alphabet=DNA.letters)
    theirs = pyhmmer_rows(hmm_of(folder / "hmmer_tutorial" / "MADE1.hmm"), [DNA.decode(x) for x in genomes])
    result = search_long(made1, batch)
    assert len(theirs) >= 6
    agree(result, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"null2": False}, {"null2": False}),
        ({"bias_filter": False}, {"bias_filter": False}),
        ({"z": 2.5}, {"Z": 2.5}),
        ({"f2": 1e-2, "f3": 1e-3, "evalue": 100.0}, {"F2": 1e-2, "F3": 1e-3, "E": 100.0}),
    ],
)
def test_options_are_those_of_pyhmmer(folder, made1, ours, theirs):
    genomes = [genome(made1, np.random.default_rng(9), 30_000, 5)]
    found = pyhmmer_rows(hmm_of(folder / "hmmer_tutorial" / "MADE1.hmm"), [DNA.decode(x) for x in genomes], **theirs)
    assert found
    agree(search_long(made1, SequenceBatch.of(genomes), SearchOptions(**ours)), found)


@pytest.mark.slow
def test_a_chromosome_against_pyhmmer(folder, made1):
    """Half a million residues: nhmmer cuts them into blocks, seqem does not."""
    batch = read_fasta(folder / "dna" / "human_chr20_first_500kb.fa.gz", alphabet="dna")
    theirs = pyhmmer_rows(hmm_of(folder / "hmmer_tutorial" / "MADE1.hmm"), [DNA.decode(x) for x in batch])
    assert theirs
    agree(search_long(made1, batch), theirs)


def test_the_other_strand_of_the_other_strand():
    core = element()
    x = genome(core, np.random.default_rng(1), 20_000, 4)
    other = complement(DNA)[x[::-1]]
    here, there = (search_long(core, SequenceBatch.of([y])) for y in (x, other))
    flipped = [(*(20_001 - place for place in row[:4]), *row[4:]) for row in rows(there)]
    assert len(here) >= 3
    assert sorted(row[:6] for row in rows(here)) == sorted(row[:6] for row in flipped)


def test_strands_are_searched_alone():
    core = element()
    batch = SequenceBatch.of([genome(core, np.random.default_rng(2), 20_000, 6)])
    both = search_long(core, batch)
    alone = {strand: search_long(core, batch, strands=[strand]) for strand in ("watson", "crick")}
    assert {row[:6] for row in rows(both)} == {row[:6] for result in alone.values() for row in rows(result)}
    assert all(d.target_from < d.target_to for hit in alone["watson"] for d in hit.domains)
    assert all(d.target_from > d.target_to for hit in alone["crick"] for d in hit.domains)
    # Half of the residues, half of the E-value.
    best = alone["watson"][0]
    same = next(hit for hit in both if rows([hit]) == rows([best]))
    assert math.isclose(same.evalue, 2 * best.evalue)


def test_neither_workers_nor_parts_change_the_result():
    core = element()
    rng = np.random.default_rng(3)
    genomes = [genome(core, rng, length, 2) for length in (9_000, 300, 4_000)]
    names = ("a", "b", "c")
    whole = SequenceBatch.of(genomes, names=names)
    parts = [SequenceBatch.of([x], names=(name,)) for x, name in zip(genomes, names, strict=True)]
    with ThreadPoolExecutor(2) as executor:
        results = [
            search_long(core, whole),
            search_long(core, iter(parts)),
            search_long(core, parts, executor=executor),
        ]
    assert len(results[0]) >= 4
    for result in results[1:]:
        assert result.hits == results[0].hits
        assert result.statistics.n_targets == 3
        assert result.statistics.n_residues == 2 * whole.n_rows


def test_a_model_without_greatest_length_gets_one():
    core = element()
    batch = SequenceBatch.of([genome(core, np.random.default_rng(4), 5_000, 3)])
    bare = type(core)(**(vars(core) | {"max_length": None}))
    assert search_long(bare, batch).hits == search_long(core, batch).hits


@pytest.mark.parametrize("length", [0, 1, 2, 7, 30])
def test_short_targets(length):
    core = element()
    result = search_long(core, SequenceBatch.of([np.zeros(length, np.uint8)]))
    assert len(result) == 0
    assert result.statistics.n_residues == 2 * length


def test_a_model_of_one_node():
    core = calibrate(from_sequence(np.array([2]), DNA, name="one"))
    assert len(search_long(core, SequenceBatch.of([np.full(50, 2, np.uint8)]))) == 0


def test_without_filters_nothing_is_lost():
    core = element()
    batch = SequenceBatch.of([genome(core, np.random.default_rng(6), 3_000, 2)])
    usual, everything = search_long(core, batch), search_long(core, batch, SearchOptions(sensitive=True))
    assert {row[:2] for row in rows(usual)} <= {row[:2] for row in rows(everything)}
    assert len(usual)


def test_what_does_not_fit_is_refused():
    core = element()
    batch = SequenceBatch.of([np.zeros(9, np.uint8)])
    with pytest.raises(ParameterError, match="strands"):
        search_long(core, batch, strands=["both"])
    with pytest.raises(ParameterError, match="of proteins"):
        search_long(calibrate(from_sequence(np.arange(9), PROTEIN, name="p")), batch)
    with pytest.raises(DataError, match="another alphabet"):
        search_long(core, SequenceBatch.of([np.zeros(9, np.uint8)], alphabet=PROTEIN.letters))
