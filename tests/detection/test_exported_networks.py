"""Networks in ONNX files: tiny ones of the families' layouts, run by ONNX Runtime itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from poselab import cli
from poselab.annotations.formats.detections import read_detections
from poselab.detection import DetectorInput
from poselab.detection.onnx_detector import OnnxDetector
from poselab.structures import InputError

STRIDES = (8, 16, 32)
SIZE = (64, 96)
CELLS = sum((SIZE[0] // s) * (SIZE[1] // s) for s in STRIDES)


@pytest.fixture
def images(tmp_path: Path) -> list[DetectorInput]:
    """Grey, 40 × 60, with a red block of 10 × 10 at a place of its own in each."""
    shown = []
    for n, (x, y) in enumerate([(5, 10), (40, 25), (25, 0)], start=1):
        image = np.full((40, 60, 3), 120, np.uint8)
        image[y : y + 10, x : x + 10] = (0, 0, 255)  # BGR
        cv2.imwrite(str(tmp_path / f"{n}.png"), image)
        shown.append(DetectorInput(n, tmp_path / f"{n}.png"))
    return shown


def node(kind: str, inputs: list[str], output: str, **options: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], **options)


def redness(layout: str) -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """How much redder than grey every cell of every grid is, 0 to 1: "red" (B, 1, cells)."""
    red = np.array([1.0, -0.5, -0.5])  # of RGB from 0 to 1, or of BGR from 0 to 255
    weights = red if layout == "yolov8" else red[::-1] / 255
    constants = {
        "weights": weights.reshape(1, 3, 1, 1).astype(np.float32),
        "flat": np.array([0, 1, -1]),
    }
    nodes = [node("Conv", ["images", "weights"], "map")]
    for s in STRIDES:
        nodes += [
            node("AveragePool", ["map"], f"pool{s}", kernel_shape=[s, s], strides=[s, s]),
            node("Reshape", [f"pool{s}", "flat"], f"flat{s}"),
        ]
    nodes.append(node("Concat", [f"flat{s}" for s in STRIDES], "red", axis=2))
    return nodes, constants


def boxes_of_cells(layout: str) -> np.ndarray:
    """What a family says of a box that is its cell: (4, cells)."""
    if layout == "yolox":  # from the cell's own place and size
        return np.tile([[0.5], [0.5], [0.0], [0.0]], CELLS)
    parts = []
    for s in STRIDES:
        y, x = np.mgrid[: SIZE[0] // s, : SIZE[1] // s].reshape(2, -1)
        parts.append(np.stack([(x + 0.5) * s, (y + 0.5) * s, 0 * x + s, 0 * x + s]))
    return np.concatenate(parts, axis=1)


def saved(layout: str, file: Path, batch: int | str) -> Path:
    """A network that finds a person in whatever is red, in the layout of a family."""
    nodes, constants = redness(layout)
    constants["cells"] = boxes_of_cells(layout)[None].astype(np.float32)
    constants |= {"zero": np.zeros((), np.float32), "one": np.ones((), np.float32)}
    nodes += [  # the cells once for each image
        node("Mul", ["red", "zero"], "nothing"),
        node("Add", ["nothing", "cells"], "boxes"),
        node("Add", ["nothing", "one"], "surely"),
    ]
    if layout == "yolov8":
        nodes.append(node("Concat", ["boxes", "red", "nothing"], "output", axis=1))
        shape = [batch, 6, CELLS]
    else:
        nodes.append(node("Concat", ["boxes", "surely", "red", "nothing"], "rows", axis=1))
        nodes.append(node("Transpose", ["rows"], "output", perm=[0, 2, 1]))
        shape = [batch, CELLS, 7]
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, *SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return file


@pytest.mark.parametrize("batch", ["any", 2])
@pytest.mark.parametrize("layout", ["yolox", "yolov8"])
def test_boxes_of_the_input_map_back_to_the_image(
    layout: str, batch: int | str, images: list[DetectorInput], tmp_path: Path
) -> None:
    """40 × 60 becomes 64 × 96, a scale of 1.6: a cell of 16 is the block of 10."""
    detector = OnnxDetector(saved(layout, tmp_path / "net.onnx", batch))
    assert (detector.layout, detector.size) == (layout, SIZE)
    assert detector.batch_size == (2 if batch == 2 else None)
    found = detector(images)
    assert len(found) == len(images)
    for instances, (x, y) in zip(found, [(5, 10), (40, 25), (25, 0)], strict=True):
        best = int(np.argmax(instances.scores))
        left, top, width, height = instances.boxes[best]
        assert instances.scores[best] == pytest.approx(1.0, abs=0.06)  # its edge is blurred
        assert width == pytest.approx(height)
        assert 5 - 1e-4 < width < 10 + 1e-4
        assert x - 1 < left + width / 2 < x + 10
        assert y - 1 < top + height / 2 < y + 10
        far = np.abs(instances.boxes[:, 0] + instances.boxes[:, 2] / 2 - x - 5) > 20
        assert np.abs(instances.scores[far]).max() < 0.02  # grey is nobody


def test_the_command_takes_a_network_in_a_file(images: list[DetectorInput], tmp_path: Path) -> None:
    file, out = saved("yolov8", tmp_path / "net.onnx", 1), tmp_path / "boxes.json"
    given = ["detect", *(str(p.path) for p in images), "--detector", str(file)]
    assert cli.main([*given, "--out", str(out), "--max-boxes", "1", "--device", "cpu"]) == 0
    found = read_detections(out)
    assert found.image_ids.tolist() == [1, 2, 3]
    assert found.scores == pytest.approx(np.ones(3), abs=0.06)


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"no network")
    with pytest.raises(InputError, match="expected an ONNX network in"):
        OnnxDetector(file)
