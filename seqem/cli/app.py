"""The command ``seqem``: finds the verb, runs it, turns errors into exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from seqem import __version__
from seqem.catalog import VERBS, Entry
from seqem.cli.options import flattened
from seqem.errors import SeqemError, SeqemWarning

_FAILED, _INTERRUPTED = 1, 130
_DEBUG = "--debug"


def run() -> None:
    """Run the command of this process."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str
        The words after ``seqem``.

    Returns
    -------
    int
        0; 1 where data or a model are at fault; 2 where the command line is; 130 after Ctrl-C.

    Examples
    --------
    >>> main(["--version"]) == 0
    seqem 0.1.0
    True
    """
    words = [word for word in argv if word != _DEBUG]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", SeqemWarning)
            warnings.showwarning = _show_warning
            typer.main.get_command(_application(words)).main(args=words, prog_name="seqem")
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _complain("interrupted")
        return int(end.code or 0)
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    except (SeqemError, OSError) as error:
        if _DEBUG in argv:
            raise
        _complain(f"error: {_line(error)}")
        return _FAILED
    except Exception as error:
        if _DEBUG in argv:
            raise
        _complain(f"error: unforeseen {type(error).__name__}: {_line(error)} (run again with {_DEBUG} to see where)")
        return _FAILED
    return 0


def _application(words: list[str]) -> typer.Typer:
    """Return the application; only the verb that is asked for is imported."""
    application = typer.Typer(
        add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    application.callback()(_seqem)
    _mount(application, VERBS, [word for word in words if not word.startswith("-")])
    return application


def _mount(application: typer.Typer, verbs: Mapping[str, Entry], words: Sequence[str]) -> None:
    """Give an application its verbs; one whose row leads to a table has verbs of its own."""
    for name, row in verbs.items():
        asked = row.load() if words[:1] == [name] else _unloaded
        help = f"{row.help[0].upper()}{row.help[1:]}."
        if isinstance(asked, Mapping):
            group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
            _mount(group, asked, words[1:])
            application.add_typer(group, name=name, help=help)
        else:
            application.command(name, short_help=help)(flattened(asked))


def _unloaded() -> None:
    """Stand for a verb that was not asked for."""


def _show_version(asked: bool) -> None:
    if asked:
        print(f"seqem {__version__}")
        raise typer.Exit


def _seqem(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show tracebacks; may also follow a verb.")] = False,
) -> None:
    """Hidden Markov models and the EM algorithm on sequences."""


def _show_warning(message: Any, *rest: Any, **more: Any) -> None:
    _complain(f"warning: {_line(message)}")


def _line(text: Any) -> str:
    """Return a text on one line."""
    return " ".join(str(text).split())


def _complain(text: str) -> None:
    print(f"seqem: {text}", file=sys.stderr)
