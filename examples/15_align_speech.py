"""
When was each word said?
========================

Five sentences of *Sense and Sensibility*, read for LibriVox, and an acoustic model of English that was trained on other people
saying other things. The model is adapted to the reader by its own first alignment, then says when each word and each phone was
spoken, how likely, and how sure it is. The result is a TextGrid that Praat opens.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt

import seqem
from seqem.plot.spectrogram import plot_spectrogram

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
SPEECH = HERE.parent / "data" / "speech"
manifest = seqem.read_manifest(SPEECH / "librivox" / "manifest.csv")
samples = [seqem.read_audio(row.path).samples for row in manifest]
transcripts = [row.transcript for row in manifest]
for row in manifest:
    print(row.path.name, "-", row.transcript)

# %%
# A model that somebody else has trained
# --------------------------------------
# Sphinx keeps a model in a folder of arrays: 34 phones of three states, a Gaussian each. The dictionary says how words are
# pronounced, some of them in several ways; the alignment finds which was used.

lexicon = seqem.read_lexicon(SPEECH / "words.dict")
model = seqem.read_sphinx(SPEECH / "an4_ci_cont", lexicon)
before = model.align(samples, transcripts)

# %%
# Adapt it to the reader
# ----------------------
# Maximum-likelihood linear regression moves all means by one affine map, which half a minute of speech is enough for. The
# log-likelihood of the best paths tells whether it fits better.

reader = model.adapt(samples, transcripts, method="mllr")
after = reader.align(samples, transcripts)
for row, one, two in zip(manifest, before, after, strict=True):
    n_frames = two.duration * 100
    print(f"{row.path.name}: {one.log_likelihood / n_frames:.2f} -> {two.log_likelihood / n_frames:.2f} a frame")

# %%
# Words, phones, and how sure they are
# ------------------------------------

sentence = after[1]
for word in sentence.words:
    print(f"{word.start:5.2f} {word.end:5.2f}  {word.label:<10} posterior {word.posterior:.2f}")

spectrogram = seqem.Features(kind="spectrogram", sample_rate=16000, width=0.008, shift=0.002, delta_order=0)
tiers = {name: [(s.start, s.end, s.label, s.posterior) for s in sentence.tiers[name]] for name in ("words", "phones")}
plot_spectrogram(spectrogram(samples[1]), 0.002, tiers, high=8000.0)
plt.show()

# %%
# For other tools
# ---------------
# ``seqem speech align`` writes one of these for each row of a manifest, and a table that names the worst word of each.

with TemporaryDirectory() as folder:
    path = Path(folder) / "sentence.TextGrid"
    seqem.write_textgrid(path, sentence)
    print(path.read_text(encoding="utf-8")[:400])
    again = seqem.read_textgrid(path)

assert [word.label for word in sentence.words] == transcripts[1].split()
assert [s.label for s in again.words if s.label] == transcripts[1].split()
assert sum(a.log_likelihood for a in after) > sum(a.log_likelihood for a in before)
assert all(a.end <= b.start for a, b in zip(sentence.words, sentence.words[1:], strict=False))
