"""The pipeline against HMMER 3.4: raw scores of every stage, targets, domains, alignments and E-values."""

import csv
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from seqem.io.fasta import read_fasta
from seqem.io.hmmer3 import read_model
from seqem.profile.configure import configure
from seqem.profile.domains import DomainFinder
from seqem.profile.evalue import null_score
from seqem.profile.filters import Filters
from seqem.profile.search import search

DATABASES = {
    "globins45": "hmmer_tutorial/globins45.fa",
    "7less": "hmmer_tutorial/7LESS_DROME.fa",
    "ecoli": "db/ecoli_k12_proteome.faa.gz",
    "ecoli300": "db/ecoli_k12_proteome.faa.gz",
    "uniprot20k": "db/uniprot20k.fasta.gz",
}
STAGES = [(m, d) for m in ("globins4", "fn3", "Pkinase") for d in ("globins45", "ecoli300")] + [("fn3", "7less")]
SEARCHES = [
    ("globins4", "globins45"),
    ("globins4", "uniprot20k"),
    ("fn3", "7less"),
    ("fn3", "uniprot20k"),
    ("Pkinase", "ecoli"),
    ("Pkinase", "uniprot20k"),
]
# The golden searches ran with the tutorial's own models, which HMMER 3.2 had built.
MODELS = "hmmer_tutorial"


def table(path):
    with open(path) as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.fixture(scope="module")
def databases(shared_data):
    return {name: read_fasta(shared_data / "profile" / path, alphabet="protein") for name, path in DATABASES.items()}


@pytest.fixture(scope="module")
def golden(shared_data):
    return shared_data / "profile" / "golden"


@pytest.fixture(scope="module")
def models(shared_data):
    return {n: read_model(shared_data / "profile" / MODELS / f"{n}.hmm") for n in ("globins4", "fn3", "Pkinase")}


def agree(ours, theirs, tolerance):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    same = np.isinf(theirs) & (ours == theirs)
    return np.all(same | np.isclose(ours, theirs, rtol=0, atol=tolerance))


@pytest.mark.parametrize("width", [64, 32, 1])
@pytest.mark.parametrize(("model", "database"), STAGES)
def test_filters_give_hmmers_scores_at_any_width(models, databases, golden, model, database, width):
    rows = table(golden / f"{model}.{database}.stages.tsv")
    batch = databases[database].between(0, len(rows))
    filters = Filters(configure(models[model]), width)
    everything = np.arange(len(rows))
    residues, offsets = batch.values, batch.offsets
    null = null_score(np.diff(offsets))

    def column(name):
        return [float(row[name]) for row in rows]

    # The tables print four decimals.
    assert agree(null, column("null1"), 1e-4)
    assert agree(filters.segments(residues, offsets), column("msvfilter"), 1e-4)
    assert agree(filters.viterbi(residues, offsets, everything), column("vitfilter"), 1e-4)
    assert agree(null + filters.composition(residues, offsets, everything), column("biasnull"), 2e-4)


@pytest.mark.parametrize(("model", "database"), STAGES)
def test_forward_gives_hmmers_scores(models, databases, golden, model, database):
    rows = table(golden / f"{model}.{database}.stages.tsv")
    finder = DomainFinder(models[model])
    scores = [finder.forward(databases[database][s])[0] for s in range(len(rows))]
    assert agree(scores, [float(row["forward"]) for row in rows], 1e-3)


@pytest.mark.parametrize(("model", "database"), SEARCHES)
def test_search_gives_hmmers_targets_domains_and_alignments(models, databases, golden, model, database):
    rows = table(golden / f"{model}.{database}.full.tsv")
    hits = search(models[model], databases[database])
    found = [(hit, number, domain) for hit in hits for number, domain in enumerate(hit.domains, 1)]
    assert [(hit.name, number) for hit, number, _ in found] == [(row["target"], int(row["dom"])) for row in rows]
    for (hit, _, domain), row in zip(found, rows, strict=True):
        # HMMER adds logarithms by a table with steps of 0.001 nat: 0.001 bit is the agreement to expect.
        assert hit.score == pytest.approx(float(row["seq_score"]), abs=1e-3)
        assert hit.bias == pytest.approx(float(row["seq_bias"]), abs=1e-3)
        assert domain.score == pytest.approx(float(row["dom_score"]), abs=1e-3)
        assert domain.bias == pytest.approx(float(row["dom_bias"]), abs=1e-3)
        assert math.isclose(hit.evalue, float(row["seq_evalue"]), rel_tol=2e-3)
        assert math.isclose(domain.evalue, float(row["i_evalue"]), rel_tol=2e-3)
        assert math.isclose(domain.conditional_evalue, float(row["c_evalue"]), rel_tol=2e-3)
        places = ("env_from", "env_to", "hmm_from", "hmm_to", "ali_from", "ali_to")
        ours = (domain.envelope_from, domain.envelope_to, domain.model_from, domain.model_to)
        assert (*ours, domain.target_from, domain.target_to) == tuple(int(row[place]) for place in places)
        assert (domain.reported, domain.included) == (row["dom_reported"] == "1", row["dom_included"] == "1")
        lines = domain.alignment
        assert (lines.model, lines.target, lines.posterior) == (row["hmm_ali"], row["target_ali"], row["pp"])


def test_threads_and_processes_change_nothing(models, databases):
    batch = databases["ecoli"].between(0, 1500)
    alone = search(models["Pkinase"], batch)
    for pool_of in (ThreadPoolExecutor, ProcessPoolExecutor):
        options = {} if pool_of is ThreadPoolExecutor else {"mp_context": multiprocessing.get_context("spawn")}
        with pool_of(2, **options) as pool:
            shared = search(models["Pkinase"], [batch.between(0, 700), batch.between(700, 1500)], executor=pool)
        assert shared.hits == alone.hits
        assert shared.statistics.passed_bias == alone.statistics.passed_bias
