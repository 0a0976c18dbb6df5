"""One reader per results format."""
