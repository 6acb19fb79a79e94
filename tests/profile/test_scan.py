"""Scans against HMMER 3.4, and against searches, which are scans the other way round."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.errors import ParameterError
from seqem.io.fasta import read_fasta
from seqem.io.hmmer3 import read_model
from seqem.profile.calibrate import calibrate
from seqem.profile.options import SearchOptions
from seqem.profile.plan7 import Cutoffs
from seqem.profile.scan import scan
from seqem.profile.search import search
from seqem.profile.single_sequence import from_sequence

TEXTS = {"a": "MKVLATWYCDEFGHIKLMNPQRSTVW", "b": "WWHHCCDDEEFFGGHHIIKKWWPPYY", "c": "PLNDRTQQWWCMKYFHEGAVILSTDN"}


def batch_of(texts):
    return SequenceBatch.of([PROTEIN.encode(t) for t in texts.values()], names=tuple(texts), alphabet=PROTEIN.letters)


@pytest.fixture(scope="module")
def library():
    return [calibrate(from_sequence(PROTEIN.encode(text), PROTEIN, name=name)) for name, text in TEXTS.items()]


@pytest.fixture(scope="module")
def queries():
    return batch_of({"ab": TEXTS["a"] + "GSGS" + TEXTS["b"], "none": "GSGSGSGSGS", "empty": "", "c": TEXTS["c"]})


def rows(path, fields):
    return [line.split(maxsplit=fields) for line in path.read_text().splitlines() if not line.startswith("#")]


def shown(value):
    return f"{value:.2g}"


def test_scan_gives_the_tables_of_hmmscan(shared_data):
    folder = shared_data / "profile"
    batch = read_fasta(folder / "hmmer_tutorial" / "7LESS_DROME.fa", alphabet="protein")
    minifam = (read_model(folder / "hmmer_tutorial" / f"{name}.hmm") for name in ("globins4", "fn3", "Pkinase"))
    (result,) = scan(batch, minifam)
    assert (result.query.name, result.query.n_nodes) == ("7LESS_DROME", 2554)
    golden = folder / "golden"
    for hit, row in zip(result, rows(golden / "minifam.7less.hmmscan.tbl", 18), strict=True):
        best = hit.best_domain
        assert [hit.name, hit.accession, hit.description] == [row[0], row[1], row[18]]
        numbers = [shown(hit.evalue), f"{hit.score:.1f}", f"{hit.bias:.1f}"]
        assert [*numbers, shown(best.evalue), f"{best.score:.1f}", f"{best.bias:.1f}"] == row[4:10]
        counts = [hit.n_regions, hit.n_clustered, hit.n_overlaps, hit.n_envelopes, len(hit.domains)]
        included = sum(domain.included for domain in hit.domains)
        found = [f"{hit.expected_domains:.1f}", *counts, len(hit.reported_domains), included]
        assert list(map(str, found)) == row[10:18]
    domains = [(hit, domain) for hit in result for domain in hit.reported_domains]
    for (hit, domain), row in zip(domains, rows(golden / "minifam.7less.hmmscan.domtbl", 22), strict=True):
        assert [hit.name, str(hit.length)] == [row[0], row[2]]
        numbers = [shown(domain.conditional_evalue), shown(domain.evalue), f"{domain.score:.1f}", f"{domain.bias:.1f}"]
        assert numbers == row[11:15]
        places = [domain.model_from, domain.model_to, domain.target_from, domain.target_to]
        places += [domain.envelope_from, domain.envelope_to]
        assert [*map(str, places), f"{domain.accuracy:.2f}"] == row[15:22]


def test_a_scan_is_many_searches(library, queries):
    results = scan(queries, iter(library))
    assert [(r.query.name, [hit.name for hit in r]) for r in results] == [
        ("ab", ["b", "a"]), ("none", []), ("empty", []), ("c", ["c"]),
    ]  # fmt: skip
    searched = {(hit.name, m.name): hit for m in library for hit in search(m, queries, SearchOptions(z=3, domain_z=2))}
    for hit in results[0]:
        other = searched["ab", hit.name]
        assert (hit.score, hit.evalue, hit.domains) == (other.score, other.evalue, other.domains)
    assert (results[0].statistics.z, results[0].statistics.domain_z, results[3].statistics.domain_z) == (3, 2, 1)
    assert (results[0].statistics.n_models, results[0].statistics.n_nodes) == (3, 78)


def test_the_order_of_workers_and_models_does_not_matter(library, queries):
    alone = [r.hits for r in scan(queries, library)]
    with ThreadPoolExecutor(3) as pool:
        assert [r.hits for r in scan(queries, library, executor=pool)] == alone
    assert [r.hits for r in scan(queries, library[::-1])] == alone


def test_cutoffs_are_each_models_own(library, queries):
    low, high = Cutoffs(0.0, 0.0), Cutoffs(1e6, 1e6)
    models = [replace(model, gathering=high if model.name == "a" else low) for model in library]
    (first, *_) = scan(queries, models, SearchOptions(cutoffs="gathering"))
    assert [(hit.name, hit.included) for hit in first] == [("b", True)]
    with pytest.raises(ParameterError, match="model 'a' has no gathering"):
        scan(queries, library, SearchOptions(cutoffs="gathering"))


def test_a_model_that_is_not_calibrated_is_refused(queries):
    with pytest.raises(ParameterError, match="not calibrated"):
        scan(queries, [from_sequence(PROTEIN.encode("MKVLAT"), PROTEIN, name="raw")])


def test_no_models(queries):
    assert [len(result) for result in scan(queries, [])] == [0, 0, 0, 0]
