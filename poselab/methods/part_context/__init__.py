"""Part and context heatmaps read by soft-argmax (Luvizon et al. 2019)."""
