"""Dirichlet mixtures against their definitions, and priors from text."""

import json

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

from seqem.bio.alphabet import DNA, PROTEIN, RNA
from seqem.errors import FormatError, ParameterError
from seqem.profile.estimate import frequencies
from seqem.profile.priors import DirichletMixture, default_prior, laplace_prior, prior_from_json, single

MIXTURE = DirichletMixture(np.array([0.3, 0.7]), np.array([[0.5, 2.0, 1.0], [3.0, 0.2, 0.1]]))
COUNTS = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.5], [100.0, 2.0, 0.0]])


def joint_by_definition(mixture, counts):
    a, total = mixture.alphas, counts.sum()
    norm = gammaln(a.sum(axis=1)) - gammaln(a.sum(axis=1) + total)
    return np.log(mixture.weights) + norm + (gammaln(a + counts) - gammaln(a)).sum(axis=1)


def test_log_marginal():
    expected = [logsumexp(joint_by_definition(MIXTURE, row)) for row in COUNTS]
    np.testing.assert_allclose(MIXTURE.log_marginal(COUNTS), expected, atol=1e-12)


def test_log_marginal_of_one_letter_is_its_mean():
    means = MIXTURE.mean_posterior(np.zeros((1, 3)))[0]
    np.testing.assert_allclose(np.exp(MIXTURE.log_marginal(np.eye(3))), means)


def test_mean_posterior():
    for row, mean in zip(COUNTS, MIXTURE.mean_posterior(COUNTS), strict=True):
        share = np.exp(joint_by_definition(MIXTURE, row) - logsumexp(joint_by_definition(MIXTURE, row)))
        parts = (row + MIXTURE.alphas) / (row + MIXTURE.alphas).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(mean, share @ parts)


def test_log_density_is_of_logits():
    p = np.array([0.2, 0.5, 0.3])
    densities = [w * stats.dirichlet.pdf(p, a) for w, a in zip(MIXTURE.weights, MIXTURE.alphas, strict=True)]
    expected = np.log(sum(densities)) + np.log(p).sum()  # the change of variables
    np.testing.assert_allclose(MIXTURE.log_density(p[None]), expected)


def test_improve_never_falls():
    p = np.array([[0.2, 0.5, 0.3]])
    counts = np.array([[3.0, 0.0, 1.5]])
    last = -np.inf
    for _ in range(30):
        value = (MIXTURE.log_density(p) + (counts * np.log(p)).sum(axis=1)).item()
        assert value >= last - 1e-12
        p, last = MIXTURE.improve(counts, p), value


@pytest.mark.parametrize("alphabet", [DNA, RNA, PROTEIN])
@pytest.mark.parametrize("prior", [default_prior, laplace_prior])
def test_priors_have_the_shape_of_the_alphabet(alphabet, prior):
    p = prior(alphabet)
    assert p.match.alphas.shape[1] == p.insert.alphas.shape[1] == len(alphabet.letters)
    assert p.match.weights.sum() == pytest.approx(1, abs=1e-5)
    assert [part.alphas.shape[1] for part in (p.match_transitions, p.insert_transitions, p.delete_transitions)] == [
        3,
        2,
        2,
    ]


def test_laplace_adds_one():
    means = laplace_prior(DNA).match.mean_posterior(np.array([[3.0, 0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(means, [[4 / 8, 1 / 8, 2 / 8, 1 / 8]])


def test_frequencies_of_nothing_are_equal():
    assert frequencies(np.array([[0.0, 0.0], [3.0, 1.0]])).tolist() == [[0.5, 0.5], [0.75, 0.25]]


def prior_text(**changes):
    parts = {"match": 4, "insert": 4, "match_transitions": 3, "insert_transitions": 2, "delete_transitions": 2}
    return json.dumps({name: [[1.0, [1.0] * size]] for name, size in parts.items()} | changes)


def test_reads_json():
    prior = prior_from_json(prior_text(match=[[0.4, [1, 2, 3, 4]], [0.6, [1, 1, 1, 1]]]), DNA)
    assert prior.match.weights.tolist() == [0.4, 0.6]


@pytest.mark.parametrize("text", ["{}", "[", prior_text(match=[[1.0, [1, 2]]]), prior_text(match=3)])
def test_refuses_json(text):
    with pytest.raises(FormatError):
        prior_from_json(text, DNA)


def test_refuses_numbers_that_are_no_parameters():
    with pytest.raises(ParameterError):
        single([1.0, 0.0])
