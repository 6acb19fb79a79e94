"""Summary statistics of models against hmmstat."""

import pytest

from seqem.io.hmmer3 import read_model
from seqem.profile.stat import model_statistics


@pytest.mark.parametrize("name", ["globins4", "fn3", "Pkinase"])
def test_statistics_are_those_of_hmmstat(shared_data, name):
    folder = shared_data / "profile"
    s = model_statistics(read_model(folder / "hmmer_tutorial" / f"{name}.hmm"))
    row = (folder / "golden" / f"{name}.hmmstat.txt").read_text().splitlines()[-1].split()[1:]
    ours = [s.name, s.accession or "-", f"{s.n_sequences}", f"{s.effective_number:.2f}", f"{s.n_nodes}"]
    assert [*ours, *(f"{x:.2f}" for x in s[5:])] == row


def test_relative_entropy_is_that_of_the_peer(shared_data):
    plan7 = pytest.importorskip("pyhmmer.plan7")
    path = shared_data / "profile" / "hmmer_tutorial" / "fn3.hmm"
    with plan7.HMMFile(path) as file:
        peer = file.read()
    q = plan7.Background(peer.alphabet)
    s = model_statistics(read_model(path))
    assert s.relative_entropy == pytest.approx(peer.mean_match_relative_entropy(q), abs=1e-5)
    assert s.information == pytest.approx(peer.mean_match_information(q), abs=1e-5)
