"""Small problems that several tests of the estimators share."""

import numpy as np

from seqem import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM

COVARIANCES = ("spherical", "diag", "full", "tied")
LENGTHS = [40, 1, 25, 34]


def random_chain(K, rng):
    """Return start and transition probabilities that stay in a state for a while."""
    return rng.dirichlet(np.full(K, 3.0)), rng.dirichlet(np.ones(K), K) * 0.5 + np.eye(K) * 0.5


def random_matrices(n, D, rng):
    """Return n well-conditioned covariance matrices (n, D, D)."""
    roots = rng.normal(0, 0.4, (n, D, D)) + np.eye(D)
    return roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(D)


def random_covariances(covariance_type, shape, rng):
    """Return covariances for components of ``shape`` (K,) or (K, M) times D, as the estimators take them."""
    *many, D = shape
    if covariance_type == "spherical":
        return rng.uniform(0.5, 2.0, many)
    if covariance_type == "diag":
        return rng.uniform(0.5, 2.0, shape)
    if covariance_type == "tied":
        return random_matrices(1, D, rng)[0] if len(many) == 1 else random_matrices(many[0], D, rng)
    return random_matrices(int(np.prod(many)), D, rng).reshape(*many, D, D)


def rows_of_states(K, D, rng, lengths=LENGTHS):
    """Return rows that move between K overlapping clusters."""
    states = np.repeat(rng.integers(0, K, sum(lengths) // 4 + 1), 4)[: sum(lengths)]
    return rng.normal(0, 1.0, (len(states), D)) + 1.7 * states[:, None]


def categorical(rng, K=3, M=4):
    """Return class, constructor arguments, parameters and data of a symbol problem."""
    start, trans = random_chain(K, rng)
    known = {"startprob_": start, "transmat_": trans, "emissionprob_": rng.dirichlet(np.ones(M), K)}
    return CategoricalHMM, {"n_components": K}, known, rng.integers(0, M, (sum(LENGTHS), 1))


def gaussian(rng, covariance_type, K=3, D=2):
    """Return the same of a Gaussian problem."""
    start, trans = random_chain(K, rng)
    means = 1.7 * np.arange(K)[:, None] + rng.normal(0, 0.5, (K, D))
    covars = random_covariances(covariance_type, (K, D), rng)
    known = {"startprob_": start, "transmat_": trans, "means_": means, "covars_": covars}
    return GaussianHMM, {"n_components": K, "covariance_type": covariance_type}, known, rows_of_states(K, D, rng)


def gmm(rng, covariance_type, K=2, M=3, D=2):
    """Return the same of a Gaussian mixture problem."""
    start, trans = random_chain(K, rng)
    known = {
        "startprob_": start,
        "transmat_": trans,
        "weights_": rng.dirichlet(np.full(M, 5.0), K),
        "means_": 1.7 * np.arange(K)[:, None, None] + rng.normal(0, 1.0, (K, M, D)),
        "covars_": random_covariances(covariance_type, (K, M, D), rng),
    }
    given = {"n_components": K, "n_mix": M, "covariance_type": covariance_type}
    return GMMHMM, given, known, rows_of_states(K, D, rng)


def poisson(rng, K=3, D=2):
    """Return the same of a problem of counts."""
    start, trans = random_chain(K, rng)
    lambdas = np.array([1.0, 5.0, 12.0])[:K, None] + rng.uniform(0, 2, (K, D))
    known = {"startprob_": start, "transmat_": trans, "lambdas_": lambdas}
    return PoissonHMM, {"n_components": K}, known, rng.poisson(lambdas[rng.integers(0, K, sum(LENGTHS))])


def multinomial(rng, K=3, M=4, n_trials=7):
    """Return the same of a problem of symbol counts."""
    start, trans = random_chain(K, rng)
    probs = rng.dirichlet(np.ones(M), K)
    known = {"startprob_": start, "transmat_": trans, "emissionprob_": probs}
    x = rng.multinomial(n_trials, probs[rng.integers(0, K, sum(LENGTHS))])
    return MultinomialHMM, {"n_components": K, "n_trials": n_trials}, known, x


PROBLEMS = {
    "categorical": categorical,
    **{f"gaussian-{c}": (lambda rng, c=c: gaussian(rng, c)) for c in COVARIANCES},
    **{f"gmm-{c}": (lambda rng, c=c: gmm(rng, c)) for c in COVARIANCES},
    "poisson": poisson,
    "multinomial": multinomial,
}


def problem(name, seed=0):
    """Return class, constructor arguments, parameters and data of a problem by its name."""
    return PROBLEMS[name](np.random.default_rng(seed))


def with_parameters(model, known):
    """Set learned attributes of either package's estimator and return it."""
    for name, value in known.items():
        setattr(model, name, np.array(value))
    return model
