"""``seqem stat``: facts about profile HMMs."""

from __future__ import annotations

from seqem.cli.options import Json, Output
from seqem.cli.outputs import write_rows
from seqem.cli.profile_options import Model


def stat(model: Model, output: Output = "-", json: Json = False) -> None:
    """Print one line of statistics a model, the columns of hmmstat."""
    from seqem.io.hmmer3 import read_models
    from seqem.profile.stat import ModelStatistics, model_statistics

    write_rows(output, ModelStatistics._fields, (model_statistics(core) for core in read_models(model)), json)
