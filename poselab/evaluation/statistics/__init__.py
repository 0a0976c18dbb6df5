"""Uncertainty of metric values: bootstrap over images and seeds; estimates of OKS sigmas."""
