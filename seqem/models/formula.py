"""Formulas such as "y ~ x + log(z)": columns of a table as regressors, in the same way for new tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from seqem.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd


class Design(NamedTuple):
    """Regressors without the intercept, whether there is one, the response, levels of columns of names, learning terms."""

    regressors: pd.DataFrame
    intercept: bool
    response: pd.Series
    levels: dict[str, list[Any]]
    learning: list[str]


def design(formula: str, data: pd.DataFrame) -> Design:
    """Return what a formula makes of a table; rows with a missing cell are left out.

    Raises
    ------
    ParameterError
        For a formula that cannot be read, or where the library that reads formulas is not installed.
    """
    sides = _matrix(formula, data, "drop")
    if not hasattr(sides, "lhs"):
        raise ParameterError("the formula has no response", got=repr(formula), expected="one such as 'y ~ x'")
    regressors = sides.rhs.drop(columns="Intercept", errors="ignore")
    spec = sides.rhs.model_spec
    names = [name for name in spec.required_variables if data[name].dtype.kind not in "biuf"]
    levels = {name: sorted(data[name].dropna().unique().tolist()) for name in sorted(names)}
    intercept = regressors.shape[1] < sides.rhs.shape[1]
    return Design(regressors, intercept, sides.lhs.iloc[:, 0], levels, sorted(spec.transform_state))


def regressors_of(formula: str, data: pd.DataFrame, levels: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return the regressors of new rows, names coded as in the rows the levels are of; NaN where a cell is missing.

    Raises
    ------
    DataError
        Where a column is missing or holds a name that is not among its levels.
    """
    import pandas as pd

    right = formula.partition("~")[2]
    coded = data.copy()
    for name, known in levels.items():
        if name in coded:
            coded[name] = pd.Categorical(coded[name], categories=known)
            lost = coded[name].isna() & data[name].notna()
            if lost.any():
                raise DataError(f"column {name} holds a new name", got=repr(data[name][lost].iloc[0]), expected=known)
    return _matrix(right, coded, "ignore").drop(columns="Intercept", errors="ignore")


def _matrix(formula: str, data: pd.DataFrame, missing: str) -> Any:
    try:
        from formulaic import model_matrix
        from formulaic.errors import FormulaicError
    except ImportError as error:
        raise ParameterError("formulas need the package formulaic", hint="pip install formulaic") from error
    try:
        return model_matrix(formula, data, context={}, na_action=missing)
    except FormulaicError as error:
        raise ParameterError("the formula cannot be used", got=repr(formula), hint=str(error)) from error
