"""Effective numbers: targets, bisection, laws."""

import numpy as np
import pytest

from seqem.bio.alphabet import DNA, PROTEIN
from seqem.bio.background import background
from seqem.io.alignments import read_alignment
from seqem.profile.build import build
from seqem.profile.effective import decreased, entropy_target, relative_entropy


def fn3(shared_data, **options):
    return build(read_alignment(shared_data / "profile" / "hmmer_tutorial" / "fn3.sto"), **options)


def entropy(model):
    return relative_entropy(model.match[1:], background(model.alphabet))


def test_targets():
    assert entropy_target(1000, PROTEIN) == 0.59
    assert entropy_target(1000, DNA) == 0.62
    assert entropy_target(1000, DNA, ere=1.5) == 1.5
    assert entropy_target(10, PROTEIN) == pytest.approx((45 + np.log2(55)) / 10)


def test_relative_entropy_of_the_background_is_zero():
    q = background(PROTEIN)
    assert relative_entropy(np.tile(q, (3, 1)), q) == pytest.approx(0, abs=1e-15)


def test_bisection_finds_the_target():
    assert decreased(np.sqrt, 2.0, 10.0, 1e-6) == pytest.approx(4, abs=1e-6)
    assert decreased(np.sqrt, 5.0, 10.0, 1e-6) == 10


def test_models_meet_the_target(shared_data):
    for effective in ("entropy", "exponential"):
        model = fn3(shared_data, effective=effective)
        assert entropy(model) == pytest.approx(entropy_target(model.n_nodes, PROTEIN), rel=2e-3)


def test_more_entropy_wants_more_sequences(shared_data):
    numbers = [fn3(shared_data, ere=ere).effective_number for ere in (0.6, 0.8, 1.0)]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]


def test_numbers_are_taken(shared_data):
    assert fn3(shared_data, effective=3.5).effective_number == 3.5
    assert fn3(shared_data, effective="none").effective_number == 98
    assert fn3(shared_data, effective="clusters", eid=0.3).effective_number < 98


@pytest.mark.parametrize("effective", ["exponential", 3.5])
def test_equal_the_peer(shared_data, effective):
    easel, plan7 = (pytest.importorskip(f"pyhmmer.{name}") for name in ("easel", "plan7"))
    alphabet = easel.Alphabet.amino()
    with easel.MSAFile(shared_data / "profile" / "hmmer_tutorial" / "fn3.sto", digital=True, alphabet=alphabet) as file:
        msa = file.read()
    name = "exp" if effective == "exponential" else effective
    expected, _, _ = plan7.Builder(alphabet, effective_number=name).build_msa(msa, plan7.Background(alphabet))
    model = fn3(shared_data, effective=effective)
    assert model.effective_number == pytest.approx(expected.nseq_effective, rel=1e-6)
    np.testing.assert_allclose(model.match[1:], np.array(expected.match_emissions)[1:], atol=1e-6)
