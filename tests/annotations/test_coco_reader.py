"""COCO files read back as they were written; impossible values are errors in one sentence."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
from coco_labels import coco, person

from poselab.annotations import open_annotations
from poselab.skeletons import CROWDPOSE14, MPII16
from poselab.structures import InputError


def test_every_field_is_read_back_with_people_sorted_by_image(write):
    instances = [person(7, 30), person(3, 10), person(5, 30), person(1, 10, iscrowd=1)]
    table = open_annotations(write(coco(instances)))
    assert table.image_ids.tolist() == [10, 20, 30]
    assert table.sizes.tolist() == [[100, 120]] * 3
    assert [table.file_name(n) for n in range(3)] == ["001.jpg", "002.jpg", "003.jpg"]
    assert table.first_person.tolist() == [0, 2, 2, 4]
    assert table.annotation_ids.tolist() == [3, 1, 7, 5]  # the file's order within an image
    assert table.image_of().tolist() == [0, 0, 2, 2]
    for row, written in enumerate(sorted(instances, key=lambda p: p["image_id"])):
        together = np.column_stack([table.keypoints[row], table.visibility[row]])
        assert together.ravel().tolist() == written["keypoints"]
        assert table.boxes[row].tolist() == written["bbox"]
        assert table.areas[row] == written["area"]
        assert table.crowd[row] == bool(written["iscrowd"])
        assert table.labelled()[row] == written["num_keypoints"]
        assert (table.mask(row) is not None) == bool(written["iscrowd"])
    assert [list(table.rows(image)) for image in range(3)] == [[0, 1], [], [2, 3]]
    assert table.crowd[1]


def test_gzip_is_the_same_table(write, tmp_path):
    plain = write(coco([person(1, 10)]))
    packed = tmp_path / "labels.json.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert np.array_equal(open_annotations(plain).keypoints, open_annotations(packed).keypoints)


def test_one_based_pixels_move_labelled_keypoints_and_the_box(write):
    path = write(coco([person(1, 10)]))
    zero, one = open_annotations(path), open_annotations(path, origin=1)
    labelled = zero.visibility > 0
    assert np.allclose(zero.keypoints[labelled] - 1, one.keypoints[labelled])
    assert not one.keypoints[~labelled].any()
    assert np.allclose(zero.boxes - [1, 1, 0, 0], one.boxes)


def test_head_boxes_are_read_where_there_are_any(write):
    instances = [person(1, 10, iscrowd=1), person(2, 20) | {"head_box": [5, 6.5, 7, 8]}]
    path = write(coco(instances))
    assert open_annotations(path).head_boxes.tolist() == [[0] * 4, [5, 6.5, 7, 8]]
    assert open_annotations(path, origin=1).head_boxes.tolist() == [[0] * 4, [4, 5.5, 7, 8]]
    assert not any(open_annotations(write(coco(instances[:1]))).head_boxes.strides)  # costs nothing
    instances[1]["head_box"] = [5, 6]
    with pytest.raises(InputError, match="`head_box` of annotation 2 .* got 2 values"):
        open_annotations(write(coco(instances)))


def test_a_missing_area_is_053_of_the_box_and_recorded_as_such(write):
    table = open_annotations(
        write(coco([{k: v for k, v in person(1, 10).items() if k != "area"}, person(2, 10)]))
    )
    box = table.boxes[0]
    assert table.areas[0] == box[2] * box[3] * 0.53
    assert table.areas[1] == person(2, 10)["area"]
    assert table.area_rule == "annotated, 0.53 box where missing"


def test_a_missing_box_is_the_tightest_around_labelled_keypoints(write):
    labelled = person(1, 10, keypoints=[10, 20, 2, 30, 60, 1] + [0] * 45)
    del labelled["bbox"]
    table = open_annotations(write(coco([labelled])))
    assert table.boxes[0].tolist() == [10, 20, 20, 40]
    assert table.box_rule == "around keypoints"


def test_people_without_keypoints_have_a_region_of_polygon_run_length_or_box(write):
    from pycocotools import mask

    nobody = {"keypoints": [], "num_keypoints": 0}
    counts = [50, 30, 100 * 120 - 80]
    instances = [
        person(1, 10),
        person(2, 10, **nobody),
        person(3, 10, **nobody, segmentation={"counts": counts, "size": [100, 120]}),
        person(4, 10, **nobody, segmentation=[], bbox=[10, 20, 30, 40]),
    ]
    table = open_annotations(write(coco(instances)))
    assert table.mask(0) is None
    areas = [int(mask.area({"counts": table.mask(row), "size": [100, 120]})) for row in (1, 2, 3)]
    polygon = mask.frPyObjects(instances[1]["segmentation"], 100, 120)
    assert areas == [int(mask.area(polygon)[0]), 30, 1200]


def test_category_names_decide_the_skeleton_in_any_spelling(write):
    content = coco([person(1, 10, keypoints=[5, 6, 2] * 16)])
    content["categories"][0]["keypoints"] = [
        name.replace("_", "-").capitalize() for name in MPII16.keypoints
    ]
    assert open_annotations(write(content)).skeleton == MPII16


def test_unknown_names_make_a_skeleton_with_the_categorys_limbs(write):
    content = coco([person(1, 10, keypoints=[5, 6, 2] * 3)])
    content["categories"][0] |= {
        "keypoints": ["beak", "left_wing", "right_wing"],
        "skeleton": [[1, 2], [1, 3], [1, 99]],
    }
    skeleton = open_annotations(write(content)).skeleton
    assert skeleton.keypoints == ("beak", "left_wing", "right_wing")
    assert skeleton.limbs == (("beak", "left_wing"), ("beak", "right_wing"))
    assert skeleton.flip_index == (0, 2, 1)


def test_fourteen_nameless_keypoints_need_a_skeleton(write):
    content = coco([person(1, 10, keypoints=[5, 6, 2] * 14)])
    del content["categories"]
    path = write(content)
    with pytest.raises(InputError, match="expected the names of 14 keypoints"):
        open_annotations(path)
    assert open_annotations(path, skeleton=CROWDPOSE14).skeleton == CROWDPOSE14


NAN = float("nan")
REFUSED = {
    "NaN": (
        [person(1, 10), person(42, 10, keypoints=[NAN, 2.5, 2] * 17)],
        "expected finite numbers in .* keypoints of annotation 42; correct or remove",
    ),
    "infinite box": (
        [person(42, 10, bbox=[1, 2, float("inf"), 4])],
        "NaN or infinity in the box of annotation 42",
    ),
    "NaN area": ([person(42, 10, area=NAN)], "NaN or infinity in the area of annotation 42"),
    "absurd keypoint": (
        [person(1, 10), person(42, 10, keypoints=[1, 2, 2] * 16 + [3, -1e39, 2])],
        "expected numbers within ±1,000,000 in .* got -1e[+]39 in the keypoints of annotation 42",
    ),
    "absurd box": (
        [person(42, 10, bbox=[1, 2, 1e7, 4])],
        "got 1e[+]07 in the box of annotation 42",
    ),
    "absurd area": ([person(42, 10, area=1e13)], "got 1e[+]13 in the area of annotation 42"),
    "no id": (
        [person(1, 10), {k: v for k, v in person(2, 10).items() if k != "id"}],
        "expected `id` of the annotation number 2 .* whole number, got nothing",
    ),
    "keypoint count": (
        [person(1, 10), person(42, 10, keypoints=[1, 2, 2] * 16)],
        r"expected `keypoints` of annotation 42 .* 17 times .* got 48 values",
    ),
    "visibility": (
        [person(42, 10, keypoints=[1, 2, 7] * 17)],
        "expected visibility 0, 1 or 2 .* annotation 42",
    ),
    "unknown image": ([person(42, 77)], "unknown image_id 77 in annotation 42; add that image"),
    "repeated id": (
        [person(42, 10), person(42, 20)],
        "expected distinct annotation ids .* got 42 more than once",
    ),
    "box of three": ([person(42, 10, bbox=[1, 2, 3])], r"`bbox` of annotation 42 .* got 3 values"),
    "text as id": ([person(42, "10")], "`image_id` of annotation 42 .* whole number, got '10'"),
    "text as area": (
        [person(42, 10, area="big")],
        "`area` of annotation 42 .* a number, got 'big'",
    ),
    "no object": (
        [person(1, 10), [1, 2]],
        r"expected objects in the lists .* got \[1, 2\] at row 1",
    ),
    "nobody": ([], "expected people with labelled keypoints .* found none among 0 annotations"),
    "nobody labelled": (
        [person(1, 10, keypoints=[0] * 51, num_keypoints=0)],
        "expected people with labelled keypoints .* found none among 1 annotations",
    ),
    "no segmentation": (
        [person(1, 10), person(42, 10, iscrowd=1, segmentation={"size": [1, 1]})],
        "expected `segmentation` with `counts` in annotation 42",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_people_are_errors_in_one_sentence(write, case):
    instances, sentence = REFUSED[case]
    path = write(coco(instances))
    with pytest.raises(InputError, match=sentence) as caught:
        open_annotations(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"images": [', "expected JSON in .*; is it cut off"),
        ("{}", "expected the lists `images` and `annotations` in .* an object with nothing"),
        ('{"images": {}, "annotations": []}', "expected the lists `images` and `annotations`"),
        ('{"images": [], "annotations": []}', "expected people|expected images"),
        ('[{"image_id": 1, "score": 0.5, "bbox": [1, 2, 3, 4]}]', "a detections or predictions"),
        ("[]", "expected a list of people in .* an empty list"),
        ("hello", "expected COCO or MPII annotations"),
    ],
)
def test_other_content_is_an_error(tmp_path, text, sentence):
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        open_annotations(path)


def test_a_missing_file_an_unknown_layout_and_a_cut_off_gzip_are_errors(tmp_path):
    with pytest.raises(InputError, match=re.escape("found no such file; check the path")):
        open_annotations(tmp_path / "none.json")
    with pytest.raises(InputError, match="expected a layout out of auto, coco"):
        open_annotations(tmp_path / "none.json", layout="cocoa")
    packed = tmp_path / "labels.json.gz"
    packed.write_bytes(gzip.compress(b"{}" * 1000)[:-9])
    with pytest.raises(InputError, match="expected a whole gzip file"):
        open_annotations(packed)


def test_one_id_for_two_images_is_an_error_and_a_repetition_is_not(write):
    content = coco([person(1, 10)])
    again = content["images"] + content["images"][::-1]
    table = open_annotations(write(content | {"images": again}))
    assert (table.image_ids.tolist(), table.repeated) == ([10, 20, 30], 3)
    other = [*again, {**again[0], "file_name": "other.jpg"}]
    with pytest.raises(InputError, match=r"one file for image 10 .*'001.jpg' and 'other.jpg'"):
        open_annotations(write(content | {"images": other}))
