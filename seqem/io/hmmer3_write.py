"""Text of a core model in the HMMER3/f format."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seqem.errors import DataError
from seqem.profile.plan7 import CoreModel, Cutoffs
from seqem.shapes import Array

_ALPHABETS = {"protein": "amino", "dna": "DNA", "rna": "RNA"}
_TRANSITIONS = ("m->m", "m->i", "m->d", "i->m", "i->i", "d->m", "d->d")


def model_text(model: CoreModel) -> str:
    """Return a model as HMMER3/f text, from its first line to ``//``.

    Raises
    ------
    DataError
        Where name, annotation or shapes do not fit the format.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> flat, last = np.full((2, 4), 0.25), [[1, 0, 0, 0.5, 0.5, 1, 0]] * 2
    >>> text = model_text(CoreModel("tiny", DNA, flat, flat, np.array(last)))
    >>> text.splitlines()[:4]
    ['HMMER3/f [seqem]', 'NAME  tiny', 'LENG  1', 'ALPH  DNA']
    """
    _check(model)
    lines = [*_header(model), *_table(model), "//"]
    return "\n".join(lines) + "\n"


def _check(model: CoreModel) -> None:
    M, A = model.n_nodes, len(model.alphabet.letters)
    shapes = (model.match.shape, model.insert.shape, model.transitions.shape)
    if M < 1 or shapes != ((M + 1, A), (M + 1, A), (M + 1, 7)):
        raise DataError(f"model {model.name!r} has wrong shapes", got=shapes, expected=(M + 1, A))
    if len(model.name.split()) != 1 or model.name.strip() != model.name:
        raise DataError("a model's name must be one word", got=repr(model.name))
    for text in (model.accession, model.description, model.date, *model.commands):
        if text is not None and len(text.splitlines()) > 1:
            raise DataError(f"model {model.name!r}: an annotation has more than one line", got=repr(text))
    for note in (model.consensus, model.reference, model.mask, model.structure, model.columns):
        if note is not None and len(note) != M:
            raise DataError(f"model {model.name!r}: wrong length of annotation", got=len(note), expected=M)
    if not all(np.isfinite(a).all() and (a >= 0).all() for a in (model.match[1:], model.insert, model.transitions)):
        raise DataError(f"model {model.name!r} has probabilities that are negative or not finite")


def _header(model: CoreModel) -> Iterator[str]:
    yield "HMMER3/f [seqem]"
    for tag, value in _facts(model):
        if value is not None:
            yield f"{tag:<5} {value}"
    if model.calibration is not None:
        c = model.calibration
        for stage, place, scale in zip(("MSV", "VITERBI", "FORWARD"), c[:3], c[3:], strict=True):
            yield f"STATS LOCAL {stage:<8} {place:8.4f} {scale:8.5f}"


def _facts(model: CoreModel) -> Iterator[tuple[str, object]]:
    yield "NAME", model.name
    yield "ACC", model.accession
    yield "DESC", model.description
    yield "LENG", model.n_nodes
    yield "MAXL", model.max_length
    yield "ALPH", _ALPHABETS[model.alphabet.name]
    for tag, note in (
        ("RF", model.reference),
        ("MM", model.mask),
        ("CONS", model.consensus),
        ("CS", model.structure),
        ("MAP", model.columns),
    ):
        yield tag, "no" if note is None else "yes"
    yield "DATE", model.date
    for number, command in enumerate(model.commands, 1):
        yield "COM", f"[{number}] {command}"
    yield "NSEQ", model.n_sequences
    yield "EFFN", None if model.effective_number is None else f"{model.effective_number:.6f}"
    yield "CKSUM", model.checksum
    yield "GA", _cutoffs(model.gathering)
    yield "TC", _cutoffs(model.trusted)
    yield "NC", _cutoffs(model.noise)


def _cutoffs(cutoffs: Cutoffs | None) -> str | None:
    return None if cutoffs is None else " ".join(f"{value:.2f}" for value in cutoffs if value is not None)


def _table(model: CoreModel) -> Iterator[str]:
    yield "HMM     " + "".join(f"     {letter}   " for letter in model.alphabet.letters)
    yield "        " + " ".join(f"{name:>8}" for name in _TRANSITIONS)
    if model.composition is not None:
        yield "  COMPO " + _numbers(model.composition)
    for k in range(model.n_nodes + 1):
        if k:
            yield f"{k:7d} " + _numbers(model.match[k]) + _notes(model, k - 1)
        yield " " * 8 + _numbers(model.insert[k])
        yield " " * 8 + _numbers(model.transitions[k])


def _numbers(probabilities: Array) -> str:
    with np.errstate(divide="ignore"):
        values = np.maximum(-np.log(probabilities), 0.0).tolist()
    # The sum turns -0.0 into 0.0.
    return "".join(f" {'*':>8}" if value == np.inf else f" {value + 0.0:8.5f}" for value in values)


def _notes(model: CoreModel, k: int) -> str:
    column = "-" if model.columns is None else model.columns[k]
    notes = (model.consensus, model.reference, model.mask, model.structure)
    return f" {column:>6} " + " ".join("-" if note is None else note[k] for note in notes)
