"""Poses from bare arrays of anybody: what their axes, rows, pixels and joints are."""
