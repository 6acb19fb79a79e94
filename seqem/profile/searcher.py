"""What searches of any kind of target share: a calibrated model, options, P-values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, ParameterError
from seqem.profile.evalue import exponential_log_survival
from seqem.profile.options import SearchOptions
from seqem.profile.plan7 import Calibration, CoreModel


@dataclass(eq=False)
class Searcher:
    """A model ready to search.

    Attributes
    ----------
    core : CoreModel
        With calibration.
    options : SearchOptions
        Filters are taken from here; thresholds apply later, when the size of the database is known.
    """

    core: CoreModel
    options: SearchOptions = field(default_factory=SearchOptions)

    def __post_init__(self) -> None:
        if self.core.calibration is None:
            raise ParameterError(
                f"model {self.core.name!r} is not calibrated", hint="calibrate it: seqem.profile.calibrate.calibrate"
            )
        self.gates = self.options.gates(self.core.alphabet)

    @property
    def calibration(self) -> Calibration:
        """How scores are distributed by chance."""
        assert self.core.calibration is not None
        return self.core.calibration

    def log_p(self, bits: float) -> float:
        """Return the log of the P-value of a score from Forward."""
        c = self.calibration
        return float(exponential_log_survival(bits, c.forward, c.forward_lambda))

    def check(self, batch: SequenceBatch) -> None:
        """Raise DataError where targets are not symbols of the model's alphabet."""
        letters = self.core.alphabet.letters
        if batch.alphabet is not None and batch.alphabet != letters:
            raise DataError(
                "targets are in another alphabet than the model", got=batch.alphabet, expected=f"letters {letters}"
            )
        if batch.values.dtype != np.uint8 or batch.values.ndim != 1:
            raise DataError(
                "targets are no symbols",
                got=f"{batch.values.dtype} of shape {batch.values.shape}",
                expected="uint8, one row",
            )
