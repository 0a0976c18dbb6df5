"""Configs: composed from words, checked, listed, beside their published values."""
