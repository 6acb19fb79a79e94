"""Benchmarks: figures, never assertions. ``python -m tests.benchmarks.run --help``."""
