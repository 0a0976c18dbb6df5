"""Files that are written whole or not at all, checkpoints, and work in a second process."""
