"""seqem: hidden Markov models and the EM algorithm on sequences.

Public names load on first use, so ``import seqem`` costs almost nothing.
"""

from __future__ import annotations

from typing import Any

from seqem.catalog import public as _public

__version__ = "0.1.0"

__all__ = sorted([*_public(), "__version__"])


def __getattr__(name: str) -> Any:
    row = _public().get(name)
    if row is None:
        raise AttributeError(f"module 'seqem' has no attribute {name!r}")
    value = globals()[name] = row.load()
    return value


def __dir__() -> list[str]:
    return __all__
