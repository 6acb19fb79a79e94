"""
Words from recordings and transcripts alone
===========================================

A recogniser of whole words learns from recordings of which only the words are known, not when they were said. Where the Free
Spoken Digit Dataset lies beside the checkout, it is trained on four people saying the ten digits and asked about recordings it
has not heard; without it, on five recordings of playing cards that come with seqem, which it then reads back.
"""

from pathlib import Path

import matplotlib.pyplot as plt

import seqem
from seqem.plot.confusions import confusion_matrix
from seqem.plot.history import training_curve

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
DIGITS = HERE.parent.parent / "shared" / "data" / "speech" / "fsdd" / "recordings"
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def spoken_digits():
    """Recordings of digits, as those to learn from and those to ask about: the first five of each digit and speaker."""
    parts = {True: ([], []), False: ([], [])}
    for path in sorted(DIGITS.glob("*.wav")):
        digit, _, number = path.stem.split("_")
        recordings, words = parts[int(number) >= 5]
        recordings.append(seqem.read_audio(path).samples)
        words.append(NAMES[int(digit)])
    return parts[True], parts[False], 8000


def playing_cards():
    """Recordings of cards, to learn from and to read back."""
    rows = seqem.read_manifest(HERE.parent / "data" / "speech" / "cards" / "manifest.csv")
    part = [seqem.read_audio(row.path).samples for row in rows], [row.transcript for row in rows]
    return part, part, 16000


(recordings, transcripts), (others, said), rate = spoken_digits() if DIGITS.exists() else playing_cards()
print(f"{len(recordings)} recordings to learn from, {len(others)} to ask about")

# %%
# Train
# -----
# Nothing is told but the sample rate. Where there is silence around the words, it is found first; recordings are cut evenly along
# their transcripts; then Baum-Welch takes over, with mixtures that grow by splitting. The curve dips where they do.

model = seqem.SpeechRecogniser(features=seqem.Features(sample_rate=rate), random_state=0)
model.fit(recordings, transcripts)
states = model.inventory_.n_emissions
print(
    f"{len(model.words_)} words, {states} states of {model.distribution_.n_components} Gaussians, {model.stop_reason_}"
)
training_curve(model.history_.objective)

# %%
# Ask
# ---

heard = model.recognise(others)
errors = seqem.word_errors(said, [readings[0].words for readings in heard])
print(f"word error rate {100 * errors.rate:.1f} % of {errors.n_words} words")
for readings, words in list(zip(heard, said, strict=True))[:3]:
    best = readings[0]
    print(f"said {words!r}, heard {' '.join(best.words)!r}, confidence {best.confidence:.2f}")

names = sorted({word for pair in errors.confusions for word in pair if word is not None})
counts = [[errors.confusions.get((a, b), 0) for b in names] for a in names]
confusion_matrix(counts, names)
plt.show()

assert errors.rate <= 0.02
assert all(0.0 <= readings[0].confidence <= 1.0 for readings in heard)
