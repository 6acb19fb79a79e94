"""Inference in Markov chains that never hears of emissions."""
