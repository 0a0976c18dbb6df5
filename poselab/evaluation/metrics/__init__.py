"""One file per metric: OKS, PCKh, PCK and what is derived from them."""
