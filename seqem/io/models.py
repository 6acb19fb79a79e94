"""Estimators as files: what an archive must hold to give the same estimator back.

An archive says which estimator of the catalog it is, with which arguments, and holds its parameters and the summary of
its fit. Everything named in it is looked up in the catalog or in the packages the catalog names; nothing is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np

from seqem.catalog import DISTRIBUTIONS, ESTIMATORS, MODELS, SETTINGS, SPEECH, Entry
from seqem.em.driver import FitResult
from seqem.em.history import History, Record
from seqem.em.stop import StopReason
from seqem.errors import FormatError, ParameterError
from seqem.io.archive import SavedModel, load_model, save_model
from seqem.io.streams import FilePath

_KINDS = {**ESTIMATORS, **MODELS, **SPEECH}
_COLUMNS = ("iteration", "objective", "log_likelihood", "seconds")
_FIGURES = ("log_likelihood", "objective", "n_iter", "stop_reason", "stop_detail")
_PLAIN = (bool, int, float, str, np.generic, type(None))
# A formula is code: a file's own is never run.
_APART = ("result_", "monitor_", "starts_", "_given", "_training_shards", "_seen", "_past", "formula_")
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.SeedSequence)


def save(path: FilePath, estimator: Any) -> None:
    """Write an estimator with its parameters and the summary of its fit, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; by custom it ends in ``.safetensors``.
    estimator : estimator of the catalog
        Fitted, or with parameters set by hand. A ``random_state`` that is no integer is left out: it is a stream that
        belongs to the process.

    Raises
    ------
    NotFittedError
        Where there are no parameters yet.
    ParameterError
        Where the estimator or a distribution is not in the catalog.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from seqem.hmm.poisson import PoissonHMM
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> model = PoissonHMM(2, random_state=0).fit([[1], [2], [30], [40]])
    >>> save(path, model)
    >>> load(path).score([[3]]) == model.score([[3]])
    True
    """
    kind = _name_of(estimator, _KINDS)
    if kind is None:
        raise ParameterError("only estimators of the catalog can be saved", got=type(estimator).__name__)
    _learned(estimator)
    known = vars(estimator)
    arguments = estimator.get_params(deep=False)
    result: FitResult | None = known.get("result_")
    arrays: dict[str, Any] = {}
    config: dict[str, Any] = {
        "arguments": _packed(arguments, "arguments", arrays),
        "learned": _packed({n: v for n, v in known.items() if n not in {*arguments, *_APART}}, "learned", arrays),
        "given": _planted(known.get("_given"), "given", arrays),
        "fit": None,
    }
    if result is not None:
        config["fit"] = {name: getattr(result, name) for name in _FIGURES}
        config["fit"] |= {"kind": result.history.kind, "params": _planted(result.params, "params", arrays)}
        arrays |= {f"history.{name}": getattr(result.history, name) for name in _COLUMNS}
    save_model(path, kind, config, arrays)


def load(path: FilePath) -> Any:
    """Return the estimator of a file that :func:`save` has written.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    estimator
        Ready to predict, with the results of its fit where it was fitted.

    Raises
    ------
    FormatError
        Where the file is damaged or does not describe an estimator of the catalog.
    """
    saved = load_model(path)
    if saved.kind not in _KINDS:
        known = f"one of {', '.join(_KINDS)}"
        raise FormatError("holds no model known here", got=repr(saved.kind), expected=known, path=str(path))
    try:
        return _restored(saved)
    except (KeyError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise FormatError("does not describe a whole model", got=repr(error), path=str(path)) from error


def _restored(saved: SavedModel) -> Any:
    config, arrays = saved.config, saved.arrays
    estimator = _KINDS[saved.kind].load()(**_unpacked(config["arguments"], arrays))
    vars(estimator).update(_unpacked(config["learned"], arrays))
    if config["given"] is not None:
        vars(estimator)["_given"] = _grown(config["given"], arrays, "given")
    if config["fit"] is not None:
        figures = {name: config["fit"][name] for name in _FIGURES}
        figures["stop_reason"] = StopReason(figures["stop_reason"])
        params, history = _grown(config["fit"]["params"], arrays, "params"), _history(config["fit"]["kind"], arrays)
        estimator.result_ = FitResult(params, **figures, history=history)
        if hasattr(estimator, "monitor_"):
            estimator.monitor_.recall(history, estimator.converged_)
    _learned(estimator)
    return estimator


def _learned(estimator: Any) -> Any:
    """Return the parameters of an estimator; raises the error of one without."""
    return estimator.params_ if hasattr(type(estimator), "params_") else estimator.log_likelihood_


def _history(kinds: list[str], arrays: Mapping[str, Any]) -> History:
    columns = {name: arrays[f"history.{name}"].tolist() for name in _COLUMNS} | {"kind": kinds}
    rows = zip(*(columns[field] for field in Record._fields), strict=True)
    return History(Record(*row) for row in rows)


# -- arguments ---------------------------------------------------------------------------------------


def _name_of(thing: Any, rows: Mapping[str, Entry]) -> str | None:
    """Return the catalog's name of the class of an object."""
    target = f"{type(thing).__module__}:{type(thing).__qualname__}"
    return next((name for name, row in rows.items() if row.target == target), None)


def _packed(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Return an argument as JSON takes it; arrays go to ``arrays`` and leave their name."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, _GENERATORS):
        return None
    if isinstance(value, np.ndarray) and value.dtype == object:  # names of columns
        return {"$names": [str(item) for item in value]}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"$array": name}
    setting = _name_of(value, SETTINGS)
    if setting is not None:
        parts = (
            value._asdict() if hasattr(value, "_asdict") else {f.name: getattr(value, f.name) for f in fields(value)}
        )
        return {"$setting": setting, "parts": _packed(parts, name, arrays)}
    if hasattr(value, "_fields"):
        return {"$tree": _planted(value, name, arrays), "$path": name}
    if isinstance(value, (list, tuple)):
        return [_packed(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {key: _packed(item, f"{name}.{key}", arrays) for key, item in value.items()}
    family = _name_of(value, DISTRIBUTIONS)
    if family is None or not is_dataclass(value):
        raise ParameterError(
            f"{name} cannot be saved", got=type(value).__name__, expected="numbers, arrays, or a catalog distribution"
        )
    settings = {field.name: getattr(value, field.name) for field in fields(value)}
    return {"$distribution": family, **_packed(settings, name, arrays)}


def _unpacked(value: Any, arrays: Mapping[str, Any]) -> Any:
    """Return what :func:`_packed` was given; tuples are lists."""
    if isinstance(value, list):
        return [_unpacked(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "$setting" in value:
        parts = {name: _tupled(_unpacked(part, arrays)) for name, part in value["parts"].items()}
        return SETTINGS[value["$setting"]].load()(**parts)
    if "$array" in value:
        return arrays[value["$array"]]
    if "$names" in value:
        return np.array(value["$names"], dtype=object)
    if "$tree" in value:
        return _grown(value["$tree"], arrays, value["$path"])
    rest = {key: _unpacked(item, arrays) for key, item in value.items() if key != "$distribution"}
    return DISTRIBUTIONS[value["$distribution"]].load()(**rest) if "$distribution" in value else rest


def _tupled(value: Any) -> Any:
    """Return lists, however deep, as the tuples they were in settings."""
    if type(value) is list:
        return tuple(_tupled(item) for item in value)
    return {name: _tupled(item) for name, item in value.items()} if type(value) is dict else value


# -- parameters --------------------------------------------------------------------------------------


def _planted(tree: Any, path: str, arrays: dict[str, Any]) -> Any:
    """Return the structure of a tree; its leaves go to ``arrays``."""
    if tree is None:
        return None
    if hasattr(tree, "_fields"):
        kind = f"{type(tree).__module__}:{type(tree).__qualname__}"
        return {"type": kind, "fields": _planted(tree._asdict(), path, arrays)}
    if isinstance(tree, dict):
        return {name: _planted(child, f"{path}.{name}", arrays) for name, child in tree.items()}
    if isinstance(tree, tuple) or (isinstance(tree, list) and any(isinstance(child, np.ndarray) for child in tree)):
        return [_planted(child, f"{path}.{i}", arrays) for i, child in enumerate(tree)]
    arrays[path] = np.asarray(tree)
    return "leaf"


def _grown(outline: Any, arrays: Mapping[str, Any], path: str) -> Any:
    """Return the tree of an outline."""
    if outline is None:
        return None
    if outline == "leaf":
        return arrays[path]
    if isinstance(outline, list):
        return tuple(_grown(child, arrays, f"{path}.{i}") for i, child in enumerate(outline))
    if "type" in outline:
        return _tree_type(outline["type"])(**_grown(outline["fields"], arrays, path))
    return {name: _grown(child, arrays, f"{path}.{name}") for name, child in outline.items()}


def _tree_type(target: str) -> type:
    """Return the named tuple of that name, if it is of a package whose modules the catalog names."""
    module, _, name = target.partition(":")
    homes = {"seqem.em"} | {
        row.target.partition(":")[0].rpartition(".")[0] for row in (*DISTRIBUTIONS.values(), *_KINDS.values())
    }
    if module.rpartition(".")[0] not in homes:
        raise ParameterError("parameters of an unknown kind", got=target)
    found = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")):
        raise ParameterError("parameters of an unknown kind", got=target)
    return found
