"""Batteries that any new distribution, EM model or format must pass."""
