"""Complete comparability records, and how a difference in one field of them is reported."""

from __future__ import annotations

from typing import Any

OKS = {
    "annotations": "person_keypoints_val2017.json",
    "fingerprint": "f0",
    "skeleton": "coco17",
    "keypoints": 17,
    "images": 5000,
    "image_set": "a1",
    "instances": 6352,
    "metric": "oks",
    "engine": "hotcoco",
    "sigmas": [0.026, 0.025],
    "sigmas_from": "skeleton",
    "area": "annotated",
    "boxes": "annotated",
    "detection_area": "keypoints",
    "max_detections": 20,
}
RUN = {
    "boxes": {"kind": "labelled"},
    "flip_test": True,
    "flip_shift": 1,
    "pixels": "hrnet",
    "input_size": [256, 192],
    "padding": 1.25,
    "reduced_jpeg": False,
    "score": "box score · mean of keypoint scores above 0.2",
    "nms": {"kind": "OKS", "threshold": 0.9},
    "training": {
        "annotations": "person_keypoints_train2017.json",
        "fingerprint": "f1",
        "images": 118_287,
        "instances": 149_813,
        "image_set": "b1",
    },
    "overlap": {"images": 0, "decided_by": "file names"},
}
COMPLETE = OKS | {"run": RUN}
DETECTED = {
    "kind": "detected",
    "file": "COCO_val2017_detections",
    "fingerprint": "d0",
    "threshold": 0.0,
    "person_AP": 0.564,
}
PCKH = {"metric": "pckh", "fingerprint": "m0", "images": 3, "image_set": "q", "instances": 4}


FIELDS_OF_OTHER_METRICS = {
    *("metric", "rule", "auc", "thresholds", "unscored", "match"),
    *("crowd_index", "crowd_edges"),
}


def changed(**changes: Any) -> dict[str, Any]:
    """A complete record in which the named fields are different."""
    run = {key: value for key, value in changes.items() if key in RUN and key != "boxes"}
    if isinstance(changes.get("boxes"), dict):
        run["boxes"] = changes["boxes"]
    rest = {key: value for key, value in changes.items() if key not in run}
    return OKS | rest | {"run": RUN | run}


CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "incomparable",
        "oks.fingerprint",
        "annotations: mine.json vs. person_keypoints_val2017.json",
        changed(annotations="mine.json", fingerprint="f9"),
    ),
    (
        "incomparable",
        "oks.fingerprint",
        "annotations: two files of different content called person_keypoints_val2017.json",
        changed(fingerprint="f9"),
    ),
    (
        "incomparable",
        "oks.images",
        "2,346 vs. 5,000 images",
        changed(images=2346, image_set="a2", instances=6000),
    ),
    (
        "incomparable",
        "oks.image_set",
        "the same number of images (5,000), but other images",
        changed(image_set="a2"),
    ),
    ("incomparable", "oks.instances", "6,351 vs. 6,352 scored instances", changed(instances=6351)),
    (
        "incomparable",
        "oks.skeleton",
        "skeleton: crowdpose14 vs. coco17",
        changed(skeleton="crowdpose14", keypoints=14, sigmas=[0.079]),
    ),
    ("incomparable", "oks.keypoints", "16 vs. 17 keypoints", changed(keypoints=16)),
    (
        "incomparable",
        "oks.sigmas",
        "sigmas: guessed vs. published",
        changed(sigmas=[0.05, 0.05], sigmas_from="guess"),
    ),
    (
        "incomparable",
        "oks.sigmas",
        "sigmas: different values for 1 keypoints",
        changed(sigmas=[0.026, 0.05]),
    ),
    (
        "incomparable",
        "oks.area",
        "area of instances: 0.53 box vs. annotated",
        changed(area="0.53 box"),
    ),
    (
        "incomparable",
        "oks.boxes",
        "annotated boxes: around keypoints vs. annotated",
        changed(boxes="around keypoints"),
    ),
    (
        "incomparable",
        "oks.max_detections",
        "detections per image: at most 100 vs. 20",
        changed(max_detections=100),
    ),
    (
        "unequal",
        "oks.detection_area",
        "area of a pose, for APM and APL: from boxes vs. from keypoints",
        changed(detection_area="boxes"),
    ),
    (
        "unequal",
        "run.boxes",
        "boxes: COCO_val2017_detections (56.4 AP) vs. ground truth",
        changed(boxes=DETECTED),
    ),
    ("unequal", "run.flip_test", "flip test: off vs. on", changed(flip_test=False)),
    (
        "unequal",
        "run.flip_shift",
        "flip test shifts heatmaps by 0 vs. 1 cells",
        changed(flip_shift=0),
    ),
    ("unequal", "run.pixels", "pixel convention: udp vs. hrnet", changed(pixels="udp")),
    (
        "unequal",
        "run.input_size",
        "input size: 384 × 288 vs. 256 × 192 pixels (height × width)",
        changed(input_size=[384, 288]),
    ),
    ("unequal", "run.padding", "boxes enlarged 1 vs. 1.25 times", changed(padding=1.0)),
    (
        "unequal",
        "run.reduced_jpeg",
        "JPEGs decoded at reduced size: yes vs. no",
        changed(reduced_jpeg=True),
    ),
    (
        "unequal",
        "run.score",
        "score of a pose: mean of all keypoint scores vs. "
        "box score · mean of keypoint scores above 0.2",
        changed(score="mean of all keypoint scores"),
    ),
    ("unequal", "run.nms", "NMS: none vs. OKS 0.9", changed(nms=None)),
    (
        "unequal",
        "run.training",
        "trained on aic.json (210,000 images) vs. person_keypoints_train2017.json (118,287 images)",
        changed(training={"annotations": "aic.json", "fingerprint": "f2", "images": 210_000}),
    ),
    (
        "unequal",
        "run.overlap",
        "training images include 3 of the evaluation images, the other's none",
        changed(overlap={"images": 3, "decided_by": "file names"}),
    ),
    (
        "unknown",
        "run",
        "unknown: this predictions file does not record its boxes, flip test, scores, NMS and "
        "training data",
        OKS,
    ),
]
