"""Detectors of people: chosen, trained, and what a top-down run loses to their boxes."""
