"""Models without order in time: mixtures, censored regression, factors."""
