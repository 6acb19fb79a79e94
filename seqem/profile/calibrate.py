"""Calibration: the statistics of a model's scores on random sequences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqem.bio.alphabet import Alphabet
from seqem.bio.background import background
from seqem.kernels import profile_forward as kf
from seqem.profile.configure import configure
from seqem.profile.domains import SEED, mix_seed
from seqem.profile.evalue import gumbel_fit, gumbel_location, gumbel_quantile, null_score
from seqem.profile.filters import Filters
from seqem.profile.plan7 import Calibration, CoreModel
from seqem.profile.tables import forward_tables
from seqem.shapes import AnyArray, Array

_N, _LENGTH, _FORWARD_LENGTH, _TAIL = 200, 200, 100, 0.04
_LN2 = np.log(2.0)


def calibrate(core: CoreModel) -> CoreModel:
    """Return the model with the statistics of its scores on random sequences.

    600 sequences are drawn by HMMER's generator with its seed, so that the numbers are HMMER's, apart from rounding.

    References
    ----------
    Eddy, PLoS Comput Biol 4:e1000069 (2008).
    """
    scale = expected_lambda(core)
    profile = configure(core)
    filters = Filters(profile)
    random = _random_residues(core.alphabet, 2 * _N * _LENGTH + _N * _FORWARD_LENGTH)
    first, second, third = np.split(random, [_N * _LENGTH, 2 * _N * _LENGTH])
    offsets = np.arange(_N + 1) * _LENGTH
    null = float(null_score(_LENGTH))
    msv = gumbel_location((filters.segments(first, offsets) - null) / _LN2, scale)
    viterbi = gumbel_location((filters.viterbi(second, offsets, np.arange(_N)) - null) / _LN2, scale)
    location, fitted = gumbel_fit(_forward_bits(core, third.reshape(_N, _FORWARD_LENGTH)))
    tau = gumbel_quantile(1 - _TAIL, location, fitted) + np.log(_TAIL) / scale
    return replace(core, calibration=Calibration(msv, viterbi, float(tau), scale, scale, scale))


def expected_lambda(core: CoreModel) -> float:
    """Return the scale of random scores in bits: log 2, corrected for the length of the model."""
    q = background(core.alphabet)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(core.match[1:] > 0, core.match[1:] * np.log2(core.match[1:] / q), 0.0)
    return float(_LN2 + 1.44 / (core.n_nodes * terms.sum(axis=1).mean()))


def _forward_bits(core: CoreModel, targets: AnyArray) -> Array:
    profile = configure(core)
    t = forward_tables(profile)
    specials = profile.specials(_FORWARD_LENGTH).astype(np.float32)
    states = np.empty((_FORWARD_LENGTH + 1, kf.STATES), np.float32)
    scores = np.empty(len(targets))
    for n, target in enumerate(targets):
        scores[n] = kf.forward(target, t.odds, t.ahead, specials, np.zeros(t.row, np.float32), 0, states, t.dim)
    return (scores - null_score(_FORWARD_LENGTH)) / _LN2


def _random_residues(alphabet: Alphabet, n: int) -> AnyArray:
    """Return residues of the background, one draw of HMMER's fast generator each."""
    return np.searchsorted(np.cumsum(background(alphabet)), uniforms(mix_seed(SEED), n), side="right").astype(np.uint8)


def uniforms(state: int, n: int) -> Array:
    """Return the next numbers of the generator x <- 69069 x + 1 mod 2^32, as fractions."""
    factors = np.full(n, 69069, np.uint64)
    with np.errstate(over="ignore"):
        powers = np.cumprod(factors) & np.uint64(0xFFFFFFFF)
        sums = np.concatenate(([1], powers[:-1])).astype(np.uint64).cumsum() & np.uint64(0xFFFFFFFF)
        values = (powers * np.uint64(state) + sums) & np.uint64(0xFFFFFFFF)
    return values / 4294967296.0
