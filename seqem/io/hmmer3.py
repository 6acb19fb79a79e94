"""Files of profile HMMs in the HMMER3 text format: one model, many models, or a library read on demand."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from seqem.errors import FormatError, ParameterError
from seqem.io.hmmer3_read import END, model_lines, parse_model
from seqem.io.hmmer3_write import model_text
from seqem.io.streams import FilePath, atomic_write, open_binary, open_text
from seqem.profile.plan7 import CoreModel


def read_models(path: FilePath) -> Iterator[CoreModel]:
    """Yield the models of a HMMER3 text file (3/a to 3/f), packed or not, holding one at a time.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input.

    Yields
    ------
    CoreModel
        With probabilities exactly ``exp(-x)`` of the numbers x of the file.

    Raises
    ------
    FormatError
        With the line, where the file is not as the format says, is cut short, or has no model.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> flat, last = np.full((2, 4), 0.25), np.array([[1, 0, 0, 0.5, 0.5, 1, 0]] * 2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.hmm"
    >>> write_models(path, [CoreModel("tiny", DNA, flat, flat, last)])
    >>> [model.name for model in read_models(path)]
    ['tiny']
    """
    place, empty = os.fspath(path), True
    with open_text(path) as handle:
        for lines in model_lines(handle, place):
            empty = False
            yield parse_model(lines, place)
    if empty:
        raise FormatError("no models", path=place)


def read_model(path: FilePath) -> CoreModel:
    """Return the first model of a HMMER3 text file.

    Raises
    ------
    FormatError
        As :func:`read_models`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> flat, last = np.full((2, 4), 0.25), np.array([[1, 0, 0, 0.5, 0.5, 1, 0]] * 2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.hmm"
    >>> write_models(path, [CoreModel("tiny", DNA, flat, flat, last)])
    >>> read_model(path).n_nodes
    1
    """
    return next(read_models(path))


def write_models(path: FilePath, models: Iterable[CoreModel]) -> None:
    """Write models as HMMER3/f text, the whole file or nothing.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    models : iterable of CoreModel
        Taken one at a time.

    Raises
    ------
    DataError
        Where a model does not fit the format.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> flat, last = np.full((2, 4), 0.25), np.array([[1, 0, 0, 0.5, 0.5, 1, 0]] * 2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.hmm"
    >>> write_models(path, [CoreModel("tiny", DNA, flat, flat, last)])
    >>> path.read_text().split()[:2]
    ['HMMER3/f', '[seqem]']
    """
    with atomic_write(path) as handle:
        for model in models:
            handle.write(model_text(model))


class _Place(NamedTuple):
    start: int
    stop: int
    line: int


class ModelLibrary:
    """A file of many models, of which each is parsed only when it is asked for.

    Parameters
    ----------
    path : path-like
        HMMER3 text, packed or not; a packed file is held unpacked in memory.

    Raises
    ------
    FormatError
        Where the file ends inside a model, a model has no name, or there is none.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> flat, last = np.full((2, 4), 0.25), np.array([[1, 0, 0, 0.5, 0.5, 1, 0]] * 2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.hmm"
    >>> write_models(path, [CoreModel(name, DNA, flat, flat, last) for name in ("a", "b")])
    >>> library = ModelLibrary(path)
    >>> len(library), library.names, library["b"].name, library[0].name
    (2, ('a', 'b'), 'b', 'a')
    """

    def __init__(self, path: FilePath) -> None:
        self.path = os.fspath(path)
        self._unpacked: bytes | None = None
        with open_binary(path) as handle:
            # Only a plain file on disk can be read again from any place.
            if not isinstance(handle, io.BufferedReader) or not handle.seekable():
                self._unpacked = handle.read()
            source = handle if self._unpacked is None else io.BytesIO(self._unpacked)
            self.names, self._places = _index(source, self.path)
        self._by_name = {name: i for i, name in reversed(list(enumerate(self.names)))}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[CoreModel]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, key: str | int) -> CoreModel:
        """Return a model by its name, the first one of that name, or by its index."""
        known = key in self._by_name if isinstance(key, str) else -len(self) <= key < len(self)
        if not known:
            raise ParameterError(f"{self.path} has no such model", got=repr(key), expected=f"one of {len(self)} models")
        place = self._places[self._by_name[key] if isinstance(key, str) else key]
        text = io.TextIOWrapper(io.BytesIO(self._bytes(place)), encoding="utf-8-sig", errors="replace")
        for lines in model_lines(text, self.path, place.line):
            return parse_model(lines, self.path)
        raise FormatError("was changed while it was open", path=self.path)

    def _bytes(self, place: _Place) -> bytes:
        if self._unpacked is not None:
            return self._unpacked[place.start : place.stop]
        with open_binary(self.path) as handle:
            handle.seek(place.start)
            return handle.read(place.stop - place.start)


def _index(handle: BinaryIO, path: str) -> tuple[tuple[str, ...], list[_Place]]:
    names: list[str] = []
    places: list[_Place] = []
    start, line, at, number = 0, 1, 0, 0
    name: str | None = None
    inside = False
    for number, text in enumerate(handle, 1):
        at += len(text)
        inside = inside or not text.isspace()
        if text.startswith((b"NAME ", b"NAME\t")) and name is None:
            name = text[4:].decode("utf-8", "replace").strip()
        elif text.rstrip() == END.encode():
            if not name:
                raise FormatError("a model has no NAME", path=path, line=number)
            names.append(name)
            places.append(_Place(start, at, line))
            start, line, name, inside = at, number + 1, None, False
    if inside:
        raise FormatError("ends inside a model", expected=END, path=path, line=number)
    if not names:
        raise FormatError("no models", path=path)
    return tuple(names), places
