"""Codecs that several methods share."""
