"""Options that several verbs share, and the groups they come in."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from seqem.catalog import ESTIMATORS, MODELS


def one_of(names: Collection[str]) -> Callable[[str | None], str | None]:
    """Return a check that a value, where there is one, is among the names."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in names:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(names)}")
        return value

    return check


def writable(path: str | None) -> str | None:
    """Return the path of a file that is to be written, if its folder is there: better said before the work than after."""
    folder = os.path.dirname(path or "")
    if folder and not os.path.isdir(folder):
        raise typer.BadParameter(f"there is no folder {folder}")
    return path


def model_file(path: str | None) -> str | None:
    """Return the path of a model that is to be written; it is no text for the standard output."""
    if path == "-":
        raise typer.BadParameter("a model wants a file")
    return writable(path)


def listed(value: str | None) -> list[str] | None:
    """Return the parts of a list with commas."""
    return None if value is None else [part.strip() for part in value.split(",")]


def numbered(value: str) -> str | int:
    """Return a column's or state's number where it is one, or else its name."""
    return int(value) if value.isdecimal() else value


def named_states(value: str | None, n_states: int) -> list[str]:
    """Return one name a state; its number by default."""
    names = listed(value) or [str(k) for k in range(n_states)]
    if len(names) != n_states or len(set(names)) != n_states:
        raise typer.BadParameter(f"--names: {len(set(names))} different names for {n_states} states")
    return names


ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        callback=one_of([*ESTIMATORS, *MODELS]),
        help=f"Kind of model. Of sequences: {', '.join(ESTIMATORS)}. Of rows of a table: {', '.join(MODELS)}.",
    ),
]
ModelFile = Annotated[str, typer.Argument(metavar="MODEL", help="File that seqem fit has written.")]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT", help="Files of sequences or rows: FASTA, FASTQ, CSV, Parquet or NumPy; - is standard input."
    ),
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", callback=writable, help="Where to write; - is the standard output."),
]
ModelOutput = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", callback=model_file, help="Where to write the model.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Threads; the result does not depend on it.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of all that is random.")]
StateNames = Annotated[
    str | None, typer.Option("--names", metavar="A,B,...", help="Name of each state, in the order of the model.")
]


def flattened(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb with each parameter that is a dataclass replaced by the fields of it, which are options.

    So a group of options is written once and the verb gets it as one object.
    """
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(verb).parameters.items():
        if name in groups:
            group_hints = get_type_hints(groups[name], include_extras=True)
            parameters += [_parameter(field, group_hints[field.name]) for field in fields(groups[name])]
        else:
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name]))

    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        verb(**values)

    run.__doc__ = verb.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameter(field: Field[Any], annotation: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


CheckpointFile = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        callback=writable,
        help="Keep the fit here; where the file is there, go on from it.",
    ),
]
_CHECKPOINT_SECONDS = 2.0


def watchers(checkpoint: str | None) -> list[Any]:
    """Return the callbacks of a fit: progress, and a checkpoint if one is asked for."""
    from seqem.em.callbacks import ProgressBar
    from seqem.em.checkpoint import Checkpoint

    return [ProgressBar(), *([] if checkpoint is None else [Checkpoint(checkpoint, seconds=_CHECKPOINT_SECONDS)])]


def resumed(checkpoint: str | None, like: Callable[[], Any]) -> Any:
    """Return where to go on, None at the beginning; ``like`` tells the shape of the parameters."""
    from seqem.em.checkpoint import Checkpoint

    if checkpoint is None or not os.path.exists(checkpoint):
        return None
    return Checkpoint.load(checkpoint, like=like())
