"""The model archive: one safetensors file with a model's kind, settings and arrays.

A file says what it is in its header: ``seqem.format`` (the layout, "1"), ``kind`` (a name of the catalog),
``config`` (JSON) and ``version`` (of seqem). Reading it executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from seqem import __version__
from seqem.errors import FormatError, ParameterError
from seqem.io.streams import FilePath, atomic_write, open_binary
from seqem.shapes import AnyArray

LAYOUT = "1"
_TYPES = frozenset("?bhilqBHILQefd")


class SavedModel(NamedTuple):
    """What an archive holds.

    Attributes
    ----------
    kind : str
        Name of the model in the catalog.
    config : dict
        Settings: numbers, strings, booleans, None, lists and dicts of them.
    arrays : dict of str to ndarray
        Parameters, bit for bit as they were saved.
    """

    kind: str
    config: dict[str, Any]
    arrays: dict[str, AnyArray]


def save_model(path: FilePath, kind: str, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a model archive, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; by custom it ends in ``.safetensors``.
    kind : str
        Name of the model in the catalog.
    config : mapping
        Settings that JSON can hold; tuples come back as lists.
    arrays : mapping of str to array
        Real, integer or boolean arrays of any shape.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> save_model(path, "gaussian-hmm", {"n_components": 2}, {"startprob": np.array([0.3, 0.7])})
    >>> load_model(path)
    SavedModel(kind='gaussian-hmm', config={'n_components': 2}, arrays={'startprob': array([0.3, 0.7])})
    """
    tensors = {name: _plain(name, array) for name, array in arrays.items()}
    header = {"seqem.format": LAYOUT, "kind": kind, "config": _json(config), "version": __version__}
    with atomic_write(path, "wb") as handle:
        handle.write(save(tensors, metadata=header))


def load_model(path: FilePath) -> SavedModel:
    """Read a model archive.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    SavedModel
        Kind, settings and arrays; only the caller turns the kind into an object.

    Raises
    ------
    FormatError
        Where the file is damaged, cut short, no model of seqem, or of a later layout.
    """
    with open_binary(path):
        pass
    try:
        with safe_open(path, framework="np") as archive:
            header = archive.metadata() or {}
            _check_layout(header, path)
            arrays = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FormatError("is no model archive, or a damaged one", got=str(error), path=str(path)) from error
    try:
        return SavedModel(header["kind"], json.loads(header["config"]), arrays)
    except (KeyError, ValueError) as error:
        raise FormatError("the header of the model archive is damaged", got=str(error), path=str(path)) from error


def _check_layout(header: Mapping[str, str], path: FilePath) -> None:
    layout = header.get("seqem.format")
    if layout is None:
        raise FormatError("holds tensors, but no model of seqem", path=str(path))
    if layout != LAYOUT:
        version = header.get("version", "unknown")
        hint = f"the file was written by seqem {version}; update seqem"
        raise FormatError("unknown layout of a model archive", got=layout, expected=LAYOUT, hint=hint, path=str(path))


def _plain(name: str, array: Any) -> AnyArray:
    """Return the array in C order and native bytes, which is all that safetensors writes rightly."""
    array = np.asarray(array, order="C")
    if array.dtype.char not in _TYPES:
        raise ParameterError(
            f"array {name!r} cannot be saved", got=f"type {array.dtype}", expected="real, integer or boolean"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _json(config: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(config), default=_scalar)
    except (TypeError, ValueError) as error:
        raise ParameterError("the settings of the model cannot be saved", got=str(error), expected="JSON") from error


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r}")
