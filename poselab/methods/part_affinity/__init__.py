"""Part affinity fields (OpenPose, Cao et al. 2017, 2019): keypoints joined along limbs."""
