"""One reader a results format."""
