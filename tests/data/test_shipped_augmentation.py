"""What the shipped pixel augmentation does to an image."""

from __future__ import annotations

import numpy as np

from poselab.experiments import build
from poselab.experiments.config.compose import compose


def test_pixel_augmentation_leaves_a_person_recognisable() -> None:
    """The median pixel changes by less than 40 levels, as holes and blur leave most pixels."""
    config, _ = compose("train", ["augment=person_crop_photometric"])
    augment = build.instantiate_section(config, "augment")
    image = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 256, axis=1).repeat(3, axis=2)
    image[..., 0] //= 2
    rng = np.random.default_rng(0)
    changes = [
        np.median(np.abs(augment.transform_pixels(image, rng).astype(int) - image.astype(int)))
        for _ in range(100)
    ]
    assert max(changes) < 40
    assert sum(change > 0 for change in changes) > 20
