"""poselab data browse: a contact sheet of training samples with their keypoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from poselab.cli.arguments import Arguments, output_file, whole
from poselab.ranges import MOST_SEED

_DESCRIPTION = """Draw a contact sheet of augmented training samples with their keypoints.

  poselab data browse experiment=quickstart/heatmap --out sheet.png
  poselab data browse data=coco data.sources.root=/data/coco \\
      augment=person_crop_photometric --count 48

Left limbs are drawn in warm colours, right limbs in cold ones; occluded keypoints are drawn too.
Regions that the loss of a whole-image method leaves out (crowds) are darkened."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("overrides", nargs="*", help="the experiment, as for `poselab train`")
    arguments.add_argument(
        "--out", type=output_file, default=Path("browse.png"), help="(browse.png)"
    )
    arguments.add_argument("--count", type=whole(1), default=24, help="number of samples (24)")
    arguments.add_argument(
        "--epoch", type=whole(0, MOST_SEED), default=0, help="epoch of the augmentation (0)"
    )
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Draw the sheet."""
    import cv2
    import numpy as np

    from poselab.experiments import build
    from poselab.experiments.config.compose import compose
    from poselab.io.files import replacing
    from poselab.report.draw import contact_sheet, draw_poses
    from poselab.structures import InputError

    if not cv2.haveImageWriter(arguments.out.name):
        raise InputError(f"expected an image's name such as sheet.png, got --out {arguments.out}")
    config, _ = compose("train", arguments.overrides)
    data = build.data(config)
    samples = data.train_samples
    count = min(arguments.count, len(samples))
    cells = []
    for index in np.linspace(0, len(samples) - 1, count).astype(int).tolist():
        sample = samples[(arguments.epoch, index)]
        brightness = np.where(sample.loss_mask[..., None] > 0, 1.0, 0.4)
        image = (sample.image.transpose(1, 2, 0) * brightness).astype(np.uint8)
        cells.append(draw_poses(image, sample.keypoints, sample.visibility > 0, data.skeleton))
    with replacing(arguments.out) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells)[:, :, ::-1])
    print(f"{count} of {len(samples)} training samples: {arguments.out}")
    return 0
