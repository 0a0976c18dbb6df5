"""The cache never changes what is read, whatever happens to it or to the source."""

from __future__ import annotations

import os
import pickle
import warnings

import numpy as np
import pytest
from coco_labels import coco, person

from poselab.annotations import cache, open_annotations
from poselab.structures import InputError

PEOPLE = [person(n, 10 * (1 + n % 3), iscrowd=int(n == 4)) for n in range(1, 9)]
ARRAYS = (
    *("image_ids", "sizes", "file_names", "first_person", "annotation_ids", "keypoints"),
    *("visibility", "boxes", "areas", "crowd", "head_boxes", "recorded_keypoints"),
    *("mask_rows", "mask_ends", "mask_bytes"),
)


def same(a, b):
    return a.skeleton == b.skeleton and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS
    )


def test_cached_and_uncached_tables_are_the_same(write):
    path = write(coco(PEOPLE))
    plain = open_annotations(path, cache=False)
    assert not plain.cache_file
    first, second = open_annotations(path), open_annotations(path)
    assert first.cache_file == second.cache_file != ""
    assert same(plain, first)
    assert same(first, second)
    assert plain.fingerprint == second.fingerprint
    assert not second.keypoints.flags.writeable


def test_a_file_changed_in_place_within_the_same_second_is_read_anew(write):
    path = write(coco([person(1, 10, area=100.5)]))
    stamp = path.stat()
    assert open_annotations(path).areas[0] == 100.5
    write(coco([person(1, 10, area=900.5)]))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    assert open_annotations(path).areas[0] == 900.5


def test_an_unchanged_file_is_not_read_again(write, monkeypatch):
    monkeypatch.setattr(cache, "_CLOCK_RESOLUTION", -1.0)
    path = write(coco([person(1, 10, area=100.5)]))
    open_annotations(path)
    with monkeypatch.context() as without_reading:
        without_reading.setattr("poselab.annotations.open.read_source", None)
        assert open_annotations(path).areas[0] == 100.5
    write(coco([person(1, 10, area=900.5)]))
    assert open_annotations(path).areas[0] == 900.5


@pytest.mark.parametrize("how", ["cut off", "empty", "garbage", "head", "json"])
def test_a_broken_cache_is_made_again(write, cache_folder, monkeypatch, how):
    monkeypatch.setattr(cache, "_CLOCK_RESOLUTION", -1.0)
    path = write(coco(PEOPLE))
    open_annotations(path)
    for file in cache_folder.iterdir():
        if how == "json" and file.suffix == ".json":
            file.write_text("{")
        if how != "json" and file.suffix == ".table":
            content = file.read_bytes()
            broken = {
                "cut off": content[:-100],
                "empty": b"",
                "garbage": b"x" * len(content),
                "head": content[:40] + b"#" + content[41:],
            }[how]
            file.write_bytes(broken)
    assert same(open_annotations(path), open_annotations(path, cache=False))
    assert open_annotations(path).cache_file


def test_an_unwritable_cache_warns_once_and_works(write, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "file"))
    path = write(coco(PEOPLE))
    with pytest.warns(UserWarning, match="annotations are not cached, .* POSELAB_CACHE") as caught:
        first = open_annotations(path)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(first, open_annotations(path))


def test_other_ways_of_reading_have_tables_of_their_own(write):
    path = write(coco(PEOPLE))
    zero, one = open_annotations(path), open_annotations(path, origin=1)
    assert not same(zero, one)
    assert same(zero, open_annotations(path, layout="coco"))


def test_a_cached_table_is_pickled_by_name(write):
    table = open_annotations(write(coco([person(n, 10) for n in range(1, 400)])))
    assert len(pickle.dumps(table)) < 1000
    assert same(pickle.loads(pickle.dumps(table)), table)
    part = table.select([2, 0])
    assert len(pickle.dumps(part)) < 1000
    assert same(pickle.loads(pickle.dumps(part)), part)


def test_an_uncached_table_is_pickled_whole(write):
    table = open_annotations(write(coco(PEOPLE)), cache=False)
    assert same(pickle.loads(pickle.dumps(table)), table)


def test_a_vanished_cache_is_explained(write, cache_folder):
    table = open_annotations(write(coco(PEOPLE)))
    again = pickle.dumps(table)
    for file in cache_folder.iterdir():
        file.unlink()
    with pytest.raises(
        InputError, match=r"expected a whole annotation cache at .*; open the source"
    ):
        pickle.loads(again)


@pytest.mark.parametrize("cached", [False, True])
def test_select_keeps_every_image_whole_in_the_order_asked_for(write, cached):
    table = open_annotations(write(coco(PEOPLE)), cache=cached)
    for chosen in ([2, 0], [1], [], slice(-2, None), np.array([True, False, True])):
        rows = np.arange(3)[chosen]
        part = table.select(chosen)
        assert len(part) == len(rows)
        assert part.num_instances == sum(len(table.rows(int(row))) for row in rows)
        for new, old in enumerate(rows.tolist()):
            assert part.image_ids[new] == table.image_ids[old]
            assert part.file_name(new) == table.file_name(old)
            assert np.array_equal(part.sizes[new], table.sizes[old])
            for a, b in zip(part.rows(new), table.rows(old), strict=True):
                for field in ("annotation_ids", "crowd", "boxes", "keypoints"):
                    assert np.array_equal(getattr(part, field)[a], getattr(table, field)[b])
                assert part.mask(a) == table.mask(b)
    assert same(table.select([2, 0, 1]).select([1, 2, 0]), table.select(slice(None)))
