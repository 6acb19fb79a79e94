"""Alphabets of nucleotides and amino acids: letters to symbols and back, degenerate letters included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from Bio.Data import IUPACData
from numpy.typing import NDArray

from seqem.errors import DataError, ParameterError
from seqem.shapes import Array

_BAD = 255
_NUCLEOTIDE_SHARE = 0.9


@dataclass(frozen=True)
class Alphabet:
    """Map letters to symbols: first the M canonical letters, then one symbol for each degenerate letter.

    Symbols 0 to M - 1 are ``letters`` in order; symbols M to C - 1 are the degenerate letters in the
    order of ``degenerate``, whose last one stands for any letter; symbol C is the gap of aligned text, and C + 1 the mark
    of a place without residue, such as a stop codon, in unaligned text (of an alignment it counts as any letter).

    Attributes
    ----------
    name : str
        "dna", "rna" or "protein".
    letters : str
        The M canonical letters.
    degenerate : mapping of str to str
        The canonical letters that each degenerate letter may stand for.
    synonyms : mapping of str to str
        Letters that are read as another letter.
    gaps : str
        Letters of a gap; the first one is written.
    nonresidue : str
        Mark of a place without residue, "" where there is none.

    Examples
    --------
    >>> DNA.encode("gattacaN").tolist()
    [2, 0, 3, 3, 0, 1, 0, 14]
    >>> DNA.decode([2, 0, 14])
    'GAN'
    """

    name: str
    letters: str
    degenerate: Mapping[str, str] = field(hash=False)
    synonyms: Mapping[str, str] = field(hash=False)
    gaps: str = "-."
    nonresidue: str = ""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        # There is one object of each alphabet, in workers too.
        return alphabet_of, (self.name,)

    @cached_property
    def codes(self) -> Array:
        """Which letters each symbol may stand for, 0 or 1, shape (C, M); the last row is all ones."""
        sets = [*self.letters, *self.degenerate.values()]
        return np.array([[float(letter in allowed) for letter in self.letters] for allowed in sets])

    @property
    def gap(self) -> int:
        """Symbol of a gap in aligned text."""
        return len(self.letters) + len(self.degenerate)

    @cached_property
    def _written(self) -> bytes:
        return (self.letters + "".join(self.degenerate) + self.gaps[0] + self.nonresidue).encode("ascii")

    @cached_property
    def written(self) -> NDArray[np.uint8]:
        """The letter of each symbol, gap and mark of no residue included, as bytes."""
        return np.frombuffer(bytearray(self._written), np.uint8)

    @cached_property
    def _table(self) -> bytes:
        return self._reading_table(dict.fromkeys(self.nonresidue, self.gap + 1))

    @cached_property
    def _aligned_table(self) -> bytes:
        return self._reading_table(dict.fromkeys(self.gaps, self.gap) | dict.fromkeys(self.nonresidue, self.gap - 1))

    def _reading_table(self, more: Mapping[str, int]) -> bytes:
        symbols = {letter: s for s, letter in enumerate(self.letters + "".join(self.degenerate))}
        symbols |= {letter: symbols[other] for letter, other in self.synonyms.items()} | dict(more)
        table = bytearray([_BAD]) * 256
        for letter, symbol in symbols.items():
            table[ord(letter)] = table[ord(letter.lower())] = symbol
        return bytes(table)

    def reads(self, symbols: NDArray[np.uint8]) -> bool:
        """Return whether unaligned text may have such symbols.

        Examples
        --------
        >>> DNA.reads(np.array([0, 14])), DNA.reads(np.array([0, 15]))
        (True, False)
        """
        known = np.zeros(256, bool)
        known[[symbol for symbol in self._table if symbol != _BAD]] = True
        return bool(known[symbols].all())

    def find_bad(self, text: bytes | str) -> int | None:
        """Return the index of the first letter that is not in the alphabet, None where all are.

        Examples
        --------
        >>> DNA.find_bad("ACGTEF")
        4
        """
        return _first_bad(np.frombuffer(_ascii(text).translate(self._table), np.uint8))

    def encode(self, text: bytes | str) -> NDArray[np.uint8]:
        """Return the symbols of unaligned ``text``; upper and lower case are the same.

        Raises
        ------
        DataError
            With the first letter that is not in the alphabet and its place.
        """
        return self._encode(text, self._table)

    def encode_aligned(self, text: bytes | str) -> NDArray[np.uint8]:
        """Return the symbols of a row of an alignment, with gap letters as the symbol ``gap``.

        Examples
        --------
        >>> DNA.encode_aligned("A-C").tolist()
        [0, 15, 1]
        """
        return self._encode(text, self._aligned_table)

    def _encode(self, text: bytes | str, table: bytes) -> NDArray[np.uint8]:
        symbols = np.frombuffer(bytearray(_ascii(text).translate(table)), np.uint8)
        bad = _first_bad(symbols)
        if bad is not None:
            raise self._refusal(text, bad)
        return symbols

    def _refusal(self, text: bytes | str, index: int) -> DataError:
        letter = text[index : index + 1]
        letter = letter if isinstance(letter, str) else letter.decode("latin-1")
        return DataError(
            f"letter {letter!r} at position {index + 1} is not in the {self.name} alphabet",
            expected=f"letters of {self.letters + ''.join(self.degenerate)}",
            hint="take the gaps out, or read the text as an alignment" if letter in self.gaps else None,
        )

    def decode(self, symbols: object) -> str:
        """Return the text of ``symbols``.

        Raises
        ------
        DataError
            Where a symbol is out of range.
        """
        array = np.asarray(symbols)
        whole = array.dtype.kind in "iu" or not array.size
        if array.ndim != 1 or not whole or (array.size and (array.min() < 0 or array.max() >= len(self._written))):
            raise DataError(
                f"cannot write symbols in the {self.name} alphabet",
                got=f"{array.dtype} of shape {array.shape}",
                expected=f"one row of integers from 0 to {len(self._written) - 1}",
            )
        return array.astype(np.uint8).tobytes().translate(self._written.ljust(256, b"?")).decode("ascii")


def _ascii(text: bytes | str) -> bytes:
    return text.encode("ascii", "replace") if isinstance(text, str) else bytes(text)


def _first_bad(symbols: NDArray[np.uint8]) -> int | None:
    return int(np.argmax(symbols == _BAD)) if symbols.size and symbols.max() == _BAD else None


def _degenerate(values: Mapping[str, str], letters: str, unknown: str) -> dict[str, str]:
    """Return the codes of a table ordered by number of letters, then by name, ``unknown`` last."""
    sets = {code: "".join(sorted(v)) for code, v in values.items() if code not in letters and set(v) < set(letters)}
    ordered = sorted(sets, key=lambda code: (len(sets[code]), code))
    return {code: sets[code] for code in ordered} | {unknown: letters}


def _nucleotides(name: str, letters: str, values: Mapping[str, str], other: str) -> Alphabet:
    return Alphabet(name, letters, _degenerate(values, letters, "N"), {other: letters[3], "X": "N"})


DNA = _nucleotides("dna", "ACGT", IUPACData.ambiguous_dna_values, "U")
RNA = _nucleotides("rna", "ACGU", IUPACData.ambiguous_rna_values, "T")

_AMINO_ACIDS = IUPACData.protein_letters
# Pyrrolysine and selenocysteine count as the residues that they are made from.
_PROTEIN_CODES = IUPACData.extended_protein_values | {"O": "K", "U": "C"}
PROTEIN = Alphabet("protein", _AMINO_ACIDS, _degenerate(_PROTEIN_CODES, _AMINO_ACIDS, "X"), {}, nonresidue="*")

ALPHABETS: dict[str, Alphabet] = {alphabet.name: alphabet for alphabet in (DNA, RNA, PROTEIN)}


def alphabet_of(name: str) -> Alphabet:
    """Return the alphabet of that name or with exactly those canonical letters.

    Examples
    --------
    >>> alphabet_of("rna") is alphabet_of("ACGU")
    True
    """
    for alphabet in ALPHABETS.values():
        if name in (alphabet.name, alphabet.letters):
            return alphabet
    raise ParameterError("unknown alphabet", got=repr(name), expected=f"one of {', '.join(ALPHABETS)}")


def guess(text: bytes | str) -> Alphabet:
    """Return the alphabet that ``text`` is written in.

    Text that is nucleotide letters only, nine tenths of them A, C, G, T, U or N, is a nucleic acid, RNA where
    it has more U than T; other text of amino acid letters is protein. A short peptide such as "GAT" is taken
    for DNA.

    Examples
    --------
    >>> guess("ACGUUACG").name, guess("MKVLAT").name
    ('rna', 'protein')
    """
    sample = _ascii(text).upper()
    if not sample:
        raise DataError("cannot guess the alphabet of an empty text", hint="name the alphabet")
    nucleotides = sum(sample.count(letter) for letter in b"ACGTUN")
    if DNA.find_bad(sample) is None and nucleotides >= _NUCLEOTIDE_SHARE * len(sample):
        return RNA if sample.count(b"U") > sample.count(b"T") else DNA
    bad = PROTEIN.find_bad(sample)
    if bad is not None:
        raise DataError(
            "the text is in no alphabet known here",
            got=f"letter {chr(sample[bad])!r} at position {bad + 1}",
            expected=f"one of {', '.join(ALPHABETS)}",
        )
    return PROTEIN
