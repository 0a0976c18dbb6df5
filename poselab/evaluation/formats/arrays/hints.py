"""Arrays of well-known codes, by their names in MATLAB and HDF5 files."""

from __future__ import annotations

from poselab.evaluation.formats.arrays.options import ArrayOptions

KNOWN_ARRAYS = {
    "keypointsAll": ArrayOptions("keypointsAll", "N,K,2"),
    "pos_pred_src": ArrayOptions("pos_pred_src", "K,2,N"),
    "preds": ArrayOptions("preds", "N,K,2"),
    "pred": ArrayOptions("pred", "2,K,N"),
}
"""``detections.mat`` and ``detections_our_format.mat`` of Tompson et al. 2014; ``pred.mat`` of
HRNet and SimpleBaseline and ``preds/*.h5`` of the hourglass code; results of Yang et al. 2016 for
LSP, FLIC and PARSE, keypoints or the ends of body segments. All of them count pixels from 1; biases
of some pixels hide it."""
KNOWN_ORIGIN = 1
KNOWN_IN = (".mat", ".h5", ".hdf5")
