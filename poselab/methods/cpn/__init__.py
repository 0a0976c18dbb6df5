"""Cascaded pyramid network (Chen et al. 2018)."""
