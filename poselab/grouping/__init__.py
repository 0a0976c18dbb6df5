"""Joints grouped into people, and suppression of repeated poses."""
