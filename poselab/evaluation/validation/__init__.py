"""Errors and warnings about predictions, before they are scored."""
