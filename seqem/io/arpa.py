"""ARPA files: n-gram models as language modelling tools write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TextIO

from seqem.errors import DataError, FormatError
from seqem.io.streams import FilePath, atomic_write, open_text
from seqem.speech.ngram import BEGIN, NGram

_LN10 = math.log(10.0)
_NEVER = -99.0
_ROUNDING = 1e-3
_NOT_UTF8 = "\ufffd"
_COUNT = re.compile(r"ngram\s+(\d{1,4})\s*=\s*(\d{1,18})")


def read_arpa(path: FilePath) -> NGram:
    """Read an n-gram model of any order.

    Parameters
    ----------
    path : path-like
        The file, packed or not.

    Returns
    -------
    NGram
        In natural logarithms. n-grams that end in ``<s>`` keep their back-off weight only: nothing comes before a beginning.

    Raises
    ------
    FormatError
        With the line, where the file is no ARPA file, is cut short, a number is off, an n-gram is there twice, or there
        are more or fewer of them than it says.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.arpa"
    >>> model = NGram.of([["go", "left"], ["go", "right"]])
    >>> write_arpa(path, model)
    >>> round(read_arpa(path).log_probability(["go", "left"]) - model.log_probability(["go", "left"]), 6)
    0.0
    """
    with open_text(path) as handle:
        lines = _Lines(handle, str(path))
        sizes = lines.counts()
        log_probabilities: dict[tuple[str, ...], float] = {}
        backoffs: dict[tuple[str, ...], float] = {}
        for n, size in enumerate(sizes, 1):
            lines.expect(f"\\{n}-grams:")
            for _ in range(size):
                log_probability, words, backoff = lines.ngram(n, last=n == len(sizes))
                if words in log_probabilities or words in backoffs:
                    raise lines.error("n-gram is there twice", got=repr(" ".join(words)))
                if words[-1] != BEGIN:
                    log_probabilities[words] = _LN10 * log_probability
                if backoff or words[-1] == BEGIN:
                    backoffs[words] = _LN10 * backoff
        lines.expect("\\end\\")
    if not log_probabilities:
        raise FormatError("no n-grams", path=str(path))
    return NGram(len(sizes), log_probabilities, backoffs)


def write_arpa(path: FilePath, model: NGram) -> None:
    """Write an n-gram model, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    model : NGram
        All of it is written.

    Raises
    ------
    DataError
        Where a word is empty or has a blank.
    """
    keys = {*model.log_probabilities, *model.backoffs}
    for word in {word for key in keys for word in key}:
        if word.split() != [word]:
            raise DataError("word cannot be kept in an ARPA file", got=repr(word), expected="a word without blanks")
    by_order = [sorted(key for key in keys if len(key) == n) for n in range(1, model.order + 1)]
    with atomic_write(path) as handle:
        handle.write("\\data\\\n")
        handle.writelines(f"ngram {n}={len(ngrams)}\n" for n, ngrams in enumerate(by_order, 1))
        for n, ngrams in enumerate(by_order, 1):
            handle.write(f"\n\\{n}-grams:\n")
            handle.writelines(_line(model, words) for words in ngrams)
        handle.write("\n\\end\\\n")


def _line(model: NGram, words: tuple[str, ...]) -> str:
    log_probability = max(_NEVER, model.log_probabilities.get(words, -math.inf) / _LN10)
    backoff = f"\t{max(_NEVER, model.backoffs[words] / _LN10):.10g}" if words in model.backoffs else ""
    return f"{log_probability:.10g}\t{' '.join(words)}{backoff}\n"


class _Lines:
    """The lines of an ARPA file that are not blank, one after another."""

    def __init__(self, handle: TextIO, path: str) -> None:
        self._path, self._number = path, 0
        self._rest = self._numbered(handle)

    def _numbered(self, handle: TextIO) -> Iterator[str]:
        for self._number, line in enumerate(handle, 1):
            if line.strip():
                yield line.strip()

    def error(self, what: str, **facts: str) -> FormatError:
        return FormatError(what, path=self._path, line=self._number, **facts)

    def next(self, expected: str) -> str:
        line = next(self._rest, None)
        if line is None:
            raise self.error("is no whole ARPA file", got="its end", expected=expected)
        return line

    def expect(self, mark: str) -> None:
        line = self.next(mark)
        if line != mark:
            raise self.error("number of n-grams is off or a part is missing", got=repr(line), expected=mark)

    def counts(self) -> list[int]:
        """Return how many n-grams of each order there are; what stands before ``\\data\\`` is a comment."""
        while self.next("\\data\\") != "\\data\\":
            pass
        sizes: list[int] = []
        while found := _COUNT.fullmatch(line := self.next("\\1-grams:")):
            if int(found[1]) != len(sizes) + 1:
                raise self.error("orders are off", got=line, expected=f"ngram {len(sizes) + 1}=...")
            sizes.append(int(found[2]))
        if not sizes:
            raise self.error("is no ARPA file", got=repr(line), expected="ngram 1=...")
        self._rest = self._again(line, self._rest)
        return sizes

    @staticmethod
    def _again(line: str, rest: Iterator[str]) -> Iterator[str]:
        yield line
        yield from rest

    def ngram(self, n: int, *, last: bool) -> tuple[float, tuple[str, ...], float]:
        """Return log-probability, words and back-off weight of a line."""
        line = self.next("an n-gram")
        fields = line.split()
        if not n + 1 <= len(fields) <= n + 2 - last or _NOT_UTF8 in line:
            raise self.error(
                "n-gram is off", got=repr(line), expected=f"a number, {n} words, perhaps a back-off weight"
            )
        log_probability = self._number_of(fields[0])
        if log_probability > _ROUNDING:
            raise self.error("log-probability is off", got=fields[0], expected="0 at most")
        return log_probability, tuple(fields[1 : n + 1]), self._number_of(fields[n + 1]) if len(fields) > n + 1 else 0.0

    def _number_of(self, field: str) -> float:
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not abs(value) < math.inf:
            raise self.error("number is off", got=repr(field), expected="a finite number")
        return value
