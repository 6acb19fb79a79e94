"""``seqem build``: profile HMMs from alignments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.options import ModelOutput

if TYPE_CHECKING:
    from seqem.profile.build import Builder

_HEADER = "# idx name                  nseq  alen  mlen eff_nseq re/pos description"


@dataclass(frozen=True)
class Weighting:
    """Relative weights and the effective number, by hmmbuild's names."""

    wpb: Annotated[bool, typer.Option("--wpb", help="Position-based weights (default).")] = False
    wgsc: Annotated[bool, typer.Option("--wgsc", help="Gerstein/Sonnhammer/Chothia tree weights.")] = False
    wblosum: Annotated[bool, typer.Option("--wblosum", help="Weights by clusters, as BLOSUM.")] = False
    wgiven: Annotated[bool, typer.Option("--wgiven", help="Weights of the file.")] = False
    wnone: Annotated[bool, typer.Option("--wnone", help="No weights.")] = False
    wid: Annotated[float, typer.Option("--wid", min=0, max=1, metavar="X", help="Identity of --wblosum.")] = 0.62
    eent: Annotated[bool, typer.Option("--eent", help="Effective number by entropy (default).")] = False
    eentexp: Annotated[bool, typer.Option("--eentexp", help="Effective number by entropy, exponential.")] = False
    eclust: Annotated[bool, typer.Option("--eclust", help="Effective number by clusters.")] = False
    enone: Annotated[bool, typer.Option("--enone", help="The number of rows.")] = False
    eset: Annotated[float | None, typer.Option("--eset", min=0, metavar="N", help="This effective number.")] = None
    ere: Annotated[float | None, typer.Option("--ere", metavar="X", help="Bits a position that --eent aims at.")] = None
    esigma: Annotated[
        float, typer.Option("--esigma", metavar="X", help="Least bits of the model that --eent aims at.")
    ] = 45.0
    eid: Annotated[float, typer.Option("--eid", min=0, max=1, metavar="X", help="Identity of --eclust.")] = 0.62

    def chosen(self) -> dict[str, Any]:
        """Return the arguments of the builder."""
        weights = {name: getattr(self, f"w{name}") for name in ("pb", "gsc", "blosum", "given", "none")}
        numbers = {"entropy": self.eent, "exponential": self.eentexp, "clusters": self.eclust, "none": self.enone}
        effective = _only(numbers, "entropy") if self.eset is None else self.eset
        if self.eset is not None and any(numbers.values()):
            raise typer.BadParameter("--eset stands alone")
        more = {"ere": self.ere, "esigma": self.esigma, "wid": self.wid, "eid": self.eid}
        return {"weighting": _only(weights, "pb"), "effective": effective, **more}


def _only(choices: dict[str, bool], default: str) -> str:
    asked = [name for name, on in choices.items() if on]
    if len(asked) > 1:
        raise typer.BadParameter(f"only one of {', '.join(asked)}")
    return asked[0] if asked else default


def build(
    alignment: Annotated[str, typer.Argument(metavar="ALIGNMENT", help="Stockholm, aligned FASTA, A2M, Clustal ...")],
    output: ModelOutput,
    weighting: Weighting,
    name: Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="Name of the model.")] = None,
    symfrac: Annotated[
        float, typer.Option("--symfrac", min=0, max=1, metavar="X", help="Share of residues that makes a node.")
    ] = 0.5,
    fragthresh: Annotated[
        float,
        typer.Option("--fragthresh", min=0, max=1, metavar="X", help="Rows shorter than this share are fragments."),
    ] = 0.5,
    fast: Annotated[bool, typer.Option("--fast", help="Choose columns by --symfrac (default).")] = False,
    hand: Annotated[bool, typer.Option("--hand", help="Choose the columns of the reference line.")] = False,
    plaplace: Annotated[bool, typer.Option("--plaplace", help="Add one to every count.")] = False,
    pnone: Annotated[bool, typer.Option("--pnone", help="No prior.")] = False,
    prior: Annotated[str | None, typer.Option("--prior", metavar="FILE", help="Own prior, JSON.")] = None,
    amino: Annotated[bool, typer.Option("--amino", help="The alphabet is amino acids.")] = False,
    dna: Annotated[bool, typer.Option("--dna", help="The alphabet is DNA.")] = False,
    rna: Annotated[bool, typer.Option("--rna", help="The alphabet is RNA.")] = False,
) -> None:
    """Build a profile HMM from each alignment of a file, as hmmbuild does."""
    from seqem.cli.train import stem
    from seqem.io.alignments import read_alignments
    from seqem.io.hmmer3 import write_models
    from seqem.profile.build import Builder
    from seqem.profile.calibrate import calibrate
    from seqem.profile.stat import mean_relative_entropy

    if fast and hand:
        raise typer.BadParameter("only one of --fast and --hand")
    alphabet = _only({"protein": amino, "dna": dna, "rna": rna}, "auto")
    builder = Builder(
        **weighting.chosen(), symfrac=symfrac, fragthresh=fragthresh, hand=hand,
        prior=_only({"laplace": plaplace, "none": pnone}, "default"),
    )  # fmt: skip
    models = []
    print(_HEADER)
    for number, rows in enumerate(read_alignments(alignment, alphabet=alphabet), 1):
        chosen = builder if prior is None else _with_prior(builder, prior, rows.alphabet)
        core = calibrate(chosen.build(rows, name=name or rows.name or stem(alignment)))
        models.append(core)
        print(
            f"{number:5d} {core.name:20s} {len(rows):5d} {rows.n_columns:5d} {core.n_nodes:5d} "
            f"{core.effective_number:8.2f} {mean_relative_entropy(core):6.3f} {core.description or ''}".rstrip()
        )
    write_models(output, models)


def _with_prior(builder: Builder, path: str, alphabet: Any) -> Builder:
    from seqem.io.streams import open_text
    from seqem.profile.priors import prior_from_json

    with open_text(path) as handle:
        return replace(builder, prior=prior_from_json(handle.read(), alphabet))
