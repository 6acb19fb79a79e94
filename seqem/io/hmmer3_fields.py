"""Values of the header tags of a HMMER3 file: each parser raises ValueError with what it expects."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from seqem.bio.alphabet import DNA, PROTEIN, RNA, Alphabet
from seqem.profile.plan7 import Calibration, Cutoffs

ALPHABETS: dict[str, Alphabet] = {"amino": PROTEIN, "dna": DNA, "rna": RNA}
INT64, UINT32 = 2**63 - 1, 2**32 - 1
_STAGES = ("MSV", "VITERBI", "FORWARD")


def word(text: str) -> str:
    """Return a value of one word."""
    if len(text.split()) != 1:
        raise ValueError("one word")
    return text


def yes(text: str) -> bool:
    """Return whether the value is yes, not no."""
    if text.lower() not in ("yes", "no"):
        raise ValueError("yes or no")
    return text.lower() == "yes"


def alphabet(text: str) -> Alphabet:
    """Return the alphabet of that name."""
    if text.lower() not in ALPHABETS:
        raise ValueError("amino, DNA or RNA")
    return ALPHABETS[text.lower()]


def integer(low: int, high: int = INT64) -> Callable[[str], int]:
    """Return a parser of whole numbers from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def finite(word: str) -> float:
    """Return a finite number."""
    value = float(word)
    if not np.isfinite(value):
        raise ValueError("a finite number")
    return value


def number(text: str) -> float:
    """Return a finite number that is not negative."""
    try:
        value = finite(text)
    except ValueError:
        value = -1.0
    if value < 0:
        raise ValueError("a number from 0 on")
    return value


def cutoffs(text: str) -> Cutoffs:
    """Return one threshold or two."""
    try:
        values = [finite(word) for word in text.replace(";", " ").split()]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise ValueError("one or two numbers")
    return Cutoffs(*values)


def calibration(stats: list[str]) -> Calibration:
    """Return the calibration of all STATS values: location and lambda of three stages, or the three of version 3/a."""
    expected = f"LOCAL and {', '.join(_STAGES)}, each with location and lambda"
    found: dict[str, list[float]] = {}
    for text in stats:
        words = text.split()
        try:
            found[words[1]] = [finite(word) for word in words[2:]]
        except (ValueError, IndexError):
            raise ValueError(expected) from None
    kinds = {name: len(values) for name, values in found.items()}
    if kinds == dict.fromkeys(_STAGES, 2):
        locations, scales = zip(*(found[name] for name in _STAGES), strict=True)
    elif kinds == {"VLAMBDA": 1, "VMU": 1, "FTAU": 1}:
        # Version 3/a has one location for both Gumbels and one lambda for all.
        locations, scales = (*found["VMU"] * 2, *found["FTAU"]), tuple(found["VLAMBDA"] * 3)
    else:
        raise ValueError(expected)
    if min(scales) <= 0:
        raise ValueError("lambda above 0")
    return Calibration(*locations, *scales)
