"""ProfileHMM: build, train, search, align; the public face of profile HMMs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import Alphabet, alphabet_of, guess
from seqem.catalog import PROFILE_FILES
from seqem.core.batch import SequenceBatch
from seqem.core.rng import generator
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.estimator import EMEstimator
from seqem.em.methods import accelerator
from seqem.em.protocol import EMModel
from seqem.em.stop import StopRule
from seqem.errors import DataError, NotFittedError
from seqem.profile import emit
from seqem.profile.align import AlignedFamily, align, assemble, rows_of, rows_of_domains
from seqem.profile.build import Builder
from seqem.profile.calibrate import calibrate
from seqem.profile.configure import Mode, configure
from seqem.profile.domains import DomainFinder
from seqem.profile.evalue import null_score
from seqem.profile.family import FamilyModel, FamilyParams
from seqem.profile.hits import TopHits
from seqem.profile.logo import logo_heights, logo_tracks
from seqem.profile.long_targets import STRANDS, Strand
from seqem.profile.options import SearchOptions
from seqem.profile.plan7 import CoreModel
from seqem.profile.priors import default_prior
from seqem.profile.search import search
from seqem.profile.train import Training
from seqem.shapes import Array

Sequences = SequenceBatch | Sequence[str]
PathLike = str | os.PathLike[str]


class ProfileHMM(EMEstimator):
    """Profile hidden Markov model of a family of sequences.

    Made by :meth:`from_alignment`, trained on unaligned sequences by :meth:`fit`, or read by :meth:`load`.

    Parameters
    ----------
    n_nodes : int, optional
        Length of the model in training; by default it is found by surgery.
    mode : {"glocal", "local"}
        Whether each training sequence holds the whole domain, or may hold a part.
    multihit : bool
        Whether a training sequence may hold several domains.
    n_init : int
        Starts of training.
    max_iter : int
        Iterations of Baum-Welch after each surgery at most.
    tol : float
        Training converges when the objective changes by no more than this share.
    sample_size : int
        Starts are tried on no more than this many sequences; the best goes on with all.
    method : str
        How the best start goes on with all sequences; see ``seqem.catalog.METHODS``. "online" learns after each few hundred
        sequences, which pays for very large families.
    builder : Builder, optional
        How the trained alignment becomes the model to search with: weights, effective number, prior.
    random_state : int, Generator or None
        Draws starts.

    Attributes
    ----------
    core_ : CoreModel
        The model, calibrated.
    alignment_ : AlignedFamily
        After :meth:`fit`, the training sequences aligned.
    starts_ : Starts
        After :meth:`fit`, how each start ended.

    Examples
    --------
    >>> model = ProfileHMM(random_state=0).fit(["ACDEFGHIKL", "ACDEGHIKL", "ACDEFGHIKM", "CDEFGHIKL"])
    >>> model.consensus
    'ACDEFGHIKL'
    """

    def __init__(
        self,
        n_nodes: int | None = None,
        *,
        mode: Mode = "glocal",
        multihit: bool = False,
        n_init: int = 4,
        max_iter: int = 60,
        tol: float = 1e-5,
        sample_size: int = 400,
        method: str = "em",
        builder: Builder | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_nodes = n_nodes
        self.mode = mode
        self.multihit = multihit
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.sample_size = sample_size
        self.method = method
        self.builder = builder
        self.random_state = random_state

    core_: CoreModel
    alignment_: AlignedFamily
    #: What ``Checkpoint.load`` wants to know of the parameters.
    like: ClassVar[FamilyParams] = FamilyParams(..., ...)  # type: ignore[arg-type]

    # -- making ----------------------------------------------------------------------------------------

    @classmethod
    def from_core(cls, core: CoreModel) -> Self:
        """Return a model of given probabilities; it is calibrated if it is not yet."""
        model = cls()
        model.core_ = core if core.calibration is not None else calibrate(core)
        return model

    @classmethod
    def from_alignment(cls, alignment: Alignment | PathLike, *, name: str | None = None, **options: Any) -> Self:
        """Return the model of an alignment, as hmmbuild makes it.

        Parameters
        ----------
        alignment : Alignment or path-like
            A file may be Stockholm, aligned FASTA, A2M, A3M, Clustal, PHYLIP, SELEX or PSI-BLAST.
        name : str, optional
            Name of the model; by default that of the alignment, or of the file.
        **options
            Fields of :class:`seqem.profile.build.Builder`.

        Raises
        ------
        DataError
            Where there is no column to make a node of.
        FormatError
            Where the file is no alignment.
        """
        if isinstance(alignment, Alignment):
            rows = alignment
        else:
            rows = PROFILE_FILES["alignment"].load()(alignment)
            name = name or rows.name or _stem(alignment)
        return cls.from_core(Builder(**options).build(rows, name=name))

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Return the first model of a HMMER3 file.

        Raises
        ------
        FormatError
            Where the file is damaged, with the line.
        """
        return cls.from_core(PROFILE_FILES["read"].load()(path))

    def save(self, path: PathLike) -> None:
        """Write the model as a HMMER3 file, whole or not at all."""
        PROFILE_FILES["write"].load()(path, [self.core])

    def fit(
        self,
        sequences: Sequences,
        y: None = None,
        *,
        name: str | None = None,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Resume | None = None,
    ) -> Self:
        """Train on unaligned sequences by Baum-Welch, then align them and build the model of that alignment.

        Parameters
        ----------
        sequences : SequenceBatch or sequence of str
            The family.
        y : None
            Not used.
        name : str, optional
            Name of the model.
        executor : concurrent.futures.Executor, optional
            Runs the starts and the E-steps; the result does not depend on it.
        callbacks : sequence of callables
            Told of each iteration of the fits to all sequences; there is one after each surgery.
        resume : Resume, optional
            From ``Checkpoint.load(path, like=ProfileHMM.like)``: training goes on there, without starts.

        Raises
        ------
        DataError
            Where there are no residues.
        """
        batch = as_batch(sequences)
        alphabet = _alphabet_of(batch)
        model = self._model_of(alphabet)
        accelerator(self.method)  # refuses unknown names before the work
        training = Training(model, self.n_nodes, self.max_iter, self.tol, self.sample_size, self.method)
        rng = generator(self.random_state)
        self.result_, self.starts_ = training.run(
            batch, rng, n_init=self.n_init, executor=executor, callbacks=callbacks, resume=resume
        )
        self._alphabet = alphabet
        trained = model.core(self.result_.params, name or "family")
        self.core_ = calibrate(self._rebuilt(self._rebuilt(trained, batch), batch))
        self.alignment_ = assemble(self.core_, rows_of_domains(self.core_, batch, self.mode))
        return self

    def _rebuilt(self, core: CoreModel, batch: SequenceBatch) -> CoreModel:
        """Return the model built from the sequences aligned to a model.

        Weights and the effective number make a model of what is common, which aligns distant sequences better.
        """
        rows = assemble(core, rows_of(configure(core, mode=self.mode, multihit=False), batch)).alignment
        built = replace(self.builder or Builder(), hand=True).build(rows, name=core.name)
        return replace(built, reference=None)

    def _model(self) -> EMModel:
        return self._model_of(self._alphabet)

    def _model_of(self, alphabet: Alphabet) -> FamilyModel:
        return FamilyModel(alphabet, default_prior(alphabet), self.mode, self.multihit)

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rel_tol=self.tol)

    @property
    def core(self) -> CoreModel:
        """The model's probabilities."""
        if "core_" not in vars(self):
            raise NotFittedError("ProfileHMM has no model yet", hint="call fit, from_alignment or load")
        return self.core_

    # -- using -----------------------------------------------------------------------------------------

    def search(
        self,
        database: SequenceBatch | Iterable[SequenceBatch],
        options: SearchOptions | None = None,
        *,
        strands: Sequence[Strand] = STRANDS,
        executor: Executor | None = None,
        **thresholds: Any,
    ) -> TopHits:
        """Return the targets that are significantly like the family; see :func:`seqem.profile.search.search`.

        Of DNA and RNA, hits are places on the ``strands`` of targets of any length.

        ``thresholds`` are fields of :class:`seqem.profile.options.SearchOptions`, in place of ``options``.
        """
        return search(self.core, database, options or SearchOptions(**thresholds), strands=strands, executor=executor)

    def align(self, sequences: Sequences, **options: Any) -> AlignedFamily:
        """Return sequences aligned to the model; ``options`` are those of :func:`seqem.profile.align.align`."""
        return align(self.core, as_batch(sequences, self.core.alphabet), **options)

    def score(self, sequences: Sequences, y: None = None) -> Array:
        """Return the Forward score of every sequence in bits, not corrected for composition; -inf for empty ones."""
        finder = DomainFinder(self.core)
        batch = as_batch(sequences, self.core.alphabet)
        scores = np.full(len(batch), -np.inf)
        for s, residues in enumerate(batch):
            if len(residues):
                scores[s] = (finder.forward(residues)[0] - null_score(len(residues))) / np.log(2.0)
        return scores

    def sample(self, n: int = 1, random_state: Any = None) -> SequenceBatch:
        """Return ``n`` sequences drawn from the model."""
        return emit.sample(self.core, n, generator(random_state))

    @property
    def consensus(self) -> str:
        """The most probable letter of each match state."""
        return emit.consensus(self.core)

    def logo(self, **options: Any) -> Any:
        """Draw the information of each node, with tracks of inserts and deletes; see :func:`seqem.plot.logo.logo`."""
        from seqem.plot.logo import logo

        heights = logo_heights(self.core)
        return logo(heights, self.core.alphabet.letters, logo_tracks(self.core)._asdict(), **options)


def as_batch(sequences: Sequences, alphabet: Alphabet | None = None) -> SequenceBatch:
    """Return sequences of letters as symbols; a batch is returned as it is.

    Raises
    ------
    DataError
        Where a letter is not in the alphabet, or nothing is given.
    """
    if isinstance(sequences, SequenceBatch):
        return sequences
    if isinstance(sequences, str) or not all(isinstance(text, str) for text in sequences):
        raise DataError(
            "sequences are neither a batch nor texts", got=type(sequences).__name__,
            expected="SequenceBatch or a list of str", hint="read a file with seqem.read",
        )  # fmt: skip
    alphabet = alphabet or guess("".join(sequences))
    symbols: list[NDArray[np.uint8]] = [alphabet.encode(text) for text in sequences]
    names = tuple(str(s + 1) for s in range(len(symbols)))
    return SequenceBatch.of(symbols, names=names, alphabet=alphabet.letters)


def _alphabet_of(batch: SequenceBatch) -> Alphabet:
    if batch.alphabet is None:
        raise DataError("the batch has no alphabet", hint="give it alphabet='ACGT' or another")
    return alphabet_of(batch.alphabet)


def _stem(path: PathLike) -> str:
    return os.path.basename(os.fspath(path)).partition(".")[0]
