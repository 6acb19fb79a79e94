"""The pipeline against pyhmmer on real databases, with every model at hand."""

import numpy as np
import pytest

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.io.fasta import read_fasta
from seqem.io.hmmer3 import read_model
from seqem.profile.search import search

pyhmmer = pytest.importorskip("pyhmmer")

MODELS = [
    *(f"hmmer_tutorial/{name}.hmm" for name in ("globins4", "fn3", "Pkinase")),
    *(
        f"hmmer_testsuite/{name}.hmm"
        for name in ("Caudal_act", "RRM_1", "PSE", "XYPPX", "20aa", "M1", "3box", "2OG-FeII_Oxy_3")
    ),
    *(f"golden/Pkinase.{name}.hmm" for name in ("enone", "plaplace", "pnone_enone", "wblosum")),
]
DATABASES = ["ecoli_k12_proteome.faa.gz", "uniprot20k.fasta.gz"]


@pytest.fixture(scope="module")
def databases(shared_data):
    found = {}
    alphabet = pyhmmer.easel.Alphabet.amino()
    for name in DATABASES:
        path = shared_data / "profile" / "db" / name
        with pyhmmer.easel.SequenceFile(path, digital=True, alphabet=alphabet) as file:
            found[name] = read_fasta(path, alphabet="protein"), file.read_block()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_targets_domains_and_scores(shared_data, databases, model, database):
    path = shared_data / "profile" / model
    with pyhmmer.plan7.HMMFile(path) as file:
        hmm = file.read()
    core = read_model(path)
    if core.calibration is None or hmm.alphabet.type != "amino":
        pytest.skip("the model has no statistics, or is no protein")
    batch, block = databases[database]
    ours = search(core, batch)
    theirs = [hit for hit in pyhmmer.plan7.Pipeline(hmm.alphabet).search_hmm(hmm, block) if hit.reported]
    assert {hit.name for hit in ours} == {hit.name for hit in theirs}
    by_name = {hit.name: hit for hit in ours}
    # Targets of equal score up to rounding may change places; nothing else may.
    for place, hit in zip(ours, theirs, strict=True):
        assert place.score == pytest.approx(hit.score, abs=0.01)
    for hit in theirs:
        mine = by_name[hit.name]
        assert mine.score == pytest.approx(hit.score, abs=0.01)
        assert mine.bias == pytest.approx(hit.bias, abs=0.01)
        assert mine.evalue == pytest.approx(hit.evalue, rel=0.01)
        assert len(mine.domains) == len(hit.domains)
        for domain, other in zip(mine.domains, hit.domains, strict=True):
            assert (domain.envelope_from, domain.envelope_to) == (other.env_from, other.env_to)
            shown = other.alignment
            places = (shown.hmm_from, shown.hmm_to, shown.target_from, shown.target_to)
            assert (domain.model_from, domain.model_to, domain.target_from, domain.target_to) == places
            assert domain.score == pytest.approx(other.score, abs=0.01)
            assert domain.evalue == pytest.approx(other.i_evalue, rel=0.01)


def test_stops_within_targets(shared_data):
    """A ``*`` matches no node; flanks and inserts pass it."""
    folder = shared_data / "profile" / "hmmer_tutorial"
    with pyhmmer.plan7.HMMFile(folder / "globins4.hmm") as file:
        hmm = file.read()
    batch = read_fasta(folder / "globins45.fa", alphabet="protein").between(0, 20)
    rng = np.random.default_rng(0)
    texts = []
    for residues in batch:
        text = list(PROTEIN.decode(residues))
        for at in rng.integers(0, len(text), rng.integers(1, 4)):
            text[at] = "*"
        texts.append("".join(text) + "*")
    names = [str(number) for number in range(len(texts))]
    alphabet = pyhmmer.easel.Alphabet.amino()
    block = pyhmmer.easel.DigitalSequenceBlock(
        alphabet,
        [
            pyhmmer.easel.TextSequence(name=n.encode(), sequence=t).digitize(alphabet)
            for n, t in zip(names, texts, strict=True)
        ],
    )
    theirs = [hit for hit in pyhmmer.plan7.Pipeline(alphabet).search_hmm(hmm, block) if hit.reported]
    ours = search(
        read_model(folder / "globins4.hmm"), SequenceBatch.of([PROTEIN.encode(t) for t in texts], names=names)
    )
    assert [hit.name for hit in ours] == [hit.name for hit in theirs]
    for mine, hit in zip(ours, theirs, strict=True):
        assert mine.score == pytest.approx(hit.score, abs=0.01)
        for domain, other in zip(mine.domains, hit.domains, strict=True):
            assert domain.alignment.target == other.alignment.target_sequence
