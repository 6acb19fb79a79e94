"""NumPy's own files: one array is one sequence."""

from __future__ import annotations

import io
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError
from seqem.io.format import Format
from seqem.io.streams import FilePath, open_binary
from seqem.io.table import Table
from seqem.shapes import AnyArray

_NPY_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"


def read_arrays(path: FilePath) -> SequenceBatch:
    """Read a ``.npy`` file as one sequence, or a ``.npz`` file as one sequence an array, with the arrays' names.

    Nothing is executed: arrays of Python objects are refused.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input.

    Returns
    -------
    SequenceBatch
        Values of shape (N,) or (N, D) in the file's type.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.npz"
    >>> np.savez(path, a=np.zeros((3, 2)), b=np.ones((1, 2)))
    >>> batch = read_arrays(path)
    >>> batch.names, batch.lengths.tolist()
    (('a', 'b'), [3, 1])
    """
    with open_binary(path) as handle:
        data = io.BytesIO(handle.read())
    try:
        found = np.load(data, allow_pickle=False)
        arrays = dict(found) if isinstance(found, np.lib.npyio.NpzFile) else {"": found}
    except (ValueError, EOFError, BadZipFile) as error:
        hint = "save numeric arrays with numpy.save or numpy.savez"
        raise FormatError("holds no numeric arrays", got=str(error), hint=hint, path=str(path)) from error
    for name, array in arrays.items():
        _check(name, array, path)
    return SequenceBatch.of(list(arrays.values()), names=None if "" in arrays else tuple(arrays))


def array_table(path: FilePath) -> Table:
    """Return the columns of a file with one array."""
    batch = read_arrays(path)
    if len(batch) != 1:
        raise FormatError("holds several arrays", got=len(batch), expected="one table", path=str(path))
    return Table(pd.DataFrame(batch.values), str(path), None)


def _check(name: str, array: AnyArray, path: Any) -> None:
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2):
        raise FormatError(
            f"array {name!r} is no sequence" if name else "the array is no sequence",
            got=f"{array.dtype} of shape {array.shape}",
            expected="numbers of shape (T,) or (T, n_features)",
            path=str(path),
        )


NUMPY = Format((".npy", ".npz"), lambda head: head.startswith((_NPY_MAGIC, _ZIP_MAGIC)), read_arrays, array_table)
