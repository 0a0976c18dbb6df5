"""Poses in images, outputs kept on disk, and what several decoders read in them."""
