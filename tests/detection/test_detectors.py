"""Detectors that look at pixels: torchvision's, exported YOLO networks, the small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from poselab import geometry
from poselab.data import Augment
from poselab.datasets import coco
from poselab.datasets.base import Split
from poselab.detection import DetectorInput, run_detector
from poselab.detection.detect import BoxFilter
from poselab.detection.letterbox import letterbox
from poselab.detection.tiny_data import BoxDataset
from poselab.detection.tiny_detector import TinyDetector, TinyDetectorModule, load, save
from poselab.detection.tiny_network import (
    CentreLoss,
    CentreOutput,
    centre_heatmap,
    decode_boxes,
    to_cells,
)
from poselab.detection.torchvision_detector import TorchvisionDetector
from poselab.detection.yolo_formats import YOLO_FORMATS, recognise
from poselab.evaluation.metrics.person_boxes import person_precisions
from poselab.structures import InputError


@pytest.fixture
def image(tmp_path: Path) -> DetectorInput:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    return DetectorInput(1, path)


@pytest.mark.parametrize(
    "name",
    [
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "ssdlite320_mobilenet_v3_large",
        "retinanet_resnet50_fpn",
        "fcos_resnet50_fpn",
    ],
)
def test_torchvision_keeps_the_networks_boxes_of_people(name: str, image: DetectorInput) -> None:
    torch.manual_seed(0)
    sides = None if "320" in name else (64, 96)
    detector = TorchvisionDetector(name, None, classes=3, person=2, sides=sides)
    detector.net.score_thresh = 0.0
    detector(2 * [image])  # random weights find whatever they find
    output = {
        "boxes": torch.tensor([[1.0, 2.0, 11.0, 22.0], [0, 0, 5, 5], [3, 3, 4, 5]]),
        "labels": torch.tensor([2, 1, 2]),
        "scores": torch.tensor([0.5, 0.9, 0.25]),
    }
    seen: list[Any] = []
    detector.net.forward = lambda images: seen.extend(images) or [output]
    (found,) = detector([image])
    assert found.boxes.tolist() == [[1, 2, 10, 20], [3, 3, 1, 2]]
    assert found.scores.tolist() == [0.5, 0.25]
    assert seen[0].shape == (3, 40, 60)
    assert seen[0][0].numpy() == pytest.approx(image.pixels[..., 0] / 255, abs=1e-6)  # RGB


def test_torchvision_weights_from_a_file(tmp_path: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    made = TorchvisionDetector(name, None, classes=2)
    file = tmp_path / "weights.pth"
    torch.save(made.net.state_dict(), file)
    again = TorchvisionDetector(name, str(file), classes=2)
    pairs = zip(made.net.parameters(), again.net.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    for weights, expected in (
        (file, "choose that network's"),
        (tmp_path / "no.pth", "no such file"),
    ):
        with pytest.raises(InputError, match=expected):
            TorchvisionDetector(name, str(weights), classes=5)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="state dict"):
        TorchvisionDetector(name, str(file), classes=2)
    with pytest.raises(InputError, match="fasterrcnn_resnet50_fpn"):
        TorchvisionDetector("yolo", None)


@pytest.mark.parametrize("centred", [True, False])
def test_letterboxed_boxes_map_back(centred: bool) -> None:
    """A bright block keeps its place: found in the input, it is where it was in the image."""
    image = np.zeros((100, 300, 3), dtype=np.uint8)
    image[20:60, 200:280] = 255
    placed = letterbox(image, (128, 160), centred)
    bright = placed.image[..., 0] > 200
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    corners = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], dtype=np.float64)
    back = placed.to_image(corners)[0]
    assert back == pytest.approx([200, 20, 280, 60], abs=2 / placed.scale)


def rows_of(layout: str, size: tuple[int, int], box: tuple[float, ...]) -> list[np.ndarray]:
    """The outputs by which a family says that a person is at x y x y with a score of 0.72."""
    cells = sum((size[0] // s) * (size[1] // s) for s in (8, 16, 32))
    x, y, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
    if layout == "end_to_end":
        return [np.array([[[*box, 0.72, 0.0], [*box, 0.9, 1.0]]])]
    if layout == "mmdeploy":
        return [np.array([[[*box, 0.72], [*box, 0.9]]]), np.array([[0, 1]])]
    if layout == "yolov8":
        output = np.zeros((1, 6, cells))
        output[0, :, 7] = [x, y, w, h, 0.72, 0.1]
        return [output]
    output = np.zeros((1, 3 * cells if layout == "yolov5" else cells, 7))
    output[0, 7] = [x, y, w, h, 0.9, 0.8, 0.1]
    if layout == "yolox":  # cell 7 of the finest grid, eight pixels a cell
        row, column = divmod(7, size[1] // 8)
        output[0, 7, :4] = [x / 8 - column, y / 8 - row, np.log(w / 8), np.log(h / 8)]
    return [output]


@pytest.mark.parametrize("layout", YOLO_FORMATS)
def test_layouts_are_recognised_and_read(layout: str) -> None:
    size, box = (64, 96), (10.0, 20.0, 30.0, 60.0)
    outputs = rows_of(layout, size, box)
    shapes = [output.shape for output in outputs]
    assert recognise(shapes, size) == ("yolox" if layout == "yolox_decoded" else layout)
    corners, scores = YOLO_FORMATS[layout].read([output[0] for output in outputs], size, 0)
    best = int(np.argmax(scores))
    assert scores[best] == pytest.approx(0.72)
    assert corners[best] == pytest.approx(box)


def test_unknown_outputs_are_an_error() -> None:
    with pytest.raises(InputError, match="YOLO"):
        recognise([(1, 1000)], (64, 64))


def test_missing_packages_are_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from poselab.detection.onnx_detector import OnnxDetector
    from poselab.detection.ultralytics_detector import UltralyticsDetector

    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    monkeypatch.setitem(__import__("sys").modules, "ultralytics", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        OnnxDetector(tmp_path / "net.onnx")
    with pytest.raises(InputError, match="AGPL"):
        UltralyticsDetector("yolo11n.pt")
    with pytest.raises(InputError, match="yolov5"):
        OnnxDetector(tmp_path / "net.onnx", layout="yolo")


def test_ultralytics_is_called_as_its_package_documents(
    monkeypatch: pytest.MonkeyPatch, image: DetectorInput
) -> None:
    from types import SimpleNamespace

    from poselab.detection.ultralytics_detector import UltralyticsDetector

    asked: dict[str, Any] = {}

    class Net:
        def __init__(self, file: str) -> None:
            asked["file"] = file

        def predict(self, images: list[np.ndarray], **options: Any) -> list[Any]:
            asked.update(options, images=images)
            boxes = SimpleNamespace(
                xyxy=torch.tensor([[1.0, 2, 11, 22]]), conf=torch.tensor([0.5]), cls=torch.zeros(1)
            )
            return [SimpleNamespace(boxes=boxes)]

    monkeypatch.setitem(__import__("sys").modules, "ultralytics", SimpleNamespace(YOLO=Net))
    (found,) = UltralyticsDetector("net.pt", threshold=0.1)([image])
    assert (asked["file"], asked["classes"], asked["conf"]) == ("net.pt", [0], 0.1)
    assert np.array_equal(asked["images"][0], image.pixels[..., ::-1])
    assert (found.boxes.tolist(), found.scores.tolist()) == ([[1, 2, 10, 20]], [0.5])


def test_a_target_decodes_to_its_boxes() -> None:
    """The heatmap and sides of a target decode to its boxes, wherever they lie in the input."""
    boxes = torch.tensor([[[10.0, 20.0, 40.5, 90.0], [70.0, 3.0, 100.0, 50.0]]])
    present = torch.ones(1, 2, dtype=torch.bool)
    cells = to_cells(boxes)
    heatmap = centre_heatmap(cells, present, (24, 32))
    assert heatmap.max() == 1
    sides = torch.zeros(1, 4, 24, 32)
    for box in cells[0]:
        x, y = torch.floor((box[:2] + box[2:]) / 2 + 0.5).long().tolist()
        here = torch.tensor([x, y, x, y])
        sides[0, :, y, x] = (box - here).abs()
    output = CentreOutput(torch.logit(heatmap.clamp(1e-4, 1 - 1e-4)), sides)
    corners, scores = decode_boxes(output, max_boxes=5)
    order = corners[0, :2, 0].argsort()
    assert corners[0, :2][order] == pytest.approx(boxes[0].numpy(), abs=1e-3)
    assert scores[0, 1] > 0.99
    assert scores[0, 2] < 0.01
    loss = CentreLoss()(output, cells, present)
    worse = CentreLoss()(output._replace(sides=sides + 1), cells, present)
    assert worse["box"] > loss["box"]
    assert worse["heatmap"] == loss["heatmap"]


def test_boxes_move_with_the_image(val: Split) -> None:
    """Edges go back to the annotated boxes through the matrix of the input."""
    for augment in (None, Augment(flip=1.0, scale=0.2, degrees=0.0, shift=0.05)):
        item = BoxDataset(val, (128, 160), augment)[0]
        rows = list(val.annotations.rows(0))
        count = int(item.present.sum())
        assert count == len(rows)
        corners = geometry.apply(
            item.to_image.astype(np.float64), item.corners[:count].reshape(-1, 2)
        )
        corners = corners.reshape(-1, 2, 2)
        low, high = corners.min(axis=1), corners.max(axis=1)
        boxes = np.concatenate([low, high - low], axis=1)
        shared = np.diagonal(geometry.iou(boxes, np.asarray(val.annotations.boxes[rows])))
        assert (shared > 0.75).all()  # cut where they left the input


def test_the_small_detector_learns(trained: Path, instances: Path) -> None:
    """On the very images that it saw: a loss or a decoder that is wrong gets nowhere here."""
    seen = coco.files(instances).train.open()
    found = run_detector(TinyDetector(load(trained / "detector.ckpt"), "cpu"), seen, BoxFilter())
    untrained = run_detector(
        TinyDetector(TinyDetectorModule(), "cpu"), seen, BoxFilter(threshold=0.0)
    )
    before, after = (person_precisions(*f, seen.annotations)["AP50"] for f in (untrained, found))
    assert before < 0.05 < 0.3 < after


def test_the_small_detector_is_saved(trained: Path, val: Split, tmp_path: Path) -> None:
    detector = load(trained / "detector.ckpt")
    save(detector, tmp_path / "again.ckpt")
    found = run_detector(TinyDetector(detector, "cpu"), val, BoxFilter())
    again = run_detector(TinyDetector(load(tmp_path / "again.ckpt"), "cpu"), val, BoxFilter(), 1)
    assert again.scores == pytest.approx(found.scores, abs=1e-5)
    assert again.boxes == pytest.approx(found.boxes, abs=1e-2)
    with pytest.raises(InputError, match="multiples of 32"):
        TinyDetectorModule((100, 100))
