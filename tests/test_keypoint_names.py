"""Left and right keypoints are found by their names, in every usual form."""

from __future__ import annotations

from itertools import product

import pytest

from poselab.keypoint_names import infer_flip_pairs, plain_name
from poselab.skeletons import SKELETONS
from poselab.structures import Skeleton

FORMS = (
    *("{side}_{part}", "{part}_{side}", "{side}-{part}", "{part}.{side}", "{side} {part}"),
    *("{Side}{Part}", "{side}{Part}", "{part}{Side}", "{Side}-{Part}", "{Part} {Side}"),
    *("{part}_{side}_tip", "{part}.{SIDE}.001", "{SIDE}_{PART}", "{part}1_{side}", "{side}1"),
    *("{side}{part}", "{part}{side}", "front_{part}_{side}"),
)
PARTS = ("eye", "shoulder", "wheel", "knee")


def spelled(form: str, part: str, side: str) -> str:
    words = {"part": part, "Part": part.title(), "PART": part.upper()}
    return form.format(**words, side=side, Side=side.title(), SIDE=side.upper())


@pytest.mark.parametrize(("form", "sides"), product(FORMS, (("left", "right"), ("l", "r"))))
def test_sides_are_found_in_every_form(form: str, sides: tuple[str, str]) -> None:
    pairs = list(dict.fromkeys(tuple(spelled(form, p, s) for s in sides) for p in PARTS))
    names = ["nose", *(name for pair in pairs for name in pair), "tail"]
    assert infer_flip_pairs(names) == tuple(pairs)
    plain = [tuple(plain_name(name) for name in pair) for pair in pairs]
    assert infer_flip_pairs([plain_name(name) for name in names]) == tuple(plain)


@pytest.mark.parametrize(
    "names",
    [
        ("l_bar", "handle"),  # no counterpart
        ("right_angle", "corner"),
        ("LL", "LR", "RL", "RR"),  # which letter is the side?
        ("left_eye", "Left Eye", "right_eye"),  # which of the two?
        ("nose", "tail", "lower", "upper"),
    ],
)
def test_ambiguous_names_stay_unpaired(names: tuple[str, ...]) -> None:
    assert infer_flip_pairs(names) == ()


def test_all_sides_of_a_name_change_together() -> None:
    corners = ("left_eye_left", "left_eye_right", "right_eye_left", "right_eye_right")
    assert infer_flip_pairs(corners) == ((corners[0], corners[3]), (corners[1], corners[2]))
    assert infer_flip_pairs(("FL", "FR", "RL", "RR")) == (("FL", "FR"), ("RL", "RR"))
    assert infer_flip_pairs(("l_bar_left", "l_bar_right")) == (("l_bar_left", "l_bar_right"),)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_published_skeletons_pair_left_and_right(skeleton: Skeleton) -> None:
    sided = [name for name in skeleton.keypoints if name.startswith(("left_", "right_"))]
    assert {name for pair in skeleton.left_right_pairs for name in pair} == set(sided)
    assert all(
        b == a.replace("left", "right") or a == b.replace("left", "right")
        for a, b in skeleton.left_right_pairs
    )
    assert [plain_name(name) for name in skeleton.keypoints] == list(skeleton.keypoints)


def test_given_pairs_replace_those_of_the_names() -> None:
    names = ("left_hand", "right_hand", "hook")
    assert Skeleton("x", names, ()).flip_index == (1, 0, 2)
    assert Skeleton("x", names, (), flip_pairs=()).flip_index == (0, 1, 2)
    assert Skeleton("x", names, (), flip_pairs=(("hook", "left_hand"),)).flip_index == (2, 1, 0)
    with pytest.raises(ValueError, match="flip pairs of distinct keypoints"):
        Skeleton("x", names, (), flip_pairs=(("hook", "hook"),))
