"""Dirichlet mixture priors of emissions and transitions."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from seqem.bio.alphabet import PROTEIN, Alphabet
from seqem.errors import FormatError, ParameterError
from seqem.kernels import profile_build as kb
from seqem.profile.protein_prior import COMPONENTS, INSERT
from seqem.shapes import Array


@dataclass(frozen=True, eq=False)
class DirichletMixture:
    """A mixture of J Dirichlet densities over A probabilities.

    Attributes
    ----------
    weights : ndarray, shape (J,)
        Probability of each component.
    alphas : ndarray, shape (J, A)
        Parameters of each component.
    """

    weights: Array
    alphas: Array

    def __post_init__(self) -> None:
        if self.alphas.ndim != 2 or self.weights.shape != self.alphas.shape[:1]:
            raise ParameterError(
                "a Dirichlet mixture wants one weight a component", got=f"{self.weights.shape} and {self.alphas.shape}"
            )
        if not (np.isfinite(self.alphas).all() and (self.alphas > 0).all() and (self.weights > 0).all()):
            raise ParameterError("weights and parameters of a Dirichlet mixture are positive numbers")

    def log_marginal(self, counts: Array) -> Array:
        """Return the log probability of each row of counts (K, A), without multinomial coefficients, shape (K,)."""
        return logsumexp(self._joint(counts), axis=1)

    def _joint(self, counts: Array) -> Array:
        """Return log weight plus log probability of the counts by component, (K, J)."""
        totals = self.alphas.sum(axis=1)
        terms = np.empty((len(counts), len(self.alphas)))
        kb.mixture_terms(counts, self.alphas, totals, gammaln(self.alphas).T.copy(), gammaln(totals), terms)
        return np.log(self.weights) + terms

    def mean_posterior(self, counts: Array) -> Array:
        """Return the posterior mean of the probabilities given counts (K, A), shape (K, A).

        References
        ----------
        Sjolander et al., Comput Appl Biosci 12:327 (1996), eq. 14.
        """
        joint = self._joint(counts)
        share = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        share /= counts.sum(axis=1)[:, None] + self.alphas.sum(axis=1)
        return counts * share.sum(axis=1, keepdims=True) + share @ self.alphas

    def log_density(self, p: Array) -> Array:
        """Return the log density of each row of probabilities (K, A), of their logits, shape (K,)."""
        return logsumexp(self._density(p), axis=1)

    def _density(self, p: Array) -> Array:
        norm = gammaln(self.alphas.sum(axis=1)) - gammaln(self.alphas).sum(axis=1)
        return np.log(self.weights) + norm + np.log(p) @ self.alphas.T

    def improve(self, counts: Array, p: Array) -> Array:
        """Return probabilities no less probable than ``p`` given counts: one step of EM over the components.

        The density is that of the logits, whose mode exists for all positive parameters.
        """
        log = self._density(p)
        share = np.exp(log - logsumexp(log, axis=1, keepdims=True))
        total = counts + share @ self.alphas
        return total / total.sum(axis=1, keepdims=True)


def single(alphas: object) -> DirichletMixture:
    """Return a mixture of one component."""
    return DirichletMixture(np.ones(1), np.atleast_2d(np.asarray(alphas, dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class ProfilePrior:
    """Priors of all the probabilities of a profile HMM.

    Attributes
    ----------
    match, insert : DirichletMixture
        Of emissions.
    match_transitions, insert_transitions, delete_transitions : DirichletMixture
        Of (MM, MI, MD), (IM, II) and (DM, DD).
    """

    match: DirichletMixture
    insert: DirichletMixture
    match_transitions: DirichletMixture
    insert_transitions: DirichletMixture
    delete_transitions: DirichletMixture


def default_prior(alphabet: Alphabet) -> ProfilePrior:
    """Return the prior that HMMER 3 takes for an alphabet.

    References
    ----------
    Sjolander et al. (1996), blocks9; transitions by G. Mitchison; nucleotides by T. Wheeler.
    """
    if alphabet is PROTEIN:
        weights, alphas = zip(*COMPONENTS, strict=True)
        return ProfilePrior(
            DirichletMixture(np.array(weights), np.array(alphas)),
            single(INSERT),
            single([0.7939, 0.0278, 0.0135]),
            single([0.1551, 0.1331]),
            single([0.9002, 0.5630]),
        )
    match = DirichletMixture(
        np.array([0.24, 0.26, 0.08, 0.42]),
        np.array(
            [[0.16, 0.45, 0.12, 0.39], [0.09, 0.03, 0.09, 0.04], [1.29, 0.40, 6.58, 0.51], [1.74, 1.49, 1.57, 1.95]]
        ),
    )
    return ProfilePrior(match, single(np.ones(4)), single([2.0, 0.1, 0.1]), single([0.12, 0.4]), single([0.5, 1.0]))


def laplace_prior(alphabet: Alphabet) -> ProfilePrior:
    """Return the prior that adds one to every count."""
    letters = np.ones(len(alphabet.letters))
    return ProfilePrior(single(letters), single(letters), single(np.ones(3)), single(np.ones(2)), single(np.ones(2)))


def prior_from_json(text: str, alphabet: Alphabet) -> ProfilePrior:
    """Return the prior that a JSON object describes.

    Each of the fields of :class:`ProfilePrior` is a list of ``[weight, [parameters]]``.

    Raises
    ------
    FormatError
        Where the text is no such object.
    """
    try:
        known = json.loads(text)
        parts = {name: _mixture(known[name]) for name in ProfilePrior.__dataclass_fields__}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            "is no prior", got=repr(error), expected="an object of lists of [weight, [parameters]]"
        ) from error
    sizes = [part.alphas.shape[1] for part in parts.values()]
    expected = [len(alphabet.letters)] * 2 + [3, 2, 2]
    if sizes != expected:
        raise FormatError("is a prior of another shape", got=sizes, expected=expected)
    return ProfilePrior(**parts)


def _mixture(rows: list[tuple[float, list[float]]]) -> DirichletMixture:
    weights, alphas = zip(*rows, strict=True)
    return DirichletMixture(np.array(weights, np.float64), np.array(alphas, np.float64))
