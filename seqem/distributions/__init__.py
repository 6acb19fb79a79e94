"""Distributions: HMM emissions and mixture components alike."""
