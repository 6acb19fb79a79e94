"""The one table of names: what exists, where it lives, one line of help.

Public names of ``seqem``, the command line and the conformance batteries all read this table, so a
new distribution, estimator, format or verb is one file, one row here and one test.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One row: ``target`` is "module:Object"."""

    target: str
    help: str

    def load(self) -> Any:
        """Import and return the object."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)

    @property
    def public_name(self) -> str:
        """Name of the object as an attribute of ``seqem``."""
        return self.target.rpartition(":")[2]


DISTRIBUTIONS: dict[str, Entry] = {
    "categorical": Entry("seqem.distributions.categorical:Categorical", "symbols, with ambiguity and missing codes"),
    "gaussian": Entry("seqem.distributions.gaussian:Gaussian", "Gaussians: spherical, diag, full or tied covariance"),
    "mixture": Entry("seqem.distributions.mixture:MixtureOf", "a mixture of one family in each state"),
    "shared-mixture": Entry(
        "seqem.distributions.shared_mixture:SharedMixture", "mixtures of the same parts, with weights a state"
    ),
    "poisson": Entry("seqem.distributions.poisson:Poisson", "independent counts"),
    "bernoulli": Entry("seqem.distributions.bernoulli:Bernoulli", "independent zeros and ones"),
    "multinomial": Entry("seqem.distributions.multinomial:Multinomial", "counts of symbols in a number of trials"),
    "student": Entry("seqem.distributions.student:StudentT", "independent heavy-tailed Student t variables"),
    "multivariate-t": Entry(
        "seqem.distributions.multivariate_t:MultivariateT", "heavy-tailed rows with scale matrices"
    ),
    "factor-gaussian": Entry(
        "seqem.distributions.factor_gaussian:FactorGaussian", "Gaussians with the covariance of a few factors and noise"
    ),
    "exponential": Entry("seqem.distributions.exponential:Exponential", "independent waiting times"),
    "gamma": Entry("seqem.distributions.gamma:Gamma", "independent positive Gamma variables"),
    "vonmises": Entry("seqem.distributions.vonmises:VonMises", "independent angles"),
    "independent": Entry("seqem.distributions.independent:Independent", "columns of different kinds in one model"),
    "tied": Entry("seqem.distributions.tied:Tied", "a family some of whose single parameters are equal"),
    "regression": Entry("seqem.distributions.regression:Regression", "Gaussian regression on other columns"),
    "poisson-regression": Entry(
        "seqem.distributions.generalized_regression:PoissonRegression", "counts by regression on other columns"
    ),
    "logistic-regression": Entry(
        "seqem.distributions.generalized_regression:LogisticRegression", "zeros and ones by regression on other columns"
    ),
    "autoregressive": Entry(
        "seqem.distributions.autoregressive:AutoregressiveGaussian", "Gaussian regression on the rows before"
    ),
}

ESTIMATORS: dict[str, Entry] = {
    "hmm": Entry("seqem.hmm.generic:HMM", "hidden Markov model with any distribution"),
    "categorical-hmm": Entry("seqem.hmm.symbols:CategoricalHMM", "hidden Markov model of symbols"),
    "gaussian-hmm": Entry("seqem.hmm.gaussian:GaussianHMM", "hidden Markov model of Gaussian rows"),
    "gmm-hmm": Entry("seqem.hmm.gmm:GMMHMM", "hidden Markov model of Gaussian mixtures"),
    "multinomial-hmm": Entry("seqem.hmm.symbols:MultinomialHMM", "hidden Markov model of symbol counts"),
    "poisson-hmm": Entry("seqem.hmm.poisson:PoissonHMM", "hidden Markov model of counts"),
    "semi-markov-hmm": Entry("seqem.hmm.semi_markov:SemiMarkovHMM", "hidden Markov model with explicit durations"),
    "variational-categorical-hmm": Entry(
        "seqem.hmm.variational:VariationalCategoricalHMM", "hidden Markov model of symbols, by variational Bayes"
    ),
    "variational-gaussian-hmm": Entry(
        "seqem.hmm.variational:VariationalGaussianHMM", "hidden Markov model of Gaussian rows, by variational Bayes"
    ),
}

# Models of rows without order.
MODELS: dict[str, Entry] = {
    "gaussian-mixture": Entry("seqem.models.gaussian_mixture:GaussianMixture", "mixture of Gaussians"),
    "mixture": Entry("seqem.models.mixture:Mixture", "mixture of any distribution"),
    "bayesian-gaussian-mixture": Entry(
        "seqem.models.variational_mixture:BayesianGaussianMixture", "mixture of Gaussians by variational Bayes"
    ),
    "bayesian-mixture": Entry(
        "seqem.models.bayesian_mixture:BayesianMixture", "mixture of other families by variational Bayes"
    ),
    "kernel-mixture": Entry(
        "seqem.models.kernel_mixture:KernelMixture", "mixture of densities of any shape, by kernels"
    ),
    "mixture-of-factor-analyzers": Entry(
        "seqem.models.factor_mixture:MixtureOfFactorAnalyzers", "mixture of factor analyses"
    ),
    "tobit": Entry("seqem.models.tobit:Tobit", "regression of a censored variable"),
    "factor-analysis": Entry("seqem.models.factor:FactorAnalysis", "factor analysis, by maximum likelihood"),
    "ppca": Entry("seqem.models.ppca:ProbabilisticPCA", "principal components with noise"),
    "multivariate-normal": Entry("seqem.models.normal:MultivariateNormal", "normal rows, with missing entries"),
}

# Models of recordings.
SPEECH: dict[str, Entry] = {
    "speech-recogniser": Entry(
        "seqem.speech.recogniser:SpeechRecogniser", "learns words from recordings, recognises and aligns them"
    ),
    "gmm-ubm": Entry("seqem.speech.speakers:GMMUBM", "speakers by mixtures adapted from a background"),
    "ivectors": Entry("seqem.speech.ivectors:IVectors", "recordings as vectors of one length"),
    "plda": Entry("seqem.speech.plda:PLDA", "whether vectors are of the same speaker"),
}

# What such models are told, and is saved with them.
SETTINGS: dict[str, Entry] = {
    "features": Entry(
        "seqem.speech.features:Features", "recordings to feature frames, as HTK, Kaldi or Sphinx computes them"
    ),
    "warp": Entry("seqem.speech.filterbank:Warp", "vocal-tract-length normalisation"),
    "lexicon": Entry("seqem.speech.lexicon:Lexicon", "how words are pronounced"),
    "pronunciation": Entry("seqem.speech.lexicon:Pronunciation", "one way to say a word"),
    "inventory": Entry("seqem.speech.units:Inventory", "units of speech by name"),
    "unit": Entry("seqem.speech.units:Unit", "a chain of states"),
    "pauses": Entry("seqem.speech.unit_network:Pauses", "the unit of silence between words"),
    "contexts": Entry("seqem.speech.contexts:Contexts", "units that depend on those beside them"),
    "composite": Entry("seqem.speech.composite:Composite", "units joined to models of what may be said"),
}

FORMATS: dict[str, Entry] = {
    "fasta": Entry("seqem.io.fasta:FASTA", "named sequences of letters"),
    "fastq": Entry("seqem.io.fastq:FASTQ", "named sequences of letters with qualities"),
    "database": Entry("seqem.io.database:DATABASE", "prepared sequence database, .sqdb"),
    "parquet": Entry("seqem.io.parquet:PARQUET", "columns of numbers, Apache Parquet"),
    "numpy": Entry("seqem.io.arrays:NUMPY", "NumPy arrays, .npy or .npz"),
    "csv": Entry("seqem.io.delimited:CSV", "rows of numbers, comma, tab or semicolon between"),
}

VERBS: dict[str, Entry] = {
    "train": Entry("seqem.cli.train:train", "train a profile HMM on unaligned sequences"),
    "build": Entry("seqem.cli.build:build", "build profile HMMs from alignments"),
    "search": Entry("seqem.cli.search:search", "search a sequence database with profile HMMs"),
    "scan": Entry("seqem.cli.scan:scan", "find the domains of sequences in a library of profile HMMs"),
    "phmmer": Entry("seqem.cli.phmmer:phmmer", "search a sequence database with a sequence"),
    "iterate": Entry("seqem.cli.iterate:iterate", "search a sequence database in rounds"),
    "align": Entry("seqem.cli.align:align", "align sequences to a profile HMM"),
    "emit": Entry("seqem.cli.emit:emit", "draw sequences from profile HMMs, or their consensus"),
    "logo": Entry("seqem.cli.logo:logo", "draw the logo of a profile HMM"),
    "stat": Entry("seqem.cli.stat:stat", "print statistics of profile HMMs"),
    "convert": Entry("seqem.cli.convert:convert", "convert profile HMMs, alignments and databases"),
    "fit": Entry("seqem.cli.fit:fit", "fit a model to sequences or to rows of a table"),
    "decode": Entry("seqem.cli.decode:decode", "find the states of sequences: path, posteriors, BED or GFF3"),
    "predict": Entry("seqem.cli.predict:predict", "clusters, factors, censored means or missing cells of rows"),
    "score": Entry("seqem.cli.score:score", "log-likelihood of each sequence or row under a model"),
    "sample": Entry("seqem.cli.sample:sample", "draw sequences or rows from a model"),
    "select": Entry("seqem.cli.select:select", "choose the number of states, components or factors by BIC, AIC or ICL"),
    "features": Entry("seqem.cli.features:features", "feature frames of recordings: MFCC, PLP, mel energies"),
    "speech": Entry("seqem.catalog:SPEECH_VERBS", "train on recordings, recognise, align, adapt, tell speakers apart"),
    "info": Entry("seqem.cli.info:info", "show the parameters of a model and how its fit went"),
    "plot": Entry("seqem.cli.plot:plot", "draw a model, its fit, or the states of a sequence"),
}

# Verbs after the verb ``speech``.
SPEECH_VERBS: dict[str, Entry] = {
    "train": Entry("seqem.cli.speech_train:train", "train a recogniser on recordings and transcripts"),
    "recognise": Entry("seqem.cli.speech_recognise:recognise", "recognise the words of recordings"),
    "align": Entry("seqem.cli.speech_align:align", "find when each word and phone was said"),
    "adapt": Entry("seqem.cli.speech_adapt:adapt", "adapt a recogniser to a speaker"),
    "enrol": Entry("seqem.cli.speech_enrol:enrol", "learn the voices of speakers"),
    "verify": Entry("seqem.cli.speech_verify:verify", "find who speaks, or whether it is who they claim to be"),
}

# What the driver goes by; seqem.em.methods makes them.
METHODS: dict[str, str] = {
    "em": "plain EM",
    "squarem": "squared extrapolation of EM steps",
    "squarem3": "squared extrapolation of order three",
    "daarem": "damped Anderson acceleration of EM steps",
    "anderson": "Anderson acceleration of EM steps",
    "quasi-newton": "secants of the EM map",
    "alpha": "longer EM steps, as long as they gain",
    "incremental": "an M-step after each shard, with the statistics of all",
    "online": "an M-step after each shard, with statistics that forget",
    "lbfgs": "limited-memory BFGS on the exact score",
    "newton-cg": "truncated Newton steps on the exact score",
    "ecg": "conjugate gradients on the exact score",
    "gradient": "steepest ascent on the exact score",
    "stochastic-gradient": "ascent along the score of each shard",
}

# What a profile HMM is read from and written to.
PROFILE_FILES: dict[str, Entry] = {
    "read": Entry("seqem.io.hmmer3:read_model", "the first model of a HMMER3 file"),
    "write": Entry("seqem.io.hmmer3:write_models", "models to a HMMER3 file"),
    "alignment": Entry("seqem.io.alignments:read_alignment", "an alignment of any known format"),
}

OTHERS: tuple[Entry, ...] = (
    Entry("seqem.profile.estimator:ProfileHMM", "profile hidden Markov model of a family"),
    Entry("seqem.io.hmmer3:ModelLibrary", "profile HMMs of a file, read on demand"),
    Entry("seqem.io.hmmer3:read_models", "profile HMMs of a file, one at a time"),
    Entry("seqem.io.hmmer3:write_models", "profile HMMs to a HMMER3 file"),
    Entry("seqem.io.alignments:read_alignment", "an alignment of any known format"),
    Entry("seqem.io.alignments:write_alignment", "an alignment as Stockholm, aligned FASTA or A2M"),
    Entry("seqem.io.database:stream", "sequences of a large file in parts"),
    Entry("seqem.io.database:prepare", "a database that opens at once"),
    Entry("seqem.profile.scan:scan", "sequences against a library of profile HMMs"),
    Entry("seqem.profile.iterate:iterate", "iterated search from a sequence or model"),
    Entry("seqem.core.batch:SequenceBatch", "ragged sequences as one array"),
    Entry("seqem.io.registry:read", "sequences of a file of any known format"),
    Entry("seqem.io.models:save", "an estimator to a file"),
    Entry("seqem.io.models:load", "an estimator from a file"),
    Entry("seqem.speech.network:WordNetwork", "which sequences of words may be said"),
    Entry("seqem.speech.ngram:NGram", "the probability of a word after the words before it"),
    Entry("seqem.speech.scoring:word_errors", "word and sentence error rates, with every error"),
    Entry("seqem.speech.ivectors:length_normalised", "vectors over their lengths"),
    Entry("seqem.speech.error_rates:equal_error_rate", "the rate at which misses equal false alarms"),
    Entry("seqem.speech.error_rates:minimum_detection_cost", "the detection cost at the best threshold"),
    Entry("seqem.speech.score_norm:z_norm", "scores of speakers by those of impostors"),
    Entry("seqem.speech.score_norm:t_norm", "scores of recordings by those of a cohort"),
    Entry("seqem.speech.score_norm:s_norm", "the mean of both"),
    Entry("seqem.io.manifest:read_manifest", "a table of recordings"),
    Entry("seqem.io.pronunciations:read_lexicon", "a pronouncing dictionary"),
    Entry("seqem.io.pronunciations:write_lexicon", "a pronouncing dictionary to a file"),
    Entry("seqem.io.sphinx:read_sphinx", "a recogniser of a Sphinx acoustic model"),
    Entry("seqem.io.fsg:read_fsg", "a grammar of Sphinx"),
    Entry("seqem.io.jsgf:read_jsgf", "a grammar of what may be said"),
    Entry("seqem.io.arpa:read_arpa", "n-grams of an ARPA file"),
    Entry("seqem.io.arpa:write_arpa", "n-grams to an ARPA file"),
    Entry("seqem.io.textgrid:read_textgrid", "the tiers of a Praat TextGrid"),
    Entry("seqem.io.textgrid:write_textgrid", "an alignment to a Praat TextGrid"),
    Entry("seqem.io.ctm:read_ctm", "alignments of a CTM file"),
    Entry("seqem.io.ctm:write_ctm", "alignments to a CTM file"),
    Entry("seqem.io.alignment_json:read_alignment_json", "an alignment of a JSON file"),
    Entry("seqem.io.alignment_json:write_alignment_json", "an alignment to a JSON file"),
    Entry("seqem.io.kaldi:read_ark", "feature frames of a Kaldi archive"),
    Entry("seqem.io.kaldi:read_scp", "feature frames that a Kaldi list names"),
    Entry("seqem.io.kaldi:write_ark", "feature frames to a Kaldi archive"),
    Entry("seqem.io.audio:read_audio", "a recording as one channel of samples"),
    Entry("seqem.io.htk:read_htk", "feature frames of an HTK file"),
    Entry("seqem.io.htk:write_htk", "feature frames to an HTK file"),
    Entry("seqem.em.selection:select", "the best number of states, components or factors"),
    Entry("seqem.em.own:fit_em", "EM with one's own two steps"),
    Entry("seqem.em.callbacks:ProgressBar", "a fit's progress in the terminal"),
    Entry("seqem.em.callbacks:LogProgress", "a fit's progress in the log"),
    Entry("seqem.em.checkpoint:Checkpoint", "a fit on disk, to go on from"),
)


def public() -> dict[str, Entry]:
    """Return every public name of ``seqem`` with its row."""
    rows = [
        *DISTRIBUTIONS.values(),
        *ESTIMATORS.values(),
        *MODELS.values(),
        *SPEECH.values(),
        *SETTINGS.values(),
        *OTHERS,
    ]
    return {row.public_name: row for row in rows}
