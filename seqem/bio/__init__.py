"""Biological alphabets."""
