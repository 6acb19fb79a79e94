"""``seqem info``: what is in a model file."""

from __future__ import annotations

from typing import Any

from seqem.cli.options import Json, ModelFile
from seqem.cli.outputs import aligned, print_json

# More than a terminal holds.
_MOST_NUMBERS = 1000
_MOST_ACROSS = 30


def info(model: ModelFile, json: Json = False) -> None:
    """Show the arguments, the parameters and the fit of a model."""
    from seqem.core.tree import tree_leaves
    from seqem.io.archive import load_model
    from seqem.io.models import load

    estimator, saved = load(model), load_model(model)
    parameters = dict(
        tree_leaves(estimator.params_ if hasattr(type(estimator), "params_") else estimator.result_.params)
    )
    fit = {name: value for name, value in (saved.config["fit"] or {}).items() if name not in ("kind", "params")}
    facts = {
        "model": saved.kind,
        "alphabet": getattr(estimator, "alphabet_", None),
        "arguments": saved.config["arguments"],
        "n_parameters": getattr(estimator, "n_parameters_", None),
        "fit": fit,
    }
    if json:
        print_json({**facts, "parameters": parameters})
        return
    print("\n\n".join(_sections(facts, parameters)))


def _sections(facts: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    head = {name: facts[name] for name in ("model", "alphabet", "n_parameters") if facts[name] is not None}
    fit = facts["fit"] or {"fit": "none; the parameters were set by hand"}
    arguments = {name: value for name, value in facts["arguments"].items() if value is not None}
    tables = [
        f"{name} {_shape(array)}\n{_matrix(array, _symbols(name, array, facts['alphabet']))}"
        for name, array in parameters.items()
    ]
    return [_pairs(head), _pairs(fit), *tables, f"arguments\n{_pairs(arguments)}"]


def _pairs(facts: dict[str, Any]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts.items())


def _shape(array: Any) -> str:
    return " x ".join(map(str, array.shape))


def _symbols(name: str, array: Any, alphabet: str | None) -> list[str]:
    """Return the heads of the columns: letters over emission probabilities, or else numbers."""
    n = array.shape[-1] if array.ndim else 1
    return list(alphabet) if alphabet is not None and name == "emission.probs" else [str(i) for i in range(n)]


def _matrix(array: Any, heads: list[str]) -> str:
    """Return an array as a table, its last axis across and an index for each of the others."""
    import numpy as np

    if array.size > _MOST_NUMBERS or (array.ndim == 1 and array.size > _MOST_ACROSS):
        return "  --json prints them"
    across = array.reshape(-1, len(heads))
    places = list(np.ndindex(array.shape[:-1])) if array.ndim > 1 else [()]
    rows = [[",".join(map(str, place)), *(f"{x:.6g}" for x in row)] for place, row in zip(places, across, strict=True)]
    return aligned(["", *heads], rows)
