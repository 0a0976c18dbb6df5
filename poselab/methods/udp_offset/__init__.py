"""UDP's discs and offsets (Huang et al. 2020)."""
