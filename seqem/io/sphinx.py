"""Sphinx: its folders of acoustic models as recognisers."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.independent import Independent, IndependentParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.shared_mixture import SharedMixture, SharedMixtureParams
from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.pronunciations import read_lexicon
from seqem.io.sphinx_arrays import read_gaussians, read_sendump, read_transitions, read_weights
from seqem.io.sphinx_phones import Chain, Phones, read_phones
from seqem.io.streams import FilePath, open_text
from seqem.shapes import Array
from seqem.speech.acoustic import AcousticParams
from seqem.speech.composite import Composite
from seqem.speech.contexts import Contexts
from seqem.speech.features import Features
from seqem.speech.lexicon import Lexicon
from seqem.speech.recogniser import SpeechRecogniser
from seqem.speech.sphinx_streams import stream_columns
from seqem.speech.unit_network import Pauses
from seqem.speech.units import ENTRY, Inventory, Unit

# Sphinx's defaults: of the language, of silence between words, and the smallest numbers of its models.
_LANGUAGE_WEIGHT, _WORD_PROBABILITY, _SILENCE_PROBABILITY = 6.5, 0.65, 0.005
_BEAM = -math.log(1e-48)
_SMALLEST_VARIANCE, _SMALLEST_WEIGHT, _SMALLEST_TRANSITION = 1e-4, 1e-7, 1e-4
_SILENCE_WORD, _SILENCE_PHONE = "<sil>", "SIL"
# What its folders say of features, and how it is said here.
_NUMBERS = {
    "-samprate": "sample_rate", "-wlen": "width", "-alpha": "pre_emphasis", "-nfilt": "n_channels", "-lowerf": "low",
    "-upperf": "high", "-lifter": "lifter",
}  # fmt: skip
_FLAGS = {"-round_filters": "round_filters", "-remove_dc": "remove_dc"}
_TEXTS = {"-transform": "transform", "-feat": "streams"}
_FIXED = {
    "-agc": ("none",), "-cmn": ("current", "batch"), "-varnorm": ("no",), "-remove_noise": ("no",), "-unit_area": ("yes",),
    "-doublebw": ("no",), "-model": ("cont", "semi"),
}  # fmt: skip
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


def read_sphinx(folder: FilePath, lexicon: Lexicon) -> SpeechRecogniser:
    """Return a recogniser with the acoustic models of a folder, continuous or semi-continuous.

    Parameters
    ----------
    folder : path-like
        With ``mdef``, ``means``, ``variances``, ``transition_matrices``, ``mixture_weights`` or ``sendump``, and perhaps
        ``feat.params`` and ``noisedict``.
    lexicon : Lexicon
        How words are said in the phones of the models, as :func:`seqem.io.pronunciations.read_lexicon` gives it.

    Returns
    -------
    SpeechRecogniser
        It takes samples, or features that :func:`seqem.speech.sphinx_streams.sphinx_streams` makes of cepstra. Weights of
        language, words and silence are Sphinx's defaults. There may be silence around each word; other fillers, noises and
        breath, are left aside.

    Raises
    ------
    FormatError
        Where a file is damaged, files do not fit together, or the features are of a kind that is not known here.
    DataError
        Where the lexicon has phones that the models have not.
    """
    path = Path(folder)
    phones = read_phones(path / "mdef")
    strange = sorted(set(lexicon.units) - phones.alone.keys())
    if strange:
        raise DataError("the models have not all phones of the lexicon", got=strange, expected=sorted(phones.alone))
    features = read_features(path / "feat.params")
    chains, contexts = _named(phones)
    matrices = _normalised(read_transitions(path / "transition_matrices"), _SMALLEST_TRANSITION)
    if matrices.shape[:2] != (phones.n_transitions, len(next(iter(chains.values())).states)):
        raise _misfit(path, "transition_matrices", matrices.shape)
    inventory = _inventory(chains, matrices)
    distribution, emission = _emission(path, phones.n_states, features)
    pauses = Pauses(_silence(path, phones), (_SILENCE_PROBABILITY * _WORD_PROBABILITY) ** _LANGUAGE_WEIGHT)
    known = Contexts(contexts, pauses.unit) if contexts else None
    return SpeechRecogniser.of_models(
        Composite(lexicon, inventory, pauses, known),
        distribution,
        AcousticParams(_transitions(inventory, chains, matrices), emission),
        features=features,
        normalise=None,
        beam=_BEAM,
        language_weight=_LANGUAGE_WEIGHT,
        word_penalty=_LANGUAGE_WEIGHT * math.log(_WORD_PROBABILITY),
    )


def read_features(path: FilePath) -> Features:
    """Return the features that a ``feat.params`` describes; Sphinx's defaults where there is no file.

    Raises
    ------
    FormatError
        For a setting that cannot be read, or that is not known here, with the line.
    """
    found: dict[str, Any] = {
        "style": "sphinx", "width": 0.025625, "n_channels": 40, "low": 133.33334, "high": 6855.4976, "lifter": 0.0,
        "delta_order": 0, "streams": "1s_c_d_dd",
    }  # fmt: skip
    if os.path.exists(path):
        with open_text(path) as handle:
            for line, text in enumerate(handle, 1):
                try:
                    found |= _setting(text.split())
                except (ValueError, IndexError) as error:
                    expected = "a setting that is known here, and its value"
                    raise FormatError(
                        "setting is off", got=text.strip()[:80], expected=expected, path=os.fspath(path), line=line
                    ) from error
    try:
        return Features(**found)
    except SeqemError as error:
        raise FormatError(f"settings do not fit together: {error}", path=os.fspath(path)) from error


def _setting(fields: list[str]) -> dict[str, Any]:
    """Return the argument of ``Features`` that a line sets, none for what does not matter; ValueError where it is off."""
    if not fields:
        return {}
    name, value = fields
    if name in _FIXED and value not in _FIXED[name]:
        raise ValueError
    if name in ("-lda", "-svspec", "-warp_params"):
        raise ValueError
    if name == "-frate":
        return {"shift": 1.0 / float(value)}
    if name == "-ncep":
        return {"n_ceps": int(value) - 1}
    if name in _NUMBERS:
        number = float(value)
        return {_NUMBERS[name]: int(number) if name == "-nfilt" else number}
    if name in _FLAGS:
        return {_FLAGS[name]: {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}[value]}
    return {_TEXTS[name]: value} if name in _TEXTS else {}


def _named(phones: Phones) -> tuple[dict[str, Chain], dict[str, str]]:
    """Return different chains by name, and the name of each phone in context; phones that share their states share a name."""
    chains = dict(phones.alone)
    known = {(name, chain): name for name, chain in chains.items()}
    contexts = {}
    for key, chain in phones.between.items():
        base = key[0]
        name = known.get((base, chain))
        if name is None:
            name = known[base, chain] = f"{base}.{len(known)}"
            chains[name] = chain
        contexts[" ".join(key)] = name
    return chains, contexts


def _inventory(chains: Mapping[str, Chain], matrices: Array) -> Inventory:
    """Return units with the arcs of their matrices; those with the same matrix share its transitions."""
    first: dict[int, str] = {}
    tied = {}
    for name, chain in chains.items():
        owner = first.setdefault(chain.transitions, name)
        if owner != name:
            tied[name] = owner
    arcs = [((ENTRY, 1), *((int(a) + 1, int(b) + 1) for a, b in np.argwhere(matrix > 0))) for matrix in matrices]
    return Inventory({name: Unit(chain.states, arcs[chain.transitions]) for name, chain in chains.items()}, tied)


def _transitions(inventory: Inventory, chains: Mapping[str, Chain], matrices: Array) -> Array:
    """Return the probabilities of the arcs of an inventory."""
    owners = [name for name in inventory.units if name not in inventory.tied]
    return np.array([
        1.0 if a == ENTRY else matrices[chains[name].transitions, a - 1, b - 1]
        for name in owners for a, b in inventory[name].arcs
    ])  # fmt: skip


def _emission(path: Path, n_states: int, features: Features) -> tuple[Any, Any]:
    """Return the distribution of the states and its parameters."""
    means, variances = (read_gaussians(path / name) for name in ("means", "variances"))
    dump = path / "sendump"
    weights = read_sendump(dump) if dump.exists() else read_weights(path / "mixture_weights")
    columns = stream_columns(str(features.streams), features.n_ceps + 1)
    n_books, n_parts, _ = means[0].shape
    if [part.shape for part in means] != [part.shape for part in variances]:
        raise _misfit(path, "variances", [part.shape for part in variances])
    if [part.shape[2] for part in means] != [len(part) for part in columns]:
        raise _misfit(path, "means", [part.shape for part in means])
    if weights.shape != (n_states, len(means), n_parts) or n_books not in (1, n_states):
        raise _misfit(path, "weights of mixtures, or codebooks,", (weights.shape, means[0].shape))
    weights = _normalised(weights, _SMALLEST_WEIGHT)
    shared = n_books == 1 and n_states > 1
    made = [
        _stream(shared, np.ascontiguousarray(weights[:, i]), mean, np.maximum(variance, _SMALLEST_VARIANCE))
        for i, (mean, variance) in enumerate(zip(means, variances, strict=True))
    ]
    if len(made) == 1:
        return made[0]
    parts = [(family, list(part)) for (family, _), part in zip(made, columns, strict=True)]
    return Independent(parts), IndependentParams(tuple(params for _, params in made))


def _stream(shared: bool, weights: Array, mean: Array, variance: Array) -> tuple[Any, Any]:
    """Return the distribution of one stream and its parameters, from Gaussians (codebooks, parts, D)."""
    family, width = Gaussian("diag", floor=_SMALLEST_VARIANCE), mean.shape[2]
    parts = GaussianParams(mean.reshape(-1, width).copy(), variance.reshape(-1, width))
    if shared:
        return SharedMixture(family, weights.shape[1]), SharedMixtureParams(weights, parts)
    return MixtureOf(family, weights.shape[1]), MixtureParams(weights, parts)


def _normalised(weights: Array, smallest: float) -> Array:
    """Return rows that sum to one, in which what is not zero is not below ``smallest``; a row of zeros stays."""
    out = weights / np.maximum(weights.sum(axis=-1, keepdims=True), np.finfo(float).tiny)
    out = np.where(out > 0, np.maximum(out, smallest), 0.0)
    return np.asarray(out / np.maximum(out.sum(axis=-1, keepdims=True), np.finfo(float).tiny))


def _silence(path: Path, phones: Phones) -> str:
    """Return the phone of silence: that of <sil> in the noise dictionary, else SIL."""
    known = read_lexicon(path / "noisedict").entries if (path / "noisedict").exists() else {}
    name = known[_SILENCE_WORD][0].units[0] if _SILENCE_WORD in known else _SILENCE_PHONE
    if name not in phones.alone:
        raise _misfit(path, "phone of silence", name)
    return name


def _misfit(path: Path, what: str, got: Any) -> FormatError:
    hint = "are the files those of one model, continuous or with a single codebook?"
    return FormatError(f"{what} do not fit the other files", got=got, hint=hint, path=os.fspath(path))
