"""Hidden Markov models: the EM model and its estimators."""
