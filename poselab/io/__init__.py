"""Files that are whole or absent, checkpoints, and work in a second process."""
