"""How well recognised words agree with transcripts: rates, confusions, and their picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqem.cli.fit import plural
from seqem.cli.outputs import aligned, save_figure

if TYPE_CHECKING:
    from seqem.speech.scoring import WordErrors

_MOST_CONFUSIONS = 20
_NOTHING = "(nothing)"


def report_errors(errors: WordErrors, speakers: Sequence[str | None]) -> None:
    """Print error rates of words and sentences, of each speaker, and the commonest confusions."""
    kinds = ("substitution", "deletion", "insertion")
    counts = ", ".join(plural(getattr(errors, f"{kind}s"), kind) for kind in kinds)
    print(f"word error rate {errors.rate:.2%}: {counts} in {plural(errors.n_words, 'word')}", file=sys.stderr)
    n_sentences = len(errors.alignments)
    wrong = round(errors.sentence_rate * n_sentences)
    print(f"sentence error rate {errors.sentence_rate:.2%}: {wrong} of {n_sentences:,}", file=sys.stderr)
    known = sorted({speaker for speaker in speakers if speaker is not None})
    if len(known) > 1:
        rows = [_of_speaker(errors, speakers, name) for name in known]
        print(aligned(("speaker", "sentences", "words", "errors", "rate"), rows), file=sys.stderr)
    wrongly = sorted(
        ((n, pair) for pair, n in errors.confusions.items() if pair[0] != pair[1]), key=lambda row: -row[0]
    )
    if wrongly:
        shown = [(said or _NOTHING, heard or _NOTHING, n) for n, (said, heard) in wrongly[:_MOST_CONFUSIONS]]
        print(aligned(("said", "heard", "times"), shown), file=sys.stderr)


def _of_speaker(errors: WordErrors, speakers: Sequence[str | None], name: str) -> tuple[Any, ...]:
    pairs = zip(errors.alignments, speakers, strict=True)
    own = type(errors)(tuple(sentence for sentence, speaker in pairs if speaker == name))
    wrong = own.substitutions + own.deletions + own.insertions
    return name, len(own.alignments), own.n_words, wrong, f"{own.rate:.2%}"


def draw_confusions(errors: WordErrors, path: str) -> None:
    """Draw which word was taken for which; words left out and words too many stand at the ends."""
    import numpy as np

    from seqem.plot.confusions import confusion_matrix

    said, heard = (_in_order({pair[side] for pair in errors.confusions}) for side in (0, 1))
    counts = np.array([[errors.confusions.get((a, b), 0) for b in heard] for a in said])
    axes = confusion_matrix(counts, [word or _NOTHING for word in said], [word or _NOTHING for word in heard])
    save_figure(axes.get_figure(root=True), path)


def _in_order(words: set[str | None]) -> list[str | None]:
    """Return words in alphabetical order, nothing last."""
    return sorted(words, key=lambda word: (word is None, word or ""))
