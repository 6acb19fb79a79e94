"""Options that the verbs of profile HMMs share: thresholds, files of results, workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.options import writable

if TYPE_CHECKING:
    from seqem.profile.hits import TopHits
    from seqem.profile.options import SearchOptions

Model = Annotated[str, typer.Argument(metavar="MODEL", help="File of profile HMMs, HMMER3 format.")]
Database = Annotated[
    str,
    typer.Argument(
        metavar="DATABASE", help="Sequences: FASTA, plain or gz, or a prepared database; - is standard input."
    ),
]
Workers = Annotated[
    int, typer.Option("--jobs", "-j", "--cpu", min=1, metavar="N", help="Threads; the result does not depend on it.")
]


def _file(flag: str, what: str, *other: str) -> Any:
    return typer.Option(flag, *other, metavar="FILE", callback=writable, help=f"Where to write {what}.")


@dataclass(frozen=True)
class Thresholds:
    """What is reported, what counts as significant, and how hard the search looks."""

    evalue: Annotated[float, typer.Option("-E", min=0, metavar="X", help="Report targets up to this E-value.")] = 10.0
    score: Annotated[float | None, typer.Option("-T", metavar="X", help="Report targets from this score on.")] = None
    domain_evalue: Annotated[
        float, typer.Option("--domE", min=0, metavar="X", help="Report domains up to this conditional E-value.")
    ] = 10.0
    domain_score: Annotated[
        float | None, typer.Option("--domT", metavar="X", help="Report domains from this score on.")
    ] = None
    include_evalue: Annotated[
        float | None, typer.Option("--incE", min=0, metavar="X", help="Targets up to this E-value are significant.")
    ] = None
    include_score: Annotated[
        float | None, typer.Option("--incT", metavar="X", help="Targets from this score on are significant.")
    ] = None
    include_domain_evalue: Annotated[
        float | None, typer.Option("--incdomE", min=0, metavar="X", help="Domains up to this E-value are significant.")
    ] = None
    include_domain_score: Annotated[
        float | None, typer.Option("--incdomT", metavar="X", help="Domains from this score on are significant.")
    ] = None
    z: Annotated[
        float | None, typer.Option("-Z", metavar="X", help="Comparisons for E-values of targets; of DNA megabases.")
    ] = None
    domain_z: Annotated[float | None, typer.Option("--domZ", metavar="X", help="Comparisons for domains.")] = None
    cut_ga: Annotated[bool, typer.Option("--cut_ga", help="Take the model's gathering cutoffs.")] = False
    cut_tc: Annotated[bool, typer.Option("--cut_tc", help="Take the model's trusted cutoffs.")] = False
    cut_nc: Annotated[bool, typer.Option("--cut_nc", help="Take the model's noise cutoffs.")] = False
    sensitive: Annotated[bool, typer.Option("--max", help="Switch all filters off.")] = False
    f1: Annotated[
        float | None, typer.Option("--F1", min=0, metavar="X", help="P-value of the MSV filter, by default 0.02.")
    ] = None
    f2: Annotated[
        float | None,
        typer.Option("--F2", min=0, metavar="X", help="P-value of the Viterbi filter, by default 1e-3, of DNA 3e-3."),
    ] = None
    f3: Annotated[
        float | None,
        typer.Option("--F3", min=0, metavar="X", help="P-value of the Forward filter, by default 1e-5, of DNA 3e-5."),
    ] = None
    nobias: Annotated[bool, typer.Option("--nobias", help="Switch the composition filter off.")] = False
    nonull2: Annotated[bool, typer.Option("--nonull2", help="Do not correct scores for composition.")] = False

    def options(self, include: float = 0.01) -> SearchOptions:
        """Return the options of the search; ``include`` is the E-value of significance unless another is given."""
        from seqem.profile.options import SearchOptions

        asked = [n for n, on in (("gathering", self.cut_ga), ("trusted", self.cut_tc), ("noise", self.cut_nc)) if on]
        if len(asked) > 1:
            raise typer.BadParameter("only one of --cut_ga, --cut_tc and --cut_nc")
        domain = self.include_domain_evalue
        return SearchOptions(
            self.evalue,
            self.domain_evalue,
            self.score,
            self.domain_score,
            include if self.include_evalue is None else self.include_evalue,
            include if domain is None else domain,
            self.include_score,
            self.include_domain_score,
            asked[0] if asked else None,  # type: ignore[arg-type]
            self.z,
            self.domain_z,
            self.f1,
            self.f2,
            self.f3,
            not self.nobias,
            not self.nonull2,
            self.sensitive,
        )


@dataclass(frozen=True)
class Results:
    """Which files of results are wanted; they are written whole or not at all."""

    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", callback=writable, help="Where to write the report; - prints it."
        ),
    ] = "-"
    tblout: Annotated[str | None, _file("--tblout", "a table of targets")] = None
    domtblout: Annotated[str | None, _file("--domtblout", "a table of domains")] = None
    pfamtblout: Annotated[
        str | None, _file("--pfamtblout", "a table as Pfam has it, of DNA as Dfam", "--dfamtblout")
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Report one JSON object a target.")] = False
    noali: Annotated[bool, typer.Option("--noali", help="Leave alignments out of the report.")] = False

    def write(self, results: Iterable[TopHits], options: SearchOptions, mode: Any = "search") -> None:
        """Write all files of the results."""
        from seqem.io.hit_json import write_json_lines
        from seqem.io.hit_report import write_report
        from seqem.io.hit_tables import write_domtblout, write_pfamtblout, write_tblout
        from seqem.io.streams import atomic_write

        found = list(results)
        tables: list[tuple[str | None, Callable[..., None], dict[str, Any]]] = [
            (self.tblout, write_tblout, {"mode": mode}),
            (self.domtblout, write_domtblout, {"mode": mode}),
            (self.pfamtblout, write_pfamtblout, {}),
        ]
        with ExitStack() as files:
            opened = [(files.enter_context(atomic_write(path)), write, more) for path, write, more in tables if path]
            report: Any = files.enter_context(atomic_write(self.output))
            for handle, write, more in opened:
                write(handle, found, **more)
            if self.json:
                write_json_lines(report, found)
            else:
                write_report(report, found, mode=mode, options=options, alignments=not self.noali)


def checked_models(path: str) -> list[Any]:
    """Return the models of a file, calibrated where they were not."""
    from seqem.io.hmmer3 import read_models
    from seqem.profile.calibrate import calibrate

    return [core if core.calibration is not None else calibrate(core) for core in read_models(path)]
