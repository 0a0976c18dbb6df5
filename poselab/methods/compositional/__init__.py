"""Compositional pose regression (Sun et al. 2017): bones instead of joints."""
