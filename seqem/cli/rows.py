"""Tables into rows: which column is what, and estimators of rows without order."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.catalog import MODELS
from seqem.cli.inputs import Reading
from seqem.cli.options import listed, numbered

if TYPE_CHECKING:
    import pandas as pd

    from seqem.io.table import Table


@dataclass(frozen=True)
class Roles:
    """Columns of a table that are no features."""

    response: Annotated[
        str | None,
        typer.Option(
            "--response", "-y", metavar="C[,C]", help="Column that tobit explains; or bounds of it, lower and upper."
        ),
    ] = None
    formula: Annotated[
        str | None,
        typer.Option("--formula", metavar="TEXT", help="Regression as a formula, such as 'y ~ x + log(z)'."),
    ] = None
    weights: Annotated[str | None, typer.Option("--weights", metavar="C", help="Column with weights of the rows.")] = (
        None
    )


def is_of_rows(estimator: Any) -> bool:
    """Return whether an estimator is one of rows without order."""
    target = f"{type(estimator).__module__}:{type(estimator).__qualname__}"
    return any(row.target == target for row in MODELS.values())


class Rows:
    """Hold the tables of some files, one after another, as an estimator takes them.

    Attributes
    ----------
    X : DataFrame or ndarray
        Features, without names where the files have none.
    known : dict
        What else there is of the rows: ``y``, ``sample_weight``, ``labels``.
    """

    def __init__(self, X: Any, known: dict[str, Any]) -> None:
        self.X, self.known = X, known

    def __len__(self) -> int:
        return len(self.X)

    @classmethod
    def read(
        cls, paths: list[str], reading: Reading, roles: Roles, labels: str | None = None, estimator: Any = None
    ) -> Rows:
        """Read files; of a table with names a fitted estimator takes the features that it was fitted to."""
        import numpy as np
        import pandas as pd

        if reading.sequence_column is not None or reading.alphabet is not None:
            raise typer.BadParameter("--sequence-column and --alphabet are for sequences; a table of rows has none")
        parts = [_part(path, reading, roles, labels, estimator) for path in paths]
        whole = [pd.concat(columns, ignore_index=True) for columns in zip(*parts, strict=True)]
        features, response, weights, states = whole
        known = {"y": response, "sample_weight": weights, "labels": states}
        known = {name: values.to_numpy() for name, values in known.items() if values.shape[1]}
        known = {name: values[:, 0] if values.shape[1] == 1 else values for name, values in known.items()}
        if "labels" in known:
            known["labels"] = np.where(np.isnan(known["labels"]), -1, known["labels"]).astype(np.int64)
        named = all(isinstance(name, str) for name in features.columns)
        return cls(features if named else features.to_numpy(), known)

    def of(self, method: Any) -> dict[str, Any]:
        """Return what of the rows, features apart, a method takes; BadParameter for what it does not take."""
        accepted = inspect.signature(method).parameters
        flags = {"y": "--response", "sample_weight": "--weights", "labels": "--labels"}
        # scikit-learn's y=None stands where there is nothing to explain.
        unknown = [
            flags[name]
            for name in self.known
            if name not in accepted or (name == "y" and accepted[name].default is None)
        ]
        if unknown:
            raise typer.BadParameter(f"this model has no {', '.join(unknown)}")
        if "y" in accepted and accepted["y"].default is not None and "y" not in self.known:
            raise typer.BadParameter("this model wants --response, or --formula to fit it")
        return self.known


def _part(path: str, reading: Reading, roles: Roles, labels: str | None, estimator: Any) -> list[pd.DataFrame]:
    """Return features, response, weights and labels of a file, the last three with one column or none."""
    from seqem.io.registry import read_table

    table = read_table(path, format=reading.format)
    columns = [
        table.numbers([numbered(c) for c in listed(names) or []]) for names in (roles.response, roles.weights, labels)
    ]
    if roles.formula is not None:
        return [table.frame, *columns]
    taken = [name for column in columns for name in column.columns]
    return [table.numbers(_features(table, reading, taken, estimator)), *columns]


def _features(table: Table, reading: Reading, taken: list[Any], estimator: Any) -> list[Any]:
    names = table.frame.columns.tolist()
    learned = getattr(estimator, "feature_names_in_", None)
    if reading.columns is not None and learned is None:
        return [numbered(column) for column in listed(reading.columns) or []]
    if hasattr(estimator, "_levels"):
        raise typer.BadParameter("this model was fitted by a formula; give it again by --formula: no file's own is run")
    if learned is not None and isinstance(names[0], str):
        return list(learned)
    return [name for name in names if name not in taken]
