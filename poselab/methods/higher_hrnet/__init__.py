"""HigherHRNet (Cheng et al. 2020): associative embedding with heatmaps of two resolutions."""
