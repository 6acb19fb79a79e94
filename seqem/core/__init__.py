"""Data in memory: batches, trees of arrays, validation, random numbers."""
