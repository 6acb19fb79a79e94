"""Write alignments as Stockholm, one line a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqem.bio.alignment import Alignment
from seqem.errors import DataError
from seqem.io.aligned import names_of_words, row_texts
from seqem.io.stockholm import COLUMNS, CUTOFFS, END, FAMILY, MAGIC
from seqem.io.streams import FilePath, atomic_write


def write_stockholm(
    path: FilePath,
    alignment: Alignment,
    posteriors: Sequence[str] | None = None,
    posterior_consensus: str | None = None,
) -> None:
    """Write an alignment as Stockholm, with all the annotation that it has.

    Where the alignment has a reference, residues of columns outside it are in lower case and their gaps dots.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    alignment : Alignment
        Names must be single words.
    posteriors : sequence of str, optional
        Posterior letters of each row, for its ``#=GR PP`` line.
    posterior_consensus : str, optional
        Posterior letters of the columns, for the ``#=GC PP_cons`` line.

    Raises
    ------
    DataError
        Where a name or an annotation does not fit the format.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.sto"
    >>> write_stockholm(path, Alignment(np.array([[0, 1, 15]]), DNA, ("a",), reference="xx."), posteriors=["99."])
    >>> print(path.read_text(), end="")
    # STOCKHOLM 1.0
    <BLANKLINE>
    a         AC.
    #=GR a PP 99.
    #=GC RF   xx.
    //
    """
    with atomic_write(path) as handle:
        handle.writelines(stockholm_lines(alignment, posteriors, posterior_consensus))


def stockholm_lines(
    alignment: Alignment, posteriors: Sequence[str] | None = None, posterior_consensus: str | None = None
) -> Iterator[str]:
    """Yield the lines of :func:`write_stockholm`; a file may hold several alignments one after another."""
    return (f"{line}\n" for line in _lines(alignment, posteriors, posterior_consensus))


def _lines(alignment: Alignment, posteriors: Sequence[str] | None, posterior_consensus: str | None) -> Iterator[str]:
    names = names_of_words(alignment.names)
    yield f"{MAGIC} 1.0"
    yield ""
    yield from _family(alignment)
    yield from _row_notes(alignment, names)
    notes = {tag: getattr(alignment, field) for tag, field in COLUMNS.items()} | {"PP_cons": posterior_consensus}
    columns = {f"#=GC {tag}": text for tag, text in notes.items() if text is not None}
    labels = [*names, *columns, *(f"#=GR {name} PP" for name in names if posteriors is not None)]
    width = max(map(len, labels), default=0)
    for s, text in enumerate(row_texts(alignment)):
        yield f"{names[s]:<{width}} {text}"
        if posteriors is not None:
            yield _annotated(alignment, f"#=GR {names[s]} PP", posteriors[s], width)
    for label, text in columns.items():
        yield _annotated(alignment, label, text, width)
    yield END


def _annotated(alignment: Alignment, label: str, text: str, width: int) -> str:
    if len(text) != alignment.n_columns or len(text.split()) != 1:
        raise DataError(f"{label}: annotation must be one letter a column", got=len(text), expected=alignment.n_columns)
    return f"{label:<{width}} {text}"


def _family(alignment: Alignment) -> Iterator[str]:
    for tag, field in FAMILY.items():
        text = getattr(alignment, field)
        if text is not None:
            yield f"#=GF {tag} {_one_line(text)}"
    for tag in CUTOFFS:
        if tag in alignment.cutoffs:
            yield f"#=GF {tag} {' '.join(f'{value:.2f}' for value in alignment.cutoffs[tag])}"


def _row_notes(alignment: Alignment, names: list[str]) -> Iterator[str]:
    if alignment.weights is not None:
        for name, weight in zip(names, alignment.weights.tolist(), strict=True):
            yield f"#=GS {name} WT {weight!r}"
    if any(alignment.row_descriptions):
        for name, text in zip(names, alignment.row_descriptions, strict=True):
            yield f"#=GS {name} DE {_one_line(text)}".rstrip()


def _one_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise DataError("an annotation has more than one line", got=repr(text))
    return text
