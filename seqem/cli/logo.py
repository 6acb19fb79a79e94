"""``seqem logo``: a picture of a profile HMM."""

from __future__ import annotations

from typing import Annotated

import typer

from seqem.cli.options import model_file, one_of
from seqem.cli.outputs import PICTURES, picture, save_figure
from seqem.cli.profile_options import Model

_METHODS = ("relative_entropy", "information", "score")


def logo(
    model: Model,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", callback=model_file, help=f"Picture: {', '.join(PICTURES)}."),
    ],
    method: Annotated[
        str, typer.Option("--heights", metavar="NAME", callback=one_of(_METHODS), help=f"{', '.join(_METHODS)}.")
    ] = "relative_entropy",
    columns: Annotated[int, typer.Option("--columns", min=1, metavar="N", help="Nodes in a row.")] = 60,
) -> None:
    """Draw the first model of a file: letters by information, with tracks of inserts and deletes."""
    from seqem.io.hmmer3 import read_model
    from seqem.plot.logo import logo as draw
    from seqem.profile.logo import logo_heights, logo_tracks

    picture(output)
    core = read_model(model)
    heights = logo_heights(core, method)  # type: ignore[arg-type]
    axes = draw(heights, core.alphabet.letters, logo_tracks(core)._asdict(), columns)
    save_figure(axes[0].figure, output)
