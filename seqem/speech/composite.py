"""Composite: units joined to models of whatever may be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqem.core.batch import SequenceBatch
from seqem.errors import RecordingsError
from seqem.shapes import Array
from seqem.speech.acoustic import Spoken
from seqem.speech.aligner import Script
from seqem.speech.contexts import Contexts, in_context
from seqem.speech.graph import compile_graph
from seqem.speech.lexicon import Lexicon
from seqem.speech.network import WordNetwork, transcript
from seqem.speech.unit_network import Pauses, spell
from seqem.speech.units import Inventory

_ROWS_A_SHARD = 8192


@dataclass(frozen=True)
class Composite:
    """Join units.

    Attributes
    ----------
    lexicon : Lexicon
        How words are pronounced.
    inventory : Inventory
        The units.
    pauses : Pauses, optional
        Silence that may be before, between and after words.
    contexts : Contexts, optional
        Units that depend on those beside them.
    """

    lexicon: Lexicon
    inventory: Inventory
    pauses: Pauses | None
    contexts: Contexts | None = None

    def script(self, network: WordNetwork) -> Script:
        """Return the network in units and its graph."""
        spelt = spell(network, self.lexicon, self.pauses)
        if self.contexts is not None:
            spelt = in_context(spelt, self.contexts, self.contexts.silence)
        return Script(spelt, compile_graph(spelt, self.inventory))

    def shards(self, frames: Sequence[Array], said: Sequence[Sequence[str]]) -> list[list[Spoken]]:
        """Return recordings by what was said in them, in portions of similar size.

        Raises
        ------
        RecordingsError
            Where recordings are too short for their transcripts.
        """
        alike: dict[tuple[str, ...], list[int]] = {}
        for i, words in enumerate(said):
            alike.setdefault(tuple(words), []).append(i)
        shards: list[list[Spoken]] = [[]]
        reasons = {}
        for words, members in alike.items():
            graph = self.script(transcript(words)).graph
            for i in members:
                if len(frames[i]) < graph.shortest:
                    reasons[i] = (
                        f"it is too short for its transcript; got {len(frames[i])} frames; expected {graph.shortest} at least"
                    )
            batch = SequenceBatch.of([frames[i] for i in members], names=tuple(f"recording {i}" for i in members))
            for part in batch.shards(_ROWS_A_SHARD):
                if shards[-1] and sum(s.batch.n_rows for s in shards[-1]) + part.n_rows > _ROWS_A_SHARD:
                    shards.append([])
                shards[-1].append(Spoken(graph, part))
        if reasons:
            raise RecordingsError(reasons)
        return shards
