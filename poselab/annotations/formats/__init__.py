"""One reader an annotation format."""
