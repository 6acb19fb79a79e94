"""``python -m seqem`` is the command ``seqem``."""

from seqem.cli.app import run

run()
