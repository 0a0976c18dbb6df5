"""One file a metric: OKS, PCKh, PCK and what is derived from them."""
