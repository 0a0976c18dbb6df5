"""What is questionable about a run's data, said before its first epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from poselab.annotations.check import SAMPLE, empty_boxes_warning, orientations
from poselab.annotations.conventions import convention_warnings
from poselab.evaluation.validation.checks import oks_annotation_warnings
from poselab.skeletons import SKELETONS
from poselab.skeletons.sides import sides_in_words, unpaired_warning

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from poselab.annotations import Annotations
    from poselab.data import PoseData
    from poselab.evaluation.evaluator import Evaluator
    from poselab.structures import Skeleton


def data_warnings(config: DictConfig, data: PoseData, evaluator: Evaluator) -> list[str]:
    """A sentence for each; empty where nothing is wrong."""
    train, val = data.train.annotations, data.val.annotations
    flips = OmegaConf.select(config, "augment.flip") or config.flip_test
    return [
        *([warning] if flips and (warning := unpaired_warning(data.skeleton)) else []),
        *_annotation_warnings("training", train, data.train_samples.framing.max_instances == 1),
        *_annotation_warnings("validation", val, data.val_samples.framing.max_instances == 1),
        *(f"{w} (validation)" for w in oks_annotation_warnings(val) if evaluator.ranks_by_oks),
    ]


def orientation_notes(data: PoseData) -> list[str]:
    """How images lie that carry an orientation tag, of some images of each split."""
    splits = {"training": data.train, "validation": data.val}
    notes = {k: orientations(s.annotations, s.images, SAMPLE) for k, s in splits.items()}
    return [f"{split} images: {note}" for split, note in notes.items() if note.tagged]


def sides_note(skeleton: Skeleton) -> str:
    """Which keypoints a flip swaps, where that is not published; empty for known skeletons."""
    return "" if SKELETONS.get(skeleton.name) == skeleton else sides_in_words(skeleton)


def _annotation_warnings(split: str, table: Annotations, cropped: bool) -> list[str]:
    sentences = convention_warnings(table)
    if cropped:
        sentences.append(empty_boxes_warning(table))
    return [f"{sentence} ({split})" for sentence in sentences if sentence]
